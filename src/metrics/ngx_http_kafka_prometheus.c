
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_prometheus.h>
#include <librdkafka/rdkafka.h>


#define NGX_HTTP_KAFKA_PROMETHEUS_SECONDS  1
#define NGX_HTTP_KAFKA_PROMETHEUS_STATUS   2
#define NGX_HTTP_KAFKA_PROMETHEUS_ERROR    3
#define NGX_HTTP_KAFKA_PROMETHEUS_UP       4


/* a metric, whose value is at an offset in a structure */

typedef struct {
    const char                  *name;
    const char                  *type;
    const char                  *help;
    size_t                       offset;
    ngx_uint_t                   kind;       /* 0: a plain number */
} ngx_http_kafka_prometheus_t;


static void ngx_http_kafka_prometheus_workers(ngx_http_kafka_writer_t *out,
    ngx_http_kafka_snapshot_t *snapshot, size_t max_memory);
static void ngx_http_kafka_prometheus_head(ngx_http_kafka_writer_t *out,
    ngx_http_kafka_prometheus_t *metric);
static void ngx_http_kafka_prometheus_producers(ngx_http_kafka_writer_t *out,
    ngx_http_kafka_snapshot_t *snapshot,
    ngx_http_kafka_prometheus_t *metric);
static void ngx_http_kafka_prometheus_codes(ngx_http_kafka_writer_t *out,
    ngx_http_kafka_snapshot_t *snapshot,
    ngx_http_kafka_prometheus_t *metric);
static void ngx_http_kafka_prometheus_code(ngx_http_kafka_writer_t *out,
    ngx_http_kafka_prometheus_t *metric, ngx_str_t *producer,
    ngx_http_kafka_metrics_code_t *codes);
static void ngx_http_kafka_prometheus_latency(ngx_http_kafka_writer_t *out,
    ngx_http_kafka_snapshot_t *snapshot);
static void ngx_http_kafka_prometheus_histogram(ngx_http_kafka_writer_t *out,
    const char *name, ngx_http_kafka_metrics_sum_t *sum);
static void ngx_http_kafka_prometheus_topics(ngx_http_kafka_writer_t *out,
    ngx_http_kafka_snapshot_t *snapshot,
    ngx_http_kafka_prometheus_t *metric);
static void ngx_http_kafka_prometheus_brokers(ngx_http_kafka_writer_t *out,
    ngx_http_kafka_snapshot_t *snapshot,
    ngx_http_kafka_prometheus_t *metric);
static void ngx_http_kafka_prometheus_broker(ngx_http_kafka_writer_t *out,
    ngx_http_kafka_prometheus_t *metric, ngx_str_t *producer,
    ngx_http_kafka_metrics_broker_sum_t *broker);
static ngx_int_t ngx_http_kafka_prometheus_escape(ngx_pool_t *pool,
    ngx_http_kafka_snapshot_t *dst, ngx_http_kafka_snapshot_t *src);
static void *ngx_http_kafka_prometheus_copy(ngx_pool_t *pool,
    ngx_array_t *array);
static ngx_int_t ngx_http_kafka_prometheus_label(ngx_pool_t *pool,
    ngx_str_t *text);


#define ngx_http_kafka_prometheus_of(member)                                  \
    offsetof(ngx_http_kafka_metrics_sum_t, member)

#define ngx_http_kafka_prometheus_of_broker(member)                           \
    offsetof(ngx_http_kafka_metrics_broker_sum_t, member)

#define ngx_http_kafka_prometheus_of_sum(which)                               \
    offsetof(ngx_http_kafka_metrics_broker_sum_t, sum)                        \
    + NGX_HTTP_KAFKA_STATS_##which * sizeof(uint64_t)


