
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
 * The counters of all workers, in shared memory.  Each worker has a cell for
 * each producer, and no other process writes to the cell.  So counting is a
 * plain increment, and a reader sums up the cells.  When a worker ends, its
 * counters are added to those of the producer, and its gauges are dropped.
 * Event loop.
 */


#define NGX_HTTP_KAFKA_METRICS_BROKERS   48

/* the default size of the zone, bytes */
#define NGX_HTTP_KAFKA_ZONE_SIZE         (2 * 1024 * 1024)


typedef struct ngx_http_kafka_zone_producer_s  ngx_http_kafka_zone_producer_t;


/* a broker, as one worker's client sees it */

typedef struct {
    uint64_t                        sum[NGX_HTTP_KAFKA_STATS_SUMS];
    uint64_t                        state;     /* 0: not in statistics */
    uint64_t                        average;   /* round trip, microseconds */
    uint64_t                        p99;
} ngx_http_kafka_metrics_broker_t;


/* what one worker counts for one producer, in shared memory */

typedef struct {
    ngx_queue_t                       link;    /* in worker->cells */
    ngx_http_kafka_zone_producer_t   *producer;

    uint64_t                          waiting; /* requests */
    uint64_t                          unsent;  /* messages in nginx */
    uint64_t                          pending; /* messages in librdkafka */
    uint64_t                          clients; /* of librdkafka */
    ngx_http_kafka_metrics_counters_t counters;

    ngx_http_kafka_metrics_broker_t  *brokers; /* NULL: no statistics */
} ngx_http_kafka_metrics_cell_t;


/* a broker of a producer, with the sums of workers that ended */

typedef struct {
    ngx_str_t                        name;
    int64_t                          id;       /* negative: not known yet */
    uint64_t                         sum[NGX_HTTP_KAFKA_STATS_SUMS];
} ngx_http_kafka_zone_broker_t;


/*
 * A producer, which is identified by its name: the data that all workers share,
 * and the counters of workers that have ended.  The structure and the names in
 * it are never freed.
 */

struct ngx_http_kafka_zone_producer_s {
    ngx_queue_t                        link;   /* in the zone's list */
    ngx_str_t                          name;
    uint64_t                           up;     /* for brokers_get_up() */
    ngx_uint_t                         ntopics;
    ngx_str_t                          topics[NGX_HTTP_KAFKA_METRICS_TOPICS];
    ngx_uint_t                         nbrokers;
    ngx_http_kafka_zone_broker_t
                                   brokers[NGX_HTTP_KAFKA_METRICS_BROKERS];
    ngx_http_kafka_metrics_counters_t  retired;
};


typedef struct {
    ngx_queue_t                      link;     /* in the zone's list */
    ngx_queue_t                      cells;
    ngx_pid_t                        pid;
    ngx_pid_t                        group;    /* process group */
    size_t                           held;     /* bytes of batches */
} ngx_http_kafka_metrics_worker_t;


typedef struct {
    ngx_queue_t                      producers;
    ngx_queue_t                      workers;
} ngx_http_kafka_metrics_zone_t;


/*
 * Creates the zone of a configuration, with size bytes.  nginx keeps the zone
 * during a reload only if the tag stays the same.  Returns NULL on an error.
 */
ngx_shm_zone_t *ngx_http_kafka_zone_create(ngx_conf_t *cf, size_t size,
    void *tag);

/*
 * Returns this worker's cell for the producer with this name.  If the zone is
 * full, logs this and returns a cell that is never read.
 */
ngx_http_kafka_metrics_cell_t *ngx_http_kafka_zone_open(ngx_shm_zone_t *zone,
    ngx_str_t *name);

/*
 * Releases the cell when the process exits: its counters are kept, its gauges
 * are dropped.  Returns a cell that is never read, for later calls.
 */
ngx_http_kafka_metrics_cell_t *ngx_http_kafka_zone_close(ngx_shm_zone_t *zone,
    ngx_http_kafka_metrics_cell_t *cell);

/*
 * Removes the entries of workers that were killed.  starting is 1 if this
 * process has no entry in the zone yet: then an entry with its pid belongs to a
 * killed worker, too.  The zone must be locked.
 */
void ngx_http_kafka_zone_reap(ngx_shm_zone_t *zone, ngx_uint_t starting);

/*
 * Copies len bytes of data into the zone, which must be locked.  Returns
 * NGX_OK, or NGX_ERROR if the zone is full.
 */
ngx_int_t ngx_http_kafka_zone_str(ngx_slab_pool_t *shpool, ngx_str_t *dst,
    u_char *data, size_t len);

/* logs that the zone is full, once */
void ngx_http_kafka_zone_full(ngx_shm_zone_t *zone);


#endif /* _NGX_HTTP_KAFKA_ZONE_H_INCLUDED_ */
