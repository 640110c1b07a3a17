
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
     * ctx->topic if there is one for all records.  NGX_OK: the body is to
     * be read; NGX_DONE: there is none to read; or an HTTP status, after
     * ngx_http_kafka_refuse().
     */
    ngx_int_t  (*begin)(ngx_http_request_t *r, ngx_http_kafka_ctx_t *ctx);

    /*
     * The request is admitted.  Makes what reads the body; or, after NGX_DONE
     * above, the records.  NGX_OK, or NGX_ERROR when memory is out.
     */
    ngx_int_t  (*start)(ngx_http_request_t *r, ngx_http_kafka_ctx_t *ctx);

    /*
     * A piece of the body, decoded, which is not kept; and its end.  NGX_OK,
     * NGX_ERROR when memory is out, or NGX_DECLINED: the body is refused, with
     * ctx->status and ctx->text.
     */
    ngx_int_t  (*feed)(ngx_http_kafka_ctx_t *ctx, u_char *data, size_t len);
    ngx_int_t  (*end)(ngx_http_kafka_ctx_t *ctx);

    /* after the last call of these, whatever it returned: frees what reads */
    void       (*done)(ngx_http_kafka_ctx_t *ctx);

    /* bytes for any answer about the batch's records */
    size_t     (*room)(ngx_http_kafka_batch_t *batch);

    /*
     * What became of the records: the answer's body into ctx->body, in
     * ctx->room if memory is out, and for an error its text into ctx->text.
     * Returns the HTTP status.
     */
    ngx_uint_t (*result)(ngx_http_request_t *r, ngx_http_kafka_ctx_t *ctx);

    /*
     * Nothing of the batch was sent, for batch->err: the text into ctx->text.
     * Returns the HTTP status, or NGX_HTTP_INTERNAL_SERVER_ERROR without a text
     * when memory is out.
     */
    ngx_uint_t (*refused)(ngx_http_request_t *r, ngx_http_kafka_ctx_t *ctx);

    /* the body of an error, in the pool; NGX_ERROR when memory is out */
    ngx_int_t  (*error)(ngx_pool_t *pool, ngx_uint_t status, ngx_str_t *text,
                   ngx_str_t *body);

    /*
     * The topic of all records, for variables before the request is handled.
     * NGX_OK, NGX_DECLINED: there is none, or NGX_ERROR when memory is out.
     */
    ngx_int_t  (*topic)(ngx_http_request_t *r, ngx_str_t *topic);

    ngx_str_t    type;     /* the answers' Content-Type */
    size_t       size;     /* bytes of ctx->protocol_data, zeroed */
} ngx_http_kafka_protocol_t;


extern const ngx_http_kafka_protocol_t  ngx_http_kafka_protocol_json;


#endif /* _NGX_HTTP_KAFKA_PROTOCOL_H_INCLUDED_ */
