
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_delivery.h>
#include <ngx_http_kafka_client.h>
#include <ngx_http_kafka_errors.h>
#include <ngx_http_kafka_outcome.h>
#include <ngx_http_kafka_replace.h>
#include <ngx_http_kafka_settle.h>


static ngx_int_t ngx_http_kafka_delivery_retry(ngx_http_kafka_shard_t *shard,
    const rd_kafka_message_t *msg, rd_kafka_msg_status_t persisted);
static ngx_int_t ngx_http_kafka_delivery_refused(ngx_http_kafka_shard_t *shard,
    const rd_kafka_message_t *msg, rd_kafka_msg_status_t persisted);
static void ngx_http_kafka_delivery_suspect(ngx_http_kafka_shard_t *shard,
    const rd_kafka_message_t *msg, rd_kafka_msg_status_t persisted);
static void ngx_http_kafka_delivery_return(ngx_http_kafka_producer_t *producer,
    ngx_http_kafka_record_t *record);
static ngx_uint_t ngx_http_kafka_delivery_in_time(
    ngx_http_kafka_shard_t *shard, ngx_http_kafka_batch_t *batch);
static void ngx_http_kafka_delivery_acked(ngx_http_kafka_shard_t *shard,
    const rd_kafka_message_t *msg, ngx_uint_t offset_known);
static rd_kafka_resp_err_t ngx_http_kafka_delivery_cause(
    ngx_http_kafka_shard_t *shard, ngx_http_kafka_lane_t *lane,
    rd_kafka_resp_err_t err);


void
ngx_http_kafka_delivery_report(void *owner, const rd_kafka_message_t *msg,
    ngx_uint_t offset_known, ngx_uint_t first)
{
    ngx_http_kafka_shard_t *shard = owner;

    ngx_int_t                   rc;
    rd_kafka_resp_err_t         err;
    rd_kafka_msg_status_t       persisted;
    ngx_http_kafka_lane_t      *lane;
    ngx_http_kafka_conf_t      *conf;
    ngx_http_kafka_record_t    *record;
    ngx_http_kafka_producer_t  *producer;

    producer = shard->data;
    conf = shard->conf;
    record = msg->_private;
    lane = record->lane;

    err = ngx_http_kafka_delivery_cause(shard, lane,
                                        ngx_http_kafka_outcome_err(msg));
    persisted = ngx_http_kafka_outcome_persisted(shard->rk, msg,
                                                 conf->retry_backoff,
                                                 conf->idempotent);

    ngx_http_kafka_shard_reported(shard, msg, first);
    ngx_http_kafka_metrics_reported(&producer->metrics);

    if (err) {
        ngx_http_kafka_delivery_suspect(shard, msg, persisted);
    }

    rc = ngx_http_kafka_delivery_retry(shard, msg, persisted);

    if (rc == NGX_AGAIN) {
        return;
    }

    if (rc == NGX_DECLINED) {
        if (err) {
            ngx_http_kafka_settle_failed(producer, record, err, persisted);

        } else {
            ngx_http_kafka_delivery_acked(shard, msg, offset_known);
        }
    }

    ngx_http_kafka_dispatch_reported(&producer->dispatch, lane);
}


/* notes in the lane and the topic what the error means for other records */

static void
ngx_http_kafka_delivery_suspect(ngx_http_kafka_shard_t *shard,
    const rd_kafka_message_t *msg, rd_kafka_msg_status_t persisted)
{
    ngx_http_kafka_record_t  *record;

    record = msg->_private;

    if (msg->err == RD_KAFKA_RESP_ERR__MSG_TIMED_OUT) {
        ngx_http_kafka_lane_timed_out(record->lane);
    }

    if (msg->err <= RD_KAFKA_RESP_ERR_NO_ERROR || !shard->conf->idempotent) {
        return;
    }

    if (!(ngx_http_kafka_error(msg->err)->flags
          & NGX_HTTP_KAFKA_ERROR_RETRIABLE))
    {
        ngx_http_kafka_topic_suspected(record->target->topic);
    }

    /* after a leader has moved, another broker's thread may have sent more */

    if (persisted == RD_KAFKA_MSG_STATUS_NOT_PERSISTED
        && rd_kafka_message_broker_id(msg) >= 0
        && (!shard->isolated || ngx_http_kafka_client_one_broker(shard->rk)))
    {
        ngx_http_kafka_lane_rejected(record);
    }
}


