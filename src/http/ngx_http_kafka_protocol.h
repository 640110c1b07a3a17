
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_PROTOCOL_H_INCLUDED_
#define _NGX_HTTP_KAFKA_PROTOCOL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_http_kafka_batch.h>


/*
 * What a request says, and how it is answered: JSON is one protocol.  A
 * protocol fills a batch by the functions of batch.h.  It calls no function of
 * librdkafka: record.h has the types that it needs, errors.h the texts.  Its
 * table is read-only, and its functions run in the event loop.
 */


typedef struct ngx_http_kafka_ctx_s  ngx_http_kafka_ctx_t;


typedef struct {
    ngx_str_t    name;

    /*
     * Reads the request's line and header, into ctx->protocol_data, and sets
     * ctx->topic if all records have one topic.  Returns NGX_OK if the body is
     * to be read, NGX_DONE if there is none, or an HTTP status: that of
     * ngx_http_kafka_refuse(), or 500 when memory is out.
     */
    ngx_int_t  (*begin)(ngx_http_request_t *r, ngx_http_kafka_ctx_t *ctx);

    /*
     * Prepares to read the body of a request that was admitted; or, after
     * NGX_DONE above, makes the records.  Returns NGX_OK, or NGX_ERROR when
     * memory is out.
     */
    ngx_int_t  (*start)(ngx_http_request_t *r, ngx_http_kafka_ctx_t *ctx);

    /*
     * Takes a piece of the body, decoded, which is not kept.  Returns NGX_OK,
     * NGX_ERROR when memory is out, or NGX_DECLINED if the body is refused,
     * with ctx->status and ctx->text.
     */
    ngx_int_t  (*feed)(ngx_http_kafka_ctx_t *ctx, u_char *data, size_t len);

    /* ends the body; returns as feed() does */
    ngx_int_t  (*end)(ngx_http_kafka_ctx_t *ctx);

    /* frees what has read the body: no more of it will come */
    void       (*done)(ngx_http_kafka_ctx_t *ctx);

    /* returns the bytes that are enough for an answer about the records */
    size_t     (*room)(ngx_http_kafka_batch_t *batch);

    /*
     * Sets ctx->body to the answer that says what became of the records, in
     * ctx->room if memory is out, and ctx->text to the text of an error.
     * Returns the HTTP status.
     */
    ngx_uint_t (*result)(ngx_http_request_t *r, ngx_http_kafka_ctx_t *ctx);

    /*
     * Sets ctx->text to the reason why nothing of the batch was sent, by
     * batch->err.  Returns the HTTP status, or NGX_HTTP_INTERNAL_SERVER_ERROR
     * without a text when memory is out.
     */
    ngx_uint_t (*refused)(ngx_http_request_t *r, ngx_http_kafka_ctx_t *ctx);

    /*
     * Sets body to the body of an error, in the pool.  Returns NGX_OK, or
     * NGX_ERROR when memory is out.
     */
    ngx_int_t  (*error)(ngx_pool_t *pool, ngx_uint_t status, ngx_str_t *text,
                   ngx_str_t *body);

    /*
     * Sets topic to that of all records, for variables that are read before
     * the request is handled.  Returns NGX_OK, NGX_DECLINED if there is none,
     * or NGX_ERROR when memory is out.
     */
    ngx_int_t  (*topic)(ngx_http_request_t *r, ngx_str_t *topic);

    ngx_str_t    type;     /* the answers' Content-Type */
    size_t       size;     /* bytes of ctx->protocol_data, zeroed */
} ngx_http_kafka_protocol_t;


extern const ngx_http_kafka_protocol_t  ngx_http_kafka_protocol_json;


#endif /* _NGX_HTTP_KAFKA_PROTOCOL_H_INCLUDED_ */
