
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


/* one statistics' brokers are added between begin and end */
void ngx_http_kafka_brokers_begin(ngx_http_kafka_metrics_t *metrics);
void ngx_http_kafka_brokers_add(ngx_http_kafka_metrics_t *metrics,
    ngx_http_kafka_stats_broker_t *broker);
void ngx_http_kafka_brokers_end(ngx_http_kafka_metrics_t *metrics);

/* there is no client, and nobody knows of the brokers */
void ngx_http_kafka_brokers_forget(ngx_http_kafka_metrics_t *metrics);

/* a worker has just seen a broker up, or the last time one did; milliseconds */
void ngx_http_kafka_brokers_set_up(ngx_http_kafka_metrics_t *metrics);
uint64_t ngx_http_kafka_brokers_get_up(ngx_http_kafka_metrics_t *metrics);


#endif /* _NGX_HTTP_KAFKA_BROKERS_H_INCLUDED_ */
