
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_STATISTICS_H_INCLUDED_
#define _NGX_HTTP_KAFKA_STATISTICS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http_kafka_health.h>
#include <ngx_http_kafka_metrics.h>


/*
 * Passes the brokers in librdkafka's statistics to health and to metrics.  text
 * is the statistics as JSON, of the client that was created at the time opened
 * (of ngx_current_msec).  Event loop.
 */
void ngx_http_kafka_statistics(ngx_http_kafka_health_t *health,
    ngx_http_kafka_metrics_t *metrics, ngx_msec_t opened, const char *text);


#endif /* _NGX_HTTP_KAFKA_STATISTICS_H_INCLUDED_ */
