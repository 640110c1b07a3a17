
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_replace.h>


/*
 * How long a draining client may wait for acknowledgements, and how often the
 * retries that it puts back into its queue are purged, in milliseconds.
 */
#define NGX_HTTP_KAFKA_REPLACE_DRAIN   500
#define NGX_HTTP_KAFKA_REPLACE_TICK    10


static void ngx_http_kafka_replace_overdue_handler(ngx_event_t *ev);
static void ngx_http_kafka_replace_purge_handler(ngx_event_t *ev);
static void ngx_http_kafka_replace_timers(ngx_http_kafka_shard_t *shard);


void
ngx_http_kafka_replace_init(ngx_http_kafka_shard_t *shard)
{
    shard->purge.handler = ngx_http_kafka_replace_purge_handler;
    shard->purge.data = shard;
    shard->purge.log = ngx_cycle->log;
    shard->purge.cancelable = 1;

    shard->overdue.handler = ngx_http_kafka_replace_overdue_handler;
    shard->overdue.data = shard;
    shard->overdue.log = ngx_cycle->log;
    shard->overdue.cancelable = 1;
}


void
ngx_http_kafka_replace_watch(ngx_http_kafka_shard_t *shard)
{
    if (shard->conf->idempotent
        && !shard->closing
        && !shard->overdue.timer_set)
    {
        ngx_add_timer(&shard->overdue, shard->conf->timeout);
    }
}


/*
 * When a message times out, librdkafka bumps the epoch and sends everything
 * else that was in flight again, under new sequence numbers.  Brokers cannot
 * recognize these retries as duplicates.  So the client is ended before.
 */

static void
ngx_http_kafka_replace_overdue_handler(ngx_event_t *ev)
{
    ngx_msec_int_t           left, next;
    ngx_queue_t             *q;
    ngx_http_kafka_lane_t   *lane;
    ngx_http_kafka_shard_t  *shard;

    shard = ev->data;

    if (shard->draining || ngx_queue_empty(&shard->busy)) {
        return;
    }

    next = (ngx_msec_int_t) shard->conf->timeout;

    for (q = ngx_queue_head(&shard->busy);
         q != ngx_queue_sentinel(&shard->busy);
         q = ngx_queue_next(q))
    {
        lane = ngx_queue_data(q, ngx_http_kafka_lane_t, busy);

        left = (ngx_msec_int_t) (lane->submitted_at + shard->conf->timeout
                                 - ngx_current_msec);

        if (left <= 0) {
            ngx_http_kafka_lane_timed_out(lane);
            lane->isolated = 1;
        }

        next = ngx_min(next, left);
    }

    if (next <= 0) {
        ngx_http_kafka_replace_save(shard, "a message is overdue");
        return;
    }

    ngx_add_timer(ev, (ngx_msec_t) next);
}


void
ngx_http_kafka_replace_save(ngx_http_kafka_shard_t *shard, const char *why)
{
    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "kafka producer \"%V\": %s, its client is replaced to "
                  "avoid duplicates", &shard->conf->name, why);

    ngx_http_kafka_replace_start(shard, RD_KAFKA_RESP_ERR_NO_ERROR);
}


/* purges unsent records first: sent ones may be acknowledged at any moment */

void
ngx_http_kafka_replace_start(ngx_http_kafka_shard_t *shard,
    rd_kafka_resp_err_t fatal)
{
    shard->draining = 1;
    shard->fatal = fatal;
    shard->since = ngx_current_msec;

    if (shard->closing) {
        ngx_http_kafka_shard_purge(shard, RD_KAFKA_PURGE_F_QUEUE
                                          |RD_KAFKA_PURGE_F_INFLIGHT);
        return;
    }

    ngx_http_kafka_replace_purge_handler(&shard->purge);
}


static void
ngx_http_kafka_replace_purge_handler(ngx_event_t *ev)
{
    int                      what;
    ngx_http_kafka_shard_t  *shard;

    shard = ev->data;
    what = RD_KAFKA_PURGE_F_QUEUE;

    if (ngx_current_msec - shard->since >= NGX_HTTP_KAFKA_REPLACE_DRAIN) {
        what |= RD_KAFKA_PURGE_F_INFLIGHT;
    }

    ngx_http_kafka_shard_purge(shard, what);

    /* repeat, because librdkafka puts retries back into its queue */

    ngx_add_timer(ev, NGX_HTTP_KAFKA_REPLACE_TICK);
}


void
ngx_http_kafka_replace_done(ngx_http_kafka_shard_t *shard)
{
    ngx_http_kafka_replace_timers(shard);

    shard->draining = 0;
}


static void
ngx_http_kafka_replace_timers(ngx_http_kafka_shard_t *shard)
{
    if (shard->purge.timer_set) {
        ngx_del_timer(&shard->purge);
    }

    if (shard->overdue.timer_set) {
        ngx_del_timer(&shard->overdue);
    }
}


/* without a fatal error for this long, brokers have accepted the client */

ngx_uint_t
ngx_http_kafka_replace_refused(ngx_http_kafka_shard_t *shard)
{
    return shard->fatal
           && !shard->served
           && (shard->rk == NULL
               || shard->draining
               || ngx_current_msec - shard->opened
                  < 2 * NGX_HTTP_KAFKA_SHARD_REOPEN);
}


void
ngx_http_kafka_replace_close(ngx_http_kafka_shard_t *shard)
{
    shard->closing = 1;

    ngx_http_kafka_replace_timers(shard);
}
