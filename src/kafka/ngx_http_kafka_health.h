
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_HEALTH_H_INCLUDED_
#define _NGX_HTTP_KAFKA_HEALTH_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http_kafka_metrics.h>


/*
 * Tells whether a worker's client reaches a broker, by librdkafka's statistics
 * and by acknowledgements.  Event loop.
 */


/* when a broker that is up last answered, or had no request to answer */

typedef struct {
    uint32_t                     hash;       /* of its name, 0: unused */
    int64_t                      id;
    uint64_t                     received;
    ngx_msec_t                   since;
} ngx_http_kafka_health_broker_t;


typedef struct {
    ngx_msec_t                   interval;   /* of statistics, 0: none */
    ngx_msec_t                   patience;   /* then a broker hangs */

    /* about the client that was created at this time */
    ngx_msec_t                   opened;
    ngx_msec_t                   at;         /* of the last statistics */
    ngx_uint_t                   up;         /* brokers, in them */
    ngx_uint_t                   missed;     /* statistics with none up */
    unsigned                     seen:1;     /* a broker was up */
    ngx_http_kafka_health_broker_t
                                 brokers[NGX_HTTP_KAFKA_METRICS_BROKERS];
} ngx_http_kafka_health_t;


/*
 * Begins new statistics of the client that was created at the time opened (of
 * ngx_current_msec).  What is known of an earlier client is dropped.
 */
void ngx_http_kafka_health_begin(ngx_http_kafka_health_t *health,
    ngx_msec_t opened);

/*
 * Adds a broker of these statistics.  Sets broker->state to
 * NGX_HTTP_KAFKA_STATS_HANGS if the broker is up but has answered nothing for
 * health->patience.
 */
void ngx_http_kafka_health_broker(ngx_http_kafka_health_t *health,
    ngx_http_kafka_stats_broker_t *broker);

/* ends the statistics; returns 1 if a broker in them is up, else 0 */
ngx_uint_t ngx_http_kafka_health_end(ngx_http_kafka_health_t *health);

/*
 * Returns NGX_OK if a broker is up for the client that was created at the time
 * opened (of ngx_current_msec), NGX_DECLINED if none is, or NGX_AGAIN if that
 * is not known yet.
 */
ngx_int_t ngx_http_kafka_health(ngx_http_kafka_health_t *health,
    ngx_http_kafka_metrics_t *metrics, ngx_msec_t opened);


#endif /* _NGX_HTTP_KAFKA_HEALTH_H_INCLUDED_ */