static ngx_http_kafka_prometheus_t  ngx_http_kafka_prometheus_per_name[] = {
    { "kafka_workers", "gauge", "Worker processes that have the producer.",
      ngx_http_kafka_prometheus_of(workers), 0 },
    { "kafka_requests_waiting", "gauge", "Requests that wait for Kafka.",
      ngx_http_kafka_prometheus_of(waiting), 0 },
    { "kafka_messages_unsent", "gauge",
      "Messages of these requests that still wait in nginx.",
      ngx_http_kafka_prometheus_of(unsent), 0 },
    { "kafka_messages_pending", "gauge",
      "Messages that librdkafka has now.",
      ngx_http_kafka_prometheus_of(pending), 0 },
    { "kafka_clients", "gauge",
      "Clients of librdkafka that send messages.",
      ngx_http_kafka_prometheus_of(clients), 0 },
    { "kafka_messages_acknowledged_total", "counter",
      "Messages that Kafka has acknowledged.",
      ngx_http_kafka_prometheus_of(acked), 0 },
    { "kafka_acknowledged_bytes_total", "counter",
      "Bytes of keys and values that Kafka has acknowledged.",
      ngx_http_kafka_prometheus_of(counters.bytes), 0 },
    { "kafka_clients_rebuilt_total", "counter",
      "How often a client of librdkafka was replaced.",
      ngx_http_kafka_prometheus_of(counters.rebuilt), 0 },
    { NULL, NULL, NULL, 0, 0 }
};


static ngx_http_kafka_prometheus_t  ngx_http_kafka_prometheus_per_code[] = {
    { "kafka_requests_total", "counter",
      "Answered requests of produce locations, by HTTP status.",
      ngx_http_kafka_prometheus_of(counters.statuses),
      NGX_HTTP_KAFKA_PROMETHEUS_STATUS },
    { "kafka_messages_failed_total", "counter",
      "Messages that Kafka has not acknowledged, by librdkafka's error.",
      ngx_http_kafka_prometheus_of(counters.errors),
      NGX_HTTP_KAFKA_PROMETHEUS_ERROR },
    { NULL, NULL, NULL, 0, 0 }
};


static ngx_http_kafka_prometheus_t  ngx_http_kafka_prometheus_per_topic[] = {
    { "kafka_topic_messages_acknowledged_total", "counter",
      "Messages that Kafka has acknowledged, by topic.",
      offsetof(ngx_http_kafka_metrics_topic_t, acked), 0 },
    { "kafka_topic_messages_failed_total", "counter",
      "Messages that Kafka has not acknowledged, by topic.",
      offsetof(ngx_http_kafka_metrics_topic_t, failed), 0 },
    { NULL, NULL, NULL, 0, 0 }
};


static ngx_http_kafka_prometheus_t  ngx_http_kafka_prometheus_per_broker[] = {
    { "kafka_broker_up", "gauge", "Workers that are connected to the broker.",
      ngx_http_kafka_prometheus_of_broker(up),
      NGX_HTTP_KAFKA_PROMETHEUS_UP },
    { "kafka_broker_round_trip_average_seconds", "gauge",
      "Average round trip of the last interval, over workers.",
      ngx_http_kafka_prometheus_of_broker(average),
      NGX_HTTP_KAFKA_PROMETHEUS_SECONDS },
    { "kafka_broker_round_trip_p99_seconds", "gauge",
      "99th percentile of round trips, of the slowest worker.",
      ngx_http_kafka_prometheus_of_broker(p99),
      NGX_HTTP_KAFKA_PROMETHEUS_SECONDS },
    { "kafka_broker_sent_bytes_total", "counter", "Bytes to the broker.",
      ngx_http_kafka_prometheus_of_sum(SENT), 0 },
    { "kafka_broker_received_bytes_total", "counter",
      "Bytes from the broker.",
      ngx_http_kafka_prometheus_of_sum(RECEIVED), 0 },
    { "kafka_broker_retries_total", "counter",
      "Requests that were sent to the broker again.",
      ngx_http_kafka_prometheus_of_sum(RETRIES), 0 },
    { "kafka_broker_timeouts_total", "counter",
      "Requests that the broker did not answer in time.",
      ngx_http_kafka_prometheus_of_sum(TIMEOUTS), 0 },
    { "kafka_broker_connects_total", "counter",
      "Attempts to connect to the broker.",
      ngx_http_kafka_prometheus_of_sum(CONNECTS), 0 },
    { "kafka_broker_disconnects_total", "counter",
      "Connections to the broker that ended.",
      ngx_http_kafka_prometheus_of_sum(DISCONNECTS), 0 },
    { NULL, NULL, NULL, 0, 0 }
};


