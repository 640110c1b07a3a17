
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_RETRY_H_INCLUDED_
#define _NGX_HTTP_KAFKA_RETRY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http_kafka_producer.h>


/*
 * Records that are produced once more before their callers hear of them: by
 * themselves, where Kafka refused all that librdkafka had sent along with one
 * of them; and by the next client, where theirs was replaced before it sent
 * them.  Event loop.
 */


/*
 * NGX_OK: the report is not the last one, its record waits to be produced
 * again; NGX_DECLINED: it is.
 */
ngx_int_t ngx_http_kafka_retry_take(ngx_http_kafka_producer_t *producer,
    const rd_kafka_message_t *msg, rd_kafka_msg_status_t persisted);

/* produces those that wait, in their order, as many as there is room for */
void ngx_http_kafka_retry_produce(ngx_http_kafka_producer_t *producer);

/* those that wait will not be produced */
void ngx_http_kafka_retry_fail(ngx_http_kafka_producer_t *producer);


#endif /* _NGX_HTTP_KAFKA_RETRY_H_INCLUDED_ */
