
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_handler.h>
#include <ngx_http_kafka_error_filter.h>
#include <ngx_http_kafka_cache.h>
#include <ngx_http_kafka_headers.h>
#include <ngx_http_kafka_held.h>
#include <ngx_http_kafka_module.h>
#include <ngx_http_kafka_response.h>
#include <ngx_http_kafka_variables.h>


#define NGX_HTTP_KAFKA_RETRY_AFTER  "1"

/* bytes of a body, before the loop's other events have their turn */
#define NGX_HTTP_KAFKA_READ_TURN    (128 * 1024)


static ngx_int_t ngx_http_kafka_handler_start(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx);
static ngx_http_kafka_ctx_t *ngx_http_kafka_handler_ctx(ngx_http_request_t *r);
static void ngx_http_kafka_handler_forget(ngx_http_request_t *r);
static ngx_int_t ngx_http_kafka_handler_method(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx);
static ngx_int_t ngx_http_kafka_handler_encoding(ngx_http_request_t *r);
static ngx_uint_t ngx_http_kafka_handler_identity(ngx_str_t *codings);

static ngx_int_t ngx_http_kafka_handler_memory(ngx_http_request_t *r,
    off_t more);
static ngx_int_t ngx_http_kafka_handler_message(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx);
static ngx_http_kafka_target_t *ngx_http_kafka_handler_target(
    ngx_http_kafka_ctx_t *ctx);
static ngx_int_t ngx_http_kafka_handler_body(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx);
static ngx_uint_t ngx_http_kafka_handler_keep_body(ngx_http_request_t *r);
static void ngx_http_kafka_handler_body_start(ngx_http_request_t *r);
static void ngx_http_kafka_handler_read(ngx_http_request_t *r);
static ngx_int_t ngx_http_kafka_handler_parse(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx);
static ngx_int_t ngx_http_kafka_handler_parse_buf(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx, ngx_buf_t *b);
static ngx_int_t ngx_http_kafka_handler_parsed(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx, ngx_int_t rc);
static ngx_int_t ngx_http_kafka_handler_body_end(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx);

static ngx_int_t ngx_http_kafka_handler_send(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx);
static ngx_int_t ngx_http_kafka_handler_room(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx);
static void ngx_http_kafka_handler_done(ngx_http_kafka_batch_t *batch);
static ngx_int_t ngx_http_kafka_handler_answer(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx);
static ngx_int_t ngx_http_kafka_handler_end(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx, ngx_int_t rc);
static ngx_uint_t ngx_http_kafka_handler_error_page(ngx_http_request_t *r,
    ngx_int_t status);
static ngx_int_t ngx_http_kafka_handler_send_response(ngx_http_request_t *r,
    ngx_uint_t status, ngx_str_t *body);
static ngx_int_t ngx_http_kafka_handler_refuse(ngx_http_request_t *r,
    ngx_uint_t status, const char *text);
static ngx_int_t ngx_http_kafka_handler_fail(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx, ngx_uint_t status);


static ngx_str_t  ngx_http_kafka_handler_type = ngx_string("application/json");


/* what the module adds to the headers of an error */
static const char  *ngx_http_kafka_handler_headers[] = {
    "Allow",
    "Accept-Encoding",
    "Retry-After",
    NULL
};


ngx_int_t
ngx_http_kafka_handler(ngx_http_request_t *r)
{
    ngx_int_t              rc;
    ngx_http_kafka_ctx_t  *ctx;

    ctx = ngx_http_kafka_handler_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_kafka_handler_start(r, ctx);

    return ngx_http_kafka_handler_end(r, ctx, rc);
}


static ngx_int_t
ngx_http_kafka_handler_start(ngx_http_request_t *r, ngx_http_kafka_ctx_t *ctx)
{
    ngx_int_t                  rc;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    rc = ngx_http_kafka_route(r, ctx->batch->pool, &clcf->name, &ctx->route);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc != NGX_OK) {
        ngx_str_null(&ctx->route.topic);
        return ngx_http_kafka_handler_refuse(r, rc, ctx->route.error);
    }

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "kafka: batch %p: route %d, topic \"%V\"", ctx->batch,
                   ctx->route.form, &ctx->route.topic);

    rc = ngx_http_kafka_handler_method(r, ctx);
    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_http_kafka_producer_open(ctx->producer) == NGX_ERROR) {
        return ngx_http_kafka_handler_refuse(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                            "the Kafka producer could not be started: "
                            "nothing was sent, the server's log tells why");
    }

    rc = ngx_http_kafka_handler_memory(r, r->headers_in.content_length_n);
    if (rc != NGX_OK) {
        return rc;
    }

    if (ctx->route.form == NGX_HTTP_KAFKA_ROUTE_MESSAGE) {
        return ngx_http_kafka_handler_message(r, ctx);
    }

    return ngx_http_kafka_handler_body(r, ctx);
}


