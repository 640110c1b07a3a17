
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_answer.h>
#include <ngx_http_kafka_cache_filter_module.h>
#include <ngx_http_kafka_headers.h>
#include <ngx_http_kafka_refusal.h>


#define NGX_HTTP_KAFKA_ANSWER_RETRY_AFTER  "1"


static void ngx_http_kafka_answer_fail(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx);
static ngx_uint_t ngx_http_kafka_answer_error_page(ngx_http_request_t *r,
    ngx_int_t status);
static ngx_int_t ngx_http_kafka_answer_send(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx, ngx_uint_t status);


/* header lines that the module adds to an error */
static const char  *ngx_http_kafka_answer_headers[] = {
    "Allow",
    "Accept-Encoding",
    "Retry-After",
    NULL
};


/*
 * nginx handles the status of an error: by an error_page, or by a page of its
 * own, which the filter replaces.  Some errors are sent from here instead.
 */

ngx_int_t
ngx_http_kafka_answer(ngx_http_request_t *r, ngx_http_kafka_ctx_t *ctx,
    ngx_int_t rc)
{
    ngx_uint_t  send, consumed;

    if (rc == NGX_HTTP_OK) {
        return ngx_http_kafka_answer_send(r, ctx, rc);
    }

    if (rc < NGX_HTTP_BAD_REQUEST) {
        return rc;
    }

    if (ctx->status == (ngx_uint_t) rc) {
        ngx_http_kafka_answer_fail(r, ctx);
    }

    if (ngx_http_kafka_answer_error_page(r, rc)) {

        /*
         * the other location would hide the results, or would not have the
         * body
         */

        consumed = r->request_body && r->request_body_no_buffering;
        send = ctx->results || consumed;

    } else {

        /* a subrequest's owner may be called before nginx makes its page */
        send = (r != r->main && ctx->status);
    }

    if (!send || ngx_http_kafka_refusal_body(r, rc, ctx) != NGX_OK) {
        return rc;
    }

    return ngx_http_kafka_answer_send(r, ctx, rc);
}


/* an error of the module's own */

static void
ngx_http_kafka_answer_fail(ngx_http_request_t *r, ngx_http_kafka_ctx_t *ctx)
{
    r->read_event_handler = ngx_http_block_reading;

    if (r != r->main) {

        /* nobody sees the response to a mirror subrequest */

        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "kafka: a subrequest ended with %ui: %V", ctx->status,
                      &ctx->text);
    }

    if (r->request_body ? !r->reading_body
                        : r->headers_in.content_length_n <= 0
                          && !r->headers_in.chunked)
    {
        ctx->keepalive = r->keepalive;
    }

    if (ctx->status == NGX_HTTP_SERVICE_UNAVAILABLE) {

        /* left out when memory is out: the status must not change now */

        (void) ngx_http_kafka_headers_add(r, "Retry-After",
                                          NGX_HTTP_KAFKA_ANSWER_RETRY_AFTER);
    }
}


/* returns 1 if nginx would find one: see ngx_http_special_response_handler() */

static ngx_uint_t
ngx_http_kafka_answer_error_page(ngx_http_request_t *r, ngx_int_t status)
{
    ngx_uint_t                 i;
    ngx_http_err_page_t       *page;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (r->error_page || clcf->error_pages == NULL || r->uri_changes == 0) {
        return 0;
    }

    page = clcf->error_pages->elts;

    for (i = 0; i < clcf->error_pages->nelts; i++) {
        if (page[i].status == status) {
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_http_kafka_answer_send(ngx_http_request_t *r, ngx_http_kafka_ctx_t *ctx,
    ngx_uint_t status)
{
    ngx_int_t    rc;
    ngx_str_t    type;
    ngx_chain_t  out;

    type = ctx->protocol->type;

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    if (r->reading_body) {

        /* nginx will read the rest, and close the connection */

        r->keepalive = 0;
    }

    /* If-Match and the like must not hide that the records are in Kafka */
    r->disable_not_modified = 1;

    /* Lua reads a subrequest's headers before any filter */

    if (r != r->main && ngx_http_kafka_cache_filter_forbid(r) != NGX_OK) {

        /* the outcome cannot be reported otherwise */

        return NGX_ERROR;
    }

    rc = ngx_http_kafka_headers_send(r, status, &type, ctx->body.len);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    if (ngx_http_kafka_answer_body(r, &ctx->body, &out) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_output_filter(r, &out);
}


ngx_int_t
ngx_http_kafka_answer_body(ngx_http_request_t *r, ngx_str_t *body,
    ngx_chain_t *out)
{
    ngx_buf_t  *b;

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->memory = 1;
    b->pos = body->data;
    b->last = body->data + body->len;
    b->last_buf = (r == r->main);
    b->last_in_chain = 1;

    out->buf = b;
    out->next = NULL;

    return NGX_OK;
}


/* an error_page of another produce location may have led here */

void
ngx_http_kafka_answer_clear_headers(ngx_http_request_t *r)
{
    const char       **name;
    ngx_table_elt_t   *h;

    for (name = ngx_http_kafka_answer_headers; *name; name++) {
        h = NULL;

        while ((h = ngx_http_kafka_headers_find(&r->headers_out.headers,
                                                *name, h)))
        {
            h->hash = 0;
        }
    }
}
