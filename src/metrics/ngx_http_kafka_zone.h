
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_ZONE_H_INCLUDED_
#define _NGX_HTTP_KAFKA_ZONE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http_kafka_counters.h>
#include <ngx_http_kafka_stats.h>


/*
 * What all workers count, in memory that they share.  Each worker has a cell
 * for each producer, which nobody else writes: counting is a plain increment,
 * and who reads adds the cells up.  When a worker ends its counters are added
 * to those of the producer, and its gauges go.  Event loop.
 */


#define NGX_HTTP_KAFKA_METRICS_BROKERS   48

/* of a zone, bytes */
#define NGX_HTTP_KAFKA_ZONE_SIZE         (2 * 1024 * 1024)


typedef struct ngx_http_kafka_zone_producer_s  ngx_http_kafka_zone_producer_t;


typedef struct {
    uint64_t                        sum[NGX_HTTP_KAFKA_STATS_SUMS];
    uint64_t                        state;     /* 0: there is none */
    uint64_t                        average;   /* round trip, microseconds */
    uint64_t                        p99;
} ngx_http_kafka_metrics_broker_t;


/* what one worker counts for one producer, in shared memory */

typedef struct {
    ngx_queue_t                       link;    /* of the worker's */
    ngx_http_kafka_zone_producer_t   *producer;

    uint64_t                          waiting; /* requests */
    uint64_t                          unsent;  /* their messages, in nginx */
    uint64_t                          pending; /* those with librdkafka */
    ngx_http_kafka_metrics_counters_t counters;

    ngx_http_kafka_metrics_broker_t  *brokers; /* NULL: no statistics came */
} ngx_http_kafka_metrics_cell_t;


typedef struct {
    ngx_str_t                        name;
    int64_t                          id;
    uint64_t                         sum[NGX_HTTP_KAFKA_STATS_SUMS];
} ngx_http_kafka_zone_broker_t;


/* a producer, by its name: what is the same for all workers, and what those
   that ended have counted; never freed, nor are the names it has */

struct ngx_http_kafka_zone_producer_s {
    ngx_queue_t                        link;   /* of the zone's */
    ngx_str_t                          name;
    uint64_t                           up;     /* milliseconds, a broker was */
    ngx_uint_t                         ntopics;
    ngx_str_t                          topics[NGX_HTTP_KAFKA_METRICS_TOPICS];
    ngx_uint_t                         nbrokers;
    ngx_http_kafka_zone_broker_t
                                   brokers[NGX_HTTP_KAFKA_METRICS_BROKERS];
    ngx_http_kafka_metrics_counters_t  retired;
};


typedef struct {
    ngx_queue_t                      link;     /* of the zone's */
    ngx_queue_t                      cells;
    ngx_pid_t                        pid;
    ngx_pid_t                        group;    /* of processes */
    size_t                           held;
} ngx_http_kafka_metrics_worker_t;


typedef struct {
    ngx_queue_t                      producers;
    ngx_queue_t                      workers;
} ngx_http_kafka_metrics_zone_t;


/* the zone of a configuration, of size bytes; NULL when memory is out */
ngx_shm_zone_t *ngx_http_kafka_zone_create(ngx_conf_t *cf, size_t size,
    void *tag);

/*
 * This worker's cell for the producer of this name.  Where the zone is full, a
 * cell that nobody reads: that is logged, and nothing fails for it.
 */
ngx_http_kafka_metrics_cell_t *ngx_http_kafka_zone_open(ngx_shm_zone_t *zone,
    ngx_str_t *name);

/*
 * As the process exits: all that the cell counted stays, its gauges go.
 * Returns a cell that nobody reads.
 */
ngx_http_kafka_metrics_cell_t *ngx_http_kafka_zone_close(ngx_shm_zone_t *zone,
    ngx_http_kafka_metrics_cell_t *cell);

/* with the zone locked: removes workers that were killed */
void ngx_http_kafka_zone_reap(ngx_shm_zone_t *zone, ngx_uint_t starting);

/* with the zone locked: copies the text there; NGX_ERROR when it is full */
ngx_int_t ngx_http_kafka_zone_str(ngx_slab_pool_t *shpool, ngx_str_t *dst,
    u_char *data, size_t len);

/* logs that the zone is full, once */
void ngx_http_kafka_zone_full(ngx_shm_zone_t *zone);


#endif /* _NGX_HTTP_KAFKA_ZONE_H_INCLUDED_ */