/*
 * Returns NGX_OK if the record is back in its lane, to be produced again.
 * NGX_AGAIN if its outcome depends on reports of other records; its lane stays
 * busy.  NGX_DECLINED if this report is final.
 */

static ngx_int_t
ngx_http_kafka_delivery_retry(ngx_http_kafka_shard_t *shard,
    const rd_kafka_message_t *msg, rd_kafka_msg_status_t persisted)
{
    ngx_http_kafka_record_t  *record;

    if (rd_kafka_message_status(msg) != RD_KAFKA_MSG_STATUS_NOT_PERSISTED) {
        return NGX_DECLINED;
    }

    if (ngx_http_kafka_delivery_refused(shard, msg, persisted) == NGX_OK) {
        return NGX_OK;
    }

    record = msg->_private;

    if (msg->err != RD_KAFKA_RESP_ERR__PURGE_QUEUE) {
        return NGX_DECLINED;
    }

    if (persisted != RD_KAFKA_MSG_STATUS_NOT_PERSISTED) {
        ngx_queue_insert_tail(&shard->purged, &record->queue);
        return NGX_AGAIN;
    }

    if (!ngx_http_kafka_delivery_in_time(shard, record->batch)) {
        return NGX_DECLINED;
    }

    ngx_http_kafka_delivery_return(shard->data, record);

    return NGX_OK;
}


/*
 * Kafka refuses all records of a request because of one of them.  They are sent
 * again by an isolated client, in smaller and smaller groups, until each record
 * was accepted, or refused alone.
 */

static ngx_int_t
ngx_http_kafka_delivery_refused(ngx_http_kafka_shard_t *shard,
    const rd_kafka_message_t *msg, rd_kafka_msg_status_t persisted)
{
    ngx_http_kafka_record_t  *record;

    record = msg->_private;

    if (!(ngx_http_kafka_error(msg->err)->flags & NGX_HTTP_KAFKA_ERROR_BATCH)
        || ngx_http_kafka_lane_refused(record->lane, shard->isolated)
           != NGX_OK)
    {
        return NGX_DECLINED;
    }

    /* the last attempt was refused, but an earlier one may have succeeded */

    if (persisted != RD_KAFKA_MSG_STATUS_NOT_PERSISTED) {
        record->uncertain = 1;
    }

    ngx_http_kafka_delivery_return(shard->data, record);

    return NGX_OK;
}


static void
ngx_http_kafka_delivery_return(ngx_http_kafka_producer_t *producer,
    ngx_http_kafka_record_t *record)
{
    ngx_http_kafka_dispatch_return(&producer->dispatch, record);
    ngx_http_kafka_metrics_returned(&producer->metrics);
}


void
ngx_http_kafka_delivery_drained(ngx_http_kafka_shard_t *shard)
{
    ngx_uint_t                  proven;
    ngx_queue_t                *q;
    rd_kafka_resp_err_t         err;
    rd_kafka_msg_status_t       persisted;
    ngx_http_kafka_lane_t      *lane;
    ngx_http_kafka_record_t    *record;
    ngx_http_kafka_producer_t  *producer;

    if (ngx_queue_empty(&shard->purged)) {
        return;
    }

    producer = shard->data;
    proven = ngx_http_kafka_shard_proven(shard);

    while (!ngx_queue_empty(&shard->purged)) {
        q = ngx_queue_head(&shard->purged);
        record = ngx_queue_data(q, ngx_http_kafka_record_t, queue);
        ngx_queue_remove(q);
        lane = record->lane;

        persisted = (proven || ngx_http_kafka_lane_absent(record))
                    ? RD_KAFKA_MSG_STATUS_NOT_PERSISTED
                    : RD_KAFKA_MSG_STATUS_POSSIBLY_PERSISTED;

        if (persisted == RD_KAFKA_MSG_STATUS_NOT_PERSISTED
            && ngx_http_kafka_delivery_in_time(shard, record->batch))
        {
            ngx_http_kafka_delivery_return(producer, record);

        } else {
            err = ngx_http_kafka_delivery_cause(shard, lane,
                                               RD_KAFKA_RESP_ERR__PURGE_QUEUE);

            ngx_http_kafka_settle_failed(producer, record, err, persisted);
        }

        ngx_http_kafka_dispatch_reported(&producer->dispatch, lane);
    }
}


