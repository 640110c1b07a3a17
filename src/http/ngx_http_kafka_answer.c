
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


/* headers that the module adds to error responses */
static const char  *ngx_http_kafka_answer_headers[] = {
    "Allow",
    "Accept-Encoding",
    "Retry-After",
    NULL
};


/*
 * nginx answers most errors: with an error_page, or with a built-in page, whose
 * body the error filter replaces.  This function sends the other errors itself.
 */

ngx_int_t
ngx_http_kafka_answer(ngx_http_request_t *r, ngx_http_kafka_ctx_t *ctx,
    ngx_int_t rc)
{
    ngx_uint_t  send, consumed;

    if (rc == NGX_HTTP_NO_CONTENT) {
        ctx->body.len = 0;
    }

    if (rc == NGX_HTTP_OK || rc == NGX_HTTP_NO_CONTENT) {
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
         * The location of the error_page would hide the results, or could not
         * read the body, because the protocol has already consumed it.
         */

        consumed = r->request_body && r->request_body_no_buffering;
        send = ctx->results || consumed;

    } else {

        /*
         * nginx calls a subrequest's handler, such as that of Lua's capture,
         * before it creates the error page
         */
        send = (r != r->main && ctx->status);
    }

    if (!send || ngx_http_kafka_refusal_body(r, rc, ctx) != NGX_OK) {
        return rc;
    }

    return ngx_http_kafka_answer_send(r, ctx, rc);
}


/* prepares the response to an error of the module itself */

static void
ngx_http_kafka_answer_fail(ngx_http_request_t *r, ngx_http_kafka_ctx_t *ctx)
{
    r->read_event_handler = ngx_http_block_reading;

    if (r != r->main) {

        /* log the error: nginx discards the response to a mirror subrequest */

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

        /* omitted when memory is out: the status must not change now */

        (void) ngx_http_kafka_headers_add(r, "Retry-After",
                                          NGX_HTTP_KAFKA_ANSWER_RETRY_AFTER);
    }
}


/*
 * Returns 1 if nginx would find an error_page for this status.  The conditions
 * are those of ngx_http_special_response_handler().
 */

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

        /* nginx reads the rest of the body and closes the connection */

        r->keepalive = 0;
    }

    /* If-Match and the like must not hide that the records are in Kafka */
    r->disable_not_modified = 1;

    /* Lua's capture stops a subrequest's headers before the cache filter */

    if (r != r->main && ngx_http_kafka_cache_filter_forbid(r) != NGX_OK) {

        /*
         * close the connection: another status would be wrong about records
         * that may be in Kafka
         */

        return NGX_ERROR;
    }

    rc = ngx_http_kafka_headers_send(r, status, &type, ctx->body.len);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only
        || ctx->body.len == 0)
    {
        return rc;
    }

    if (ngx_http_kafka_answer_body(r, &ctx->body, &out) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_output_filter(r, &out);
}


ngx_uint_t
ngx_http_kafka_answer_minimal(ngx_http_request_t *r)
{
    ngx_http_kafka_loc_conf_t  *klcf;

    klcf = ngx_http_get_module_loc_conf(r, ngx_http_kafka_module);

    if (klcf->response == NGX_HTTP_KAFKA_RESPONSE_MINIMAL) {
        return 1;
    }

    return ngx_http_kafka_headers_prefer(r, "return", "minimal")
           && ngx_http_kafka_headers_add(r, "Preference-Applied",
                                         "return=minimal")
              != NULL;
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


/* an error_page of another produce location may have redirected the request */

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
