
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_delivery.h>
#include <ngx_http_kafka_outcome.h>
#include <ngx_http_kafka_settle.h>
#include <ngx_http_kafka_submit.h>


static ngx_int_t ngx_http_kafka_delivery_retry(
    ngx_http_kafka_producer_t *producer, const rd_kafka_message_t *msg,
    rd_kafka_msg_status_t persisted);
static ngx_uint_t ngx_http_kafka_delivery_in_time(
    ngx_http_kafka_producer_t *producer, ngx_http_kafka_batch_t *batch);
static void ngx_http_kafka_delivery_acked(ngx_http_kafka_producer_t *producer,
    const rd_kafka_message_t *msg, ngx_uint_t offset_known);
static rd_kafka_resp_err_t ngx_http_kafka_delivery_cause(
    ngx_http_kafka_producer_t *producer, const rd_kafka_message_t *msg);


void
ngx_http_kafka_delivery_report(void *data, const rd_kafka_message_t *msg,
    ngx_uint_t offset_known)
{
    ngx_http_kafka_producer_t *producer = data;

    rd_kafka_t                 *rk;
    rd_kafka_resp_err_t         err;
    rd_kafka_msg_status_t       persisted;
    ngx_http_kafka_conf_t      *conf;
    ngx_http_kafka_record_t    *record;
    ngx_http_kafka_dispatch_t  *dispatch;

    conf = producer->conf;
    dispatch = &producer->dispatch;

    record = msg->_private;
    rk = record->isolated ? producer->clients.isolated : producer->clients.rk;

    err = ngx_http_kafka_delivery_cause(producer, msg);
    persisted = ngx_http_kafka_outcome_persisted(rk, msg, conf->retry_backoff,
                                                 conf->idempotent);

    if (msg->err == RD_KAFKA_RESP_ERR__MSG_TIMED_OUT && !record->isolated) {
        ngx_http_kafka_lane_timed_out(record->lane);
    }

    ngx_http_kafka_dispatch_reported(dispatch, record);
    ngx_http_kafka_metrics_reported(&producer->metrics);

    ngx_http_kafka_replace_reported(&producer->replace, msg,
                                    dispatch->pending - dispatch->isolated);

    if (ngx_http_kafka_delivery_retry(producer, msg, persisted)
        == NGX_DECLINED)
    {
        if (err) {
            ngx_http_kafka_settle_failed(producer, record, err, persisted);

        } else {
            ngx_http_kafka_delivery_acked(producer, msg, offset_known);
        }
    }

    if (ngx_http_kafka_retry_first(&producer->retry)) {
        ngx_http_kafka_submit_retries(producer);
    }
}


/*
 * NGX_OK: the report is not the last one, its record waits to be produced
 * again; NGX_DECLINED: it is
 */

static ngx_int_t
ngx_http_kafka_delivery_retry(ngx_http_kafka_producer_t *producer,
    const rd_kafka_message_t *msg, rd_kafka_msg_status_t persisted)
{
    ngx_http_kafka_record_t  *record;

    if (rd_kafka_message_status(msg) != RD_KAFKA_MSG_STATUS_NOT_PERSISTED) {
        return NGX_DECLINED;
    }

    if (ngx_http_kafka_retry_isolate(&producer->retry, msg, persisted)
        == NGX_OK)
    {
        ngx_http_kafka_metrics_returned(&producer->metrics);
        return NGX_OK;
    }

    record = msg->_private;

    if (persisted != RD_KAFKA_MSG_STATUS_NOT_PERSISTED
        || msg->err != RD_KAFKA_RESP_ERR__PURGE_QUEUE
        || producer->closing
        || ngx_http_kafka_replace_refused(&producer->replace)
        || !ngx_http_kafka_delivery_in_time(producer, record->batch))
    {
        return NGX_DECLINED;
    }

    if (record->isolated) {
        ngx_http_kafka_retry_add(&producer->retry, record);

    } else {
        ngx_http_kafka_dispatch_return(&producer->dispatch, record);
    }

    ngx_http_kafka_metrics_returned(&producer->metrics);

    return NGX_OK;
}


/* librdkafka restarts its timeout, which must end before the batch's */

static ngx_uint_t
ngx_http_kafka_delivery_in_time(ngx_http_kafka_producer_t *producer,
    ngx_http_kafka_batch_t *batch)
{
    ngx_msec_int_t  left;

    if (!batch->deadline.timer_set) {
        return 0;
    }

    left = (ngx_msec_int_t) (batch->deadline.timer.key - ngx_current_msec);

    return left > (ngx_msec_int_t) (producer->conf->timeout
                                    + NGX_HTTP_KAFKA_PRODUCER_GRACE / 2);
}


static void
ngx_http_kafka_delivery_acked(ngx_http_kafka_producer_t *producer,
    const rd_kafka_message_t *msg, ngx_uint_t offset_known)
{
    ngx_http_kafka_lane_t    *lane;
    ngx_http_kafka_topic_t   *topic;
    ngx_http_kafka_record_t  *record;

    record = msg->_private;

    record->state = NGX_HTTP_KAFKA_RECORD_ACKED;
    record->persisted = RD_KAFKA_MSG_STATUS_PERSISTED;
    record->partition = msg->partition;
    record->offset = offset_known ? msg->offset : -1;
    record->timestamp = rd_kafka_message_timestamp(msg, NULL);
    record->batch->acked++;
    topic = record->target->topic;

    lane = record->lane;

    if (!record->isolated) {
        ngx_http_kafka_dispatch_acked(&producer->dispatch, lane,
                                      producer->metrics.clock);

        if (msg->partition == lane->partition) {
            ngx_http_kafka_lane_acked(lane, producer->clients.generation,
                                      record->offset, record->timestamp);
        }
    }

    ngx_http_kafka_metrics_acked(&producer->metrics, lane->clock,
                                 record->key.len + record->value.len,
                                 &topic->slot, &topic->sn.str);

    producer->clients.served = 1;

    if (!producer->replace.draining) {
        producer->replace.fatal = RD_KAFKA_RESP_ERR_NO_ERROR;
    }

    ngx_http_kafka_connectivity_acked(&producer->connectivity, msg);

    ngx_http_kafka_settle_record(record->batch);
}


/* a client that ended with a fatal error purges what it holds, or times out */

static rd_kafka_resp_err_t
ngx_http_kafka_delivery_cause(ngx_http_kafka_producer_t *producer,
    const rd_kafka_message_t *msg)
{
    rd_kafka_resp_err_t  err;

    err = ngx_http_kafka_outcome_err(msg);

    if (producer->replace.draining
        && producer->replace.fatal
        && (err == RD_KAFKA_RESP_ERR__PURGE_QUEUE
            || err == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT
            || err == RD_KAFKA_RESP_ERR__FATAL))
    {
        return producer->replace.fatal;
    }

    return err;
}
