package KafkaTest;

# Test::Nginx::Socket with a mock of Kafka.  Each test file has its own mock
# cluster: t/mock/mock.c, whose binary is $KAFKA_MOCK.  Configurations contain
# its address as $TEST_NGINX_KAFKA.  $TOPIC in a block's sections is the name of
# a new topic with one partition, so offsets start at 0.
#
# These sections are added to those of Test::Nginx:
#
#   --- producer      properties of the producer "main".  A block without an
#                     http_config has this producer.  A block without a config
#                     serves it at /produce.
#   --- mock          commands for the mock, sent before the request.  Their
#                     effects are undone after the block.
#   --- json_body     the expected JSON response.  "*" matches anything but
#                     null, "~REGEX" a string that matches the regex.
#   --- cases eval    a list of [BODY, STATUS, EXPECTED].  Each BODY is POSTed
#                     to --- uri (default /produce/$TOPIC).  If BODY is [METHOD,
#                     TARGET, BODY], this request is sent instead.  EXPECTED is
#                     a regex for the text of an error, or else JSON as in
#                     json_body.
#   --- records       the exact records that a consumer must find in the topics
#                     named here: a JSON object in each line, with topic and
#                     value.  Optional are partition (default 0), key (null),
#                     headers (["name", "value", ...], default []) and timestamp
#                     (not compared by default).  A value that JSON cannot
#                     represent is written as {"hex": "ff00"}.
#   --- no_records    topics in which a consumer must find no record
#
# After each block nginx must be alive, and its error log must contain no alert,
# crash or sanitizer report.  nginx must quit in time, and without such lines.

use Test::Nginx::Socket -Base;

use Digest::MD5 ();
use Encode ();
use IO::Socket::INET ();
use IPC::Open2 ();
use JSON::PP ();
use Time::HiRes ();

our @EXPORT = qw(mock_command topic_records);

my $json = JSON::PP->new->canonical->allow_nonref;
my @bad_lines = ('\[(?:alert|crit|emerg)\]', 'exited on signal',
                 'AddressSanitizer', 'LeakSanitizer', 'runtime error:');

my $control;
my $mock_in;
my $block;
my $log_read = 0;

# restart nginx only if a block's configuration differs from that of the
# previous block
$Test::Nginx::Util::ForceRestartOnTest =
    $ENV{TEST_NGINX_FORCE_RESTART_ON_TEST} // 0;

