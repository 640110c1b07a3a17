
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_COUNTERS_H_INCLUDED_
#define _NGX_HTTP_KAFKA_COUNTERS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Counters of one worker for one producer.  They never decrease.  Event loop.
 */


#define NGX_HTTP_KAFKA_METRICS_BUCKETS   14
#define NGX_HTTP_KAFKA_METRICS_CODES     24
#define NGX_HTTP_KAFKA_METRICS_TOPICS    100


/*
 * Counts an HTTP status or an error.  The last entry of an array counts all
 * codes without an entry.
 */

typedef struct {
    int64_t                         code;
    uint64_t                        n;         /* 0: the entry is free */
} ngx_http_kafka_metrics_code_t;


typedef struct {
    uint64_t                        acked;
    uint64_t                        failed;
} ngx_http_kafka_metrics_topic_t;


typedef struct {
    uint64_t                        bytes;     /* acknowledged */
    uint64_t                        rebuilt;   /* replaced clients */
    uint64_t                        latency_sum;  /* microseconds */

    /* acknowledged messages by latency; the last bucket is unbounded */
    uint64_t                latency[NGX_HTTP_KAFKA_METRICS_BUCKETS + 1];

    ngx_http_kafka_metrics_code_t   statuses[NGX_HTTP_KAFKA_METRICS_CODES];
    ngx_http_kafka_metrics_code_t   errors[NGX_HTTP_KAFKA_METRICS_CODES];

    /* the first entry counts all topics without a slot */
    ngx_http_kafka_metrics_topic_t  topics[NGX_HTTP_KAFKA_METRICS_TOPICS + 1];
} ngx_http_kafka_metrics_counters_t;


/* the upper bounds of the buckets, microseconds */
extern const uint64_t
    ngx_http_kafka_metrics_bounds[NGX_HTTP_KAFKA_METRICS_BUCKETS];

/* the same in seconds, as text */
extern const char
    *ngx_http_kafka_metrics_seconds[NGX_HTTP_KAFKA_METRICS_BUCKETS];


/* returns the bucket of a latency in microseconds */
ngx_uint_t ngx_http_kafka_counters_bucket(uint64_t latency);

/* adds n to the count of a code; other processes may read it concurrently */
void ngx_http_kafka_counters_count(ngx_http_kafka_metrics_code_t *codes,
    int64_t code, uint64_t n);

/* adds "from" to "to"; the worker that owns "from" may count concurrently */
void ngx_http_kafka_counters_add(ngx_http_kafka_metrics_counters_t *to,
    ngx_http_kafka_metrics_counters_t *from);


#endif /* _NGX_HTTP_KAFKA_COUNTERS_H_INCLUDED_ */
