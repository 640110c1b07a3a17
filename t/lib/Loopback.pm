package Loopback;

# Changes the nginx.conf that Test::Nginx writes.  This works for any test file
# if perl runs with "-It/lib -MLoopback".  Servers listen on 127.0.0.1 instead
# of all addresses.  HTTP/2 is enabled with the syntax that the tested nginx
# supports: "http2 on" requires nginx 1.25.1.

use strict;
use warnings;

use Test::Nginx::Util ();

my $write = \&Test::Nginx::Util::write_config_file;

sub mend {
    my ($text) = @_;

    my $port = Test::Nginx::Util::server_port();

    $text =~ s/^(\s+listen\s+)(?=$port\b)/${1}127.0.0.1:/mg;

    if ($Test::Nginx::Util::NginxVersion < 1.025001) {
        $text =~ s/^(\s+listen\s+[^;\n]+);\s*http2 on;/$1 http2;/mg;
    }

    return $text;
}

no warnings qw(redefine prototype);

*Test::Nginx::Util::write_config_file = sub {
    $write->(@_);

    my $file = $Test::Nginx::Util::ConfFile;

    open my $in, '<', $file or die "open $file: $!";
    my $text = do { local $/; <$in> };
    close $in;

    open my $out, '>', $file or die "open $file: $!";
    print $out mend($text);
    close $out or die "close $file: $!";
};

1;
