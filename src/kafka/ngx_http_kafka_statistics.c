
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_statistics.h>
#include <ngx_http_kafka_brokers.h>
#include <ngx_http_kafka_stats.h>


typedef struct {
    ngx_http_kafka_health_t     *health;
    ngx_http_kafka_metrics_t    *metrics;
} ngx_http_kafka_statistics_ctx_t;


static void ngx_http_kafka_statistics_broker(void *data,
    ngx_http_kafka_stats_broker_t *broker);


void
ngx_http_kafka_statistics(ngx_http_kafka_health_t *health,
    ngx_http_kafka_metrics_t *metrics, ngx_msec_t opened, const char *text)
{
    ngx_http_kafka_statistics_ctx_t  ctx;

    ctx.health = health;
    ctx.metrics = metrics;

    ngx_http_kafka_health_begin(health, opened);
    ngx_http_kafka_brokers_begin(metrics);

    if (ngx_http_kafka_stats_parse(text, ngx_strlen(text),
                                   ngx_http_kafka_statistics_broker, &ctx)
        != NGX_OK)
    {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "kafka: librdkafka's statistics cannot be read");
        return;
    }

    ngx_http_kafka_brokers_end(metrics);

    if (ngx_http_kafka_health_end(health)) {
        ngx_http_kafka_brokers_set_up(metrics);
    }
}


static void
ngx_http_kafka_statistics_broker(void *data,
    ngx_http_kafka_stats_broker_t *broker)
{
    ngx_http_kafka_statistics_ctx_t *ctx = data;

    /* first, because it may change the state that the brokers' gauges show */

    ngx_http_kafka_health_broker(ctx->health, broker);
    ngx_http_kafka_brokers_add(ctx->metrics, broker);
}
