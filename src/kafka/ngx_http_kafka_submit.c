
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_submit.h>
#include <ngx_http_kafka_partition.h>
#include <ngx_http_kafka_produce.h>
#include <ngx_http_kafka_settle.h>


static ngx_int_t ngx_http_kafka_submit_sort(
    ngx_http_kafka_producer_t *producer);
static ngx_int_t ngx_http_kafka_submit_sort_batch(
    ngx_http_kafka_producer_t *producer, ngx_http_kafka_batch_t *batch,
    ngx_uint_t *turn);
static void ngx_http_kafka_submit_lanes(ngx_http_kafka_producer_t *producer);
static ngx_int_t ngx_http_kafka_submit_lane(
    ngx_http_kafka_producer_t *producer, ngx_http_kafka_lane_t *lane,
    ngx_uint_t *turn);
static ngx_int_t ngx_http_kafka_submit_retry(
    ngx_http_kafka_producer_t *producer, ngx_http_kafka_record_t *record,
    rd_kafka_resp_err_t *err);
static ngx_uint_t ngx_http_kafka_submit_late(
    ngx_http_kafka_producer_t *producer, ngx_http_kafka_lane_t *lane,
    ngx_http_kafka_record_t *record);
static rd_kafka_resp_err_t ngx_http_kafka_submit_record(
    ngx_http_kafka_producer_t *producer, ngx_http_kafka_record_t *record);
static rd_kafka_resp_err_t ngx_http_kafka_submit_isolated(
    rd_kafka_t *rk, ngx_http_kafka_record_t *record);
static ngx_uint_t ngx_http_kafka_submit_fatal(
    ngx_http_kafka_producer_t *producer, rd_kafka_resp_err_t err);


void
ngx_http_kafka_submit(ngx_http_kafka_producer_t *producer)
{
    ngx_http_kafka_dispatch_t  *dispatch;

    dispatch = &producer->dispatch;

    if (ngx_http_kafka_submit_sort(producer) == NGX_BUSY) {
        ngx_http_kafka_dispatch_post_next(dispatch);
    }

    if (ngx_http_kafka_dispatch_lane(dispatch) == NULL) {
        ngx_http_kafka_dispatch_done(dispatch);
        return;
    }

    if (!producer->closing && ngx_http_kafka_dispatch_gather(dispatch)) {
        return;
    }

    ngx_http_kafka_submit_lanes(producer);
}


/* NGX_OK, or NGX_BUSY: enough for this turn */

