
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_metrics_json.h>
#include <librdkafka/rdkafka.h>
#include <ngx_http_kafka_version.h>


static void ngx_http_kafka_metrics_json_worker(ngx_http_kafka_writer_t *out,
    ngx_http_kafka_metrics_worker_sum_t *worker);
static void ngx_http_kafka_metrics_json_producer(ngx_http_kafka_writer_t *out,
    ngx_http_kafka_metrics_sum_t *sum);
static void ngx_http_kafka_metrics_json_codes(ngx_http_kafka_writer_t *out,
    ngx_http_kafka_metrics_code_t *codes, ngx_uint_t errors);
static void ngx_http_kafka_metrics_json_latency(ngx_http_kafka_writer_t *out,
    ngx_http_kafka_metrics_counters_t *counters);
static void ngx_http_kafka_metrics_json_topics(ngx_http_kafka_writer_t *out,
    ngx_http_kafka_metrics_sum_t *sum);
static void ngx_http_kafka_metrics_json_broker(ngx_http_kafka_writer_t *out,
    ngx_http_kafka_metrics_broker_sum_t *broker);


void
ngx_http_kafka_metrics_json(ngx_http_kafka_writer_t *out,
    ngx_http_kafka_snapshot_t *snapshot, size_t max_memory)
{
    ngx_uint_t                            i, n;
    ngx_http_kafka_metrics_sum_t         *sum;
    ngx_http_kafka_metrics_worker_sum_t  *worker;

    ngx_http_kafka_write(out, "{\"version\":\"%s\",\"memory_limit\":%uz,"
                         "\"workers\":[", NGX_HTTP_KAFKA_VERSION, max_memory);

    worker = snapshot->workers.elts;

    for (i = 0; i < snapshot->workers.nelts; i++) {
        ngx_http_kafka_write(out, i ? "," : "");
        ngx_http_kafka_metrics_json_worker(out, &worker[i]);
    }

    ngx_http_kafka_write(out, "],\"producers\":{");

    sum = snapshot->producers.elts;
    n = 0;

    for (i = 0; i < snapshot->producers.nelts; i++) {

        if (sum[i].workers == 0) {
            continue;
        }

        ngx_http_kafka_write(out, n++ ? "," : "");
        ngx_http_kafka_metrics_json_producer(out, &sum[i]);
    }

    ngx_http_kafka_write(out, "}}");
}


static void
ngx_http_kafka_metrics_json_worker(ngx_http_kafka_writer_t *out,
    ngx_http_kafka_metrics_worker_sum_t *worker)
{
    ngx_http_kafka_write(out, "{\"pid\":%P,\"memory\":%uz,"
                         "\"requests_waiting\":%uL,\"messages_unsent\":%uL,"
                         "\"messages_pending\":%uL}",
                         worker->pid, worker->held, worker->waiting,
                         worker->unsent, worker->pending);
}


static void
ngx_http_kafka_metrics_json_producer(ngx_http_kafka_writer_t *out,
    ngx_http_kafka_metrics_sum_t *sum)
{
    ngx_uint_t                            i;
    ngx_http_kafka_metrics_broker_sum_t  *broker;

    ngx_http_kafka_write_string(out, &sum->name);

    ngx_http_kafka_write(out, ":{\"workers\":%uL,\"requests\":", sum->workers);
    ngx_http_kafka_metrics_json_codes(out, sum->counters.statuses, 0);

    ngx_http_kafka_write(out, ",\"requests_waiting\":%uL,"
                         "\"messages_unsent\":%uL,\"messages_pending\":%uL,"
                         "\"clients\":%uL,\"clients_rebuilt\":%uL,"
                         "\"messages_acknowledged\":%uL,"
                         "\"bytes_acknowledged\":%uL,\"messages_failed\":",
                         sum->waiting, sum->unsent, sum->pending,
                         sum->clients, sum->counters.rebuilt, sum->acked,
                         sum->counters.bytes);
    ngx_http_kafka_metrics_json_codes(out, sum->counters.errors, 1);

    ngx_http_kafka_metrics_json_latency(out, &sum->counters);
    ngx_http_kafka_metrics_json_topics(out, sum);

    ngx_http_kafka_write(out, ",\"brokers\":[");

    broker = sum->brokers.elts;

    for (i = 0; i < sum->brokers.nelts; i++) {
        ngx_http_kafka_write(out, i ? "," : "");
        ngx_http_kafka_metrics_json_broker(out, &broker[i]);
    }

    ngx_http_kafka_write(out, "]}");
}


