# What nginx -t refuses, where, and what it accepts.

use KafkaTest;

my $default = "    location /produce { kafka_produce main; }\n";

# A case is refused in a line that has "# here": where all of a block is wrong
# any of two, its last line among them.

add_block_preprocessor(sub {
    my ($block) = @_;

    return if !defined $block->must_die;

    $block->set_value('config', $default) if !defined $block->config;
    $block->set_value('suppress_stderr', 1);
});

add_test_cleanup_handler(sub {
    my ($block) = @_;

    return if !defined $block->must_die;

    my $conf = $Test::Nginx::Util::ConfFile;

    my @places = defined $block->place ? ($block->place) : ();

    open my $in, '<', $conf or die "open $conf: $!";
    while (<$in>) {
        push @places, "$conf:$." if /# here/;
    }

    open my $log, '<', $Test::Nginx::Util::ErrLogFile or die "log: $!";
    my ($place) = map { / in (\S+)$/ } grep { /\[emerg\]/ } <$log>;

    ok(scalar(grep { $_ eq ($place // '') } @places),
       $block->name . ' - names file and line')
        or diag($place);
});

run_tests();

__DATA__

=== TEST 1: an unknown property
--- http_config
    kafka_producer main {
        bootstrap.servers 127.0.0.1:9;
        no.such.property 1;                   # here
    }
--- must_die: 1
--- error_log eval
["[emerg]", qr/no\.such\.property/]



=== TEST 2: a bad value
--- http_config
    kafka_producer main {
        bootstrap.servers 127.0.0.1:9;
        linger.ms soon;                       # here
    }
--- must_die: 1
--- error_log eval
["[emerg]", qr/linger\.ms/]



=== TEST 3: a value out of range
--- http_config
    kafka_producer main {
        bootstrap.servers 127.0.0.1:9;
        message.timeout.ms -1;                # here
    }
--- must_die: 1
--- error_log eval
["[emerg]", qr/message\.timeout\.ms/]



=== TEST 4: a consumer's property
--- http_config
    kafka_producer main {
        bootstrap.servers 127.0.0.1:9;
        group.id g;                           # here
    }
--- must_die: 1
--- error_log eval
["[emerg]", qr/group\.id/]



=== TEST 5: a consumer's topic property
--- http_config
    kafka_producer main {
        bootstrap.servers 127.0.0.1:9;
        auto.offset.reset earliest;           # here
    }
--- must_die: 1
--- error_log eval
["[emerg]", qr/auto\.offset\.reset/]



=== TEST 6: acks 1
--- http_config
    kafka_producer main {
        bootstrap.servers 127.0.0.1:9;
        acks 1;                               # here
    }
--- must_die: 1
--- error_log eval
["[emerg]", qr/acks/]



=== TEST 7: acks 0
--- http_config
    kafka_producer main {
        bootstrap.servers 127.0.0.1:9;
        acks 0;                               # here
    }
--- must_die: 1
--- error_log eval
["[emerg]", qr/acks/]



=== TEST 8: acks by its other name
--- http_config
    kafka_producer main {
        bootstrap.servers 127.0.0.1:9;
        request.required.acks 1;              # here
    }
--- must_die: 1
--- error_log eval
["[emerg]", qr/acks/]



=== TEST 9: delivery reports that would be missing
--- http_config
    kafka_producer main {
        bootstrap.servers 127.0.0.1:9;
        delivery.report.only.error true;      # here
    }
--- must_die: 1
--- error_log eval
["[emerg]", qr/delivery\.report\.only\.error/]



=== TEST 10: transactions
--- http_config
    kafka_producer main {
        bootstrap.servers 127.0.0.1:9;
        transactional.id t;                   # here
    }
--- must_die: 1
--- error_log eval
["[emerg]", qr/transactional\.id/]



=== TEST 11: no bootstrap.servers
--- http_config
    kafka_producer main {                     # here
        linger.ms 1;
    }                                         # here
--- must_die: 1
--- error_log eval
["[emerg]", qr/bootstrap\.servers/]



=== TEST 12: an empty block
--- http_config
    kafka_producer main {                     # here
    }                                         # here
--- must_die: 1
--- error_log eval
["[emerg]", qr/bootstrap\.servers/]



=== TEST 13: an unknown producer
--- config
    location /produce {
        kafka_produce nobody;                 # here
    }
--- must_die: 1
--- error_log eval
["[emerg]", qr/nobody/]



=== TEST 14: a producer defined twice
--- http_config
    kafka_producer main {
        bootstrap.servers 127.0.0.1:9;
    }
    kafka_producer main {                     # here
        bootstrap.servers 127.0.0.1:9;
    }
--- must_die: 1
--- error_log eval
["[emerg]", qr/main/]



=== TEST 15: a property defined twice
--- http_config
    kafka_producer main {
        bootstrap.servers 127.0.0.1:9;
        linger.ms 1;
        linger.ms 2;                          # here
    }
--- must_die: 1
--- error_log eval
["[emerg]", qr/linger\.ms/]



=== TEST 16: a regex location
--- config
    location ~ ^/produce {
        kafka_produce main;                   # here
    }
--- must_die: 1
--- error_log eval
["[emerg]", qr/kafka_produce/]



=== TEST 17: kafka_produce twice
--- config
    location /produce {
        kafka_produce main;
        kafka_produce main;                   # here
    }
--- must_die: 1
--- error_log eval
["[emerg]", qr/kafka_produce/]



=== TEST 18: properties that do not agree
--- http_config
    kafka_producer main {                     # here
        bootstrap.servers 127.0.0.1:9;
        enable.idempotence true;
        max.in.flight 10;
    }                                         # here
--- must_die: 1
--- error_log eval
["[emerg]", qr/max\.in\.flight/]



=== TEST 19: a key file that is not there
--- http_config
    kafka_producer main {
        bootstrap.servers 127.0.0.1:9;
        security.protocol ssl;
        ssl.key.location /no/such/key.pem;    # here
    }                                         # here
--- must_die: 1
--- error_log eval
["[emerg]", qr{/no/such/key\.pem}]



=== TEST 20: a file of CAs that holds none
--- http_config
    kafka_producer main {
        bootstrap.servers 127.0.0.1:9;
        security.protocol ssl;
        ssl.ca.location $TEST_NGINX_SERVER_ROOT/html/ca.pem;    # here
    }                                         # here
--- user_files
>>> ca.pem
nothing
--- must_die: 1
--- error_log
[emerg]



=== TEST 21: a bad property in an included file
--- http_config
    kafka_producer main {
        bootstrap.servers 127.0.0.1:9;
        include $TEST_NGINX_SERVER_ROOT/html/secrets.conf;
    }
--- user_files
>>> secrets.conf
sasl.username u;
no.such.property 1;
--- must_die: 1
--- error_log eval
["[emerg]", qr/no\.such\.property/]
--- place eval
"$ENV{TEST_NGINX_SERVER_ROOT}/html/secrets.conf:2"



=== TEST 22: a property without a value
--- http_config
    kafka_producer main {
        bootstrap.servers 127.0.0.1:9;
        linger.ms;                            # here
    }
--- must_die: 1
--- error_log eval
["[emerg]", qr/linger\.ms/]



=== TEST 23: a property with two values
--- http_config
    kafka_producer main {
        bootstrap.servers 127.0.0.1:9 127.0.0.1:10;    # here
    }
--- must_die: 1
--- error_log eval
["[emerg]", qr/bootstrap\.servers/]



=== TEST 24: a producer without a name
--- http_config
    kafka_producer {                          # here
        bootstrap.servers 127.0.0.1:9;
    }
--- must_die: 1
--- error_log eval
["[emerg]", qr/kafka_producer/]



=== TEST 25: a bad shutdown timeout
--- http_config
    kafka_producer main { bootstrap.servers 127.0.0.1:9; }
    kafka_shutdown_timeout never;             # here
--- must_die: 1
--- error_log eval
["[emerg]", qr/kafka_shutdown_timeout/]



=== TEST 26: a block inside a producer
--- http_config
    kafka_producer main {
        bootstrap.servers 127.0.0.1:9;
        ssl {                                 # here
        }
    }
--- must_die: 1
--- error_log
[emerg]



=== TEST 27: a secret stays out of the log
--- http_config
    kafka_producer main {
        bootstrap.servers 127.0.0.1:9;
        sasl.password s3cr3t;
        no.such.property 1;                   # here
    }
--- must_die: 1
--- error_log
[emerg]
--- no_error_log
s3cr3t



=== TEST 28: acks all, in each of its forms
--- http_config
    kafka_producer main {
        bootstrap.servers $TEST_NGINX_KAFKA;
        acks all;
    }
    kafka_producer other {
        bootstrap.servers $TEST_NGINX_KAFKA;
        acks -1;
    }
--- config
    location /produce { kafka_produce main; }
    location /other { kafka_produce other; }
--- cases eval
[
    [['GET', '/produce/$TOPIC/a'], 200],
    [['GET', '/other/$TOPIC/b'], 200],
]
--- records
{"topic": "$TOPIC", "value": "a"}
{"topic": "$TOPIC", "value": "b"}



=== TEST 29: an included file
--- http_config
    kafka_producer main {
        include $TEST_NGINX_SERVER_ROOT/html/*.properties;
    }
--- user_files eval
">>> a.properties\nbootstrap.servers $ENV{TEST_NGINX_KAFKA};\nlinger.ms 1;\n"
--- request
GET /produce/$TOPIC/a
--- json_body
{"topic": "$TOPIC", "partition": 0, "offset": 0, "timestamp": "*"}
--- records
{"topic": "$TOPIC", "value": "a"}



=== TEST 30: bootstrap.servers by its other name, values in quotes
--- http_config
    kafka_producer "main" {
        metadata.broker.list "$TEST_NGINX_KAFKA";
        client.id 'a client';
    }
    kafka_shutdown_timeout 500ms;
--- request
GET /produce/$TOPIC/a
--- json_body
{"topic": "$TOPIC", "partition": 0, "offset": 0, "timestamp": "*"}



=== TEST 31: an embedded mock cluster needs no bootstrap.servers
--- http_config
    kafka_producer main { test.mock.num.brokers 1; }
--- request
GET /produce/$TOPIC/a
--- json_body
{"topic": "$TOPIC", "partition": "*", "offset": 0, "timestamp": "*"}



=== TEST 32: a producer that no location uses
--- http_config
    kafka_producer main { bootstrap.servers $TEST_NGINX_KAFKA; }
    kafka_producer spare { bootstrap.servers 127.0.0.1:9; }
--- request
GET /produce/$TOPIC/a
--- json_body
{"topic": "$TOPIC", "partition": 0, "offset": 0, "timestamp": "*"}



=== TEST 33: a location takes its producer from nobody but itself
--- config
    location /produce {
        kafka_produce main;

        location /produce/inner { return 200 "{}\n"; }
    }
--- request
GET /produce/inner/x
--- response_body
{}



=== TEST 34: a property that would hide delivery reports
--- http_config
    kafka_producer main {
        bootstrap.servers 127.0.0.1:9;
        enabled_events 0;                     # here
    }
--- must_die: 1
--- error_log eval
["[emerg]", qr/enabled_events/]



=== TEST 35: a SASL mechanism whose tokens nobody would renew
--- http_config
    kafka_producer main {
        bootstrap.servers 127.0.0.1:9;
        sasl.mechanisms OAUTHBEARER;
    }                                         # here
--- must_die: 1
--- error_log eval
["[emerg]", qr/OAUTHBEARER/]



=== TEST 36: a number with a unit
--- http_config
    kafka_producer main {
        bootstrap.servers 127.0.0.1:9;
        message.timeout.ms 10s;               # here
    }
--- must_die: 1
--- error_log eval
["[emerg]", qr/message\.timeout\.ms/]



=== TEST 37: a mock cluster in the place of brokers
--- http_config
    kafka_producer main {
        bootstrap.servers 127.0.0.1:9;
        test.mock.num.brokers 1;
    }                                         # here
--- must_die: 1
--- error_log eval
["[emerg]", qr/"main" cannot have both "bootstrap\.servers" and "test\.mock/]



=== TEST 38: no memory at all
--- http_config
    kafka_max_memory 0;                       # here
--- must_die: 1
--- error_log
"kafka_max_memory" directive must not be 0



=== TEST 39: a certificate that is not there
--- http_config
    kafka_producer main {
        bootstrap.servers 127.0.0.1:9;
        security.protocol ssl;
        ssl.certificate.location no-such.pem;   # here
    }
--- must_die: 1
--- error_log eval
["[emerg]", qr{"/\S+/conf/no-such\.pem" failed}]



=== TEST 40: a file of CAs that is not there
--- http_config
    kafka_producer main {
        bootstrap.servers 127.0.0.1:9;
        security.protocol ssl;
        ssl.ca.location no-such.pem;        # here
    }
--- must_die: 1
--- error_log eval
["[emerg]", qr{"/\S+/conf/no-such\.pem" failed}]



=== TEST 41: a list of revoked certificates that is not there
--- http_config
    kafka_producer main {
        bootstrap.servers 127.0.0.1:9;
        security.protocol ssl;
        ssl.crl.location no-such.pem;       # here
    }
--- must_die: 1
--- error_log eval
["[emerg]", qr{"/\S+/conf/no-such\.pem" failed}]



=== TEST 42: a keystore that is not there
--- http_config
    kafka_producer main {
        bootstrap.servers 127.0.0.1:9;
        security.protocol ssl;
        ssl.keystore.location no-such.p12;      # here
    }
--- must_die: 1
--- error_log eval
["[emerg]", qr{"/\S+/conf/no-such\.p12" failed}]



=== TEST 43: a certificate that is a directory
--- http_config
    kafka_producer main {
        bootstrap.servers 127.0.0.1:9;
        security.protocol ssl;
        ssl.certificate.location ../html;   # here
    }
--- must_die: 1
--- error_log eval
["[emerg]", qr{"ssl\.certificate\.location": "/\S+html" is a directory}]



=== TEST 44: a keystore that is none is named as it is on disk
--- http_config
    kafka_producer main {
        bootstrap.servers 127.0.0.1:9;
        security.protocol ssl;
        ssl.keystore.location ../html/key.p12;
        ssl.keystore.password p;
    }                                         # here
--- user_files
>>> key.p12
planted
--- must_die: 1
--- error_log eval
["[emerg]", qr{cannot be made: \N+ssl\.keystore\.location\N+html/key\.p12: }]
--- no_error_log
/proc/self
planted



=== TEST 45: a folder of CAs, and the place where librdkafka looks for them
--- http_config
    kafka_producer main {
        bootstrap.servers $TEST_NGINX_KAFKA;
        ssl.ca.location ../html;
    }
    kafka_producer other {
        bootstrap.servers 127.0.0.1:9;
        security.protocol ssl;
        ssl.ca.location probe;
    }
--- user_files
>>> ca.pem
none
--- request
GET /produce/$TOPIC/a
--- json_body
{"topic": "$TOPIC", "partition": 0, "offset": 0, "timestamp": "*"}



=== TEST 46: an idempotent producer that retries too soon
--- http_config
    kafka_producer main {                     # here
        retry.backoff.ms 19;
        bootstrap.servers 127.0.0.1:9;
    }                                         # here
--- must_die: 1
--- error_log eval
["[emerg]", qr/"main": "retry\.backoff\.ms" must be at least 20 /]



=== TEST 47: one that is idempotent by a later line
--- http_config
    kafka_producer main {                     # here
        bootstrap.servers 127.0.0.1:9;
        retry.backoff.ms 1;
        enable.idempotence true;
    }                                         # here
--- must_die: 1
--- error_log eval
["[emerg]", qr/"main": "retry\.backoff\.ms" must be at least 20 /]



=== TEST 48: the shortest backoff, with and without idempotence
--- http_config
    kafka_producer main {
        bootstrap.servers $TEST_NGINX_KAFKA;
        retry.backoff.ms 20;
    }
    kafka_producer other {
        bootstrap.servers $TEST_NGINX_KAFKA;
        retry.backoff.ms 1;
        enable.idempotence false;
    }
--- config
    location /produce { kafka_produce main; }
    location /other { kafka_produce other; }
--- cases eval
[
    [['GET', '/produce/$TOPIC/a'], 200],
    [['GET', '/other/$TOPIC/b'], 200],
]
--- records
{"topic": "$TOPIC", "value": "a"}
{"topic": "$TOPIC", "value": "b"}



=== TEST 49: a property that is the module's
--- http_config
    kafka_producer main {
        bootstrap.servers 127.0.0.1:9;
        enable.gapless.guarantee false;       # here
    }
--- must_die: 1
--- error_log eval
["[emerg]", qr/"enable\.gapless\.guarantee".*it is on for an idempotent producer, and off otherwise/]



=== TEST 50: protocols
--- config
    location /json { kafka_produce main protocol=json; }
    location /raw { kafka_produce main protocol=raw; }
--- request
GET /json
--- error_code: 400



=== TEST 51: an unknown protocol
--- config
    location /produce {
        kafka_produce main protocol=xml;      # here
    }
--- must_die: 1
--- error_log eval
["[emerg]", qr/"kafka_produce".*"protocol=json" or "protocol=raw"/]



=== TEST 52: another second parameter
--- config
    location /produce {
        kafka_produce main raw;               # here
    }
--- must_die: 1
--- error_log eval
["[emerg]", qr/"kafka_produce".*"protocol=json" or "protocol=raw"/]



=== TEST 53: a raw location without a place for the topic
--- config
    location = /hook {
        kafka_produce main protocol=raw;      # here
    }
--- must_die: 1
--- error_log eval
["[emerg]", qr/"protocol=raw" needs "kafka_topic" or a prefix location.* in .*:\d+/]



=== TEST 54: the same for a regex location
--- config
    location ~ ^/hook {
        kafka_produce main protocol=raw;      # here
    }
--- must_die: 1
--- error_log eval
["[emerg]", qr/"protocol=raw" needs "kafka_topic" or a prefix location.* in .*:\d+/]



=== TEST 55: kafka_topic names no topic
--- config
    location /produce {
        kafka_topic "a b";
        kafka_produce main;                   # here
    }
--- must_die: 1
--- error_log eval
["[emerg]", qr/"kafka_topic" must be 1 to 249 of .* in .*:\d+/]



=== TEST 56: kafka_key with another word than force
--- config
    location /produce {
        kafka_produce main;
        kafka_key $remote_addr always;        # here
    }
--- must_die: 1
--- error_log eval
["[emerg]", qr/"kafka_key" directive takes only "force"/]



=== TEST 57: an unknown kafka_response
--- config
    location /produce {
        kafka_produce main;
        kafka_response none;                  # here
    }
--- must_die: 1
--- error_log eval
["[emerg]", qr/invalid value "none"/]



=== TEST 58: kafka_partition names no partition
--- config
    location /produce {
        kafka_produce main;                   # here
        kafka_partition -1;
    }
--- must_die: 1
--- error_log eval
["[emerg]", qr/"kafka_partition" must be an integer from 0 to 2147483647.* in .*:\d+/]