static ngx_int_t
ngx_http_kafka_submit_sort(ngx_http_kafka_producer_t *producer)
{
    ngx_int_t                   rc;
    ngx_uint_t                  turn;
    ngx_http_kafka_batch_t     *batch;
    ngx_http_kafka_dispatch_t  *dispatch;

    turn = 0;
    dispatch = &producer->dispatch;

    while ((batch = ngx_http_kafka_dispatch_first(dispatch)) != NULL) {

        rc = ngx_http_kafka_submit_sort_batch(producer, batch, &turn);

        if (rc != NGX_OK) {
            return rc;
        }

        ngx_http_kafka_dispatch_remove(dispatch, batch);

        if (batch->pending == 0) {
            ngx_http_kafka_settle_batch(batch);
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_kafka_submit_sort_batch(ngx_http_kafka_producer_t *producer,
    ngx_http_kafka_batch_t *batch, ngx_uint_t *turn)
{
    ngx_http_kafka_lane_t    *lane;
    ngx_http_kafka_topic_t   *topic;
    ngx_http_kafka_record_t  *record;

    if (batch->serial == 0) {
        batch->serial = ++producer->dispatch.serial;
    }

    while (batch->unsent) {

        if (*turn >= NGX_HTTP_KAFKA_SUBMIT_TURN) {
            return NGX_BUSY;
        }

        (*turn)++;

        record = batch->unsent;
        topic = record->target->topic;

        lane = ngx_http_kafka_lane(topic,
                                   ngx_http_kafka_partition(producer->conf,
                                                            topic, record));
        batch->unsent = record->next;

        if (lane == NULL) {
            ngx_http_kafka_settle_dropped(producer, record,
                                          RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE);
            continue;
        }

        batch->pending++;
        ngx_http_kafka_dispatch_wait(&producer->dispatch, lane, record);
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "kafka: batch %p: %ui records wait for their turn", batch,
                   batch->pending);

    return NGX_OK;
}


static void
ngx_http_kafka_submit_lanes(ngx_http_kafka_producer_t *producer)
{
    ngx_int_t                   rc;
    ngx_uint_t                  turn;
    ngx_http_kafka_lane_t      *lane;
    ngx_http_kafka_dispatch_t  *dispatch;

    dispatch = &producer->dispatch;

    ngx_http_kafka_dispatch_begin(dispatch);
    ngx_http_kafka_metrics_tick(&producer->metrics);

    turn = 0;

    while ((lane = ngx_http_kafka_dispatch_lane(dispatch)) != NULL) {

        rc = ngx_http_kafka_submit_lane(producer, lane, &turn);

        if (rc == NGX_AGAIN) {
            return;
        }

        if (rc == NGX_BUSY) {
            ngx_http_kafka_dispatch_post_next(dispatch);
            return;
        }

        ngx_http_kafka_dispatch_lane_done(dispatch, lane);
    }

    ngx_http_kafka_dispatch_done(dispatch);
}


/*
 * NGX_OK: the lane's group is with the client.
 * NGX_AGAIN: the client's queue is full, its reports make room; or it takes no
 * more, and will be replaced.
 * NGX_BUSY: enough for this turn.
 */

static ngx_int_t
ngx_http_kafka_submit_lane(ngx_http_kafka_producer_t *producer,
    ngx_http_kafka_lane_t *lane, ngx_uint_t *turn)
{
    ngx_uint_t                limit;
    rd_kafka_resp_err_t       err;
    ngx_http_kafka_batch_t   *batch;
    ngx_http_kafka_record_t  *record;

    if (lane->pending == 0) {
        lane->submitted_at = ngx_current_msec;
        lane->clock = producer->metrics.clock;
    }

    limit = producer->conf->idempotent
            ? ngx_http_kafka_lane_limit(lane, producer->clients.generation)
            : NGX_HTTP_KAFKA_LANE_GROUP;

    while (lane->pending < limit
           && (record = ngx_http_kafka_lane_first(lane)) != NULL)
    {
        if (*turn >= NGX_HTTP_KAFKA_SUBMIT_TURN) {
            return NGX_BUSY;
        }

        (*turn)++;

        if (ngx_http_kafka_submit_late(producer, lane, record)) {
            ngx_http_kafka_settle_waiting(producer, record,
                                          RD_KAFKA_RESP_ERR__MSG_TIMED_OUT);
            continue;
        }

        err = ngx_http_kafka_submit_record(producer, record);

        if ((err == RD_KAFKA_RESP_ERR__QUEUE_FULL
             && producer->dispatch.pending)
            || ngx_http_kafka_submit_fatal(producer, err))
        {
            return NGX_AGAIN;
        }

        if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            ngx_http_kafka_settle_waiting(producer, record, err);
            continue;
        }

        record->state = NGX_HTTP_KAFKA_RECORD_SENT;
        ngx_http_kafka_dispatch_sent(&producer->dispatch, record);
        ngx_http_kafka_metrics_sent(&producer->metrics);
    }

    /* one large batch may take several turns, and is one group */

    batch = ngx_http_kafka_dispatch_first(&producer->dispatch);

    lane->open = batch ? batch->serial : 0;
    lane->timed_out = 0;

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "kafka: topic \"%V\" partition %D: %ui records handed over",
                   &lane->topic->sn.str, lane->partition, lane->pending);

    return NGX_OK;
}


/* as many of those that are to be produced again as there is room for */

void
ngx_http_kafka_submit_retries(ngx_http_kafka_producer_t *producer)
{
    ngx_uint_t                turn;
    rd_kafka_resp_err_t       err;
    ngx_http_kafka_record_t  *record;

    for (turn = 0;
         (record = ngx_http_kafka_retry_first(&producer->retry)) != NULL;
         turn++)
    {
        if (producer->clients.rk == NULL || producer->replace.draining) {
            return;
        }

        if (turn == NGX_HTTP_KAFKA_SUBMIT_TURN) {
            ngx_http_kafka_dispatch_post_next(&producer->dispatch);
            return;
        }

        if (ngx_http_kafka_submit_retry(producer, record, &err)
            == NGX_AGAIN)
        {
            return;
        }

        ngx_queue_remove(&record->queue);

        if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            ngx_http_kafka_settle_dropped(producer, record, err);
            ngx_http_kafka_settle_record(record->batch);
            continue;
        }

        ngx_http_kafka_dispatch_sent_isolated(&producer->dispatch);
        ngx_http_kafka_metrics_sent(&producer->metrics);
    }
}


