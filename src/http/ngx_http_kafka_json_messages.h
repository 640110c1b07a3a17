
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_JSON_MESSAGES_H_INCLUDED_
#define _NGX_HTTP_KAFKA_JSON_MESSAGES_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http_kafka_batch.h>


typedef struct ngx_http_kafka_json_messages_s  ngx_http_kafka_json_messages_t;


/* Parses JSON messages, an object or an array of them, into records. */


/*
 * Creates a parser that fills the batch from JSON text.  With a target each
 * message goes there, and may name no other topic; without one each message
 * must name its topic.  The parser lives in the pool, the records in the batch.
 * Returns NULL when memory is out.
 */
ngx_http_kafka_json_messages_t *ngx_http_kafka_json_messages_create(
    ngx_pool_t *pool, ngx_http_kafka_batch_t *batch,
    ngx_http_kafka_target_t *target);

/*
 * Feeds a piece of the body, which is not kept.  Returns NGX_OK, NGX_ERROR when
 * memory is out, or NGX_DECLINED if the text is refused for the reason that
 * ngx_http_kafka_json_messages_error() returns; nothing more may be fed then.
 */
ngx_int_t ngx_http_kafka_json_messages_feed(ngx_http_kafka_json_messages_t *ps,
    u_char *data, size_t len);

/* ends the body; returns as ngx_http_kafka_json_messages_feed() does */
ngx_int_t ngx_http_kafka_json_messages_end(ngx_http_kafka_json_messages_t *ps);

/* frees what is not in the pool; only the error may be used after that */
void ngx_http_kafka_json_messages_done(ngx_http_kafka_json_messages_t *ps);

/* returns what is wrong and where, in words for the caller; in the pool */
ngx_str_t *ngx_http_kafka_json_messages_error(
    ngx_http_kafka_json_messages_t *ps);


#endif /* _NGX_HTTP_KAFKA_JSON_MESSAGES_H_INCLUDED_ */
