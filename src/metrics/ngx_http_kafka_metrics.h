
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_METRICS_H_INCLUDED_
#define _NGX_HTTP_KAFKA_METRICS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http_kafka_zone.h>


/* What a worker counts for a producer.  Event loop. */


typedef struct ngx_http_kafka_metrics_seen_s  ngx_http_kafka_metrics_seen_t;


typedef struct {
    ngx_shm_zone_t                 *zone;      /* set by the configuration */
    ngx_http_kafka_metrics_cell_t  *cell;      /* NULL until it is opened */
    ngx_http_kafka_metrics_seen_t  *seen;      /* librdkafka's last sums */
    uint64_t                        clock;     /* microseconds, at a tick */
    uint64_t                        last_ack;  /* at the last message acked */
    uint64_t                        latency;   /* its latency */
    ngx_uint_t                      bucket;    /* its bucket */
} ngx_http_kafka_metrics_t;


/* takes the worker's cell for the producer of this name, if not yet taken */
void ngx_http_kafka_metrics_open(ngx_http_kafka_metrics_t *metrics,
    ngx_str_t *name);

/* gives the cell back as the process exits */
void ngx_http_kafka_metrics_close(ngx_http_kafka_metrics_t *metrics);

/* there are n more clients, or fewer */
void ngx_http_kafka_metrics_clients(ngx_http_kafka_metrics_t *metrics,
    ngx_int_t n);

/* counts a client that has replaced another one */
void ngx_http_kafka_metrics_rebuilt(ngx_http_kafka_metrics_t *metrics);

/* counts an answered request, by its HTTP status */
void ngx_http_kafka_metrics_request(ngx_http_kafka_metrics_t *metrics,
    ngx_uint_t status);

/*
 * Counts a message that has failed with err.  *slot is where the topic of this
 * name is counted, and is set if it is 0; the caller keeps it for the topic.
 */
void ngx_http_kafka_metrics_failed(ngx_http_kafka_metrics_t *metrics,
    int64_t err, ngx_uint_t *slot, ngx_str_t *topic);

/* as above, for a message that librdkafka never had */
void ngx_http_kafka_metrics_dropped(ngx_http_kafka_metrics_t *metrics,
    int64_t err, ngx_uint_t *slot, ngx_str_t *topic);

/* returns where a topic is counted; for the inline function below */
ngx_uint_t ngx_http_kafka_metrics_slot(ngx_http_kafka_metrics_t *metrics,
    ngx_str_t *topic);


/* reads the clock, for what is handed over or reported until the next tick */

static ngx_inline void
ngx_http_kafka_metrics_tick(ngx_http_kafka_metrics_t *metrics)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    metrics->clock = (uint64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}


/* counts a request with n messages that waits */

static ngx_inline void
ngx_http_kafka_metrics_begin(ngx_http_kafka_metrics_t *metrics, ngx_uint_t n)
{
    metrics->cell->waiting++;
    metrics->cell->unsent += n;
}


/* the request ends; n of its messages were neither sent nor dropped */

static ngx_inline void
ngx_http_kafka_metrics_end(ngx_http_kafka_metrics_t *metrics, ngx_uint_t n)
{
    metrics->cell->waiting--;
    metrics->cell->unsent -= n;
}


/* a message is with librdkafka */

static ngx_inline void
ngx_http_kafka_metrics_sent(ngx_http_kafka_metrics_t *metrics)
{
    metrics->cell->unsent--;
    metrics->cell->pending++;
}


/* it was there, is not in Kafka, and is to be sent again */

static ngx_inline void
ngx_http_kafka_metrics_returned(ngx_http_kafka_metrics_t *metrics)
{
    metrics->cell->unsent++;
}


/* librdkafka has reported a message */

static ngx_inline void
ngx_http_kafka_metrics_reported(ngx_http_kafka_metrics_t *metrics)
{
    metrics->cell->pending--;
}


/*
 * Counts an acknowledged message, of so many bytes, that was handed over at the
 * time clock (of metrics->clock); slot as above.
 */

static ngx_inline void
ngx_http_kafka_metrics_acked(ngx_http_kafka_metrics_t *metrics, uint64_t clock,
    size_t bytes, ngx_uint_t *slot, ngx_str_t *topic)
{
    uint64_t                            latency;
    ngx_http_kafka_metrics_counters_t  *counters;

    counters = &metrics->cell->counters;
    latency = metrics->clock - clock;

    /* the messages of a request in one report have the same latency */

    if (latency != metrics->latency) {
        metrics->latency = latency;
        metrics->bucket = ngx_http_kafka_counters_bucket(latency);
    }

    metrics->last_ack = metrics->clock;

    counters->latency[metrics->bucket]++;
    counters->latency_sum += latency;
    counters->bytes += bytes;

    if (*slot == 0) {
        *slot = ngx_http_kafka_metrics_slot(metrics, topic);
    }

    counters->topics[*slot - 1].acked++;
}


#endif /* _NGX_HTTP_KAFKA_METRICS_H_INCLUDED_ */
