
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_body.h>
#include <ngx_http_kafka_admission.h>
#include <ngx_http_kafka_refusal.h>


/* bytes of one body to process before other events get their turn */
#define NGX_HTTP_KAFKA_BODY_TURN  (128 * 1024)

/* bytes in one read from a file */
#define NGX_HTTP_KAFKA_BODY_READ  4096


static ngx_uint_t ngx_http_kafka_body_partial(ngx_http_request_t *r);
static ngx_uint_t ngx_http_kafka_body_kept(ngx_http_request_t *r);
static void ngx_http_kafka_body_start(ngx_http_request_t *r);
static void ngx_http_kafka_body_pump(ngx_http_request_t *r);
static ngx_int_t ngx_http_kafka_body_feed_chain(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx);
static void ngx_http_kafka_body_event_handler(ngx_event_t *ev);
static void ngx_http_kafka_body_buffered(ngx_http_request_t *r);
static ngx_int_t ngx_http_kafka_body_feed_buffered(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx);
static ngx_int_t ngx_http_kafka_body_feed_buf(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx, ngx_buf_t *b, size_t *size);
static ngx_int_t ngx_http_kafka_body_feed(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx, u_char *data, size_t len);
static ngx_int_t ngx_http_kafka_body_fed(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx, ngx_int_t rc);
static void ngx_http_kafka_body_end(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx);


ngx_int_t
ngx_http_kafka_body_read(ngx_http_request_t *r, ngx_http_kafka_ctx_t *ctx,
    ngx_http_kafka_body_handler_pt handler)
{
    ngx_int_t  rc;

    if (r->request_body && r->request_body_no_buffering) {

        /* an unbuffered proxy has already passed on some or all of the body */

        return ngx_http_kafka_refuse(ctx, NGX_HTTP_INTERNAL_SERVER_ERROR,
                        "the request body was passed on before the request "
                        "came to this location: nothing was sent");
    }

    if (ngx_http_kafka_body_partial(r)) {
        return ngx_http_kafka_refuse(ctx, NGX_HTTP_INTERNAL_SERVER_ERROR,
                        "the request body was read only in part before the "
                        "request came to this location: nothing was sent");
    }

    ctx->body_handler = handler;

    r->request_body_no_buffering = !ngx_http_kafka_body_kept(r);

    rc = ngx_http_read_client_request_body(r, ngx_http_kafka_body_start);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    return NGX_DONE;
}


ngx_uint_t
ngx_http_kafka_body_lost(ngx_http_request_t *r)
{
    ngx_table_elt_t          *h;
    ngx_http_request_body_t  *rb;

    rb = r->request_body;

    if (rb && (rb->post_handler || rb->bufs)) {
        return 0;
    }

    /* if nginx discards a chunked body, r->request_body has no handler */

    if (r->discard_body || (rb && r->headers_in.chunked)) {
        return 1;
    }

#if (NGX_HTTP_V2)

    if (r->stream && r->stream->skip_data) {
        return 1;
    }

#endif

    h = r->headers_in.content_length;

    if (r != r->main) {
        return (h && ngx_atoof(h->value.data, h->value.len) != 0)
               || r->headers_in.chunked;
    }

    return h && ngx_atoof(h->value.data, h->value.len)
                != r->headers_in.content_length_n;
}


void
ngx_http_kafka_body_close(ngx_http_kafka_ctx_t *ctx)
{
    if (ctx->event.posted) {
        ngx_delete_posted_event(&ctx->event);
    }
}


/*
 * Returns 1 if nginx stopped reading the body at an error: the body was too
 * large or had an invalid chunk, and an error_page passed the request on.  The
 * remaining length is -1 before the first read, and stays so without a body.
 */

static ngx_uint_t
ngx_http_kafka_body_partial(ngx_http_request_t *r)
{
    ngx_http_request_body_t  *rb;

    rb = r->request_body;

    return rb && (rb->rest > 0 || (rb->rest < 0 && r->headers_in.chunked));
}


/*
 * Returns 1 if nginx must read the whole body into memory first.  The location
 * of an error_page can then read the body, too.
 */

static ngx_uint_t
ngx_http_kafka_body_kept(ngx_http_request_t *r)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    return clcf->error_pages && !clcf->client_body_in_file_only
           && r->headers_in.content_length_n >= 0
           && r->headers_in.content_length_n
              <= (off_t) clcf->client_body_buffer_size;
}


static void
ngx_http_kafka_body_start(ngx_http_request_t *r)
{
    ngx_http_kafka_ctx_t  *ctx;

    /*
     * nginx clears the flag if the body has been read before (in a subrequest,
     * or before a redirect), or if the whole body has come with the header
     */

    if (r->request_body_no_buffering) {
        r->read_event_handler = ngx_http_kafka_body_pump;
        ngx_http_kafka_body_pump(r);
        return;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_kafka_module);

    /*
     * a subrequest may have no body, and the body may have been discarded
     * before a redirect
     */

    ctx->buffered = r->request_body ? r->request_body->bufs : NULL;

    ctx->event.handler = ngx_http_kafka_body_event_handler;
    ctx->event.data = r;
    ctx->event.log = r->connection->log;

    ngx_http_kafka_body_buffered(r);
}


