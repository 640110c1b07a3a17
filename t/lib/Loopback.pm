package Loopback;

# Mends the nginx.conf that Test::Nginx writes, for any test file when perl is
# run with "-It/lib -MLoopback": servers listen on 127.0.0.1 instead of every
# address, and HTTP/2 is asked for in the way that the nginx at hand knows
# ("http2 on" came with 1.25.1).

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
