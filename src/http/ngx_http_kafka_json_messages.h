
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_JSON_MESSAGES_H_INCLUDED_
#define _NGX_HTTP_KAFKA_JSON_MESSAGES_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http_kafka_batch.h>


typedef struct ngx_http_kafka_json_messages_s  ngx_http_kafka_json_messages_t;


/*
 * Parses JSON messages into records.  The text is one message object, or an
 * array of them.  Event loop.
 */


/*
 * Creates a parser that adds records to the batch.  With a target, every
 * message goes to the target and must not name another topic.  Without a
 * target, every message must name its topic.  The parser is allocated from
 * pool, and the records from the batch's pool.  Returns NULL when memory is
 * out.
 */
ngx_http_kafka_json_messages_t *ngx_http_kafka_json_messages_create(
    ngx_pool_t *pool, ngx_http_kafka_batch_t *batch,
    ngx_http_kafka_target_t *target);

/*
 * Parses a piece of the body, len bytes, and does not keep a pointer to it.
 * Returns NGX_OK, NGX_ERROR when memory is out, or NGX_DECLINED if the text is
 * refused: ngx_http_kafka_json_messages_error() returns the reason.  Nothing
 * may be fed after an error.
 */
ngx_int_t ngx_http_kafka_json_messages_feed(ngx_http_kafka_json_messages_t *ps,
    u_char *data, size_t len);

/* ends the body; returns the codes of ngx_http_kafka_json_messages_feed() */
ngx_int_t ngx_http_kafka_json_messages_end(ngx_http_kafka_json_messages_t *ps);

/*
 * Frees the parser's memory outside the pool.  Afterwards only
 * ngx_http_kafka_json_messages_error() may be called.
 */
void ngx_http_kafka_json_messages_done(ngx_http_kafka_json_messages_t *ps);

/*
 * Returns the error message for the HTTP client, with the place of the error.
 * The text lives as long as the parser's pool.
 */
ngx_str_t *ngx_http_kafka_json_messages_error(
    ngx_http_kafka_json_messages_t *ps);


#endif /* _NGX_HTTP_KAFKA_JSON_MESSAGES_H_INCLUDED_ */
