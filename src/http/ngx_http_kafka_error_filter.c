
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_error_filter.h>
#include <ngx_http_kafka_module.h>
#include <ngx_http_kafka_response.h>


typedef struct {
    ngx_uint_t                   status;
    ngx_str_t                    text;
} ngx_http_kafka_error_text_t;


static ngx_int_t ngx_http_kafka_header_filter(ngx_http_request_t *r);
static ngx_int_t ngx_http_kafka_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;
static ngx_http_output_body_filter_pt    ngx_http_next_body_filter;


static ngx_http_kafka_error_text_t  ngx_http_kafka_error_texts[] = {
    { NGX_HTTP_BAD_REQUEST, ngx_string("bad request") },
    { NGX_HTTP_UNAUTHORIZED, ngx_string("credentials are missing or wrong") },
    { NGX_HTTP_FORBIDDEN, ngx_string("access is forbidden") },
    { NGX_HTTP_NOT_FOUND, ngx_string("not found") },
    { NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
      ngx_string("the request body is larger than this server takes") },
    { NGX_HTTP_TOO_MANY_REQUESTS,
      ngx_string("too many requests: slow down") },
    { NGX_HTTP_SERVICE_UNAVAILABLE,
      ngx_string("the service is not available") },
    { 0, ngx_string("the request failed") }
};


ngx_int_t
ngx_http_kafka_error_filter_init(ngx_conf_t *cf)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_kafka_header_filter;

    ngx_http_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_http_kafka_body_filter;

    return NGX_OK;
}


/* err_status is set where nginx is about to send a page of its own */

static ngx_int_t
ngx_http_kafka_header_filter(ngx_http_request_t *r)
{
    ngx_http_kafka_ctx_t       *ctx;
    ngx_http_kafka_loc_conf_t  *klcf;

    klcf = ngx_http_get_module_loc_conf(r, ngx_http_kafka_module);

    if (klcf->producer == NULL || r->err_status < NGX_HTTP_BAD_REQUEST) {
        return ngx_http_next_header_filter(r);
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_kafka_module);

    if (ctx == NULL) {
        ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_kafka_ctx_t));
        if (ctx == NULL) {
            return NGX_ERROR;
        }

        ngx_http_set_ctx(r, ctx, ngx_http_kafka_module);
    }

    /* nginx can make it another error, if an error_page leads nowhere */

    if ((ctx->error.len == 0 || ctx->error_status != r->headers_out.status)
        && ngx_http_kafka_error_filter_error(r, r->headers_out.status, ctx)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    ctx->replace = 1;

    /* nginx closes after a 400, but this body was read to its end */

    if (ctx->keepalive) {
        r->keepalive = 1;
    }

    ngx_str_set(&r->headers_out.content_type, "application/json");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;
    r->headers_out.content_length_n = ctx->error.len;

    return ngx_http_next_header_filter(r);
}


static ngx_int_t
ngx_http_kafka_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_buf_t             *b;
    ngx_chain_t            out, *cl;
    ngx_http_kafka_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_kafka_module);

    if (ctx == NULL || !ctx->replace || in == NULL) {
        return ngx_http_next_body_filter(r, in);
    }

    for (cl = in; cl; cl = cl->next) {
        cl->buf->pos = cl->buf->last;
        cl->buf->file_pos = cl->buf->file_last;
    }

    if (ctx->error.len == 0) {
        return NGX_OK;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->memory = 1;
    b->pos = ctx->error.data;
    b->last = ctx->error.data + ctx->error.len;
    b->last_buf = (r == r->main);
    b->last_in_chain = 1;

    ctx->error.len = 0;

    out.buf = b;
    out.next = NULL;

    return ngx_http_next_body_filter(r, &out);
}


ngx_int_t
ngx_http_kafka_error_filter_error(ngx_http_request_t *r, ngx_uint_t status,
    ngx_http_kafka_ctx_t *ctx)
{
    ngx_http_kafka_error_text_t  *text;

    for (text = ngx_http_kafka_error_texts; text->status; text++) {
        if (text->status == status) {
            break;
        }
    }

    ctx->error_status = status;

    return ngx_http_kafka_response_error(r->pool, status, &text->text,
                                         &ctx->error);
}
