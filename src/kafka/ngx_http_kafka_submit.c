
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_submit.h>
#include <ngx_http_kafka_produce.h>
#include <ngx_http_kafka_settle.h>


static ngx_int_t ngx_http_kafka_submit_batch(
    ngx_http_kafka_producer_t *producer, ngx_http_kafka_batch_t *batch,
    ngx_uint_t *turn);
static ngx_int_t ngx_http_kafka_submit_retry(
    ngx_http_kafka_producer_t *producer, ngx_http_kafka_record_t *record,
    rd_kafka_resp_err_t *err);
static rd_kafka_resp_err_t ngx_http_kafka_submit_record(
    ngx_http_kafka_producer_t *producer, ngx_http_kafka_record_t *record);
static rd_kafka_resp_err_t ngx_http_kafka_submit_isolated(
    rd_kafka_t *rk, ngx_http_kafka_record_t *record);
static ngx_uint_t ngx_http_kafka_submit_fatal(
    ngx_http_kafka_producer_t *producer, rd_kafka_resp_err_t err);


void
ngx_http_kafka_submit(ngx_http_kafka_producer_t *producer)
{
    ngx_int_t                   rc;
    ngx_uint_t                  turn;
    ngx_http_kafka_batch_t     *batch;
    ngx_http_kafka_dispatch_t  *dispatch;

    dispatch = &producer->dispatch;

    ngx_http_kafka_dispatch_begin(dispatch);
    ngx_http_kafka_metrics_tick(&producer->metrics);

    turn = 0;

    while ((batch = ngx_http_kafka_dispatch_first(dispatch)) != NULL) {

        rc = ngx_http_kafka_submit_batch(producer, batch, &turn);

        if (rc == NGX_AGAIN) {
            return;
        }

        if (rc == NGX_BUSY) {
            ngx_http_kafka_dispatch_post_next(dispatch);
            return;
        }

        ngx_http_kafka_dispatch_remove(dispatch, batch);

        if (batch->pending == 0) {
            ngx_http_kafka_settle_batch(batch);
        }
    }

    ngx_http_kafka_dispatch_done(dispatch);
}


/*
 * NGX_AGAIN: the client's queue is full, its reports make room, or it takes no
 * more, and will be replaced;
 * NGX_BUSY: enough for this turn
 */

static ngx_int_t
ngx_http_kafka_submit_batch(ngx_http_kafka_producer_t *producer,
    ngx_http_kafka_batch_t *batch, ngx_uint_t *turn)
{
    rd_kafka_resp_err_t       err;
    ngx_http_kafka_record_t  *record;

    if (batch->unsent == batch->records) {
        batch->submitted_at = ngx_current_msec;
        batch->clock = producer->metrics.clock;
    }

    while (batch->unsent) {

        if (*turn >= NGX_HTTP_KAFKA_SUBMIT_TURN) {
            return NGX_BUSY;
        }

        (*turn)++;

        record = batch->unsent;
        err = ngx_http_kafka_submit_record(producer, record);

        if ((err == RD_KAFKA_RESP_ERR__QUEUE_FULL
             && producer->dispatch.pending)
            || ngx_http_kafka_submit_fatal(producer, err))
        {
            return NGX_AGAIN;
        }

        batch->unsent = record->next;

        if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            ngx_http_kafka_settle_dropped(producer, record, err);
            continue;
        }

        record->state = NGX_HTTP_KAFKA_RECORD_SENT;
        batch->pending++;
        ngx_http_kafka_dispatch_sent(&producer->dispatch, record);
        ngx_http_kafka_metrics_sent(&producer->metrics);
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "kafka: batch %p: handed over, %ui reports will come",
                   batch, batch->pending);

    return NGX_OK;
}


/* as many of those that are to be produced again as there is room for */

void
ngx_http_kafka_submit_retries(ngx_http_kafka_producer_t *producer)
{
    ngx_uint_t                turn;
    rd_kafka_resp_err_t       err;
    ngx_http_kafka_record_t  *record;

    for (turn = 0; producer->retry.first; turn++) {

        if (producer->clients.rk == NULL || producer->replace.draining) {
            return;
        }

        if (turn == NGX_HTTP_KAFKA_SUBMIT_TURN) {
            ngx_http_kafka_dispatch_post_next(&producer->dispatch);
            return;
        }

        record = producer->retry.first;

        if (ngx_http_kafka_submit_retry(producer, record, &err)
            == NGX_AGAIN)
        {
            return;
        }

        (void) ngx_http_kafka_retry_next(&producer->retry);

        if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            ngx_http_kafka_settle_failed(producer, record, err,
                                         RD_KAFKA_MSG_STATUS_NOT_PERSISTED);
            continue;
        }

        ngx_http_kafka_dispatch_sent(&producer->dispatch, record);
        ngx_http_kafka_metrics_sent_again(&producer->metrics);
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

    if (record->isolated) {

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

    } else {
        rk = clients->rk;
        *err = ngx_http_kafka_submit_record(producer, record);
    }

    if ((*err == RD_KAFKA_RESP_ERR__QUEUE_FULL && rd_kafka_outq_len(rk))
        || ngx_http_kafka_submit_fatal(producer, *err))
    {
        return NGX_AGAIN;
    }

    return NGX_OK;
}


/* no report comes after an error */

static rd_kafka_resp_err_t
ngx_http_kafka_submit_record(ngx_http_kafka_producer_t *producer,
    ngx_http_kafka_record_t *record)
{
    rd_kafka_t        *rk;
    rd_kafka_topic_t  *rkt;

    rk = producer->clients.rk;

    rkt = ngx_http_kafka_topic_handle(&producer->topics,
                                      record->target->topic, rk);
    if (rkt == NULL) {
        return rd_kafka_last_error();
    }

    return ngx_http_kafka_produce(record, rk, rkt);
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

    err = ngx_http_kafka_produce(record, rk, rkt);

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
