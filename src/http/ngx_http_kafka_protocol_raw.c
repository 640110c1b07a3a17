
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_protocol.h>
#include <ngx_http_kafka_body.h>
#include <ngx_http_kafka_json_response.h>
#include <ngx_http_kafka_partition.h>
#include <ngx_http_kafka_refusal.h>
#include <ngx_http_kafka_request.h>
#include <ngx_http_kafka_route.h>
#include <ngx_http_kafka_template.h>


/* protocol=raw: the body is the value of a record */


/* bytes of the smallest and the largest buffer, for a body of unknown length */
#define NGX_HTTP_KAFKA_PROTOCOL_RAW_MIN  1024
#define NGX_HTTP_KAFKA_PROTOCOL_RAW_MAX  (64 * 1024)


typedef struct {
    ngx_str_t                    key;       /* data is NULL: null */
    int32_t                      partition;
    ngx_str_t                    value;     /* data is NULL: null */
    size_t                       received;  /* bytes of the body */

    /* the buffers of a body whose length is unknown until its end */
    ngx_chain_t                 *first;
    ngx_chain_t                 *last;

    unsigned                     known:1;   /* value.len is the length */
} ngx_http_kafka_protocol_raw_t;


static ngx_int_t ngx_http_kafka_protocol_raw_begin(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx);
static ngx_int_t ngx_http_kafka_protocol_raw_path(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx);
static ngx_int_t ngx_http_kafka_protocol_raw_method(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx);
static ngx_int_t ngx_http_kafka_protocol_raw_arguments(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx);
static ngx_int_t ngx_http_kafka_protocol_raw_tombstone(
    ngx_http_kafka_ctx_t *ctx);
static ngx_int_t ngx_http_kafka_protocol_raw_length(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx);
static ngx_int_t ngx_http_kafka_protocol_raw_large(ngx_http_kafka_ctx_t *ctx);
static ngx_int_t ngx_http_kafka_protocol_raw_start(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx);
static ngx_int_t ngx_http_kafka_protocol_raw_feed(ngx_http_kafka_ctx_t *ctx,
    u_char *data, size_t len);
static ngx_int_t ngx_http_kafka_protocol_raw_append(
    ngx_http_kafka_batch_t *batch, ngx_http_kafka_protocol_raw_t *raw,
    u_char *data, size_t len);
static ngx_int_t ngx_http_kafka_protocol_raw_grow(
    ngx_http_kafka_batch_t *batch, ngx_http_kafka_protocol_raw_t *raw);
static ngx_int_t ngx_http_kafka_protocol_raw_end(ngx_http_kafka_ctx_t *ctx);
static ngx_int_t ngx_http_kafka_protocol_raw_join(
    ngx_http_kafka_batch_t *batch, ngx_http_kafka_protocol_raw_t *raw);
static ngx_int_t ngx_http_kafka_protocol_raw_record(ngx_http_kafka_ctx_t *ctx);
static ngx_int_t ngx_http_kafka_protocol_raw_type(ngx_http_kafka_ctx_t *ctx,
    ngx_http_kafka_record_t *record);
static ngx_uint_t ngx_http_kafka_protocol_raw_result(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx);


const ngx_http_kafka_protocol_t  ngx_http_kafka_protocol_raw = {
    ngx_string("raw"),
    ngx_http_kafka_protocol_raw_begin,
    ngx_http_kafka_protocol_raw_start,
    ngx_http_kafka_protocol_raw_feed,
    ngx_http_kafka_protocol_raw_end,
    NULL,
    ngx_http_kafka_json_response_room,
    ngx_http_kafka_protocol_raw_result,
    ngx_http_kafka_json_response_refusal,
    ngx_http_kafka_json_response_error,
    ngx_http_kafka_route_topic,
    ngx_string("application/json"),
    sizeof(ngx_http_kafka_protocol_raw_t)
};