void
ngx_http_kafka_prometheus(ngx_http_kafka_writer_t *out,
    ngx_http_kafka_snapshot_t *unescaped, size_t max_memory)
{
    ngx_http_kafka_snapshot_t     escaped, *snapshot;
    ngx_http_kafka_prometheus_t  *metric;

    snapshot = &escaped;

    if (ngx_http_kafka_prometheus_escape(out->pool, snapshot, unescaped)
        != NGX_OK)
    {
        out->failed = 1;
        return;
    }

    ngx_http_kafka_prometheus_workers(out, snapshot, max_memory);

    metric = ngx_http_kafka_prometheus_per_name;

    for ( /* void */ ; metric->name; metric++) {
        ngx_http_kafka_prometheus_producers(out, snapshot, metric);
    }

    metric = ngx_http_kafka_prometheus_per_code;

    for ( /* void */ ; metric->name; metric++) {
        ngx_http_kafka_prometheus_codes(out, snapshot, metric);
    }

    ngx_http_kafka_prometheus_latency(out, snapshot);

    metric = ngx_http_kafka_prometheus_per_topic;

    for ( /* void */ ; metric->name; metric++) {
        ngx_http_kafka_prometheus_topics(out, snapshot, metric);
    }

    metric = ngx_http_kafka_prometheus_per_broker;

    for ( /* void */ ; metric->name; metric++) {
        ngx_http_kafka_prometheus_brokers(out, snapshot, metric);
    }
}


static void
ngx_http_kafka_prometheus_workers(ngx_http_kafka_writer_t *out,
    ngx_http_kafka_snapshot_t *snapshot, size_t max_memory)
{
    size_t                                held, most;
    ngx_uint_t                            i;
    ngx_http_kafka_metrics_worker_sum_t  *worker;

    worker = snapshot->workers.elts;
    held = 0;
    most = 0;

    for (i = 0; i < snapshot->workers.nelts; i++) {
        held += worker[i].held;
        most = ngx_max(most, worker[i].held);
    }

    ngx_http_kafka_write(out,
        "# HELP kafka_memory_bytes Memory that requests use, roughly.\n"
        "# TYPE kafka_memory_bytes gauge\n"
        "kafka_memory_bytes %uz\n"
        "# HELP kafka_memory_worker_most_bytes Memory of the largest worker.\n"
        "# TYPE kafka_memory_worker_most_bytes gauge\n"
        "kafka_memory_worker_most_bytes %uz\n"
        "# HELP kafka_memory_worker_limit_bytes kafka_max_memory, a worker.\n"
        "# TYPE kafka_memory_worker_limit_bytes gauge\n"
        "kafka_memory_worker_limit_bytes %uz\n",
        held, most, max_memory);
}


static void
ngx_http_kafka_prometheus_head(ngx_http_kafka_writer_t *out,
    ngx_http_kafka_prometheus_t *metric)
{
    ngx_http_kafka_write(out, "# HELP %s %s\n# TYPE %s %s\n", metric->name,
                         metric->help, metric->name, metric->type);
}


static void
ngx_http_kafka_prometheus_producers(ngx_http_kafka_writer_t *out,
    ngx_http_kafka_snapshot_t *snapshot,
    ngx_http_kafka_prometheus_t *metric)
{
    ngx_uint_t                     i;
    ngx_http_kafka_metrics_sum_t  *sum;

    ngx_http_kafka_prometheus_head(out, metric);

    sum = snapshot->producers.elts;

    for (i = 0; i < snapshot->producers.nelts; i++) {

        if (sum[i].workers == 0) {
            continue;
        }

        ngx_http_kafka_write(out, "%s{producer=\"%V\"} %uL\n", metric->name,
                             &sum[i].name,
                           *(uint64_t *) ((u_char *) &sum[i]
                                          + metric->offset));
    }
}


static void
ngx_http_kafka_prometheus_codes(ngx_http_kafka_writer_t *out,
    ngx_http_kafka_snapshot_t *snapshot,
    ngx_http_kafka_prometheus_t *metric)
{
    u_char                        *codes;
    ngx_uint_t                     i;
    ngx_http_kafka_metrics_sum_t  *sum;

    ngx_http_kafka_prometheus_head(out, metric);

    sum = snapshot->producers.elts;

    for (i = 0; i < snapshot->producers.nelts; i++) {

        if (sum[i].workers == 0) {
            continue;
        }

        codes = (u_char *) &sum[i] + metric->offset;

        ngx_http_kafka_prometheus_code(out, metric, &sum[i].name,
                                     (ngx_http_kafka_metrics_code_t *) codes);
    }
}


