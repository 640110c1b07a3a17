
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_retry.h>
#include <ngx_http_kafka_client.h>
#include <ngx_http_kafka_events.h>
#include <ngx_http_kafka_errors.h>
#include <ngx_http_kafka_record.h>


static ngx_uint_t ngx_http_kafka_retry_in_time(
    ngx_http_kafka_producer_t *producer, ngx_http_kafka_batch_t *batch);
static ngx_http_kafka_record_t *ngx_http_kafka_retry_next(
    ngx_http_kafka_producer_t *producer);
static rd_kafka_resp_err_t ngx_http_kafka_retry_alone(
    ngx_http_kafka_producer_t *producer, ngx_http_kafka_record_t *record);
static rd_kafka_t *ngx_http_kafka_retry_client(
    ngx_http_kafka_producer_t *producer);


ngx_int_t
ngx_http_kafka_retry_take(ngx_http_kafka_producer_t *producer,
    const rd_kafka_message_t *msg, rd_kafka_msg_status_t persisted)
{
    ngx_http_kafka_record_t  *record;

    record = msg->_private;

    if (rd_kafka_message_status(msg) != RD_KAFKA_MSG_STATUS_NOT_PERSISTED) {
        return NGX_DECLINED;
    }

    if (!record->alone
        && (ngx_http_kafka_error(msg->err)->flags
            & NGX_HTTP_KAFKA_ERROR_BATCH))
    {
        /* its last attempt was refused, an earlier one need not have been */

        record->alone = 1;
        record->uncertain = (persisted != RD_KAFKA_MSG_STATUS_NOT_PERSISTED);
        record->partition = msg->partition;

    } else if (persisted != RD_KAFKA_MSG_STATUS_NOT_PERSISTED
               || msg->err != RD_KAFKA_RESP_ERR__PURGE_QUEUE
               || producer->closing
               || ngx_http_kafka_producer_refused(producer)
               || !ngx_http_kafka_retry_in_time(producer, record->batch))
    {
        return NGX_DECLINED;
    }

    record->again = NULL;

    *producer->again_last = record;
    producer->again_last = &record->again;

    return NGX_OK;
}


/* librdkafka's clock will run anew, and must end before the batch's */

static ngx_uint_t
ngx_http_kafka_retry_in_time(ngx_http_kafka_producer_t *producer,
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


void
ngx_http_kafka_retry_produce(ngx_http_kafka_producer_t *producer)
{
    ngx_uint_t                turn;
    rd_kafka_t               *rk;
    rd_kafka_resp_err_t       err;
    ngx_http_kafka_record_t  *record;

    turn = 0;

    while (producer->again && producer->rk && !producer->spent) {

        if (turn++ == NGX_HTTP_KAFKA_PRODUCER_TURN) {
            ngx_post_event(&producer->submit, &ngx_posted_next_events);
            return;
        }

        record = producer->again;

        if (record->alone) {
            err = ngx_http_kafka_retry_alone(producer, record);
            rk = producer->alone;

        } else {
            err = ngx_http_kafka_producer_produce(producer, record);
            rk = producer->rk;
        }

        if (err == RD_KAFKA_RESP_ERR__QUEUE_FULL && rd_kafka_outq_len(rk)) {
            return;
        }

        if (ngx_http_kafka_producer_fatal(producer, err)) {
            return;
        }

        (void) ngx_http_kafka_retry_next(producer);

        if (err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            producer->pending++;
            ngx_http_kafka_metrics_sent_again(&producer->metrics);

            if (record->alone) {
                producer->pending_alone++;
            }

            continue;
        }

        ngx_http_kafka_batch_fail(record, err,
                                  RD_KAFKA_MSG_STATUS_NOT_PERSISTED);
        ngx_http_kafka_producer_doubt(record, err);
        ngx_http_kafka_metrics_failed(&producer->metrics, record);
        ngx_http_kafka_producer_settle(record->batch);
    }
}


void
ngx_http_kafka_retry_fail(ngx_http_kafka_producer_t *producer)
{
    ngx_http_kafka_record_t  *record;

    while (producer->again) {
        record = ngx_http_kafka_retry_next(producer);

        ngx_http_kafka_batch_fail(record, RD_KAFKA_RESP_ERR__DESTROY,
                                  RD_KAFKA_MSG_STATUS_NOT_PERSISTED);
        ngx_http_kafka_metrics_failed(&producer->metrics, record);
        ngx_http_kafka_producer_settle(record->batch);
    }
}


static ngx_http_kafka_record_t *
ngx_http_kafka_retry_next(ngx_http_kafka_producer_t *producer)
{
    ngx_http_kafka_record_t  *record;

    record = producer->again;
    producer->again = record->again;

    if (producer->again == NULL) {
        producer->again_last = &producer->again;
    }

    return record;
}


static rd_kafka_resp_err_t
ngx_http_kafka_retry_alone(ngx_http_kafka_producer_t *producer,
    ngx_http_kafka_record_t *record)
{
    rd_kafka_t           *rk;
    rd_kafka_topic_t     *rkt;
    rd_kafka_resp_err_t   err;

    rk = ngx_http_kafka_retry_client(producer);
    if (rk == NULL) {
        return RD_KAFKA_RESP_ERR__STATE;
    }

    rkt = rd_kafka_topic_new(rk, (char *) record->target->topic->sn.str.data,
                             NULL);
    if (rkt == NULL) {
        return rd_kafka_last_error();
    }

    err = ngx_http_kafka_record_produce(record, rk, rkt);

    rd_kafka_topic_destroy(rkt);

    return err;
}


static rd_kafka_t *
ngx_http_kafka_retry_client(ngx_http_kafka_producer_t *producer)
{
    char              errstr[NGX_HTTP_KAFKA_CLIENT_ERROR];
    rd_kafka_conf_t  *conf;

    if (producer->alone) {
        return producer->alone;
    }

    conf = rd_kafka_conf_dup(producer->side);

    if (rd_kafka_conf_set(conf, "batch.num.messages", "1", errstr,
                          sizeof(errstr))
        == RD_KAFKA_CONF_OK)
    {
        producer->alone = ngx_http_kafka_client_new(conf, errstr);
    }

    rd_kafka_conf_destroy(conf);

    if (producer->alone == NULL) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "kafka producer \"%V\": no client to produce records "
                      "one by one: %s", &producer->conf->name, errstr);
        return NULL;
    }

    /* not forwarded to the other: librdkafka would take its messages for it */

    producer->alone_queue = rd_kafka_queue_get_main(producer->alone);
    (void) rd_kafka_set_log_queue(producer->alone, producer->alone_queue);
    ngx_http_kafka_events_add(producer, producer->alone_queue);

    return producer->alone;
}
