
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
 * A protocol parses requests and formats responses.  A protocol fills a batch
 * with the functions of batch.h.  It must not call librdkafka: record.h has the
 * types, and errors.h the error texts.  The structure is read-only.  Its
 * functions run in the event loop.
 */


typedef struct ngx_http_kafka_ctx_s  ngx_http_kafka_ctx_t;


typedef struct {
    ngx_str_t    name;

    /*
     * Parses the request line and the headers into ctx->protocol_data.  Sets
     * ctx->topic, a valid name, if all records have the same topic, and the
     * batch's key and partition if the location sets them.  Returns NGX_OK if
     * the body must be read, NGX_DONE if the request needs no body, or an HTTP
     * status: one set by ngx_http_kafka_refuse(), or 500 when memory is out.
     */
    ngx_int_t  (*begin)(ngx_http_request_t *r, ngx_http_kafka_ctx_t *ctx);

    /*
     * Starts the processing of an admitted request: prepares to parse the body,
     * or creates the records if begin() has returned NGX_DONE.  Returns NGX_OK,
     * or NGX_ERROR when memory is out.
     */
    ngx_int_t  (*start)(ngx_http_request_t *r, ngx_http_kafka_ctx_t *ctx);

    /*
     * Parses a piece of the body, len bytes without transfer coding, and does
     * not keep a pointer to it.  Returns NGX_OK, NGX_ERROR when memory is out,
     * or NGX_DECLINED if the body is refused, with ctx->status and ctx->text
     * set.
     */
    ngx_int_t  (*feed)(ngx_http_kafka_ctx_t *ctx, u_char *data, size_t len);

    /* ends the body; returns the codes of feed() */
    ngx_int_t  (*end)(ngx_http_kafka_ctx_t *ctx);

    /*
     * frees the parser of the body, after the last call of feed() or end();
     * NULL if there is none
     */
    void       (*done)(ngx_http_kafka_ctx_t *ctx);

    /* returns a size, in bytes, that is enough for any outcome of the batch */
    size_t     (*room)(ngx_http_kafka_batch_t *batch);

    /*
     * Sets ctx->body to the response with the outcome of the records, and
     * ctx->text to the text of an error.  Uses the memory of ctx->room when
     * memory is out.  Returns the HTTP status.
     */
    ngx_uint_t (*result)(ngx_http_request_t *r, ngx_http_kafka_ctx_t *ctx);

    /*
     * Sets text to the reason why no record of the batch was sent, which is in
     * batch->err, allocated from the pool.  Returns the HTTP status, or
     * NGX_HTTP_INTERNAL_SERVER_ERROR with an empty text when memory is out.
     */
    ngx_uint_t (*refused)(ngx_pool_t *pool, ngx_http_kafka_batch_t *batch,
                   ngx_str_t *text);

    /*
     * Sets body to the response body of an error, allocated from the pool.
     * Returns NGX_OK, or NGX_ERROR when memory is out.
     */
    ngx_int_t  (*error)(ngx_pool_t *pool, ngx_uint_t status, ngx_str_t *text,
                   ngx_str_t *body);

    /*
     * Sets topic to the topic of all records, for variables that are evaluated
     * before the content phase in a location without kafka_topic.  The topic is
     * empty if each message names its own.  Returns NGX_OK, NGX_DECLINED if the
     * request has no valid topic, or NGX_ERROR when memory is out.
     */
    ngx_int_t  (*topic)(ngx_http_request_t *r, ngx_str_t *topic);

    ngx_str_t    type;     /* Content-Type of responses */
    size_t       size;     /* bytes of ctx->protocol_data, zeroed */
} ngx_http_kafka_protocol_t;


extern const ngx_http_kafka_protocol_t  ngx_http_kafka_protocol_json;
extern const ngx_http_kafka_protocol_t  ngx_http_kafka_protocol_raw;


#endif /* _NGX_HTTP_KAFKA_PROTOCOL_H_INCLUDED_ */
