
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_METRICS_H_INCLUDED_
#define _NGX_HTTP_KAFKA_METRICS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http_kafka_batch.h>
#include <ngx_http_kafka_stats.h>
#include <ngx_http_kafka_topic.h>


/*
 * What all workers count, in memory that they share.  Each worker has a cell
 * for each producer, which nobody else writes: counting is a plain increment,
 * and who reads adds the cells up.  When a worker ends its counters are added
 * to those of the producer, and its gauges go.  Event loop.
 */


#define NGX_HTTP_KAFKA_METRICS_BUCKETS   14
#define NGX_HTTP_KAFKA_METRICS_CODES     24
#define NGX_HTTP_KAFKA_METRICS_TOPICS    100
#define NGX_HTTP_KAFKA_METRICS_BROKERS   48

/* of a zone, bytes */
#define NGX_HTTP_KAFKA_METRICS_SIZE      (2 * 1024 * 1024)


typedef struct ngx_http_kafka_metrics_name_s  ngx_http_kafka_metrics_name_t;
typedef struct ngx_http_kafka_metrics_seen_s  ngx_http_kafka_metrics_seen_t;


/* of HTTP statuses, or of librdkafka's errors; the last one is of all others */

typedef struct {
    int64_t                         code;
    uint64_t                        n;         /* 0: the entry is free */
} ngx_http_kafka_metrics_code_t;


typedef struct {
    uint64_t                        acked;
    uint64_t                        failed;
} ngx_http_kafka_metrics_topic_t;


/* all that only grows */

typedef struct {
    uint64_t                        bytes;     /* acknowledged */
    uint64_t                        rebuilt;   /* clients */
    uint64_t                        latency_sum;  /* microseconds */

    /* messages acknowledged, by how long it took; the last: longer than all */
    uint64_t                latency[NGX_HTTP_KAFKA_METRICS_BUCKETS + 1];

    ngx_http_kafka_metrics_code_t   statuses[NGX_HTTP_KAFKA_METRICS_CODES];
    ngx_http_kafka_metrics_code_t   errors[NGX_HTTP_KAFKA_METRICS_CODES];

    /* the first one is of all others */
    ngx_http_kafka_metrics_topic_t  topics[NGX_HTTP_KAFKA_METRICS_TOPICS + 1];
} ngx_http_kafka_metrics_counters_t;


typedef struct {
    uint64_t                        sum[NGX_HTTP_KAFKA_STATS_SUMS];
    uint64_t                        state;     /* 0: there is none */
    uint64_t                        average;   /* round trip, microseconds */
    uint64_t                        p99;
} ngx_http_kafka_metrics_broker_t;


/* what one worker counts for one producer, in shared memory */

typedef struct {
    ngx_queue_t                       link;    /* of the worker's */
    ngx_http_kafka_metrics_name_t    *name;

    uint64_t                          waiting; /* requests */
    uint64_t                          unsent;  /* their messages, in nginx */
    uint64_t                          pending; /* those with librdkafka */
    ngx_http_kafka_metrics_counters_t counters;

    ngx_http_kafka_metrics_broker_t  *brokers; /* NULL: no statistics came */
} ngx_http_kafka_metrics_cell_t;


/* a worker's side of it, in a producer */

typedef struct {
    ngx_shm_zone_t                 *zone;      /* set by the configuration */
    ngx_http_kafka_metrics_cell_t  *cell;      /* NULL until it is opened */
    ngx_http_kafka_metrics_seen_t  *seen;      /* librdkafka's last sums */
    uint64_t                        clock;     /* microseconds, at a tick */
    uint64_t                        heard;     /* at the last message acked */
    uint64_t                        latency;   /* of that one, */
    ngx_uint_t                      bucket;    /* and where it is counted */
} ngx_http_kafka_metrics_t;


/* a sum over all workers, for who shows it */

typedef struct {
    ngx_str_t                         name;
    int64_t                           id;      /* negative: not known yet */
    uint64_t                          told;    /* workers that know it */
    uint64_t                          up;      /* those with a connection */
    uint64_t                          sum[NGX_HTTP_KAFKA_STATS_SUMS];
    uint64_t                          average; /* of workers' averages */
    uint64_t                          p99;     /* the worst of them */
    ngx_uint_t                        measured; /* in how many workers */
    ngx_uint_t                        states[NGX_HTTP_KAFKA_STATS_STATES];
} ngx_http_kafka_metrics_broker_sum_t;


typedef struct {
    ngx_str_t                         name;
    uint64_t                          workers;
    uint64_t                          waiting;
    uint64_t                          unsent;
    uint64_t                          pending;
    uint64_t                          acked;   /* messages */
    ngx_http_kafka_metrics_counters_t counters;
    ngx_str_t                        *topics;  /* the first one's is empty */
    ngx_uint_t                        ntopics;
    ngx_array_t                       brokers;
} ngx_http_kafka_metrics_sum_t;


typedef struct {
    ngx_pid_t                         pid;
    size_t                            held;    /* bytes, by its requests */
    uint64_t                          waiting;
    uint64_t                          unsent;
    uint64_t                          pending;
} ngx_http_kafka_metrics_worker_sum_t;


typedef struct {
    ngx_array_t                       workers;
    ngx_array_t                       producers;
} ngx_http_kafka_metrics_snapshot_t;