static ngx_http_kafka_ctx_t *
ngx_http_kafka_handler_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t         *cln;
    ngx_http_kafka_ctx_t       *ctx;
    ngx_http_kafka_loc_conf_t  *klcf;

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_kafka_ctx_t));
    if (cln == NULL) {
        return NULL;
    }

    ctx = cln->data;
    ngx_memzero(ctx, sizeof(ngx_http_kafka_ctx_t));

    /* it outlives the connection, and with it its log */

    ctx->batch = ngx_http_kafka_batch_create(ngx_cycle->log);
    if (ctx->batch == NULL) {
        return NULL;
    }

    cln->handler = ngx_http_kafka_handler_cleanup;

    ctx->batch->handler = ngx_http_kafka_handler_done;
    ctx->batch->data = ctx;
    ctx->request = r;
    ctx->start = ngx_current_msec;

    klcf = ngx_http_get_module_loc_conf(r, ngx_http_kafka_module);
    ctx->producer = klcf->producer;

    ngx_http_set_ctx(r, ctx, ngx_http_kafka_module);

    if (r->internal) {
        ngx_http_kafka_handler_forget(r);
    }

    return ctx;
}


/* another produce location may have failed, and led here by its error_page */

static void
ngx_http_kafka_handler_forget(ngx_http_request_t *r)
{
    const char       **name;
    ngx_table_elt_t   *h;

    for (name = ngx_http_kafka_handler_headers; *name; name++) {
        h = NULL;

        while ((h = ngx_http_kafka_headers_find(&r->headers_out.headers,
                                                *name, h)))
        {
            h->hash = 0;
        }
    }
}


void
ngx_http_kafka_handler_cleanup(void *data)
{
    ngx_http_kafka_ctx_t  *ctx = data;

    if (ctx->batch) {
        ngx_http_kafka_batch_leave(ctx->batch);
    }
}


