
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
 * Stores the brokers of librdkafka's statistics in the shared memory.  Event
 * loop.
 */


/* starts a statistics document of this worker's client */
void ngx_http_kafka_brokers_begin(ngx_http_kafka_metrics_t *metrics);

/* adds a broker of the document; ignores it if the zone has no room for it */
void ngx_http_kafka_brokers_add(ngx_http_kafka_metrics_t *metrics,
    ngx_http_kafka_stats_broker_t *broker);

/* ends the document: writes the brokers' states and sums into the zone */
void ngx_http_kafka_brokers_end(ngx_http_kafka_metrics_t *metrics);

/* clears the brokers' states of this worker when its client has ended */
void ngx_http_kafka_brokers_forget(ngx_http_kafka_metrics_t *metrics);

/* stores ngx_current_msec as the last time at which a broker was up */
void ngx_http_kafka_brokers_set_up(ngx_http_kafka_metrics_t *metrics);

/*
 * Returns the last time at which any worker has seen a broker up, as
 * ngx_current_msec of that worker, or 0 if there is none.
 */
uint64_t ngx_http_kafka_brokers_get_up(ngx_http_kafka_metrics_t *metrics);


#endif /* _NGX_HTTP_KAFKA_BROKERS_H_INCLUDED_ */
