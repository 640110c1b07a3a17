
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_SETTLE_H_INCLUDED_
#define _NGX_HTTP_KAFKA_SETTLE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http_kafka_producer.h>


/* Settles records and batches: each gets one outcome.  Event loop. */


/* notes that a pending record of the batch has its outcome */
void ngx_http_kafka_settle_record(ngx_http_kafka_batch_t *batch);

/*
 * the same for a record that has failed; persisted says whether it may be in
 * Kafka
 */
void ngx_http_kafka_settle_failed(ngx_http_kafka_producer_t *producer,
    ngx_http_kafka_record_t *record, rd_kafka_resp_err_t err,
    rd_kafka_msg_status_t persisted);

/* fails a record that is not with a client, without changing batch->pending */
void ngx_http_kafka_settle_dropped(ngx_http_kafka_producer_t *producer,
    ngx_http_kafka_record_t *record, rd_kafka_resp_err_t err);

/* fails a pending record that waits in its lane */
void ngx_http_kafka_settle_waiting(ngx_http_kafka_producer_t *producer,
    ngx_http_kafka_record_t *record, rd_kafka_resp_err_t err);

/*
 * ends a batch all of whose records have an outcome: calls its handler, and
 * releases it for the producer
 */
void ngx_http_kafka_settle_batch(ngx_http_kafka_batch_t *batch);

/*
 * Answers the requester now.  Records that are not with a client fail, with err
 * or a more exact reason.  Records that are with a client keep the batch alive
 * until their reports.
 */
void ngx_http_kafka_settle_give_up(ngx_http_kafka_batch_t *batch,
    rd_kafka_resp_err_t err);

/* the same, when the batch's deadline has passed */
void ngx_http_kafka_settle_deadline_handler(ngx_event_t *ev);


#endif /* _NGX_HTTP_KAFKA_SETTLE_H_INCLUDED_ */
