
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_METRICS_H_INCLUDED_
#define _NGX_HTTP_KAFKA_METRICS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http_kafka_zone.h>


/* Counts the events of one producer in this worker.  Event loop. */


typedef struct ngx_http_kafka_metrics_seen_s  ngx_http_kafka_metrics_seen_t;


typedef struct {
    ngx_shm_zone_t                 *zone;      /* set by the configuration */
    ngx_http_kafka_metrics_cell_t  *cell;      /* NULL until it is opened */
    ngx_http_kafka_metrics_seen_t  *seen;      /* of brokers, own memory */
    uint64_t                        clock;     /* last tick, microseconds */
    uint64_t                        last_ack;  /* last ack, microseconds */
    uint64_t                        latency;   /* its latency, microseconds */
    ngx_uint_t                      bucket;    /* of that latency */
} ngx_http_kafka_metrics_t;


/* gets this worker's cell for the producer with this name, unless it is set */
void ngx_http_kafka_metrics_open(ngx_http_kafka_metrics_t *metrics,
    ngx_str_t *name);

/* releases the cell when the process exits */
void ngx_http_kafka_metrics_close(ngx_http_kafka_metrics_t *metrics);

/* adds n, which may be negative, to the number of clients */
void ngx_http_kafka_metrics_clients(ngx_http_kafka_metrics_t *metrics,
    ngx_int_t n);

/* counts a client that has replaced another one */
void ngx_http_kafka_metrics_rebuilt(ngx_http_kafka_metrics_t *metrics);

/* counts an answered request, by its HTTP status */
void ngx_http_kafka_metrics_request(ngx_http_kafka_metrics_t *metrics,
    ngx_uint_t status);

/*
 * Counts a message that has failed with err.  *slot is the slot of the topic
 * with this name.  If *slot is 0, sets it; the caller must keep it for the
 * topic.
 */
void ngx_http_kafka_metrics_failed(ngx_http_kafka_metrics_t *metrics,
    int64_t err, ngx_uint_t *slot, ngx_str_t *topic);

/* as above, for a message that waits in nginx, not in librdkafka */
void ngx_http_kafka_metrics_dropped(ngx_http_kafka_metrics_t *metrics,
    int64_t err, ngx_uint_t *slot, ngx_str_t *topic);

/* returns the slot of a topic, for the inline function below */
ngx_uint_t ngx_http_kafka_metrics_slot(ngx_http_kafka_metrics_t *metrics,
    ngx_str_t *topic);


/*
 * Reads the clock.  Messages that are handed over or reported until the next
 * tick get this time.
 */

static ngx_inline void
ngx_http_kafka_metrics_tick(ngx_http_kafka_metrics_t *metrics)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    metrics->clock = (uint64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}


/* counts a request that waits for Kafka, and its n unsent messages */

static ngx_inline void
ngx_http_kafka_metrics_begin(ngx_http_kafka_metrics_t *metrics, ngx_uint_t n)
{
    metrics->cell->waiting++;
    metrics->cell->unsent += n;
}


/* counts the end of a request, n messages of which are still unsent */

static ngx_inline void
ngx_http_kafka_metrics_end(ngx_http_kafka_metrics_t *metrics, ngx_uint_t n)
{
    metrics->cell->waiting--;
    metrics->cell->unsent -= n;
}


/* counts a message that was handed to librdkafka */

static ngx_inline void
ngx_http_kafka_metrics_sent(ngx_http_kafka_metrics_t *metrics)
{
    metrics->cell->unsent--;
    metrics->cell->pending++;
}


/* counts a reported message as unsent, because it will be sent again */

static ngx_inline void
ngx_http_kafka_metrics_returned(ngx_http_kafka_metrics_t *metrics)
{
    metrics->cell->unsent++;
}


/* counts a delivery report */

static ngx_inline void
ngx_http_kafka_metrics_reported(ngx_http_kafka_metrics_t *metrics)
{
    metrics->cell->pending--;
}


/*
 * Counts an acknowledged message with so many bytes of key and value.  clock is
 * the value of metrics->clock when the message was handed over.  slot and topic
 * are as above.
 */

static ngx_inline void
ngx_http_kafka_metrics_acked(ngx_http_kafka_metrics_t *metrics, uint64_t clock,
    size_t bytes, ngx_uint_t *slot, ngx_str_t *topic)
{
    uint64_t                            latency;
    ngx_http_kafka_metrics_counters_t  *counters;

    counters = &metrics->cell->counters;
    latency = metrics->clock - clock;

    /* the messages of a Produce request usually have the same latency */

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
