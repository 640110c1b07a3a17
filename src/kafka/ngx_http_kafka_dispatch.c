
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_dispatch.h>


/* milliseconds after a group in which another one is expected, at most; and how
   many records on their way are few */
#define NGX_HTTP_KAFKA_DISPATCH_GATHER       100
#define NGX_HTTP_KAFKA_DISPATCH_FEW          16

/* microseconds from a near broker and back; and milliseconds in which one
   acknowledgement was that fast, at least */
#define NGX_HTTP_KAFKA_DISPATCH_NEAR         700
#define NGX_HTTP_KAFKA_DISPATCH_PERIOD       5000

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
    ngx_http_kafka_clients_t *clients, ngx_event_handler_pt handler,
    void *data)
{
    dispatch->clients = clients;
    ngx_http_kafka_spread_init(&dispatch->spread, clients);
    ngx_queue_init(&dispatch->batches);

    ngx_http_kafka_dispatch_event(&dispatch->submit, handler, data);
    ngx_http_kafka_dispatch_event(&dispatch->gather, handler, data);

    dispatch->shortest = (uint64_t) -1;
    dispatch->rtt_min = (uint64_t) -1;
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
    ngx_queue_insert_tail(&dispatch->batches, &batch->queue);
    batch->queued = 1;

    ngx_http_kafka_dispatch_post(dispatch);
}


void
ngx_http_kafka_dispatch_remove(ngx_http_kafka_dispatch_t *dispatch,
    ngx_http_kafka_batch_t *batch)
{
    ngx_queue_remove(&batch->queue);
    batch->queued = 0;
}


ngx_http_kafka_batch_t *
ngx_http_kafka_dispatch_first(ngx_http_kafka_dispatch_t *dispatch)
{
    if (ngx_queue_empty(&dispatch->batches)) {
        return NULL;
    }

    return ngx_queue_data(ngx_queue_head(&dispatch->batches),
                          ngx_http_kafka_batch_t, queue);
}


void
ngx_http_kafka_dispatch_wait(ngx_http_kafka_dispatch_t *dispatch,
    ngx_http_kafka_lane_t *lane, ngx_http_kafka_record_t *record)
{
    ngx_http_kafka_lane_add(lane, record);
    ngx_http_kafka_dispatch_ready(dispatch, lane, record->batch->serial);
    dispatch->waiting++;
}


void
ngx_http_kafka_dispatch_return(ngx_http_kafka_dispatch_t *dispatch,
    ngx_http_kafka_record_t *record)
{
    ngx_http_kafka_lane_return(record->lane, record);
    ngx_http_kafka_dispatch_ready(dispatch, record->lane, 0);
    dispatch->waiting++;
}


void
ngx_http_kafka_dispatch_drop(ngx_http_kafka_dispatch_t *dispatch,
    ngx_http_kafka_record_t *record)
{
    ngx_http_kafka_lane_remove(record);
    dispatch->waiting--;

    if (ngx_http_kafka_lane_empty(record->lane)) {
        ngx_http_kafka_dispatch_lane_done(dispatch, record->lane);
    }
}


void
ngx_http_kafka_dispatch_ready(ngx_http_kafka_dispatch_t *dispatch,
    ngx_http_kafka_lane_t *lane, ngx_uint_t serial)
{
    if (lane->queued) {
        return;
    }

    if (lane->pending == 0) {
        lane->shard = ngx_http_kafka_clients_shard(dispatch->clients, lane);

    } else if (serial == 0
               || lane->open != serial
               || lane->shard->isolated)
    {
        return;
    }

    ngx_queue_insert_tail(&lane->shard->ready, &lane->ready);
    lane->queued = 1;
    dispatch->nready++;
}


ngx_http_kafka_lane_t *
ngx_http_kafka_dispatch_lane(ngx_http_kafka_shard_t *shard)
{
    if (ngx_queue_empty(&shard->ready)) {
        return NULL;
    }

    return ngx_queue_data(ngx_queue_head(&shard->ready),
                          ngx_http_kafka_lane_t, ready);
}


