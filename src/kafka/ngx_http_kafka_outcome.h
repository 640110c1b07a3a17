
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_OUTCOME_H_INCLUDED_
#define _NGX_HTTP_KAFKA_OUTCOME_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http_kafka_batch.h>


/* Tells what a delivery report proves about its record.  Event loop. */


/*
 * Returns the error of a report: RD_KAFKA_RESP_ERR_NO_ERROR only if a broker
 * has acknowledged the record.  librdkafka also reports success for records
 * that it infers to be in Kafka.  These have no offset, and the error is
 * RD_KAFKA_RESP_ERR__NO_OFFSET.
 */
rd_kafka_resp_err_t ngx_http_kafka_outcome_err(const rd_kafka_message_t *msg);

/*
 * Returns whether the reported record may be in Kafka.  The client is rk.
 * RD_KAFKA_MSG_STATUS_NOT_PERSISTED is certain.  The client waits for at least
 * backoff milliseconds before a retry.
 */
rd_kafka_msg_status_t ngx_http_kafka_outcome_persisted(rd_kafka_t *rk,
    const rd_kafka_message_t *msg, ngx_msec_t backoff, ngx_uint_t idempotent);


#endif /* _NGX_HTTP_KAFKA_OUTCOME_H_INCLUDED_ */