/* the upper bounds of the buckets, microseconds */
extern const uint64_t
    ngx_http_kafka_metrics_bounds[NGX_HTTP_KAFKA_METRICS_BUCKETS];

/* the same in seconds, as text */
extern const char
    *ngx_http_kafka_metrics_seconds[NGX_HTTP_KAFKA_METRICS_BUCKETS];


/* the zone of a configuration, of size bytes; NULL when memory is out */
ngx_shm_zone_t *ngx_http_kafka_metrics_zone(ngx_conf_t *cf, size_t size,
    void *tag);

/*
 * Gives the worker its cell for the producer of this name.  Where the zone is
 * full, a cell that nobody reads: that is logged, and nothing fails for it.
 */
void ngx_http_kafka_metrics_open(ngx_http_kafka_metrics_t *metrics,
    ngx_str_t *name);

/* as the process exits: all that it counted stays, its gauges go */
void ngx_http_kafka_metrics_close(ngx_http_kafka_metrics_t *metrics);

/* the sums, in the pool; NGX_ERROR when memory is out.  No zone, no sums. */
ngx_int_t ngx_http_kafka_metrics_read(ngx_shm_zone_t *zone, ngx_pool_t *pool,
    ngx_http_kafka_metrics_snapshot_t *snapshot);

/* a worker has just seen a broker up, or the last time one did; milliseconds */
void ngx_http_kafka_metrics_set_up(ngx_http_kafka_metrics_t *metrics);
uint64_t ngx_http_kafka_metrics_get_up(ngx_http_kafka_metrics_t *metrics);

/* brokers as librdkafka's statistics have them, between begin and end */
void ngx_http_kafka_metrics_brokers_begin(ngx_http_kafka_metrics_t *metrics);
void ngx_http_kafka_metrics_broker(ngx_http_kafka_metrics_t *metrics,
    ngx_http_kafka_stats_broker_t *broker);
void ngx_http_kafka_metrics_brokers_end(ngx_http_kafka_metrics_t *metrics);

/* the client takes the place of one before it */
void ngx_http_kafka_metrics_rebuilt(ngx_http_kafka_metrics_t *metrics);

/* there is no client, and nobody knows of the brokers */
void ngx_http_kafka_metrics_ended(ngx_http_kafka_metrics_t *metrics);

/* an answered request */
void ngx_http_kafka_metrics_request(ngx_http_kafka_metrics_t *metrics,
    ngx_uint_t status);

/* a message without success, which had been with the client or not */
void ngx_http_kafka_metrics_failed(ngx_http_kafka_metrics_t *metrics,
    ngx_http_kafka_record_t *record);
void ngx_http_kafka_metrics_dropped(ngx_http_kafka_metrics_t *metrics,
    ngx_http_kafka_record_t *record);

/* what follows is for the inline functions below */

ngx_uint_t ngx_http_kafka_metrics_bucket(uint64_t latency);
ngx_uint_t ngx_http_kafka_metrics_place(ngx_http_kafka_metrics_t *metrics,
    ngx_http_kafka_topic_t *topic);


/* the time for what is handed over or reported until the next tick */

static ngx_inline void
ngx_http_kafka_metrics_tick(ngx_http_kafka_metrics_t *metrics)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    metrics->clock = (uint64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}


static ngx_inline void
ngx_http_kafka_metrics_begin(ngx_http_kafka_metrics_t *metrics,
    ngx_http_kafka_batch_t *batch)
{
    metrics->cell->waiting++;
    metrics->cell->unsent += batch->nrecords;
}


static ngx_inline void
ngx_http_kafka_metrics_end(ngx_http_kafka_metrics_t *metrics,
    ngx_http_kafka_batch_t *batch)
{
    metrics->cell->waiting--;

    /* nothing of it was ever handed over */

    if (batch->unsent) {
        metrics->cell->unsent -= batch->nrecords;
    }
}


/* a message is with the client: for the first time, or again */

static ngx_inline void
ngx_http_kafka_metrics_sent(ngx_http_kafka_metrics_t *metrics)
{
    metrics->cell->unsent--;
    metrics->cell->pending++;
}


static ngx_inline void
ngx_http_kafka_metrics_sent_again(ngx_http_kafka_metrics_t *metrics)
{
    metrics->cell->pending++;
}


static ngx_inline void
ngx_http_kafka_metrics_reported(ngx_http_kafka_metrics_t *metrics)
{
    metrics->cell->pending--;
}


static ngx_inline void
ngx_http_kafka_metrics_acked(ngx_http_kafka_metrics_t *metrics,
    ngx_http_kafka_record_t *record)
{
    uint64_t                            latency;
    ngx_http_kafka_topic_t             *topic;
    ngx_http_kafka_metrics_counters_t  *counters;

    counters = &metrics->cell->counters;
    latency = metrics->clock - record->batch->clock;

    /* the same for all of a request that one report brings */

    if (latency != metrics->latency) {
        metrics->latency = latency;
        metrics->bucket = ngx_http_kafka_metrics_bucket(latency);
    }

    metrics->heard = metrics->clock;

    counters->latency[metrics->bucket]++;
    counters->latency_sum += latency;
    counters->bytes += record->key.len + record->value.len;

    topic = record->target->topic;

    if (topic->place == 0) {
        topic->place = ngx_http_kafka_metrics_place(metrics, topic);
    }

    counters->topics[topic->place - 1].acked++;
}


#endif /* _NGX_HTTP_KAFKA_METRICS_H_INCLUDED_ */
