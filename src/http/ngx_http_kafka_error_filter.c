
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_error_filter.h>
#include <ngx_http_kafka_answer.h>
#include <ngx_http_kafka_refusal.h>


static ngx_int_t ngx_http_kafka_header_filter(ngx_http_request_t *r);
static ngx_int_t ngx_http_kafka_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;
static ngx_http_output_body_filter_pt    ngx_http_next_body_filter;


ngx_int_t
ngx_http_kafka_error_filter_init(ngx_conf_t *cf)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_kafka_header_filter;

    ngx_http_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_http_kafka_body_filter;

    return NGX_OK;
}


/* nginx sets r->err_status when it sends a built-in error page */

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

        ctx->protocol = klcf->protocol;

        ngx_http_set_ctx(r, ctx, ngx_http_kafka_module);
    }

    /* the status can differ from ctx->status, if an error_page has failed */

    if (ngx_http_kafka_refusal_body(r, r->headers_out.status, ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    ctx->replace = 1;

    /* nginx closes the connection after a 400, but this body was read fully */

    if (ctx->keepalive) {
        r->keepalive = 1;
    }

    r->headers_out.content_type = ctx->protocol->type;
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;
    r->headers_out.content_length_n = ctx->body.len;

    return ngx_http_next_header_filter(r);
}


static ngx_int_t
ngx_http_kafka_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
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

    if (ctx->body.len == 0) {
        return NGX_OK;
    }

    if (ngx_http_kafka_answer_body(r, &ctx->body, &out) != NGX_OK) {
        return NGX_ERROR;
    }

    ctx->body.len = 0;

    return ngx_http_next_body_filter(r, &out);
}
