#!/usr/bin/env perl

# Checks nginx's C style, so far as a few patterns can tell it.
#
#   util/style.pl [FILE...]      without files: those of src/ and t/mock/

use strict;
use warnings;

use File::Basename qw(basename dirname);

my $max_columns = 80;
my $max_lines = 60;
my $max_file_lines = 800;

# A lexer's automaton is read at one glance, and each byte goes through it.
my %long = (ngx_http_kafka_lex_outside => 1);

# Which layers a layer of src/ may use, besides itself.
my %uses = (
    src     => [qw(http kafka metrics json)],
    http    => [qw(kafka metrics json src)],
    kafka   => [qw(metrics)],
    metrics => [qw(json src)],
    json    => [],
);

my %layer_of;       # a header's
my %includes;       # the headers that a header includes

my $bad = 0;

my @files = @ARGV;

if (!@files) {
    chdir dirname(__FILE__) . '/..' or die "chdir: $!\n";
    @files = (glob('src/*.[ch]'), glob('src/*/*.[ch]'), glob('t/mock/*.[ch]'));
}

die "style.pl: no files to check\n" if !@files;

read_includes($_) for grep { m{^src/} && /\.h$/ } @files;
check_file($_) for @files;
check_circles();

exit($bad ? 1 : 0);


sub report {
    my ($file, $index, $text) = @_;

    printf "%s:%d: %s\n", $file, $index + 1, $text;
    $bad++;
}


sub layer {
    my ($file) = @_;

    return $file =~ m{^src/(\w+)/} ? $1 : 'src';
}