void
ngx_http_kafka_dispatch_lane_done(ngx_http_kafka_dispatch_t *dispatch,
    ngx_http_kafka_lane_t *lane)
{
    if (lane->queued) {
        ngx_queue_remove(&lane->ready);
        lane->queued = 0;
        dispatch->nready--;
    }
}


void
ngx_http_kafka_dispatch_busy(ngx_http_kafka_lane_t *lane,
    ngx_http_kafka_shard_t *shard)
{
    lane->shard = shard;
    ngx_queue_insert_tail(&shard->busy, &lane->busy);
    shard->nbusy++;
}


void
ngx_http_kafka_dispatch_idle(ngx_http_kafka_dispatch_t *dispatch,
    ngx_http_kafka_lane_t *lane)
{
    ngx_http_kafka_shard_t  *shard;

    shard = lane->shard;

    ngx_queue_remove(&lane->busy);
    shard->nbusy--;

    ngx_http_kafka_lane_done(lane, shard->isolated);
    lane->group = 0;

    /* one that waits for more of its batch was ready for the shard it had */

    ngx_http_kafka_dispatch_lane_done(dispatch, lane);

    if (!ngx_http_kafka_lane_empty(lane)) {
        ngx_http_kafka_dispatch_ready(dispatch, lane, 0);
    }
}


/*
 * Where brokers answer at once, the work of a request, for librdkafka and for
 * them, limits how much goes through: lanes that are ready wait for others, and
 * for fuller groups, until most of what is on its way is acknowledged, or for
 * about twice as long as that takes.  Where brokers are far away, the number of
 * requests on their way is the limit, and each is sent as soon as it can be.
 */

ngx_uint_t
ngx_http_kafka_dispatch_gather(ngx_http_kafka_dispatch_t *dispatch)
{
    ngx_uint_t  near;
    ngx_msec_t  since, longest;

    if (dispatch->submitting) {
        return 0;
    }

    near = ngx_http_kafka_dispatch_judge(dispatch);
    since = ngx_current_msec - dispatch->submitted_at;
    longest = ngx_min(2 * dispatch->rtt + 2, NGX_HTTP_KAFKA_DISPATCH_GATHER);

    if (since >= longest) {
        return 0;
    }

    if (dispatch->pending < NGX_HTTP_KAFKA_DISPATCH_FEW) {
        return ngx_http_kafka_dispatch_spin(dispatch);
    }

    if (!near) {
        return 0;
    }

    if (!dispatch->gather.timer_set) {
        ngx_add_timer(&dispatch->gather, longest - since);
    }

    return 1;
}


ngx_uint_t
ngx_http_kafka_dispatch_judge(ngx_http_kafka_dispatch_t *dispatch)
{
    uint64_t    shortest;
    ngx_uint_t  near;

    if (ngx_current_msec - dispatch->period >= NGX_HTTP_KAFKA_DISPATCH_PERIOD) {
        dispatch->rtt_min = dispatch->shortest;
        dispatch->shortest = (uint64_t) -1;
        dispatch->period = ngx_current_msec;
    }

    shortest = ngx_min(dispatch->rtt_min, dispatch->shortest);
    near = (shortest < NGX_HTTP_KAFKA_DISPATCH_NEAR);

    ngx_http_kafka_spread_judge(&dispatch->spread, shortest, near);

    return near;
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

    idle = (dispatch->waiting < dispatch->group)
           ? NGX_HTTP_KAFKA_DISPATCH_SPIN_IDLE
           : NGX_HTTP_KAFKA_DISPATCH_SPIN_ENOUGH;

    if (dispatch->waiting > dispatch->spin_most) {
        dispatch->spin_most = dispatch->waiting;
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
    dispatch->group = 0;
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
