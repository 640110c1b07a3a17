
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_HEALTH_H_INCLUDED_
#define _NGX_HTTP_KAFKA_HEALTH_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http_kafka_metrics.h>


/*
 * Whether a worker's client reaches a broker, by librdkafka's statistics and
 * by what is acknowledged.  Event loop.
 */


/* when a broker that is up last had nothing to answer, or answered */

typedef struct {
    uint32_t                     hash;       /* of its name, 0: none */
    int64_t                      id;
    uint64_t                     received;
    ngx_msec_t                   since;
} ngx_http_kafka_health_broker_t;


typedef struct {
    ngx_msec_t                   interval;   /* of statistics; 0: none come */
    ngx_msec_t                   patience;   /* till a broker hangs */

    /* of the client that was made at this time */
    ngx_msec_t                   opened;
    ngx_msec_t                   at;         /* the newest statistics */
    ngx_uint_t                   up;         /* brokers, by them */
    ngx_uint_t                   missed;     /* how many had none up, since */
    unsigned                     seen:1;     /* one has been up */
    ngx_http_kafka_health_broker_t
                                 brokers[NGX_HTTP_KAFKA_METRICS_BROKERS];
} ngx_http_kafka_health_t;


/*
 * The brokers of one statistics, of the client made at the time opened, come
 * between begin and end.  A broker that hangs gets that for its state.  The end
 * returns 1 if a broker is up.
 */
void ngx_http_kafka_health_begin(ngx_http_kafka_health_t *health,
    ngx_msec_t opened);
void ngx_http_kafka_health_broker(ngx_http_kafka_health_t *health,
    ngx_http_kafka_stats_broker_t *broker);
ngx_uint_t ngx_http_kafka_health_end(ngx_http_kafka_health_t *health);

/*
 * Is a broker up, for the client that was made at the time opened (of
 * ngx_current_msec)?  NGX_OK, NGX_DECLINED, or NGX_AGAIN: not known yet.
 */
ngx_int_t ngx_http_kafka_health(ngx_http_kafka_health_t *health,
    ngx_http_kafka_metrics_t *metrics, ngx_msec_t opened);


#endif /* _NGX_HTTP_KAFKA_HEALTH_H_INCLUDED_ */