/*
 * Returns 1 if an unsent record can still be sent in time, by this client or
 * the next one.  While the process exits, there will be no next one.
 */

static ngx_uint_t
ngx_http_kafka_delivery_in_time(ngx_http_kafka_shard_t *shard,
    ngx_http_kafka_batch_t *batch)
{
    return (!shard->closing || (shard->isolated && !shard->draining))
           && !ngx_http_kafka_replace_refused(shard)
           && ngx_http_kafka_batch_left(batch) > NGX_HTTP_KAFKA_PRODUCER_GRACE;
}


static void
ngx_http_kafka_delivery_acked(ngx_http_kafka_shard_t *shard,
    const rd_kafka_message_t *msg, ngx_uint_t offset_known)
{
    ngx_http_kafka_lane_t      *lane;
    ngx_http_kafka_topic_t     *topic;
    ngx_http_kafka_record_t    *record;
    ngx_http_kafka_producer_t  *producer;

    producer = shard->data;
    record = msg->_private;

    record->state = NGX_HTTP_KAFKA_RECORD_ACKED;
    record->persisted = RD_KAFKA_MSG_STATUS_PERSISTED;
    record->partition = msg->partition;
    record->offset = offset_known ? msg->offset : -1;
    record->timestamp = rd_kafka_message_timestamp(msg, NULL);
    record->batch->acked++;
    topic = record->target->topic;
    lane = record->lane;

    ngx_http_kafka_dispatch_acked(&producer->dispatch, lane,
                                  producer->metrics.clock);

    if (msg->partition == lane->partition) {
        ngx_http_kafka_lane_acked(lane, shard->generation, record->offset,
                                  record->timestamp);
    }

    ngx_http_kafka_metrics_acked(&producer->metrics, lane->clock,
                                 record->key.len + record->value.len,
                                 &topic->slot, &topic->sn.str);

    shard->served = 1;

    if (!shard->draining) {
        shard->fatal = RD_KAFKA_RESP_ERR_NO_ERROR;
    }

    ngx_http_kafka_connectivity_acked(&producer->connectivity, msg);

    ngx_http_kafka_settle_record(record->batch);
}


/*
 * Records are purged when a client is replaced, and when a broker refuses a
 * request of an isolated client.  The purge is not the reason why a record
 * fails, so the reason is returned in its place, if it is known.
 */

static rd_kafka_resp_err_t
ngx_http_kafka_delivery_cause(ngx_http_kafka_shard_t *shard,
    ngx_http_kafka_lane_t *lane, rd_kafka_resp_err_t err)
{
    if (err == RD_KAFKA_RESP_ERR__PURGE_QUEUE
        && shard->isolated
        && !shard->draining
        && !shard->closing)
    {
        return RD_KAFKA_RESP_ERR__MSG_TIMED_OUT;
    }

    if (!shard->draining
        || (err != RD_KAFKA_RESP_ERR__PURGE_QUEUE
            && err != RD_KAFKA_RESP_ERR__PURGE_INFLIGHT
            && err != RD_KAFKA_RESP_ERR__FATAL))
    {
        return err;
    }

    if (shard->fatal) {
        return shard->fatal;
    }

    return lane->timed_out ? RD_KAFKA_RESP_ERR__MSG_TIMED_OUT : err;
}
