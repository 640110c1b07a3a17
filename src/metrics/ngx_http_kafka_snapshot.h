
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_SNAPSHOT_H_INCLUDED_
#define _NGX_HTTP_KAFKA_SNAPSHOT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http_kafka_zone.h>


/* Sums over all workers, for the status page.  Event loop. */


typedef struct {
    ngx_str_t                         name;
    int64_t                           id;      /* negative: not known yet */
    uint64_t                          known;   /* workers that list it */
    uint64_t                          up;      /* of these, connected */
    uint64_t                          sum[NGX_HTTP_KAFKA_STATS_SUMS];
    uint64_t                          average; /* microseconds, mean */
    uint64_t                          p99;     /* microseconds, highest */
    ngx_uint_t                        measured; /* workers with averages */
    ngx_uint_t                        states[NGX_HTTP_KAFKA_STATS_STATES];
} ngx_http_kafka_metrics_broker_sum_t;


typedef struct {
    ngx_str_t                         name;
    uint64_t                          workers;
    uint64_t                          waiting;
    uint64_t                          unsent;
    uint64_t                          pending;
    uint64_t                          clients;
    uint64_t                          acked;   /* messages */
    ngx_http_kafka_metrics_counters_t counters;
    ngx_str_t                        *topics;  /* names, without "other" */
    ngx_uint_t                        ntopics;
    ngx_array_t                       brokers;
} ngx_http_kafka_metrics_sum_t;


typedef struct {
    ngx_pid_t                         pid;
    size_t                            held;    /* bytes of its requests */
    uint64_t                          waiting;
    uint64_t                          unsent;
    uint64_t                          pending;
} ngx_http_kafka_metrics_worker_sum_t;


typedef struct {
    ngx_array_t                       workers;
    ngx_array_t                       producers;
} ngx_http_kafka_snapshot_t;


/*
 * Sums up the cells of the zone, which the function locks.  The arrays are
 * allocated from pool, and are empty if zone is NULL.  Names point into the
 * zone and stay valid.  Returns NGX_OK, or NGX_ERROR when memory is out.
 */
ngx_int_t ngx_http_kafka_snapshot(ngx_shm_zone_t *zone, ngx_pool_t *pool,
    ngx_http_kafka_snapshot_t *snapshot);


#endif /* _NGX_HTTP_KAFKA_SNAPSHOT_H_INCLUDED_ */
