
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_RETRY_H_INCLUDED_
#define _NGX_HTTP_KAFKA_RETRY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http_kafka_batch.h>


/*
 * Records that the isolated client produces once more before their callers hear
 * of them: Kafka refused all that librdkafka had sent along with one of them.
 * In their order.  Event loop.
 */


typedef struct {
    ngx_queue_t                 records;
} ngx_http_kafka_retry_t;


void ngx_http_kafka_retry_init(ngx_http_kafka_retry_t *retry);

/*
 * Adds the record of a report, for the isolated client, if another record may
 * be why it was refused.  msg says that its last attempt did not succeed,
 * persisted what is known of all of them.  NGX_OK or NGX_DECLINED.
 */
ngx_int_t ngx_http_kafka_retry_isolate(ngx_http_kafka_retry_t *retry,
    const rd_kafka_message_t *msg, rd_kafka_msg_status_t persisted);

/* adds a record that the isolated client gave back unsent */
void ngx_http_kafka_retry_add(ngx_http_kafka_retry_t *retry,
    ngx_http_kafka_record_t *record);

/* the first one, or NULL; ngx_queue_remove() takes its queue out */
ngx_http_kafka_record_t *ngx_http_kafka_retry_first(
    ngx_http_kafka_retry_t *retry);


#endif /* _NGX_HTTP_KAFKA_RETRY_H_INCLUDED_ */