static void
ngx_http_kafka_body_pump(ngx_http_request_t *r)
{
    off_t                  until;
    ngx_int_t              rc;
    ngx_http_kafka_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_kafka_module);

    until = r->request_length + NGX_HTTP_KAFKA_BODY_TURN;

    for ( ;; ) {
        rc = ngx_http_kafka_body_feed_chain(r, ctx);

        if (rc != NGX_OK) {
            break;
        }

        if (!r->reading_body) {
            ngx_http_kafka_body_end(r, ctx);
            return;
        }

        if (r->request_length > until) {

            /* a fast client must not delay other connections */

            ngx_post_event(r->connection->read, &ngx_posted_next_events);
            return;
        }

        rc = ngx_http_read_unbuffered_request_body(r);

        if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
            break;
        }

        /* NGX_AGAIN with data means a full buffer: there may be more data */

        if (rc == NGX_AGAIN && r->request_body->bufs == NULL) {
            return;
        }
    }

    ctx->body_handler(r, rc);
}


/* feeds the buffers that have arrived, and releases them */

static ngx_int_t
ngx_http_kafka_body_feed_chain(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx)
{
    ngx_int_t     rc;
    ngx_buf_t    *b;
    ngx_chain_t  *cl, *next;

    cl = r->request_body->bufs;
    r->request_body->bufs = NULL;

    for ( /* void */ ; cl; cl = next) {
        next = cl->next;
        b = cl->buf;

        rc = ngx_http_kafka_body_feed(r, ctx, b->pos, b->last - b->pos);

        if (rc != NGX_OK) {
            return rc;
        }

        b->pos = b->last;
        ngx_free_chain(r->pool, cl);
    }

    return ngx_http_kafka_admission_memory(r, ctx, 0);
}


static void
ngx_http_kafka_body_event_handler(ngx_event_t *ev)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = ev->data;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    ngx_http_kafka_body_buffered(r);

    ngx_http_run_posted_requests(c);
}


/* feeds a body that nginx has read completely, into memory or a file */

static void
ngx_http_kafka_body_buffered(ngx_http_request_t *r)
{
    ngx_int_t              rc;
    ngx_http_kafka_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_kafka_module);

    rc = ngx_http_kafka_body_feed_buffered(r, ctx);

    if (rc != NGX_OK) {
        ctx->body_handler(r, rc);
        return;
    }

    if (ctx->buffered) {
        ngx_post_event(&ctx->event, &ngx_posted_next_events);
        return;
    }

    ngx_http_kafka_body_end(r, ctx);
}


static ngx_int_t
ngx_http_kafka_body_feed_buffered(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx)
{
    size_t      left;
    ngx_int_t   rc;
    ngx_buf_t  *b;

    left = NGX_HTTP_KAFKA_BODY_TURN;

    while (ctx->buffered && left) {
        b = ctx->buffered->buf;

        rc = ngx_http_kafka_body_feed_buf(r, ctx, b, &left);

        if (rc != NGX_OK) {
            return rc;
        }

        if (ctx->offset == ngx_buf_size(b)) {
            ctx->buffered = ctx->buffered->next;
            ctx->offset = 0;
        }
    }

    return ngx_http_kafka_admission_memory(r, ctx, 0);
}


/*
 * Feeds at most *left bytes of the buffer, and subtracts their number from
 * *left.  Reading a file rarely blocks: nginx has usually just written the
 * file, so that it is in the page cache.
 */

static ngx_int_t
ngx_http_kafka_body_feed_buf(ngx_http_request_t *r, ngx_http_kafka_ctx_t *ctx,
    ngx_buf_t *b, size_t *left)
{
    off_t    size;
    u_char  *p, data[NGX_HTTP_KAFKA_BODY_READ];
    ssize_t  n;

    size = ngx_min(ngx_buf_size(b) - ctx->offset, (off_t) *left);

    if (ngx_buf_in_memory(b)) {
        p = b->pos + ctx->offset;
        n = (ssize_t) size;

    } else {
        size = ngx_min(size, (off_t) sizeof(data));

        p = data;
        n = size ? ngx_read_file(b->file, data, (size_t) size,
                                 b->file_pos + ctx->offset)
                 : 0;

        if (n < 0 || (n == 0 && size)) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    ctx->offset += n;
    *left -= n;

    return ngx_http_kafka_body_feed(r, ctx, p, n);
}


static ngx_int_t
ngx_http_kafka_body_feed(ngx_http_request_t *r, ngx_http_kafka_ctx_t *ctx,
    u_char *data, size_t len)
{
    ngx_int_t  rc;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "kafka: batch %p: body piece of %uz bytes", ctx->batch,
                   len);

    rc = ctx->protocol->feed(ctx, data, len);

    return (rc == NGX_OK) ? NGX_OK : ngx_http_kafka_body_fed(r, ctx, rc);
}


/* returns the HTTP status for an error of the protocol */

static ngx_int_t
ngx_http_kafka_body_fed(ngx_http_request_t *r, ngx_http_kafka_ctx_t *ctx,
    ngx_int_t rc)
{
    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "kafka: client sent an invalid body: %V", &ctx->text);

    return ctx->status;
}


static void
ngx_http_kafka_body_end(ngx_http_request_t *r, ngx_http_kafka_ctx_t *ctx)
{
    ngx_int_t  rc;

    rc = ctx->protocol->end(ctx);

    if (rc != NGX_OK) {
        rc = ngx_http_kafka_body_fed(r, ctx, rc);
    }

    ctx->body_handler(r, rc);
}