static void
ngx_http_kafka_prometheus_code(ngx_http_kafka_writer_t *out,
    ngx_http_kafka_prometheus_t *metric, ngx_str_t *producer,
    ngx_http_kafka_metrics_code_t *codes)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_KAFKA_METRICS_CODES; i++) {

        if (codes[i].n == 0) {
            continue;
        }

        ngx_http_kafka_write(out, "%s{producer=\"%V\",", metric->name,
                             producer);

        if (metric->kind == NGX_HTTP_KAFKA_PROMETHEUS_ERROR) {
            ngx_http_kafka_write(out, "code=\"%s",
                                 i == NGX_HTTP_KAFKA_METRICS_CODES - 1
                                 ? "other" : rd_kafka_err2name(codes[i].code));

        } else if (i == NGX_HTTP_KAFKA_METRICS_CODES - 1) {
            ngx_http_kafka_write(out, "status=\"other");

        } else {
            ngx_http_kafka_write(out, "status=\"%L", codes[i].code);
        }

        ngx_http_kafka_write(out, "\"} %uL\n", codes[i].n);
    }
}


static void
ngx_http_kafka_prometheus_latency(ngx_http_kafka_writer_t *out,
    ngx_http_kafka_snapshot_t *snapshot)
{
    ngx_uint_t                     i;
    ngx_http_kafka_prometheus_t    metric;
    ngx_http_kafka_metrics_sum_t  *sum;

    ngx_memzero(&metric, sizeof(ngx_http_kafka_prometheus_t));

    metric.name = "kafka_acknowledgement_seconds";
    metric.type = "histogram";
    metric.help = "From the hand-over of a message to its acknowledgement.";

    ngx_http_kafka_prometheus_head(out, &metric);

    sum = snapshot->producers.elts;

    for (i = 0; i < snapshot->producers.nelts; i++) {
        if (sum[i].workers) {
            ngx_http_kafka_prometheus_histogram(out, metric.name, &sum[i]);
        }
    }
}


/* the count is the sum of the buckets, so that both are consistent */

static void
ngx_http_kafka_prometheus_histogram(ngx_http_kafka_writer_t *out,
    const char *name, ngx_http_kafka_metrics_sum_t *sum)
{
    uint64_t    n;
    ngx_uint_t  i;

    n = 0;

    for (i = 0; i < NGX_HTTP_KAFKA_METRICS_BUCKETS; i++) {
        n += sum->counters.latency[i];

        ngx_http_kafka_write(out, "%s_bucket{producer=\"%V\",le=\"%s\"} %uL\n",
                             name, &sum->name,
                             ngx_http_kafka_metrics_seconds[i], n);
    }

    n += sum->counters.latency[i];

    ngx_http_kafka_write(out, "%s_bucket{producer=\"%V\",le=\"+Inf\"} %uL\n"
                         "%s_sum{producer=\"%V\"} %uL.%06uL\n"
                         "%s_count{producer=\"%V\"} %uL\n",
                         name, &sum->name, n,
                         name, &sum->name, sum->counters.latency_sum / 1000000,
                         sum->counters.latency_sum % 1000000,
                         name, &sum->name, n);
}


static void
ngx_http_kafka_prometheus_topics(ngx_http_kafka_writer_t *out,
    ngx_http_kafka_snapshot_t *snapshot,
    ngx_http_kafka_prometheus_t *metric)
{
    uint64_t                       n;
    ngx_str_t                      name;
    ngx_uint_t                     i, k;
    ngx_http_kafka_metrics_sum_t  *sum;

    ngx_http_kafka_prometheus_head(out, metric);

    sum = snapshot->producers.elts;

    for (i = 0; i < snapshot->producers.nelts; i++) {

        if (sum[i].workers == 0) {
            continue;
        }

        for (k = 0; k <= sum[i].ntopics; k++) {
            n = *(uint64_t *) ((u_char *) &sum[i].counters.topics[k]
                               + metric->offset);

            /* not a valid name of a topic, so there is no conflict */

            ngx_str_set(&name, "(other)");

            if (k) {
                name = sum[i].topics[k - 1];

            } else if (n == 0) {
                continue;
            }

            ngx_http_kafka_write(out, "%s{producer=\"%V\",topic=\"%V\"} %uL\n",
                                 metric->name, &sum[i].name, &name, n);
        }
    }
}


