
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_BROKERS_H_INCLUDED_
#define _NGX_HTTP_KAFKA_BROKERS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http_kafka_metrics.h>
#include <ngx_http_kafka_stats.h>


/*
 * Brokers, as librdkafka's statistics have them, in memory that workers share.
 * Event loop.
 */


/* begins new statistics of a worker's client */
void ngx_http_kafka_brokers_begin(ngx_http_kafka_metrics_t *metrics);

/* adds a broker of these statistics; drops it if there is no memory for it */
void ngx_http_kafka_brokers_add(ngx_http_kafka_metrics_t *metrics,
    ngx_http_kafka_stats_broker_t *broker);

/* ends the statistics: puts states and sums of their brokers into the zone */
void ngx_http_kafka_brokers_end(ngx_http_kafka_metrics_t *metrics);

/* the client has ended: this worker no longer knows the brokers' states */
void ngx_http_kafka_brokers_forget(ngx_http_kafka_metrics_t *metrics);

/* stores ngx_current_msec, as the time when a worker saw a broker up */
void ngx_http_kafka_brokers_set_up(ngx_http_kafka_metrics_t *metrics);

/*
 * Returns ngx_current_msec of the worker that last saw a broker up; 0: no
 * worker ever did.
 */
uint64_t ngx_http_kafka_brokers_get_up(ngx_http_kafka_metrics_t *metrics);


#endif /* _NGX_HTTP_KAFKA_BROKERS_H_INCLUDED_ */