static ngx_int_t
ngx_http_kafka_protocol_raw_begin(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx)
{
    ngx_int_t  rc, method;

    rc = ngx_http_kafka_protocol_raw_path(r, ctx);
    if (rc != NGX_OK) {
        return rc;
    }

    method = ngx_http_kafka_protocol_raw_method(r, ctx);
    if (method != NGX_OK && method != NGX_DONE) {
        return method;
    }

    rc = ngx_http_kafka_template_records(r, ctx);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_kafka_protocol_raw_arguments(r, ctx);
    if (rc != NGX_OK) {
        return rc;
    }

    return (method == NGX_DONE) ? NGX_DONE
                                : ngx_http_kafka_protocol_raw_length(r, ctx);
}


static ngx_int_t
ngx_http_kafka_protocol_raw_path(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx)
{
    ngx_int_t                   rc;
    ngx_http_kafka_route_t      route;
    ngx_http_kafka_loc_conf_t  *klcf;

    klcf = ngx_http_get_module_loc_conf(r, ngx_http_kafka_module);

    if (klcf->topic) {
        return ngx_http_kafka_template_topic(r, ctx);
    }

    rc = ngx_http_kafka_route(r, ctx->batch->pool, &route);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc != NGX_OK) {
        return ngx_http_kafka_refuse(ctx, rc, route.error);
    }

    switch (route.form) {

    case NGX_HTTP_KAFKA_ROUTE_TOPIC:
        ctx->topic = route.topic;
        return NGX_OK;

    case NGX_HTTP_KAFKA_ROUTE_MESSAGE:
        return ngx_http_kafka_refuse(ctx, NGX_HTTP_NOT_FOUND,
                           "no such route: the path must end after the topic");

    default: /* NGX_HTTP_KAFKA_ROUTE_ANY */
        return ngx_http_kafka_refuse(ctx, NGX_HTTP_NOT_FOUND,
                           "no such route: a topic must follow the "
                           "location's name");
    }
}


/* returns the codes of begin(): NGX_DONE for DELETE, whose body is ignored */

static ngx_int_t
ngx_http_kafka_protocol_raw_method(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx)
{
    switch (r->method) {

    case NGX_HTTP_POST:
    case NGX_HTTP_PUT:
        return NGX_OK;

    case NGX_HTTP_DELETE:
        return NGX_DONE;

    default:
        return ngx_http_kafka_refuse_method(ctx, "POST, PUT, DELETE");
    }
}


static ngx_int_t
ngx_http_kafka_protocol_raw_arguments(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx)
{
    ngx_int_t                       rc, n;
    ngx_str_t                       text;
    ngx_http_kafka_protocol_raw_t  *raw;

    raw = ctx->protocol_data;

    rc = ngx_http_kafka_route_argument(r, ctx->batch->pool, "key", &raw->key);

    if (rc == NGX_OK) {
        rc = ngx_http_kafka_route_argument(r, r->pool, "partition", &text);
    }

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc != NGX_OK) {
        return ngx_http_kafka_refuse(ctx, rc,
                           "the argument \"key\" or \"partition\" has a \"%\" "
                           "without two hexadecimal digits");
    }

    if (r->method == NGX_HTTP_DELETE) {
        rc = ngx_http_kafka_protocol_raw_tombstone(ctx);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    raw->partition = RD_KAFKA_PARTITION_UA;

    if (text.data == NULL) {
        return NGX_OK;
    }

    n = ngx_http_kafka_partition_number(&text);

    if (n == NGX_ERROR) {
        return ngx_http_kafka_refuse(ctx, NGX_HTTP_BAD_REQUEST,
                           "the argument \"partition\" must be an integer "
                           "from 0 to 2147483647");
    }

    raw->partition = (int32_t) n;

    return NGX_OK;
}


/* refuses a tombstone without a key */

static ngx_int_t
ngx_http_kafka_protocol_raw_tombstone(ngx_http_kafka_ctx_t *ctx)
{
    ngx_http_kafka_batch_t         *batch;
    ngx_http_kafka_protocol_raw_t  *raw;

    raw = ctx->protocol_data;
    batch = ctx->batch;

    if (batch->key.data) {
        return NGX_OK;
    }

    if (batch->force_key) {
        return ngx_http_kafka_refuse(ctx, NGX_HTTP_BAD_REQUEST,
                           "DELETE produces a tombstone, which needs a key, "
                           "and the server's \"kafka_key\" gives none for "
                           "this request: nothing was sent");
    }

    if (raw->key.data) {
        return NGX_OK;
    }

    return ngx_http_kafka_refuse(ctx, NGX_HTTP_BAD_REQUEST,
                       "DELETE produces a tombstone, which needs the "
                       "argument \"key\"");
}


