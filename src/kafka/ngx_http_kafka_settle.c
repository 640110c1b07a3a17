
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_settle.h>
#include <ngx_http_kafka_resolve.h>


static void ngx_http_kafka_settle_invalidate(ngx_http_kafka_record_t *record,
    rd_kafka_resp_err_t err);
static ngx_int_t ngx_http_kafka_settle_unsent(ngx_http_kafka_batch_t *batch,
    rd_kafka_resp_err_t err);
static rd_kafka_resp_err_t ngx_http_kafka_settle_cause(
    ngx_http_kafka_record_t *record, rd_kafka_resp_err_t err);
static void ngx_http_kafka_settle_answer(ngx_http_kafka_batch_t *batch);


void
ngx_http_kafka_settle_record(ngx_http_kafka_batch_t *batch)
{
    batch->pending--;

    if (batch->pending == 0 && batch->unsent == NULL) {
        ngx_http_kafka_settle_batch(batch);
    }
}


void
ngx_http_kafka_settle_failed(ngx_http_kafka_producer_t *producer,
    ngx_http_kafka_record_t *record, rd_kafka_resp_err_t err,
    rd_kafka_msg_status_t persisted)
{
    ngx_http_kafka_topic_t  *topic;

    ngx_http_kafka_record_fail(record, err, persisted);
    ngx_http_kafka_settle_invalidate(record, err);
    topic = record->target->topic;

    ngx_http_kafka_metrics_failed(&producer->metrics, err, &topic->slot,
                                  &topic->sn.str);

    ngx_http_kafka_settle_record(record->batch);
}


void
ngx_http_kafka_settle_dropped(ngx_http_kafka_producer_t *producer,
    ngx_http_kafka_record_t *record, rd_kafka_resp_err_t err)
{
    ngx_http_kafka_topic_t  *topic;

    ngx_http_kafka_record_fail(record, err, RD_KAFKA_MSG_STATUS_NOT_PERSISTED);
    ngx_http_kafka_settle_invalidate(record, err);
    topic = record->target->topic;

    ngx_http_kafka_metrics_dropped(&producer->metrics, err, &topic->slot,
                                   &topic->sn.str);
}


void
ngx_http_kafka_settle_waiting(ngx_http_kafka_producer_t *producer,
    ngx_http_kafka_record_t *record, rd_kafka_resp_err_t err)
{
    ngx_http_kafka_dispatch_drop(&producer->dispatch, record);
    ngx_http_kafka_settle_dropped(producer, record, err);
    ngx_http_kafka_settle_record(record->batch);
}


/* if the topic may have been deleted, lets the next request look it up */

static void
ngx_http_kafka_settle_invalidate(ngx_http_kafka_record_t *record,
    rd_kafka_resp_err_t err)
{
    if (err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART
        || err == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC
        || err == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION)
    {
        ngx_http_kafka_topic_invalidate(record->target->topic);
    }
}


void
ngx_http_kafka_settle_batch(ngx_http_kafka_batch_t *batch)
{
    ngx_http_kafka_producer_t  *producer;

    producer = batch->producer;

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "kafka: batch %p: done, %ui of %ui messages acknowledged",
                   batch, batch->acked, batch->nrecords);

    /* if batch->unsent is set here, nothing of the batch was handed over */

    ngx_http_kafka_metrics_end(&producer->metrics,
                               batch->unsent ? batch->nrecords : 0);

    if (batch->deadline.timer_set) {
        ngx_del_timer(&batch->deadline);
    }

    ngx_http_kafka_resolve_cancel(batch);

    ngx_queue_remove(&batch->link);

    ngx_http_kafka_settle_answer(batch);
    ngx_http_kafka_batch_release(batch);
}


static void
ngx_http_kafka_settle_answer(ngx_http_kafka_batch_t *batch)
{
    ngx_http_kafka_producer_t  *producer;

    if (batch->acked != batch->nrecords) {
        producer = batch->producer;
        batch->connectivity =
                     ngx_http_kafka_connectivity_text(&producer->connectivity);
    }

    ngx_http_kafka_batch_done(batch);
}


/*
 * Fails the records that are not with a client.  Returns NGX_OK, or NGX_DONE if
 * there were no others, and the batch is settled.
 */

static ngx_int_t
ngx_http_kafka_settle_unsent(ngx_http_kafka_batch_t *batch,
    rd_kafka_resp_err_t err)
{
    ngx_http_kafka_record_t    *record;
    ngx_http_kafka_producer_t  *producer;

    producer = batch->producer;

    if (batch->queued) {
        ngx_http_kafka_dispatch_remove(&producer->dispatch, batch);
    }

    for (record = batch->records; record; record = record->next) {

        if (record == batch->unsent) {
            batch->unsent = record->next;
            ngx_http_kafka_settle_dropped(producer, record, err);

        } else if (record->state == NGX_HTTP_KAFKA_RECORD_NEW) {
            ngx_http_kafka_dispatch_drop(&producer->dispatch, record);
            ngx_http_kafka_settle_dropped(producer, record,
                                          ngx_http_kafka_settle_cause(record,
                                                                      err));
            batch->pending--;
        }
    }

    if (batch->pending == 0) {
        ngx_http_kafka_settle_batch(batch);
        return NGX_DONE;
    }

    return NGX_OK;
}


/* returns why a record that waited until its deadline was not sent */

static rd_kafka_resp_err_t
ngx_http_kafka_settle_cause(ngx_http_kafka_record_t *record,
    rd_kafka_resp_err_t err)
{
    ngx_http_kafka_shard_t  *shard;

    shard = record->lane->shard;

    if (err != RD_KAFKA_RESP_ERR__MSG_TIMED_OUT) {
        return err;
    }

    if (shard->fatal && (shard->rk == NULL || shard->draining)) {
        return shard->fatal;
    }

    if (shard->failed) {
        return RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE;
    }

    return shard->full ? RD_KAFKA_RESP_ERR__QUEUE_FULL : err;
}


void
ngx_http_kafka_settle_give_up(ngx_http_kafka_batch_t *batch,
    rd_kafka_resp_err_t err)
{
    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "kafka: batch %p: given up: %s", batch,
                   rd_kafka_err2name(err));

    if (batch->unknown) {
        ngx_http_kafka_resolve_cancel(batch);

        batch->err = err;
        ngx_http_kafka_settle_batch(batch);
        return;
    }

    if (ngx_http_kafka_settle_unsent(batch, err) == NGX_DONE) {
        return;
    }

    /* nobody waits any more: the timer must not keep a worker from quitting */

    if (batch->deadline.timer_set) {
        ngx_del_timer(&batch->deadline);
    }

    ngx_http_kafka_settle_answer(batch);
}


void
ngx_http_kafka_settle_deadline_handler(ngx_event_t *ev)
{
    rd_kafka_resp_err_t         err;
    ngx_http_kafka_batch_t     *batch;
    ngx_http_kafka_producer_t  *producer;

    batch = ev->data;
    producer = batch->producer;

    err = RD_KAFKA_RESP_ERR__MSG_TIMED_OUT;

    if (batch->unknown) {
        err = ngx_http_kafka_connectivity_cause(&producer->connectivity);
    }

    ngx_http_kafka_settle_give_up(batch, err);
}
