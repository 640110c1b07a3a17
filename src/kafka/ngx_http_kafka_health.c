
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_health.h>
#include <ngx_http_kafka_brokers.h>


/* milliseconds to connect, in addition to two intervals of statistics */
#define NGX_HTTP_KAFKA_HEALTH_CONNECT  3000

/*
 * How many statistics in a row without a broker that is up mean that none is.
 * A single one may fall into the moment in which an idle connection is opened
 * again.
 */
#define NGX_HTTP_KAFKA_HEALTH_MISSED   2


static ngx_uint_t ngx_http_kafka_health_hangs(ngx_http_kafka_health_t *health,
    ngx_http_kafka_stats_broker_t *broker);


void
ngx_http_kafka_health_begin(ngx_http_kafka_health_t *health,
    ngx_msec_t opened)
{
    health->up = 0;

    if (health->at == 0 || health->opened != opened) {
        health->opened = opened;
        health->missed = 0;
        health->seen = 0;
        ngx_memzero(health->brokers, sizeof(health->brokers));
    }
}


void
ngx_http_kafka_health_broker(ngx_http_kafka_health_t *health,
    ngx_http_kafka_stats_broker_t *broker)
{
    if (!ngx_http_kafka_stats_is_up(broker->state)) {
        return;
    }

    if (ngx_http_kafka_health_hangs(health, broker)) {
        broker->state = NGX_HTTP_KAFKA_STATS_HANGS;
        return;
    }

    health->up++;
}


ngx_uint_t
ngx_http_kafka_health_end(ngx_http_kafka_health_t *health)
{
    health->at = ngx_current_msec;

    if (health->up == 0) {
        health->missed++;
        return 0;
    }

    health->seen = 1;
    health->missed = 0;

    return 1;
}


/*
 * librdkafka reports a broker as up while the connection lasts: by default for
 * a minute after the broker has stopped answering.  Newer versions report two
 * brokers with the same name: the bootstrap server, and the broker that was
 * found there.
 */

static ngx_uint_t
ngx_http_kafka_health_hangs(ngx_http_kafka_health_t *health,
    ngx_http_kafka_stats_broker_t *broker)
{
    uint32_t                         hash;
    ngx_http_kafka_health_broker_t  *b, *last;

    hash = ngx_max(ngx_murmur_hash2(broker->data, broker->len), 1);

    b = health->brokers;
    last = b + NGX_HTTP_KAFKA_METRICS_BROKERS;

    while (b < last
           && b->hash
           && (b->hash != hash || b->id != broker->id))
    {
        b++;
    }

    if (b == last) {
        return 0;
    }

    if (b->hash == 0
        || broker->unanswered == 0
        || broker->received != b->received)
    {
        b->hash = hash;
        b->id = broker->id;
        b->received = broker->received;
        b->since = ngx_current_msec;
    }

    return ngx_current_msec - b->since >= health->patience;
}


ngx_int_t
ngx_http_kafka_health(ngx_http_kafka_health_t *health,
    ngx_http_kafka_metrics_t *metrics, ngx_msec_t opened)
{
    ngx_msec_t  heard, grace, since, up;
    ngx_uint_t  known, seen;

    known = health->at && health->opened == opened;
    seen = known && health->seen;

    if (seen && health->missed < NGX_HTTP_KAFKA_HEALTH_MISSED) {
        return NGX_OK;
    }

    /* a newer acknowledgement also proves that a broker is up */

    since = known ? health->at : opened;
    heard = (ngx_msec_t) (metrics->last_ack / 1000);

    if (heard && (ngx_msec_int_t) (heard - since) > 0) {
        return NGX_OK;
    }

    /*
     * A client needs a moment to connect.  Until then, the last state that any
     * process has seen is used, so that a reload or the replacement of a client
     * does not look like a failure.
     */

    grace = 2 * health->interval + NGX_HTTP_KAFKA_HEALTH_CONNECT;

    if (!seen && ngx_current_msec - opened < grace) {

        up = (ngx_msec_t) ngx_http_kafka_brokers_get_up(metrics);

        /* the clock of another process may be ahead of this one */

        if (up && (ngx_msec_int_t) (ngx_current_msec - up)
                  < (ngx_msec_int_t) grace)
        {
            return NGX_OK;
        }

        return NGX_AGAIN;
    }

    return known ? NGX_DECLINED : NGX_AGAIN;
}
