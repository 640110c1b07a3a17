
/*
 * Copyright (C) The ngx_http_kafka authors
 */


/*
 * What librdkafka does without any HTTP: the ceiling of the benchmark.
 *
 *     produce TOPIC SIZE IN_FLIGHT WARM SECONDS [NAME=VALUE...]
 *
 * With IN_FLIGHT above 0, each delivery report is followed by a new message;
 * with 0, messages are produced as fast as librdkafka's queue takes them.
 * After WARM seconds it measures for SECONDS and prints a JSON object; times
 * are microseconds.  All properties are the caller's.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include <librdkafka/rdkafka.h>


#define FLOOD_BURST  1000
#define DRAIN_TIME   10000000


static int start(int argc, char **argv);
static int produce(uint64_t *slot);
static void run(uint64_t until);
static void serve(int timeout);
static void delivered(const rd_kafka_message_t *m);
static void keep(uint64_t latency);
static int compare(const void *one, const void *two);
static uint32_t percentile(double part);
static uint64_t now(void);
static uint64_t cpu(void);
static void die(const char *what, const char *why);


static rd_kafka_t        *rk;
static rd_kafka_topic_t  *rkt;
static rd_kafka_queue_t  *queue;

static char              *value;
static size_t             size;

static size_t             in_flight;
static uint64_t          *slots;        /* when each message was produced */
static int                ending;

static uint64_t           done;
static uint32_t          *latencies;
static size_t             nlatencies, room;


int
main(int argc, char **argv)
{
    size_t    i;
    uint64_t  warm, length, began, took, used, count;

    if (argc < 6) {
        fprintf(stderr, "produce TOPIC SIZE IN_FLIGHT WARM SECONDS "
                "[NAME=VALUE...]\n");
        return 2;
    }

    size = strtoul(argv[2], NULL, 10);
    in_flight = strtoul(argv[3], NULL, 10);
    warm = atof(argv[4]) * 1000000;
    length = atof(argv[5]) * 1000000;

    value = malloc(size + 1);
    slots = calloc(in_flight + 1, sizeof(uint64_t));

    if (value == NULL || slots == NULL) {
        die("malloc()", "no memory");
    }

    memset(value, 'x', size);

    if (start(argc, argv) != 0) {
        return 1;
    }

    for (i = 0; i < in_flight; i++) {
        if (produce(&slots[i]) != 0) {
            die("produce", "the queue is smaller than IN_FLIGHT");
        }
    }

    run(now() + warm);

    done = 0;
    nlatencies = 0;
    used = cpu();
    began = now();

    run(began + length);

    took = now() - began;
    used = cpu() - used;
    count = done;

    ending = 1;
    began = now();

    while (rd_kafka_outq_len(rk) > 0) {
        if (now() - began > DRAIN_TIME) {
            die("produce", "reports are missing at the end");
        }

        serve(100);
    }

    printf("{\"messages\": %llu, \"seconds\": %.6f, \"cpu\": %.6f, ",
           (unsigned long long) count, took / 1e6, used / 1e6);

    if (in_flight) {
        qsort(latencies, nlatencies, sizeof(uint32_t), compare);
        printf("\"p50\": %u, \"p99\": %u, \"max\": %u, ",
               percentile(0.5), percentile(0.99), percentile(1));
    }

    printf("\"librdkafka\": \"%s\"}\n", rd_kafka_version_str());

    rd_kafka_queue_destroy(queue);
    rd_kafka_topic_destroy(rkt);
    rd_kafka_destroy(rk);

    return 0;
}


static int
start(int argc, char **argv)
{
    int               i;
    char             *equals, errstr[512];
    rd_kafka_conf_t  *conf;

    conf = rd_kafka_conf_new();

    for (i = 6; i < argc; i++) {
        equals = strchr(argv[i], '=');

        if (equals == NULL) {
            die(argv[i], "no NAME=VALUE");
        }

        *equals = '\0';

        if (rd_kafka_conf_set(conf, argv[i], equals + 1, errstr,
                              sizeof(errstr))
            != RD_KAFKA_CONF_OK)
        {
            die(argv[i], errstr);
        }
    }

    rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_DR|RD_KAFKA_EVENT_ERROR);

    rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, errstr, sizeof(errstr));
    if (rk == NULL) {
        die("rd_kafka_new()", errstr);
    }

    queue = rd_kafka_queue_get_main(rk);
    rkt = rd_kafka_topic_new(rk, argv[1], NULL);

    return (queue == NULL || rkt == NULL);
}


/* nothing is copied, as in the module; returns -1 when the queue is full */

static int
produce(uint64_t *slot)
{
    rd_kafka_resp_err_t  err;

    if (slot) {
        *slot = now();
    }

    if (rd_kafka_produce(rkt, RD_KAFKA_PARTITION_UA, 0, value, size, NULL, 0,
                         slot)
        == 0)
    {
        return 0;
    }

    err = rd_kafka_last_error();

    if (err != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
        die("rd_kafka_produce()", rd_kafka_err2str(err));
    }

    return -1;
}


static void
run(uint64_t until)
{
    int  n;

    while (now() < until) {

        if (in_flight) {
            serve(100);
            continue;
        }

        for (n = 0; n < FLOOD_BURST; n++) {
            if (produce(NULL) != 0) {
                break;
            }
        }

        serve(n < FLOOD_BURST ? 100 : 0);
    }
}


static void
serve(int timeout)
{
    rd_kafka_event_t          *event;
    const rd_kafka_message_t  *m;

    event = rd_kafka_queue_poll(queue, timeout);
    if (event == NULL) {
        return;
    }

    switch (rd_kafka_event_type(event)) {

    case RD_KAFKA_EVENT_DR:
        while ((m = rd_kafka_event_message_next(event)) != NULL) {
            delivered(m);
        }

        break;

    case RD_KAFKA_EVENT_ERROR:
        fprintf(stderr, "produce: %s\n", rd_kafka_event_error_string(event));
        break;
    }

    rd_kafka_event_destroy(event);
}


static void
delivered(const rd_kafka_message_t *m)
{
    uint64_t  *slot;

    if (m->err) {
        die("delivery", rd_kafka_err2str(m->err));
    }

    done++;

    slot = m->_private;

    if (slot == NULL || ending) {
        return;
    }

    keep(now() - *slot);

    if (produce(slot) != 0) {
        die("produce", "the queue is full");
    }
}


static void
keep(uint64_t latency)
{
    if (nlatencies == room) {
        room = room ? 2 * room : 65536;
        latencies = realloc(latencies, room * sizeof(uint32_t));

        if (latencies == NULL) {
            die("realloc()", "no memory");
        }
    }

    latencies[nlatencies++] = (uint32_t) latency;
}


static int
compare(const void *one, const void *two)
{
    uint32_t  a, b;

    a = *(const uint32_t *) one;
    b = *(const uint32_t *) two;

    return (a > b) - (a < b);
}


static uint32_t
percentile(double part)
{
    if (nlatencies == 0) {
        return 0;
    }

    return latencies[(size_t) (part * (nlatencies - 1))];
}


static uint64_t
now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}


/* of all threads */

static uint64_t
cpu(void)
{
    struct rusage  ru;

    (void) getrusage(RUSAGE_SELF, &ru);

    return (uint64_t) (ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * 1000000
           + ru.ru_utime.tv_usec + ru.ru_stime.tv_usec;
}


static void
die(const char *what, const char *why)
{
    fprintf(stderr, "produce: %s: %s\n", what, why);
    exit(1);
}