static ngx_int_t
ngx_http_kafka_handler_method(ngx_http_request_t *r, ngx_http_kafka_ctx_t *ctx)
{
    const char  *allow;

    if (ctx->route.form == NGX_HTTP_KAFKA_ROUTE_MESSAGE) {

        if (r->method == NGX_HTTP_GET) {
            return NGX_OK;
        }

        allow = "GET";

    } else {

        if (r->method == NGX_HTTP_GET || r->method == NGX_HTTP_POST) {
            return ngx_http_kafka_handler_encoding(r);
        }

        allow = "GET, POST";
    }

    if (ngx_http_kafka_headers_add(r, "Allow", allow) == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_kafka_handler_refuse(r, NGX_HTTP_NOT_ALLOWED,
                       "this method is not for this route, see \"Allow\"");
}


static ngx_int_t
ngx_http_kafka_handler_encoding(ngx_http_request_t *r)
{
    ngx_table_elt_t  *h;

    h = NULL;

    do {
        h = ngx_http_kafka_headers_find(&r->headers_in.headers,
                                        "Content-Encoding", h);
        if (h == NULL) {
            return NGX_OK;
        }

    } while (ngx_http_kafka_handler_identity(&h->value));

    if (ngx_http_kafka_headers_add(r, "Accept-Encoding", "identity") == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_kafka_handler_refuse(r, NGX_HTTP_UNSUPPORTED_MEDIA_TYPE,
                     "the request body must not have a \"Content-Encoding\"");
}


/* a list, in which "identity" and nothing at all mean no coding */

static ngx_uint_t
ngx_http_kafka_handler_identity(ngx_str_t *codings)
{
    u_char  *p, *last, *start, *end;

    last = codings->data + codings->len;

    for (start = codings->data; start < last; start = p + 1) {
        p = ngx_strlchr(start, last, ',');

        if (p == NULL) {
            p = last;
        }

        end = p;

        while (start < end && (*start == ' ' || *start == '\t')) {
            start++;
        }

        while (start < end && (end[-1] == ' ' || end[-1] == '\t')) {
            end--;
        }

        if (start < end
            && (end - start != sizeof("identity") - 1
                || ngx_strncasecmp(start, (u_char *) "identity",
                                   sizeof("identity") - 1)
                   != 0))
        {
            return 0;
        }
    }

    return 1;
}


/* is there room for the request, with so many bytes of body to come */

static ngx_int_t
ngx_http_kafka_handler_memory(ngx_http_request_t *r, off_t more)
{
    off_t                        max;
    ngx_http_kafka_ctx_t        *ctx;
    ngx_http_kafka_main_conf_t  *kmcf;

    kmcf = ngx_http_get_module_main_conf(r, ngx_http_kafka_module);

    max = kmcf->max_memory;
    more = ngx_max(more, 0);

    /* Content-Length may be any number, to which nothing can be added */

    if (more <= max - (off_t) ngx_http_kafka_held()) {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "kafka: all requests hold %uz bytes, and this one needs %O "
                  "more: \"kafka_max_memory\" is %uz",
                  ngx_http_kafka_held(), more, kmcf->max_memory);

    ctx = ngx_http_get_module_ctx(r, ngx_http_kafka_module);

    if (more > max - (off_t) ctx->batch->size) {
        return ngx_http_kafka_handler_refuse(r,
                            NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                            "the messages of this request need more memory "
                            "than this server gives to all: nothing was sent");
    }

    return ngx_http_kafka_handler_refuse(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                       "too much is waiting for Kafka: nothing was sent, "
                       "try again later");
}


/* GET /topic/message */

static ngx_int_t
ngx_http_kafka_handler_message(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx)
{
    ngx_int_t                 rc;
    ngx_http_kafka_record_t  *record;

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    record = ngx_pcalloc(ctx->batch->pool, sizeof(ngx_http_kafka_record_t));
    if (record == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* in the batch's pool already */

    record->partition = RD_KAFKA_PARTITION_UA;
    record->key = ctx->route.key;
    record->value = ctx->route.message;

    record->target = ngx_http_kafka_handler_target(ctx);
    if (record->target == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_kafka_batch_add(ctx->batch, record);
    ngx_http_kafka_batch_hold(ctx->batch, record->key.len + record->value.len);

    rc = ngx_http_kafka_handler_send(r, ctx);

    if (rc == NGX_DONE) {
        r->main->count++;
    }

    return rc;
}


static ngx_http_kafka_target_t *
ngx_http_kafka_handler_target(ngx_http_kafka_ctx_t *ctx)
{
    ngx_str_t  name;

    name.len = ctx->route.topic.len;
    name.data = ngx_pstrdup(ctx->batch->pool, &ctx->route.topic);

    if (name.data == NULL) {
        return NULL;
    }

    return ngx_http_kafka_batch_target(ctx->batch, &name);
}


static ngx_int_t
ngx_http_kafka_handler_body(ngx_http_request_t *r, ngx_http_kafka_ctx_t *ctx)
{
    ngx_int_t                 rc;
    ngx_http_kafka_target_t  *target;

    if (r->request_body && r->request_body_no_buffering) {

        /* a proxy without buffering has passed on some of it, or all */

        return ngx_http_kafka_handler_refuse(r,
                        NGX_HTTP_INTERNAL_SERVER_ERROR,
                        "the request body went elsewhere before the request "
                        "came here: nothing was sent");
    }

    target = NULL;

    if (ctx->route.form == NGX_HTTP_KAFKA_ROUTE_TOPIC) {
        target = ngx_http_kafka_handler_target(ctx);
        if (target == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    ctx->messages = ngx_http_kafka_messages_create(r->pool, ctx->batch, target);
    if (ctx->messages == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->request_body_no_buffering = !ngx_http_kafka_handler_keep_body(r);

    rc = ngx_http_read_client_request_body(r,
                                           ngx_http_kafka_handler_body_start);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    return NGX_DONE;
}


/* in memory, for the location that an error_page may lead to */

static ngx_uint_t
ngx_http_kafka_handler_keep_body(ngx_http_request_t *r)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    return clcf->error_pages && !clcf->client_body_in_file_only
           && r->headers_in.content_length_n >= 0
           && r->headers_in.content_length_n
              <= (off_t) clcf->client_body_buffer_size;
}


static void
ngx_http_kafka_handler_body_start(ngx_http_request_t *r)
{
    ngx_http_kafka_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_kafka_module);

    /*
     * Not if there was a body already (a subrequest's, or of a request that
     * was redirected here), nor if all of it came with the header.
     */

    ctx->own_body = r->request_body_no_buffering;

    if (ctx->own_body) {
        r->read_event_handler = ngx_http_kafka_handler_read;
    }

    ngx_http_kafka_handler_read(r);
}


static void
ngx_http_kafka_handler_read(ngx_http_request_t *r)
{
    off_t                  until;
    ngx_int_t              rc;
    ngx_http_kafka_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_kafka_module);

    until = r->request_length + NGX_HTTP_KAFKA_READ_TURN;

    for ( ;; ) {
        rc = ngx_http_kafka_handler_parse(r, ctx);

        if (rc != NGX_OK) {
            break;
        }

        if (!r->request_body_no_buffering || !r->reading_body) {
            rc = ngx_http_kafka_handler_body_end(r, ctx);
            break;
        }

        if (r->request_length > until) {

            /* a client as fast as this must not keep others waiting */

            ngx_post_event(r->connection->read, &ngx_posted_next_events);
            return;
        }

        rc = ngx_http_read_unbuffered_request_body(r);

        if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
            break;
        }

        /* NGX_AGAIN with data: its buffer was full, there may be more */

        if (rc == NGX_AGAIN && r->request_body->bufs == NULL) {
            return;
        }
    }

    if (rc != NGX_DONE) {
        ngx_http_finalize_request(r, ngx_http_kafka_handler_end(r, ctx, rc));
    }
}


/* what has arrived of the body, through the parser */

static ngx_int_t
ngx_http_kafka_handler_parse(ngx_http_request_t *r, ngx_http_kafka_ctx_t *ctx)
{
    ngx_int_t     rc;
    ngx_chain_t  *cl, *next;

    if (r->request_body == NULL) {

        /* of a subrequest, or discarded before a redirect led here */

        return NGX_OK;
    }

    cl = r->request_body->bufs;

    if (ctx->own_body) {
        r->request_body->bufs = NULL;
    }

    for ( /* void */ ; cl; cl = next) {
        next = cl->next;

        rc = ngx_http_kafka_handler_parse_buf(r, ctx, cl->buf);

        if (rc != NGX_OK) {
            return rc;
        }

        if (ctx->own_body) {
            cl->buf->pos = cl->buf->last;
            ngx_free_chain(r->pool, cl);
        }
    }

    return ngx_http_kafka_handler_memory(r, 0);
}


static ngx_int_t
ngx_http_kafka_handler_parse_buf(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx, ngx_buf_t *b)
{
    off_t       offset;
    size_t      size;
    ssize_t     n;
    ngx_int_t   rc;
    u_char      data[4096];

    if (ngx_buf_in_memory(b)) {
        ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                       "kafka: batch %p: body piece of %z bytes", ctx->batch,
                       b->last - b->pos);

        rc = ngx_http_kafka_messages_feed(ctx->messages, b->pos,
                                          b->last - b->pos);

        return ngx_http_kafka_handler_parsed(r, ctx, rc);
    }

    /* another location has buffered the body, and nginx wrote it to a file */

    for (offset = b->file_pos; offset < b->file_last; offset += n) {
        size = (size_t) ngx_min(b->file_last - offset, (off_t) sizeof(data));

        n = ngx_read_file(b->file, data, size, offset);

        if (n <= 0) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        rc = ngx_http_kafka_messages_feed(ctx->messages, data, n);

        if (rc != NGX_OK) {
            return ngx_http_kafka_handler_parsed(r, ctx, rc);
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_kafka_handler_parsed(ngx_http_request_t *r, ngx_http_kafka_ctx_t *ctx,
    ngx_int_t rc)
{
    ngx_str_t  *error;

    if (rc == NGX_OK) {
        return NGX_OK;
    }

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    error = ngx_http_kafka_messages_error(ctx->messages);

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "kafka: client sent an invalid body: %V", error);

    if (ngx_http_kafka_response_error(r->pool, NGX_HTTP_BAD_REQUEST, error,
                                      &ctx->error)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_kafka_handler_fail(r, ctx, NGX_HTTP_BAD_REQUEST);
}


static ngx_int_t
ngx_http_kafka_handler_body_end(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx)
{
    ngx_int_t  rc;

    rc = ngx_http_kafka_messages_end(ctx->messages);

    /* Kafka's answer may take long */
    ngx_http_kafka_messages_done(ctx->messages);

    rc = ngx_http_kafka_handler_parsed(r, ctx, rc);

    if (rc != NGX_OK) {
        return rc;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "kafka: batch %p: %ui messages", ctx->batch,
                   ctx->batch->nrecords);

    return ngx_http_kafka_handler_send(r, ctx);
}


/* NGX_DONE: the request waits for its batch */

static ngx_int_t
ngx_http_kafka_handler_send(ngx_http_request_t *r, ngx_http_kafka_ctx_t *ctx)
{
    ngx_int_t  rc;

    rc = ngx_http_kafka_handler_room(r, ctx);
    if (rc != NGX_OK) {
        return rc;
    }

    if (ctx->batch->nrecords == 0) {
        return ngx_http_kafka_handler_answer(r, ctx);
    }

    rc = ngx_http_kafka_producer_send(ctx->producer, ctx->batch);

    switch (rc) {

    case NGX_OK:

        if (!r->discard_body) {
            r->read_event_handler = ngx_http_test_reading;
        }

        r->connection->log->action = "waiting for Kafka";

        return NGX_DONE;

    case NGX_DECLINED:
        return ngx_http_kafka_handler_answer(r, ctx);

    default:
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
}


/* what was sent must be answered for: the answer's memory comes first */

static ngx_int_t
ngx_http_kafka_handler_room(ngx_http_request_t *r, ngx_http_kafka_ctx_t *ctx)
{
    ngx_int_t  rc;

    ctx->room.len = ngx_http_kafka_response_room(ctx->batch);

    rc = ngx_http_kafka_handler_memory(r, ctx->room.len);
    if (rc != NGX_OK) {
        return rc;
    }

    ctx->room.data = ngx_pnalloc(r->pool, ctx->room.len);
    if (ctx->room.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_kafka_batch_hold(ctx->batch, ctx->room.len);

    return NGX_OK;
}


static void
ngx_http_kafka_handler_done(ngx_http_kafka_batch_t *batch)
{
    ngx_int_t              rc;
    ngx_connection_t      *c;
    ngx_http_request_t    *r;
    ngx_http_kafka_ctx_t  *ctx;

    ctx = batch->data;
    r = ctx->request;
    c = r->connection;

    if (ngx_http_get_module_ctx(r, ngx_http_kafka_module) != ctx) {

        /* the request was redirected while it waited: not its answer now */

        ngx_http_kafka_variables_keep(ctx);
        ctx->batch = NULL;
        ngx_http_kafka_batch_leave(batch);
        return;
    }

    ngx_http_set_log_request(c->log, r);

    rc = ngx_http_kafka_handler_answer(r, ctx);

    ngx_http_finalize_request(r, ngx_http_kafka_handler_end(r, ctx, rc));

    ngx_http_run_posted_requests(c);
}


/* what became of the batch, to the client; the batch is let go */

static ngx_int_t
ngx_http_kafka_handler_answer(ngx_http_request_t *r, ngx_http_kafka_ctx_t *ctx)
{
    ngx_int_t                rc;
    ngx_uint_t               status;
    ngx_http_kafka_batch_t  *batch;

    rc = NGX_OK;
    batch = ctx->batch;

    if (batch->err) {
        rc = ngx_http_kafka_response_refusal(r->pool, batch, &status,
                                             &ctx->error);

    } else if (batch->acked != batch->nrecords) {
        ctx->results = 1;
        ngx_http_kafka_response_results(r->pool, batch, &ctx->room, &status,
                                        &ctx->error);

    } else {
        status = NGX_HTTP_OK;
        ngx_http_kafka_response_metadata(batch,
                            ctx->route.form == NGX_HTTP_KAFKA_ROUTE_MESSAGE,
                            &ctx->room, &ctx->body);
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "kafka: batch %p: answered with %ui", batch, status);

    ngx_http_kafka_variables_keep(ctx);

    ctx->batch = NULL;
    ngx_http_kafka_batch_leave(batch);

    if (rc != NGX_OK) {

        /* nothing of it was sent */

        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (status == NGX_HTTP_OK) {
        return ngx_http_kafka_handler_send_response(r, status, &ctx->body);
    }

    return ngx_http_kafka_handler_fail(r, ctx, status);
}


/*
 * nginx handles the status of an error: by an error_page, or by a page of its
 * own, which the filter replaces.  Some errors are sent from here instead.
 */

static ngx_int_t
ngx_http_kafka_handler_end(ngx_http_request_t *r, ngx_http_kafka_ctx_t *ctx,
    ngx_int_t rc)
{
    ngx_uint_t  send, consumed;

    if (rc < NGX_HTTP_BAD_REQUEST) {
        return rc;
    }

    if (ngx_http_kafka_handler_error_page(r, rc)) {

        /* it would hide results, or lead to where the body is missed */

        consumed = r->request_body && r->request_body_no_buffering;
        send = ctx->results || consumed;

    } else {

        /* a subrequest's owner may be called before nginx makes its page */
        send = (r != r->main && ctx->error.len);
    }

    if (!send) {
        return rc;
    }

    if (ctx->error.len == 0
        && ngx_http_kafka_error_filter_error(r, rc, ctx) != NGX_OK)
    {
        return rc;
    }

    return ngx_http_kafka_handler_send_response(r, rc, &ctx->error);
}


/* would nginx find one?  See ngx_http_special_response_handler() */

static ngx_uint_t
ngx_http_kafka_handler_error_page(ngx_http_request_t *r, ngx_int_t status)
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
ngx_http_kafka_handler_send_response(ngx_http_request_t *r, ngx_uint_t status,
    ngx_str_t *body)
{
    ngx_int_t     rc;
    ngx_buf_t    *b;
    ngx_chain_t   out;

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    if (r->reading_body) {

        /* nginx will read the rest, and then close */

        r->keepalive = 0;
    }

    /* the records are in Kafka whatever If-Match and the like ask for */
    r->disable_not_modified = 1;

    /* Lua reads a subrequest's headers before any filter */

    if (r != r->main && ngx_http_kafka_cache_forbid(r) != NGX_OK) {

        /* no other answer is true now */

        return NGX_ERROR;
    }

    rc = ngx_http_kafka_headers_send(r, status, &ngx_http_kafka_handler_type,
                                     body->len);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->memory = 1;
    b->pos = body->data;
    b->last = body->data + body->len;
    b->last_buf = (r == r->main);
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


static ngx_int_t
ngx_http_kafka_handler_refuse(ngx_http_request_t *r, ngx_uint_t status,
    const char *text)
{
    ngx_str_t              error;
    ngx_http_kafka_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_kafka_module);

    error.data = (u_char *) text;
    error.len = ngx_strlen(text);

    if (ngx_http_kafka_response_error(r->pool, status, &error, &ctx->error)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_kafka_handler_fail(r, ctx, status);
}


/* nginx finalizes with the status: a user's error_page comes first */

static ngx_int_t
ngx_http_kafka_handler_fail(ngx_http_request_t *r, ngx_http_kafka_ctx_t *ctx,
    ngx_uint_t status)
{
    ctx->error_status = status;

    /* nginx may read what the client still sends for long: hold nothing then */

    if (ctx->batch) {
        ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                       "kafka: batch %p: refused with %ui", ctx->batch,
                       status);

        ngx_http_kafka_variables_keep(ctx);
        ngx_http_kafka_batch_leave(ctx->batch);
        ctx->batch = NULL;
    }

    r->read_event_handler = ngx_http_block_reading;

    if (r != r->main) {

        /* a mirror's answer, for one, is seen by nobody */

        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "kafka: a subrequest ended with %ui: %V", status,
                      &ctx->error);
    }

    if (r->request_body ? !r->reading_body
                        : r->headers_in.content_length_n <= 0
                          && !r->headers_in.chunked)
    {
        ctx->keepalive = r->keepalive;
    }

    if (status == NGX_HTTP_SERVICE_UNAVAILABLE) {

        /* without it when memory is out: the status may not change now */

        (void) ngx_http_kafka_headers_add(r, "Retry-After",
                                          NGX_HTTP_KAFKA_RETRY_AFTER);
    }

    return status;
}
