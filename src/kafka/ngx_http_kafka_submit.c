
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_submit.h>
#include <ngx_http_kafka_client.h>
#include <ngx_http_kafka_partition.h>
#include <ngx_http_kafka_produce.h>
#include <ngx_http_kafka_replace.h>
#include <ngx_http_kafka_settle.h>


static ngx_int_t ngx_http_kafka_submit_sort(
    ngx_http_kafka_producer_t *producer);
static ngx_int_t ngx_http_kafka_submit_sort_batch(
    ngx_http_kafka_producer_t *producer, ngx_http_kafka_batch_t *batch,
    ngx_uint_t *turn);
static void ngx_http_kafka_submit_lanes(ngx_http_kafka_producer_t *producer);
static ngx_int_t ngx_http_kafka_submit_shard(
    ngx_http_kafka_producer_t *producer, ngx_http_kafka_shard_t *shard,
    ngx_uint_t *turn);
static ngx_int_t ngx_http_kafka_submit_isolated(
    ngx_http_kafka_producer_t *producer, ngx_uint_t *turn);
static ngx_http_kafka_shard_t *ngx_http_kafka_submit_isolated_shard(
    ngx_http_kafka_producer_t *producer, ngx_http_kafka_lane_t *lane);
static ngx_int_t ngx_http_kafka_submit_lane(
    ngx_http_kafka_producer_t *producer, ngx_http_kafka_shard_t *shard,
    ngx_http_kafka_lane_t *lane, ngx_uint_t *turn);
static ngx_int_t ngx_http_kafka_submit_isolated_group(
    ngx_http_kafka_producer_t *producer, ngx_http_kafka_shard_t *shard,
    ngx_http_kafka_lane_t *lane, ngx_uint_t *turn);
static ngx_int_t ngx_http_kafka_submit_group(
    ngx_http_kafka_producer_t *producer, ngx_http_kafka_shard_t *shard,
    ngx_http_kafka_lane_t *lane, ngx_uint_t *turn);
static void ngx_http_kafka_submit_sent(ngx_http_kafka_producer_t *producer,
    ngx_http_kafka_shard_t *shard, ngx_http_kafka_record_t *record);
static ngx_uint_t ngx_http_kafka_submit_late(
    ngx_http_kafka_producer_t *producer, ngx_http_kafka_lane_t *lane,
    ngx_http_kafka_record_t *record);
static rd_kafka_resp_err_t ngx_http_kafka_submit_record(
    ngx_http_kafka_shard_t *shard, ngx_http_kafka_record_t *record);


void
ngx_http_kafka_submit(ngx_http_kafka_producer_t *producer)
{
    ngx_http_kafka_dispatch_t  *dispatch;

    dispatch = &producer->dispatch;

    if (ngx_http_kafka_submit_sort(producer) == NGX_BUSY) {
        ngx_http_kafka_dispatch_post_next(dispatch);
    }

    if (dispatch->nready == 0) {
        ngx_http_kafka_dispatch_done(dispatch);
        return;
    }

    if (!producer->closing && ngx_http_kafka_dispatch_gather(dispatch)) {
        return;
    }

    ngx_http_kafka_submit_lanes(producer);
}


/* puts records into lanes; returns NGX_OK, or NGX_BUSY: enough for this turn */

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
    ngx_uint_t                  i, full, turn;
    ngx_http_kafka_dispatch_t  *dispatch;

    dispatch = &producer->dispatch;

    ngx_http_kafka_dispatch_begin(dispatch);
    ngx_http_kafka_metrics_tick(&producer->metrics);

    full = 0;
    turn = 0;

    for (i = 0; i < NGX_HTTP_KAFKA_CLIENTS_SHARDS; i++) {

        rc = ngx_http_kafka_submit_shard(producer,
                                         &producer->clients.shards[i], &turn);
        if (rc == NGX_BUSY) {
            ngx_http_kafka_dispatch_post_next(dispatch);
            return;
        }

        full |= (rc == NGX_AGAIN);
    }

    rc = ngx_http_kafka_submit_isolated(producer, &turn);

    if (rc == NGX_BUSY) {
        ngx_http_kafka_dispatch_post_next(dispatch);
        return;
    }

    full |= (rc == NGX_AGAIN);

    /* if a queue is full, the same hand-over continues later */

    if (!full) {
        ngx_http_kafka_dispatch_done(dispatch);
    }
}


/*
 * calls ngx_http_kafka_submit_lane() for all lanes that are ready; returns the
 * same
 */