static void
ngx_http_kafka_metrics_json_codes(ngx_http_kafka_writer_t *out,
    ngx_http_kafka_metrics_code_t *codes, ngx_uint_t errors)
{
    ngx_uint_t  i, n;

    ngx_http_kafka_write(out, "{");

    for (i = 0, n = 0; i < NGX_HTTP_KAFKA_METRICS_CODES; i++) {

        if (codes[i].n == 0) {
            continue;
        }

        ngx_http_kafka_write(out, n++ ? ",\"" : "\"");

        if (i == NGX_HTTP_KAFKA_METRICS_CODES - 1) {
            ngx_http_kafka_write(out, "other");

        } else if (errors) {
            ngx_http_kafka_write(out, "%s", rd_kafka_err2name(codes[i].code));

        } else {
            ngx_http_kafka_write(out, "%L", codes[i].code);
        }

        ngx_http_kafka_write(out, "\":%uL", codes[i].n);
    }

    ngx_http_kafka_write(out, "}");
}


static void
ngx_http_kafka_metrics_json_latency(ngx_http_kafka_writer_t *out,
    ngx_http_kafka_metrics_counters_t *counters)
{
    uint64_t    n;
    ngx_uint_t  i;

    ngx_http_kafka_write(out, ",\"acknowledgement_seconds\":{\"buckets\":{");

    for (i = 0, n = 0; i < NGX_HTTP_KAFKA_METRICS_BUCKETS; i++) {
        n += counters->latency[i];

        ngx_http_kafka_write(out, "\"%s\":%uL,",
                             ngx_http_kafka_metrics_seconds[i], n);
    }

    n += counters->latency[i];

    ngx_http_kafka_write(out, "\"+Inf\":%uL},\"sum\":%uL.%06uL,\"count\":%uL}",
                         n, counters->latency_sum / 1000000,
                         counters->latency_sum % 1000000, n);
}


static void
ngx_http_kafka_metrics_json_topics(ngx_http_kafka_writer_t *out,
    ngx_http_kafka_metrics_sum_t *sum)
{
    ngx_str_t                        name;
    ngx_uint_t                       i, n;
    ngx_http_kafka_metrics_topic_t  *topic;

    ngx_http_kafka_write(out, ",\"topics\":{");

    for (i = 0, n = 0; i <= sum->ntopics; i++) {
        topic = &sum->counters.topics[i];

        if (topic->acked == 0 && topic->failed == 0) {
            continue;
        }

        /* not a valid name of a topic, so there is no conflict */

        ngx_str_set(&name, "(other)");

        if (i) {
            name = sum->topics[i - 1];
        }

        ngx_http_kafka_write(out, "%s\"%V\":{\"acknowledged\":%uL,"
                             "\"failed\":%uL}", n++ ? "," : "", &name,
                             topic->acked, topic->failed);
    }

    ngx_http_kafka_write(out, "}");
}


static void
ngx_http_kafka_metrics_json_broker(ngx_http_kafka_writer_t *out,
    ngx_http_kafka_metrics_broker_sum_t *broker)
{
    ngx_uint_t  i, n;

    ngx_http_kafka_write(out, "{\"broker\":");
    ngx_http_kafka_write_string(out, &broker->name);

    if (broker->id < 0) {
        ngx_http_kafka_write(out, ",\"id\":null");

    } else {
        ngx_http_kafka_write(out, ",\"id\":%L", broker->id);
    }

    ngx_http_kafka_write(out, ",\"workers_up\":%uL,\"states\":{", broker->up);

    for (i = 0, n = 0; i < NGX_HTTP_KAFKA_STATS_STATES; i++) {
        if (broker->states[i]) {
            ngx_http_kafka_write(out, "%s\"%s\":%ui", n++ ? "," : "",
                                 ngx_http_kafka_stats_states[i],
                                 broker->states[i]);
        }
    }

    ngx_http_kafka_write(out, "},\"bytes_sent\":%uL,\"bytes_received\":%uL,"
                         "\"retries\":%uL,\"timeouts\":%uL,\"connects\":%uL,"
                         "\"disconnects\":%uL",
                         broker->sum[NGX_HTTP_KAFKA_STATS_SENT],
                         broker->sum[NGX_HTTP_KAFKA_STATS_RECEIVED],
                         broker->sum[NGX_HTTP_KAFKA_STATS_RETRIES],
                         broker->sum[NGX_HTTP_KAFKA_STATS_TIMEOUTS],
                         broker->sum[NGX_HTTP_KAFKA_STATS_CONNECTS],
                         broker->sum[NGX_HTTP_KAFKA_STATS_DISCONNECTS]);

    if (broker->measured) {
        ngx_http_kafka_write(out, ",\"round_trip_seconds\":{"
                             "\"average\":%uL.%06uL,\"p99\":%uL.%06uL}",
                             broker->average / 1000000,
                             broker->average % 1000000,
                             broker->p99 / 1000000, broker->p99 % 1000000);
    }

    ngx_http_kafka_write(out, "}");
}