static void
ngx_http_kafka_prometheus_brokers(ngx_http_kafka_writer_t *out,
    ngx_http_kafka_snapshot_t *snapshot,
    ngx_http_kafka_prometheus_t *metric)
{
    ngx_uint_t                            i, k;
    ngx_http_kafka_metrics_sum_t         *sum;
    ngx_http_kafka_metrics_broker_sum_t  *broker;

    ngx_http_kafka_prometheus_head(out, metric);

    sum = snapshot->producers.elts;

    for (i = 0; i < snapshot->producers.nelts; i++) {

        if (sum[i].workers == 0) {
            continue;
        }

        broker = sum[i].brokers.elts;

        for (k = 0; k < sum[i].brokers.nelts; k++) {
            ngx_http_kafka_prometheus_broker(out, metric, &sum[i].name,
                                             &broker[k]);
        }
    }
}


static void
ngx_http_kafka_prometheus_broker(ngx_http_kafka_writer_t *out,
    ngx_http_kafka_prometheus_t *metric, ngx_str_t *producer,
    ngx_http_kafka_metrics_broker_sum_t *broker)
{
    uint64_t  n;

    n = *(uint64_t *) ((u_char *) broker + metric->offset);

    if (metric->kind == NGX_HTTP_KAFKA_PROMETHEUS_SECONDS
        && broker->measured == 0)
    {
        return;
    }

    /* the broker has left the cluster, or there are no statistics yet */

    if (metric->kind == NGX_HTTP_KAFKA_PROMETHEUS_UP && broker->known == 0) {
        return;
    }

    ngx_http_kafka_write(out, "%s{producer=\"%V\",broker=\"%V\",node_id=\"",
                         metric->name, producer, &broker->name);

    if (broker->id >= 0) {
        ngx_http_kafka_write(out, "%L", broker->id);
    }

    if (metric->kind == NGX_HTTP_KAFKA_PROMETHEUS_SECONDS) {
        ngx_http_kafka_write(out, "\"} %uL.%06uL\n", n / 1000000, n % 1000000);
        return;
    }

    ngx_http_kafka_write(out, "\"} %uL\n", n);
}


/* copies the snapshot and escapes its names for label values */

static ngx_int_t
ngx_http_kafka_prometheus_escape(ngx_pool_t *pool,
    ngx_http_kafka_snapshot_t *dst, ngx_http_kafka_snapshot_t *src)
{
    ngx_uint_t                            i, k;
    ngx_http_kafka_metrics_sum_t         *sum;
    ngx_http_kafka_metrics_broker_sum_t  *broker;

    *dst = *src;

    sum = ngx_http_kafka_prometheus_copy(pool, &dst->producers);
    if (sum == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < dst->producers.nelts; i++) {

        if (ngx_http_kafka_prometheus_label(pool, &sum[i].name) != NGX_OK) {
            return NGX_ERROR;
        }

        broker = ngx_http_kafka_prometheus_copy(pool, &sum[i].brokers);
        if (broker == NULL) {
            return NGX_ERROR;
        }

        for (k = 0; k < sum[i].brokers.nelts; k++) {
            if (ngx_http_kafka_prometheus_label(pool, &broker[k].name)
                != NGX_OK)
            {
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


/* copies the array's elements into the pool, and returns the copy */

static void *
ngx_http_kafka_prometheus_copy(ngx_pool_t *pool, ngx_array_t *array)
{
    void    *elts;
    size_t   size;

    size = array->nelts * array->size;

    elts = ngx_palloc(pool, ngx_max(size, 1));
    if (elts == NULL) {
        return NULL;
    }

    ngx_memcpy(elts, array->elts, size);
    array->elts = elts;

    return elts;
}


/* escapes \, " and line feeds in a label's value */

static ngx_int_t
ngx_http_kafka_prometheus_label(ngx_pool_t *pool, ngx_str_t *text)
{
    u_char  *p, *data;
    size_t   i;

    data = ngx_pnalloc(pool, ngx_max(2 * text->len, 1));
    if (data == NULL) {
        return NGX_ERROR;
    }

    p = data;

    for (i = 0; i < text->len; i++) {

        switch (text->data[i]) {

        case '\n':
            *p++ = '\\';
            *p++ = 'n';
            break;

        case '\\':
        case '"':
            *p++ = '\\';
            /* fall through */

        default:
            *p++ = text->data[i];
        }
    }

    text->data = data;
    text->len = p - data;

    return NGX_OK;
}
