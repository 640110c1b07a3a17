
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_dispatch.h>


/* milliseconds, the longest that batches gather; and how many records that are
   on their way are too few to wait for */
#define NGX_HTTP_KAFKA_DISPATCH_GATHER       100
#define NGX_HTTP_KAFKA_DISPATCH_FEW          16

/* for batches that may come: milliseconds, and turns that bring none, before
   and after as many have come as last time */
#define NGX_HTTP_KAFKA_DISPATCH_SPIN         4
#define NGX_HTTP_KAFKA_DISPATCH_SPIN_IDLE    30
#define NGX_HTTP_KAFKA_DISPATCH_SPIN_ENOUGH  4


static void ngx_http_kafka_dispatch_event(ngx_event_t *ev,
    ngx_event_handler_pt handler, void *data);
static ngx_uint_t ngx_http_kafka_dispatch_spin(
    ngx_http_kafka_dispatch_t *dispatch);


void
ngx_http_kafka_dispatch_init(ngx_http_kafka_dispatch_t *dispatch,
    ngx_event_handler_pt handler, void *data)
{
    ngx_queue_init(&dispatch->unsent);

    ngx_http_kafka_dispatch_event(&dispatch->submit, handler, data);
    ngx_http_kafka_dispatch_event(&dispatch->gather, handler, data);
}


static void
ngx_http_kafka_dispatch_event(ngx_event_t *ev, ngx_event_handler_pt handler,
    void *data)
{
    ev->handler = handler;
    ev->data = data;
    ev->log = ngx_cycle->log;
    ev->cancelable = 1;
}


void
ngx_http_kafka_dispatch_add(ngx_http_kafka_dispatch_t *dispatch,
    ngx_http_kafka_batch_t *batch)
{
    ngx_queue_insert_tail(&dispatch->unsent, &batch->queue);
    batch->queued = 1;
    dispatch->nunsent++;

    ngx_http_kafka_dispatch_post(dispatch);
}


void
ngx_http_kafka_dispatch_remove(ngx_http_kafka_dispatch_t *dispatch,
    ngx_http_kafka_batch_t *batch)
{
    ngx_queue_remove(&batch->queue);
    batch->queued = 0;
    dispatch->nunsent--;
}


ngx_http_kafka_batch_t *
ngx_http_kafka_dispatch_first(ngx_http_kafka_dispatch_t *dispatch)
{
    if (ngx_queue_empty(&dispatch->unsent)) {
        return NULL;
    }

    return ngx_queue_data(ngx_queue_head(&dispatch->unsent),
                          ngx_http_kafka_batch_t, queue);
}


/*
 * While records are on their way the next ones gather here, till most of those
 * are acknowledged, or for about twice as long as acknowledgements take: one
 * slow partition must not keep others waiting.  librdkafka would keep them
 * back, too, once a partition has 5 messages in flight, but its thread spins
 * meanwhile; and fuller batches are less work for it and for brokers.
 */

ngx_uint_t
ngx_http_kafka_dispatch_gather(ngx_http_kafka_dispatch_t *dispatch)
{
    ngx_msec_t  since, longest;

    if (dispatch->submitting) {
        return 0;
    }

    since = ngx_current_msec - dispatch->submitted_at;
    longest = ngx_min(2 * dispatch->rtt + 2, NGX_HTTP_KAFKA_DISPATCH_GATHER);

    if (since >= longest) {
        return 0;
    }

    if (dispatch->pending < NGX_HTTP_KAFKA_DISPATCH_FEW) {
        return ngx_http_kafka_dispatch_spin(dispatch);
    }

    if (!dispatch->gather.timer_set) {
        ngx_add_timer(&dispatch->gather, longest - since);
    }

    return 1;
}


/*
 * Those whose answers went out a moment ago may be about to ask again: turns
 * that follow each other at once are given to them, a few milliseconds of them
 * at the most, and a few turns (tens of microseconds) that bring nobody; fewer
 * once as many wait as were handed over last time, for a group that could be
 * larger costs brokers one more request.
 */

static ngx_uint_t
ngx_http_kafka_dispatch_spin(ngx_http_kafka_dispatch_t *dispatch)
{
    ngx_uint_t  idle;

    if (dispatch->spin_most == 0) {
        dispatch->spin_since = ngx_current_msec;

    } else if (ngx_current_msec - dispatch->spin_since
               >= NGX_HTTP_KAFKA_DISPATCH_SPIN)
    {
        return 0;
    }

    idle = (dispatch->nunsent < dispatch->group)
           ? NGX_HTTP_KAFKA_DISPATCH_SPIN_IDLE
           : NGX_HTTP_KAFKA_DISPATCH_SPIN_ENOUGH;

    if (dispatch->nunsent > dispatch->spin_most) {
        dispatch->spin_most = dispatch->nunsent;
        dispatch->spin_idle = 0;

    } else if (dispatch->spin_idle++ >= idle) {
        return 0;
    }

    ngx_http_kafka_dispatch_post_next(dispatch);

    return 1;
}


void
ngx_http_kafka_dispatch_begin(ngx_http_kafka_dispatch_t *dispatch)
{
    if (dispatch->submitting) {
        return;
    }

    dispatch->submitting = 1;
    dispatch->group = dispatch->nunsent;
    dispatch->spin_most = 0;
    dispatch->spin_idle = 0;

    dispatch->submitted_at = ngx_current_msec;
    dispatch->rtt_armed = 1;
}


void
ngx_http_kafka_dispatch_done(ngx_http_kafka_dispatch_t *dispatch)
{
    dispatch->submitting = 0;
}


void
ngx_http_kafka_dispatch_close(ngx_http_kafka_dispatch_t *dispatch)
{
    if (dispatch->gather.timer_set) {
        ngx_del_timer(&dispatch->gather);
    }

    if (dispatch->submit.posted) {
        ngx_delete_posted_event(&dispatch->submit);
    }
}