plan('no_plan');
no_shuffle();
no_long_string();
log_level($ENV{TEST_NGINX_LOG_LEVEL} // 'info');
timeout($ENV{TEST_NGINX_TIMEOUT} // 15);
master_on() if !defined $ENV{TEST_NGINX_MASTER_PROCESS};

start_mock();

add_block_preprocessor(sub { prepare($_[0]) });
add_response_body_check(sub { check_json_body($_[0], @_[1, 2]) });
add_test_cleanup_handler(sub { finish($_[0]) });

my $run_test = $Test::Nginx::Util::RunTestHelper;
my $kill_process = \&Test::Nginx::Util::kill_process;

$Test::Nginx::Util::RunTestHelper = sub {
    defined $_[0]->cases ? run_cases($_[0]) : $run_test->(@_);
};

{
    no warnings qw(redefine prototype);

    *Test::Nginx::Util::kill_process = sub {
        my $start = Time::HiRes::time();
        $kill_process->(@_);
        ok(Time::HiRes::time() - $start < timeout(), "nginx quits in time");
        check_error_log_lines("nginx's exit");
        $log_read = 0;
    };
}


sub start_mock() {
    my $program = $ENV{KAFKA_MOCK} // 'build/kafka-mock';

    IPC::Open2::open2(my $out, $mock_in, $program);

    my $line = <$out> // '';
    $line =~ /^bootstrap (\S+) control (\S+)$/ or die "$program: $line";

    $ENV{TEST_NGINX_KAFKA} = $1;
    $control = IO::Socket::INET->new(PeerAddr => $2) or die "$2: $@";
}


sub mock_command($) {
    my ($line) = @_;

    print $control "$line\n";
    my $answer = <$control> // 'no answer';

    bail_out("mock: $line: $answer") if $answer ne "ok\n";
}


# before a block: set its defaults, create its topic, send its mock commands

sub prepare($) {
    ($block) = @_;

    my ($file) = $0 =~ m{([^/]+)\.t$};
    my $topic = "$file-" . $block->seq_num;

    for my $section (qw(config http_config request raw_request uri cases mock
                        pipelined_requests json_body records no_records))
    {
        my $value = $block->$section;
        $block->set_value($section, expand($value, $topic)) if defined $value;
    }

    if (!defined $block->http_config) {
        my $properties = $block->producer // '';
        $block->set_value('http_config', <<"END");
    kafka_producer main {
        bootstrap.servers \$TEST_NGINX_KAFKA;
        $properties
    }
END
    }

    if (!defined $block->config) {
        $block->set_value('config',
                          "location /produce { kafka_produce main; }\n");
    }

    # Test::Nginx restarts nginx if this section has changed: add a digest of
    # other sections, so that a change in them restarts nginx, too

    my $rest = join "\0",
                   map { defined $block->$_ ? $block->$_ : "\0" }
                   qw(http_config main_config user_files http2);
    my $digest = Digest::MD5::md5_hex(Encode::encode_utf8($rest));
    $block->set_value('config', $block->config . "# $digest\n");

    if (defined $block->json_body && !defined $block->raw_response_headers_like)
    {
        my $like = "Content-Type: application/json\r\n";
        $block->set_value('raw_response_headers_like',
                          ref $block->json_body
                          ? [map { $like } @{$block->json_body}] : $like);
    }

    mock_command("topic $topic 1");
    mock_command($_) for split /\n+/, $block->mock // '';
}


sub expand($$);

sub expand($$) {
    my ($value, $topic) = @_;

    return [map { expand($_, $topic) } @$value] if ref $value eq 'ARRAY';
    return $value if ref $value || !defined $value;

    $value =~ s/\$TOPIC\b/$topic/g;
    return $value;
}


sub run_cases($) {
    my ($block) = @_;

    my $uri = $block->uri // expand('/produce/$TOPIC', topic_of($block));
    chomp $uri;

    for my $case (@{$block->cases}) {
        my ($request, $status, $expected) = @$case;

        $request = ['POST', $uri, $request] if !ref $request;

        my $name = $block->name . ' - ' . show("@$request");
        my ($code, $headers, $content) = send_exactly(@$request);

        is($code, $status, "$name - status");
        like($headers, qr{^Content-Type: application/json\r$}m,
             "$name - is JSON");

        my $got = eval { JSON::PP->new->utf8->decode($content) };

        if ($status == 200) {
            json_is($got, $json->decode(Encode::decode_utf8($expected)), $name)
                if defined $expected;
            next;
        }

        my $text = ref $got eq 'HASH' ? $got->{error} : undef;

        json_is($got, {error => '*', status => $status}, "$name - an error");
        like($text // '', $expected, "$name - its text") if defined $expected;
    }
}


sub topic_of($) {
    my ($block) = @_;

    my ($file) = $0 =~ m{([^/]+)\.t$};
    return "$file-" . $block->seq_num;
}


sub show($) {
    my ($text) = @_;

    $text = substr($text, 0, 70) . '...' if length $text > 80;
    $text =~ s/([^\x20-\x22\x24-\x7e])/sprintf '\x%02x', ord $1/ge;
    return $text;
}


sub send_exactly($$;$) {
    my ($method, $target, $body) = @_;

    my $socket = IO::Socket::INET->new(
        PeerAddr => server_addr(),
        PeerPort => server_port_for_client(),
        Timeout => timeout(),
    ) or return (0, '', "connect: $@");

    print $socket "$method $target HTTP/1.1\r\nHost: localhost\r\n",
                  "Connection: close\r\n",
                  defined $body ? 'Content-Length: ' . length($body) . "\r\n"
                                : '',
                  "\r\n", $body // '';

    local $SIG{ALRM} = sub { $socket->shutdown(2) };
    alarm timeout();
    my $answer = do { local $/; <$socket> } // '';
    alarm 0;

    my ($headers, $content) = split /\r\n\r\n/, $answer, 2;
    my ($code) = ($headers // '') =~ m{^HTTP/1\.1 (\d+)};

    return ($code // 0, ($headers // '') . "\r\n", $content // '');
}


sub check_json_body($$$) {
    my ($block, $content, $index) = @_;

    my $expected = $block->json_body;
    return if !defined $expected;

    $expected = $expected->[$index] if ref $expected;

    my $got = eval { JSON::PP->new->utf8->decode($content) };
    json_is($got, $json->decode(Encode::decode_utf8($expected)),
            $block->name . " - json_body ($index)")
        or diag($content);
}


sub json_is($$$) {
    my ($got, $expected, $name) = @_;

    my $difference = difference($got, $expected, 'answer');

    ok(!defined $difference, $name) or diag($difference);
    return !defined $difference;
}


sub difference($$$);

# returns undef, or the place and kind of the first difference

sub difference($$$) {
    my ($got, $expected, $path) = @_;

    if (ref $expected eq 'HASH' && ref $got eq 'HASH') {
        my %keys = (%$got, %$expected);

        for my $key (sort keys %keys) {
            return "$path.$key is unexpected" if !exists $expected->{$key};
            return "$path.$key is missing" if !exists $got->{$key};

            my $found = difference($got->{$key}, $expected->{$key},
                                   "$path.$key");
            return $found if defined $found;
        }

        return;
    }

    if (ref $expected eq 'ARRAY' && ref $got eq 'ARRAY') {
        return "$path has " . @$got . " entries, expected " . @$expected
            if @$got != @$expected;

        for my $i (0 .. $#$got) {
            my $found = difference($got->[$i], $expected->[$i], "$path\[$i]");
            return $found if defined $found;
        }

        return;
    }

    my ($got_text, $expected_text) = ($json->encode($got),
                                      $json->encode($expected));

    return if $got_text eq $expected_text;
    return if $expected_text eq '"*"' && defined $got;
    return if $expected_text =~ /^"~/ && defined $got && !ref $got
              && $got =~ substr($expected, 1);

    return Encode::encode_utf8("$path is $got_text, expected $expected_text");
}


# after a block: check the records, and that nginx works

sub finish($) {
    my ($block) = @_;

    my $name = $block->name;

    mock_command('reset') if defined $block->mock;

    check_records($block, $block->records) if defined $block->records;

    for my $topic (split ' ', $block->no_records // '') {
        is_deeply([topic_records($topic)], [], "$name - nothing in $topic");
    }

    check_error_log_lines($name, defined $block->must_die);

    my $pid = -s $Test::Nginx::Util::PidFile ? get_pid($name) : undef;

    if (!defined $block->must_die) {
        ok(defined $pid && kill(0, $pid), "$name - nginx is alive");
    }

    undef $Test::Nginx::Util::PrevConfig if !defined $pid;
}


sub get_pid($) {
    return Test::Nginx::Util::get_pid_from_pidfile($_[0]);
}


sub check_records($$) {
    my ($block, $lines) = @_;

    my (%expected, @topics);

    for my $line (split /\n+/, $lines) {
        my $record = {partition => 0, key => undef, headers => [],
                      %{bytes(JSON::PP->new->utf8->decode($line))}};
        my $topic = delete $record->{topic};

        push @topics, $topic if !exists $expected{$topic};
        push @{$expected{$topic}}, $record;
    }

    for my $topic (@topics) {
        my @got = topic_records($topic);
        my @want = sort { $a->{partition} <=> $b->{partition} }
                        @{$expected{$topic}};

        for my $i (0 .. $#got) {
            delete $got[$i]{timestamp}
                if !defined $want[$i] || !exists $want[$i]{timestamp};
        }

        json_is(\@got, \@want, $block->name . " - records in $topic");
    }
}


# returns all records of a topic, as a consumer gets them; strings are bytes

sub topic_records($) {
    my ($topic) = @_;

    open my $kcat, '-|', qw(timeout 20 kcat -C -J -e -q -o beginning),
        '-X', 'fetch.wait.max.ms=10', '-b', $ENV{TEST_NGINX_KAFKA},
        '-t', $topic or die "kcat: $!";

    my @records;

    while (my $line = <$kcat>) {
        my $r = JSON::PP->new->decode($line);

        push @records, {
            partition => $r->{partition},
            offset => $r->{offset},
            timestamp => $r->{ts},
            key => $r->{key},
            value => $r->{payload},
            headers => $r->{headers} // [],
        };
    }

    close $kcat or die "kcat: $topic: $?";

    @records = sort { $a->{partition} <=> $b->{partition}
                      || $a->{offset} <=> $b->{offset} } @records;
    delete $_->{offset} for @records;

    return @records;
}


sub bytes($);

sub bytes($) {
    my ($value) = @_;

    if (ref $value eq 'HASH') {
        return pack('H*', $value->{hex}) if exists $value->{hex};
        return {map { $_ => bytes($value->{$_}) } keys %$value};
    }

    return [map { bytes($_) } @$value] if ref $value eq 'ARRAY';

    # a number stays a number

    return $value if !defined $value || $json->encode($value) !~ /^"/;
    return Encode::encode_utf8($value);
}


sub check_error_log_lines($;$) {
    my ($name, $refused) = @_;

    open my $log, '<', $Test::Nginx::Util::ErrLogFile or return;
    seek $log, $log_read, 0;

    my $bad = join '|', @bad_lines;
    my @found = grep { /$bad/ && !($refused && /\[emerg\]/) } <$log>;

    $log_read = tell $log;

    is(join('', @found), '', "$name - error log");
}
