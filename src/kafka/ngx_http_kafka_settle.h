
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_SETTLE_H_INCLUDED_
#define _NGX_HTTP_KAFKA_SETTLE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http_kafka_producer.h>


/* How records and batches end: each has one outcome.  Event loop. */


/* one of a batch's records, of those that are pending, has its outcome */
void ngx_http_kafka_settle_record(ngx_http_kafka_batch_t *batch);

/* the same for one that has failed: persisted says what is known of it */
void ngx_http_kafka_settle_failed(ngx_http_kafka_producer_t *producer,
    ngx_http_kafka_record_t *record, rd_kafka_resp_err_t err,
    rd_kafka_msg_status_t persisted);

/* the same for one that was never with the client, and is not pending */
void ngx_http_kafka_settle_dropped(ngx_http_kafka_producer_t *producer,
    ngx_http_kafka_record_t *record, rd_kafka_resp_err_t err);

/* the same for one that waits in its lane */
void ngx_http_kafka_settle_waiting(ngx_http_kafka_producer_t *producer,
    ngx_http_kafka_record_t *record, rd_kafka_resp_err_t err);

/* all of the batch's records have one: calls its handler, and lets it go */
void ngx_http_kafka_settle_batch(ngx_http_kafka_batch_t *batch);

/*
 * Ends the wait: what is not yet with the client will never be and fails with
 * err; what is with it keeps the batch until its report.
 */
void ngx_http_kafka_settle_give_up(ngx_http_kafka_batch_t *batch,
    rd_kafka_resp_err_t err);

/* the same, when the batch's deadline comes */
void ngx_http_kafka_settle_deadline_handler(ngx_event_t *ev);


#endif /* _NGX_HTTP_KAFKA_SETTLE_H_INCLUDED_ */