static ngx_int_t
ngx_http_kafka_submit_shard(ngx_http_kafka_producer_t *producer,
    ngx_http_kafka_shard_t *shard, ngx_uint_t *turn)
{
    ngx_int_t               rc;
    ngx_http_kafka_lane_t  *lane;

    while ((lane = ngx_http_kafka_dispatch_lane(shard)) != NULL) {

        if (lane->pending == 0
            && ngx_http_kafka_clients_shard(&producer->clients, lane) != shard)
        {
            /* the lane has changed its shard since it was queued here */

            ngx_http_kafka_dispatch_lane_done(&producer->dispatch, lane);
            ngx_http_kafka_dispatch_ready(&producer->dispatch, lane, 0);
            continue;
        }

        if (!ngx_http_kafka_shard_takes(shard)) {
            return NGX_OK;
        }

        rc = ngx_http_kafka_submit_lane(producer, shard, lane, turn);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


/*
 * All isolated clients share one queue of lanes.  A lane that must wait for its
 * own client does not hold up others.
 */

static ngx_int_t
ngx_http_kafka_submit_isolated(ngx_http_kafka_producer_t *producer,
    ngx_uint_t *turn)
{
    ngx_int_t                rc;
    ngx_queue_t             *q, *next;
    ngx_http_kafka_lane_t   *lane;
    ngx_http_kafka_shard_t  *shard, *isolated;

    isolated = ngx_http_kafka_clients_isolated(&producer->clients);

    for (q = ngx_queue_head(&isolated->ready);
         q != ngx_queue_sentinel(&isolated->ready);
         q = next)
    {
        next = ngx_queue_next(q);
        lane = ngx_queue_data(q, ngx_http_kafka_lane_t, ready);

        shard = ngx_http_kafka_submit_isolated_shard(producer, lane);

        if (shard == NULL) {
            continue;
        }

        rc = ngx_http_kafka_submit_lane(producer, shard, lane, turn);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


/*
 * Returns the isolated client that has the lane's group, or a free one, or NULL
 * if there is none.  Partitions that do not answer may use only half of the
 * clients, or they would soon occupy all.
 */

static ngx_http_kafka_shard_t *
ngx_http_kafka_submit_isolated_shard(ngx_http_kafka_producer_t *producer,
    ngx_http_kafka_lane_t *lane)
{
    ngx_uint_t               i, n;
    ngx_http_kafka_shard_t  *shard, *isolated;

    if (lane->pending) {
        return ngx_http_kafka_shard_takes(lane->shard) ? lane->shard : NULL;
    }

    isolated = ngx_http_kafka_clients_isolated(&producer->clients);

    n = NGX_HTTP_KAFKA_CLIENTS_ISOLATED;
    n = ngx_http_kafka_lane_stuck(lane) ? n / 2 : n;

    for (i = 0; i < n; i++) {
        shard = &isolated[i];

        if (shard->nbusy || shard->draining) {
            continue;
        }

        /* if this client is being created, wait for it */

        return ngx_http_kafka_shard_takes(shard) ? shard : NULL;
    }

    return NULL;
}


/*
 * Hands the next group of the lane over to the shard's client.  Returns NGX_OK
 * when that is done.  NGX_AGAIN if the client's queue is full, and reports will
 * make room; or if the client had a fatal error and will be replaced.
 * NGX_BUSY: enough for this turn.
 */

static ngx_int_t
ngx_http_kafka_submit_lane(ngx_http_kafka_producer_t *producer,
    ngx_http_kafka_shard_t *shard, ngx_http_kafka_lane_t *lane,
    ngx_uint_t *turn)
{
    ngx_int_t                rc;
    ngx_http_kafka_batch_t  *batch;

    if (lane->pending == 0) {
        lane->submitted_at = ngx_current_msec;
        lane->clock = producer->metrics.clock;
    }

    rc = shard->isolated
         ? ngx_http_kafka_submit_isolated_group(producer, shard, lane, turn)
         : ngx_http_kafka_submit_group(producer, shard, lane, turn);

    if (rc != NGX_OK) {
        return rc;
    }

    ngx_http_kafka_dispatch_lane_done(&producer->dispatch, lane);

    /* the group stays open for a large batch that takes several turns */

    batch = ngx_http_kafka_dispatch_first(&producer->dispatch);

    lane->open = batch ? batch->serial : 0;
    lane->timed_out = 0;

    if (lane->pending == 0 && !ngx_http_kafka_lane_empty(lane)) {

        /* the first record must go to an isolated client */

        ngx_http_kafka_dispatch_ready(&producer->dispatch, lane, 0);
    }

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "kafka: topic \"%V\" partition %D: %ui records handed over "
                   "to client %ui", &lane->topic->sn.str, lane->partition,
                   lane->pending, shard->generation);

    return NGX_OK;
}


/*
 * Calls ngx_http_kafka_submit_group() while the client cannot purge its queue.
 * If a request of the group was refused, the other records wait in the lane.
 */

static ngx_int_t
ngx_http_kafka_submit_isolated_group(ngx_http_kafka_producer_t *producer,
    ngx_http_kafka_shard_t *shard, ngx_http_kafka_lane_t *lane,
    ngx_uint_t *turn)
{
    ngx_int_t    rc;
    rd_kafka_t  *rk;

    rk = shard->rk;

    if (ngx_http_kafka_client_hold(rk, lane->pending == 0) != NGX_OK) {
        return NGX_OK;
    }

    rc = ngx_http_kafka_submit_group(producer, shard, lane, turn);

    ngx_http_kafka_client_release(rk);

    return rc;
}


static ngx_int_t
ngx_http_kafka_submit_group(ngx_http_kafka_producer_t *producer,
    ngx_http_kafka_shard_t *shard, ngx_http_kafka_lane_t *lane,
    ngx_uint_t *turn)
{
    ngx_uint_t                limit;
    rd_kafka_resp_err_t       err;
    ngx_http_kafka_record_t  *record;

    limit = ngx_http_kafka_lane_limit(lane, shard->generation,
                                      producer->conf->idempotent,
                                      shard->isolated);

    while (lane->group < limit
           && (record = ngx_http_kafka_lane_first(lane)) != NULL)
    {
        if (*turn >= NGX_HTTP_KAFKA_SUBMIT_TURN) {
            return NGX_BUSY;
        }

        if (ngx_http_kafka_lane_large(record) && !shard->isolated) {
            break;
        }

        (*turn)++;

        if (ngx_http_kafka_submit_late(producer, lane, record)) {
            ngx_http_kafka_settle_waiting(producer, record,
                                          RD_KAFKA_RESP_ERR__MSG_TIMED_OUT);
            continue;
        }

        err = ngx_http_kafka_submit_record(shard, record);

        if (err == RD_KAFKA_RESP_ERR__QUEUE_FULL && shard->pending) {
            shard->full = 1;
            return NGX_AGAIN;
        }

        if (err == RD_KAFKA_RESP_ERR__FATAL && !producer->closing) {

            /* the error event that has this client replaced will follow */

            return NGX_AGAIN;
        }

        if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            ngx_http_kafka_settle_waiting(producer, record, err);
            continue;
        }

        ngx_http_kafka_submit_sent(producer, shard, record);
    }

    return NGX_OK;
}


static void
ngx_http_kafka_submit_sent(ngx_http_kafka_producer_t *producer,
    ngx_http_kafka_shard_t *shard, ngx_http_kafka_record_t *record)
{
    if (record->lane->pending == 0) {
        ngx_http_kafka_dispatch_busy(record->lane, shard);
        ngx_http_kafka_replace_watch(shard);
    }

    record->state = NGX_HTTP_KAFKA_RECORD_SENT;

    ngx_http_kafka_shard_sent(shard, record);
    ngx_http_kafka_dispatch_sent(&producer->dispatch, record);
    ngx_http_kafka_metrics_sent(&producer->metrics);
}


/*
 * Returns 1 if only the grace for the report is left until the record's
 * deadline: librdkafka would still have the record when its caller is answered.
 * If a group of the partition has just timed out, records whose time is nearly
 * over are late, too.
 */

static ngx_uint_t
ngx_http_kafka_submit_late(ngx_http_kafka_producer_t *producer,
    ngx_http_kafka_lane_t *lane, ngx_http_kafka_record_t *record)
{
    ngx_msec_t  least;

    least = NGX_HTTP_KAFKA_PRODUCER_GRACE;

    if (lane->timed_out) {
        least += ngx_min(least, producer->conf->timeout / 2);
    }

    return ngx_http_kafka_batch_left(record->batch) <= (ngx_msec_int_t) least;
}


/* if this returns an error, no report will come */

static rd_kafka_resp_err_t
ngx_http_kafka_submit_record(ngx_http_kafka_shard_t *shard,
    ngx_http_kafka_record_t *record)
{
    rd_kafka_topic_t     *rkt;
    rd_kafka_resp_err_t   err;

    rkt = ngx_http_kafka_topic_handle(record->target->topic, shard);
    if (rkt == NULL) {
        return rd_kafka_last_error();
    }

    err = ngx_http_kafka_produce(record, shard->rk, rkt,
                                 record->lane->partition);

    if (err == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION
        && record->partition == RD_KAFKA_PARTITION_UA)
    {
        /* the client does not know the added partitions yet */

        err = ngx_http_kafka_produce(record, shard->rk, rkt,
                                     RD_KAFKA_PARTITION_UA);
    }

    return err;
}