static ngx_int_t
ngx_http_kafka_protocol_raw_length(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx)
{
    /* a subrequest of njs has a length without a header */

    if (r->http_version < NGX_HTTP_VERSION_20
        && r->headers_in.content_length_n < 0
        && !r->headers_in.chunked)
    {
        return ngx_http_kafka_refuse(ctx, NGX_HTTP_LENGTH_REQUIRED,
                           "the request needs a \"Content-Length\" or the "
                           "chunked transfer coding");
    }

    if (r->headers_in.content_length_n
        > (off_t) ctx->producer->conf->message_max)
    {
        return ngx_http_kafka_protocol_raw_large(ctx);
    }

    if (ngx_http_kafka_body_lost(r)) {
        return ngx_http_kafka_refuse(ctx, NGX_HTTP_INTERNAL_SERVER_ERROR,
                           "the request body was discarded before the request "
                           "came to this location: nothing was sent");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_kafka_protocol_raw_large(ngx_http_kafka_ctx_t *ctx)
{
    return ngx_http_kafka_refuse(ctx, NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                       "the body is larger than the producer's "
                       "\"message.max.bytes\": nothing was sent");
}


static ngx_int_t
ngx_http_kafka_protocol_raw_start(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx)
{
    off_t                           n;
    ngx_http_kafka_protocol_raw_t  *raw;

    if (r->method == NGX_HTTP_DELETE) {
        return ngx_http_kafka_protocol_raw_record(ctx);
    }

    raw = ctx->protocol_data;
    n = r->headers_in.content_length_n;

    if (n < 0) {
        return NGX_OK;
    }

    raw->value.data = ngx_pnalloc(ctx->batch->pool, ngx_max(n, 1));
    if (raw->value.data == NULL) {
        return NGX_ERROR;
    }

    raw->value.len = (size_t) n;
    raw->known = 1;

    return NGX_OK;
}


static ngx_int_t
ngx_http_kafka_protocol_raw_feed(ngx_http_kafka_ctx_t *ctx, u_char *data,
    size_t len)
{
    size_t                          max;
    ngx_http_kafka_protocol_raw_t  *raw;

    raw = ctx->protocol_data;
    max = raw->known ? raw->value.len : ctx->producer->conf->message_max;

    if (len > max - raw->received) {
        (void) ngx_http_kafka_protocol_raw_large(ctx);
        return NGX_DECLINED;
    }

    if (len == 0) {

        /* the last buffer of a body has no data, and may have no address */

        return NGX_OK;
    }

    if (raw->known) {
        ngx_memcpy(raw->value.data + raw->received, data, len);

    } else if (ngx_http_kafka_protocol_raw_append(ctx->batch, raw, data, len)
               != NGX_OK)
    {
        return NGX_ERROR;
    }

    raw->received += len;
    ngx_http_kafka_batch_hold(ctx->batch, len);

    return NGX_OK;
}


static ngx_int_t
ngx_http_kafka_protocol_raw_append(ngx_http_kafka_batch_t *batch,
    ngx_http_kafka_protocol_raw_t *raw, u_char *data, size_t len)
{
    size_t      n;
    ngx_buf_t  *b;

    while (len) {

        if ((raw->last == NULL || raw->last->buf->last == raw->last->buf->end)
            && ngx_http_kafka_protocol_raw_grow(batch, raw) != NGX_OK)
        {
            return NGX_ERROR;
        }

        b = raw->last->buf;
        n = ngx_min(len, (size_t) (b->end - b->last));

        b->last = ngx_cpymem(b->last, data, n);
        data += n;
        len -= n;
    }

    return NGX_OK;
}


/* adds a buffer as large as the body so far, so that there are few of them */

static ngx_int_t
ngx_http_kafka_protocol_raw_grow(ngx_http_kafka_batch_t *batch,
    ngx_http_kafka_protocol_raw_t *raw)
{
    size_t        size;
    ngx_chain_t  *cl;

    size = ngx_max(raw->received, NGX_HTTP_KAFKA_PROTOCOL_RAW_MIN);
    size = ngx_min(size, NGX_HTTP_KAFKA_PROTOCOL_RAW_MAX);

    cl = ngx_alloc_chain_link(batch->pool);
    if (cl == NULL) {
        return NGX_ERROR;
    }

    cl->buf = ngx_create_temp_buf(batch->pool, size);
    if (cl->buf == NULL) {
        return NGX_ERROR;
    }

    cl->next = NULL;

    if (raw->last) {
        raw->last->next = cl;

    } else {
        raw->first = cl;
    }

    raw->last = cl;

    return NGX_OK;
}


static ngx_int_t
ngx_http_kafka_protocol_raw_end(ngx_http_kafka_ctx_t *ctx)
{
    ngx_http_kafka_protocol_raw_t  *raw;

    raw = ctx->protocol_data;

    if (raw->known && raw->received != raw->value.len) {
        (void) ngx_http_kafka_refuse(ctx, NGX_HTTP_INTERNAL_SERVER_ERROR,
                           "the request body is incomplete: nothing was sent");
        return NGX_DECLINED;
    }

    if (!raw->known
        && ngx_http_kafka_protocol_raw_join(ctx->batch, raw) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_kafka_protocol_raw_record(ctx);
}


/* copies the buffers into one value, and frees them */

static ngx_int_t
ngx_http_kafka_protocol_raw_join(ngx_http_kafka_batch_t *batch,
    ngx_http_kafka_protocol_raw_t *raw)
{
    u_char       *p;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    p = ngx_pnalloc(batch->pool, ngx_max(raw->received, 1));
    if (p == NULL) {
        return NGX_ERROR;
    }

    raw->value.data = p;
    raw->value.len = raw->received;

    for (cl = raw->first; cl; cl = cl->next) {
        b = cl->buf;
        p = ngx_cpymem(p, b->pos, b->last - b->pos);

        /* a small buffer stays in the pool until the pool's end */

        (void) ngx_pfree(batch->pool, b->start);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_kafka_protocol_raw_record(ngx_http_kafka_ctx_t *ctx)
{
    ngx_http_kafka_batch_t         *batch;
    ngx_http_kafka_record_t        *record;
    ngx_http_kafka_protocol_raw_t  *raw;

    raw = ctx->protocol_data;
    batch = ctx->batch;

    record = ngx_http_kafka_batch_record(batch);
    if (record == NULL) {
        return NGX_ERROR;
    }

    /* the name is valid: begin() has checked it */

    if (ngx_http_kafka_batch_target(batch, &ctx->topic, &record->target)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    record->key = raw->key;
    record->value = raw->value;
    record->partition = raw->partition;

    if (raw->value.data
        && ngx_http_kafka_protocol_raw_type(ctx, record) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_kafka_batch_hold(batch, record->key.len);
    ngx_http_kafka_batch_add(batch, record);

    return NGX_OK;
}


/* adds the record header "content-type" */

static ngx_int_t
ngx_http_kafka_protocol_raw_type(ngx_http_kafka_ctx_t *ctx,
    ngx_http_kafka_record_t *record)
{
    ngx_table_elt_t          *type;
    ngx_http_kafka_header_t  *header;

    type = ctx->request->headers_in.content_type;

    if (type == NULL || type->value.len == 0) {
        return NGX_OK;
    }

    header = ngx_http_kafka_batch_header(ctx->batch);
    if (header == NULL) {
        return NGX_ERROR;
    }

    ngx_str_set(&header->key, "content-type");
    record->headers = header;

    return ngx_http_kafka_batch_copy(ctx->batch, &header->value,
                                     type->value.data, type->value.len);
}


static ngx_uint_t
ngx_http_kafka_protocol_raw_result(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx)
{
    return ngx_http_kafka_json_response(r->pool, ctx->batch, 1, &ctx->room,
                                        &ctx->text, &ctx->body);
}
