
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_COUNTERS_H_INCLUDED_
#define _NGX_HTTP_KAFKA_COUNTERS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* The numbers that only grow, of a worker and a producer.  Event loop. */


#define NGX_HTTP_KAFKA_METRICS_BUCKETS   14
#define NGX_HTTP_KAFKA_METRICS_CODES     24
#define NGX_HTTP_KAFKA_METRICS_TOPICS    100


/* counts an HTTP status or an error; the last of a list counts all others */

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

    /* acknowledged messages, by latency; the last one is above all bounds */
    uint64_t                latency[NGX_HTTP_KAFKA_METRICS_BUCKETS + 1];

    ngx_http_kafka_metrics_code_t   statuses[NGX_HTTP_KAFKA_METRICS_CODES];
    ngx_http_kafka_metrics_code_t   errors[NGX_HTTP_KAFKA_METRICS_CODES];

    /* the first one counts all others */
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

/* adds n to the count of a code; another process may read it meanwhile */
void ngx_http_kafka_counters_count(ngx_http_kafka_metrics_code_t *codes,
    int64_t code, uint64_t n);

/* adds the counters of a worker, which may count meanwhile, to others */
void ngx_http_kafka_counters_add(ngx_http_kafka_metrics_counters_t *to,
    ngx_http_kafka_metrics_counters_t *from);


#endif /* _NGX_HTTP_KAFKA_COUNTERS_H_INCLUDED_ */