/* NGX_OK, with err set; NGX_AGAIN: its client takes no record now */

static ngx_int_t
ngx_http_kafka_submit_retry(ngx_http_kafka_producer_t *producer,
    ngx_http_kafka_record_t *record, rd_kafka_resp_err_t *err)
{
    rd_kafka_t                *rk;
    ngx_http_kafka_clients_t  *clients;

    clients = &producer->clients;

    if (producer->closing && clients->isolated == NULL) {

        /* thread pools end before */

        *err = RD_KAFKA_RESP_ERR__DESTROY;
        return NGX_OK;
    }

    switch (ngx_http_kafka_clients_isolate(clients)) {

    case NGX_OK:
        break;

    case NGX_AGAIN:
        return NGX_AGAIN;

    default: /* NGX_ERROR */
        *err = RD_KAFKA_RESP_ERR__STATE;
        return NGX_OK;
    }

    rk = clients->isolated;
    *err = ngx_http_kafka_submit_isolated(rk, record);

    if ((*err == RD_KAFKA_RESP_ERR__QUEUE_FULL && rd_kafka_outq_len(rk))
        || ngx_http_kafka_submit_fatal(producer, *err))
    {
        return NGX_AGAIN;
    }

    return NGX_OK;
}


/*
 * Whether the record's time is over, but for the grace of its report:
 * librdkafka would still hold it as its caller hears of it.  Where the
 * partition has just let a group time out, those whose time is nearly over are
 * late, too.
 */

static ngx_uint_t
ngx_http_kafka_submit_late(ngx_http_kafka_producer_t *producer,
    ngx_http_kafka_lane_t *lane, ngx_http_kafka_record_t *record)
{
    ngx_msec_t      least;
    ngx_msec_int_t  left;

    least = NGX_HTTP_KAFKA_PRODUCER_GRACE;

    if (lane->timed_out) {
        least += ngx_min(least, producer->conf->timeout / 2);
    }

    left = (ngx_msec_int_t) (record->batch->deadline.timer.key
                             - ngx_current_msec);

    return left <= (ngx_msec_int_t) least;
}


/* no report comes after an error */

static rd_kafka_resp_err_t
ngx_http_kafka_submit_record(ngx_http_kafka_producer_t *producer,
    ngx_http_kafka_record_t *record)
{
    rd_kafka_t           *rk;
    rd_kafka_topic_t     *rkt;
    rd_kafka_resp_err_t   err;

    rk = producer->clients.rk;

    rkt = ngx_http_kafka_topic_handle(&producer->topics,
                                      record->target->topic, rk);
    if (rkt == NULL) {
        return rd_kafka_last_error();
    }

    err = ngx_http_kafka_produce(record, rk, rkt, record->lane->partition);

    if (err == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION
        && record->partition == RD_KAFKA_PARTITION_UA)
    {
        /* the client has not seen yet that partitions were added */

        err = ngx_http_kafka_produce(record, rk, rkt, RD_KAFKA_PARTITION_UA);
    }

    return err;
}


static rd_kafka_resp_err_t
ngx_http_kafka_submit_isolated(rd_kafka_t *rk,
    ngx_http_kafka_record_t *record)
{
    rd_kafka_topic_t     *rkt;
    rd_kafka_resp_err_t   err;

    rkt = rd_kafka_topic_new(rk, (char *) record->target->topic->sn.str.data,
                             NULL);
    if (rkt == NULL) {
        return rd_kafka_last_error();
    }

    err = ngx_http_kafka_produce(record, rk, rkt, record->partition);

    rd_kafka_topic_destroy(rkt);

    return err;
}


/*
 * 1 if the record was not taken and is to wait for another client: the event
 * that has this one replaced is on its way
 */

static ngx_uint_t
ngx_http_kafka_submit_fatal(ngx_http_kafka_producer_t *producer,
    rd_kafka_resp_err_t err)
{
    return err == RD_KAFKA_RESP_ERR__FATAL && !producer->closing;
}