sub includes {
    my ($file) = @_;

    open my $in, '<', $file or die "style.pl: $file: $!\n";
    my @names = map { /^#include <(\S+\.h)>/ ? $1 : () } <$in>;
    close $in;

    return @names;
}


sub read_includes {
    my ($file) = @_;

    $layer_of{basename($file)} = layer($file);
    $includes{basename($file)} = [includes($file)];
}


sub check_layers {
    my ($file) = @_;

    my $layer = layer($file);

    for my $name (includes($file)) {
        report($file, 0, "$layer/ must not know $name")
            if $name eq 'ngx_http.h' && $layer !~ /^(?:src|http)$/;

        my $other = $layer_of{$name} // next;

        report($file, 0, "$layer/ must not use $other/: $name")
            if !grep { $_ eq $other } $layer, @{$uses{$layer}};
    }
}


sub check_circles {
    my (%done, %path);
    my $visit;

    $visit = sub {
        my ($name) = @_;

        report($name, 0, 'includes itself, by way of others')
            if $path{$name};
        return if $path{$name} || $done{$name}++;

        local $path{$name} = 1;
        $visit->($_) for @{$includes{$name} // []};
    };

    $visit->($_) for sort keys %includes;
}


sub check_file {
    my ($file) = @_;

    check_layers($file) if $file =~ m{^src/};

    open my $in, '<:encoding(UTF-8)', $file or die "style.pl: $file: $!\n";
    my $text = do { local $/; <$in> } // '';
    close $in;

    my @raw = split /\n/, $text, -1;

    # What follows the last newline is no line.
    if (@raw && $raw[-1] eq '') {
        pop @raw;

    } else {
        report($file, $#raw, 'no newline at the end of the file');
    }

    my @code = split /\n/, strip($file, $text), -1;
    $#code = $#raw;

    my $directive = directives(\@code);

    report($file, $#raw, "more than $max_file_lines lines")
        if @raw > $max_file_lines;

    check_lines($file, \@raw);
    check_directives($file, \@code, $directive);
    check_guard($file, \@code) if $file =~ /\.h$/;
    check_indentation($file, \@raw, \@code, $directive);
    check_functions($file, \@raw, \@code, $directive);
}


# The text with its comments, and what is in its strings, made blank.

sub strip {
    my ($file, $text) = @_;

    my $code = '';
    my $line = 0;

    while ($text =~ m{\G(
                /\*.*?(?:\*/|\z) | //[^\n]* |
                "(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)*' | . )}gsx)
    {
        my $token = $1;

        if ($token =~ m{^//}) {
            report($file, $line, 'a comment with //');
        }

        $line += $token =~ tr/\n//;

        if ($token =~ m{^/[*/]}) {
            $token =~ s/[^\n]/ /g;

        } elsif ($token =~ /^["'].+/s) {
            substr($token, 1, -1) =~ s/[^\n]/_/g;
        }

        $code .= $token;
    }

    return $code;
}


# Which lines belong to preprocessor directives.

sub directives {
    my ($code) = @_;

    my @directive;
    my $continued = 0;

    for my $i (0 .. $#$code) {
        $directive[$i] = $continued || $code->[$i] =~ /^\s*#/;
        $continued = $directive[$i] && $code->[$i] =~ /\\$/;
    }

    return \@directive;
}


sub check_lines {
    my ($file, $raw) = @_;

    for my $i (0 .. $#$raw) {
        my $line = $raw->[$i];

        report($file, $i, "more than $max_columns columns")
            if length($line) > $max_columns;
        report($file, $i, 'a tab') if $line =~ /\t/;
        report($file, $i, 'blanks at the end of the line') if $line =~ /\s$/;
    }
}


sub check_directives {
    my ($file, $code, $directive) = @_;

    for my $i (0 .. $#$code) {
        report($file, $i, 'code that is never compiled: #if 0')
            if $directive->[$i] && $code->[$i] =~ /^\s*#\s*if\s+\(?0\)?\s*$/;
    }
}


sub check_guard {
    my ($file, $code) = @_;

    my $guard = '_' . uc(basename($file, '.h')) . '_H_INCLUDED_';
    my @lines = grep { $code->[$_] =~ /\S/ } 0 .. $#$code;

    return if @lines >= 3
              && $code->[$lines[0]] =~ /^#ifndef $guard\s*$/
              && $code->[$lines[1]] =~ /^#define $guard\s*$/
              && $code->[$lines[-1]] =~ /^#endif\s*$/;

    report($file, $lines[0] // 0, "no header guard $guard");
}


# Only where a statement or a declaration starts: its other lines are aligned
# with whatever is above them.

sub check_indentation {
    my ($file, $raw, $code, $directive) = @_;

    my $depth = 0;
    my $starts = 1;

    for my $i (0 .. $#$code) {
        my $line = $code->[$i];

        next if $directive->[$i] || $line !~ /\S/;

        my ($indent) = $raw->[$i] =~ /^( *)/;

        report($file, $i, 'indented by ' . length($indent) . ' columns')
            if $starts && $depth == 0 && length($indent) % 4;

        $depth += ($line =~ tr/([//) - ($line =~ tr/)]//);
        $starts = $line =~ /[;{}]\s*$/
                  || $line =~ /^\s*(?:case\b.*|\w+\s*):\s*$/;
    }
}


sub check_functions {
    my ($file, $raw, $code, $directive) = @_;

    my $depth = 0;

    for my $open (0 .. $#$code) {

        next if $directive->[$open];

        report($file, $open, 'a function\'s brace not on a line of its own')
            if $depth == 0 && $code->[$open] =~ /\)\s*\{\s*$/;

        $depth += ($code->[$open] =~ tr/{//) - ($code->[$open] =~ tr/}//);
        $depth = 0 if $code->[$open] =~ /^\}/;

        next if $code->[$open] !~ /^\{\s*$/;

        my $head = $open;
        $head-- while $head > 0 && !$directive->[$head - 1]
                      && $code->[$head - 1] =~ /[^;}\s]\s*$/;

        my $close = $open;
        $close++ while $close < $#$code && $code->[$close] !~ /^\}/;

        check_length($file, $code, $head, $close - $open - 1);
        check_head($file, $code, $head);
        check_blank_lines($file, $raw, $code, $directive, $head, $close);
    }
}


sub check_length {
    my ($file, $code, $head, $lines) = @_;

    my ($name) = $code->[$head + 1] =~ /^(\w+)\(/;

    report($file, $head, "a function of $lines lines")
        if $lines > $max_lines && !$long{$name // ''};
}


sub check_head {
    my ($file, $code, $head) = @_;

    my ($name) = $code->[$head + 1] =~ /^(\w+)\(/;

    if (!defined $name || $code->[$head] =~ /\(/) {
        report($file, $head, 'the return type not on a line of its own');
        return;
    }

    return if $code->[$head] !~ /^static\b(?!.*\binline\b|.*\bngx_inline\b)/;

    my $before = join "\n", @$code[0 .. $head - 1];

    report($file, $head + 1, "no prototype of $name()")
        if $before !~ /^static\b[^;{}()]*\b$name\([^;{}]*;/m;
}


# Two blank lines before a function and after it; a directive beside it may be
# nearer.

sub check_blank_lines {
    my ($file, $raw, $code, $directive, $head, $close) = @_;

    my $before = $head - 1;
    $before-- while $before >= 0 && $code->[$before] !~ /\S/;

    if ($before >= 0 && !$directive->[$before] && $code->[$before] !~ /^\}$/) {
        check_gap($file, $raw, $before);
    }

    my $after = $close + 1;
    $after++ while $after <= $#$raw && $raw->[$after] !~ /\S/;

    if ($after <= $#$raw && !$directive->[$after]) {
        check_gap($file, $raw, $close);
    }
}


sub check_gap {
    my ($file, $raw, $line) = @_;

    my $next = $line + 1;
    $next++ while $next <= $#$raw && $raw->[$next] !~ /\S/;

    my $blank = $next - $line - 1;

    report($file, $next, "$blank blank lines beside a function, not 2")
        if $blank != 2;
}
