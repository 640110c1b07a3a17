
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_dispatch.h>


/*
 * the longest wait for fuller groups after a hand-over, in milliseconds; and
 * the number of records in flight that counts as few
 */
#define NGX_HTTP_KAFKA_DISPATCH_GATHER       100
#define NGX_HTTP_KAFKA_DISPATCH_FEW          16

/*
 * The round trip to a near broker in microseconds.  A broker stays near while
 * an acknowledgement was that fast in this or the previous period, in
 * milliseconds.
 */
#define NGX_HTTP_KAFKA_DISPATCH_NEAR         700
#define NGX_HTTP_KAFKA_DISPATCH_PERIOD       5000

/*
 * Limits for spinning: the total time in milliseconds; the number of turns in a
 * row without a new record; and the same number once as many records wait as
 * were handed over last time.
 */
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

    /* a lane that is ready for more of its batch is in its old shard's queue */

    ngx_http_kafka_dispatch_lane_done(dispatch, lane);

    if (!ngx_http_kafka_lane_empty(lane)) {
        ngx_http_kafka_dispatch_ready(dispatch, lane, 0);
    }
}


/*
 * If brokers are near, throughput is limited by the work for each request, in
 * librdkafka and in brokers.  So ready lanes wait for other lanes and for
 * fuller groups, until most records in flight are acknowledged, or for about
 * twice as long as the first report took last time.  If brokers are far,
 * throughput is limited by the number of requests in flight, so each group is
 * handed over as soon as possible.
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
 * Clients that were just answered may send the next request at once.  The event
 * loop turns without sleeping to wait for these requests, for a few
 * milliseconds at most, and for a limited number of turns (tens of
 * microseconds) without a new record.  Once as many records wait as were handed
 * over last time, a few turns are enough.  They are needed: a group that could
 * have been larger costs brokers one more request.
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
