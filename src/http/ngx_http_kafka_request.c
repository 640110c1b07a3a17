
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_request.h>
#include <ngx_http_kafka_admission.h>
#include <ngx_http_kafka_answer.h>
#include <ngx_http_kafka_body.h>
#include <ngx_http_kafka_refusal.h>


static ngx_http_kafka_ctx_t *ngx_http_kafka_request_create(
    ngx_http_request_t *r);
static void ngx_http_kafka_request_cleanup(void *data);
static void ngx_http_kafka_request_keep(ngx_http_kafka_ctx_t *ctx);
static void ngx_http_kafka_request_keep_topic(ngx_http_kafka_ctx_t *ctx);
static ngx_int_t ngx_http_kafka_request_start(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx);
static ngx_int_t ngx_http_kafka_request_no_body(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx);
static void ngx_http_kafka_request_body_handler(ngx_http_request_t *r,
    ngx_int_t rc);
static ngx_int_t ngx_http_kafka_request_send(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx);
static ngx_int_t ngx_http_kafka_request_room(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx);
static void ngx_http_kafka_request_done(ngx_http_kafka_batch_t *batch);
static ngx_int_t ngx_http_kafka_request_result(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx);
static ngx_int_t ngx_http_kafka_request_end(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx, ngx_int_t rc);


ngx_int_t
ngx_http_kafka_request_handler(ngx_http_request_t *r)
{
    ngx_int_t              rc;
    ngx_http_kafka_ctx_t  *ctx;

    ctx = ngx_http_kafka_request_create(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_kafka_request_start(r, ctx);

    return ngx_http_kafka_request_end(r, ctx, rc);
}


static ngx_http_kafka_ctx_t *
ngx_http_kafka_request_create(ngx_http_request_t *r)
{
    size_t                      size;
    ngx_pool_cleanup_t         *cln;
    ngx_http_kafka_ctx_t       *ctx;
    ngx_http_kafka_loc_conf_t  *klcf;

    klcf = ngx_http_get_module_loc_conf(r, ngx_http_kafka_module);

    size = sizeof(ngx_http_kafka_ctx_t) + klcf->protocol->size;

    cln = ngx_pool_cleanup_add(r->pool, size);
    if (cln == NULL) {
        return NULL;
    }

    ctx = cln->data;
    ngx_memzero(ctx, size);

    /* the batch can outlive the connection and its log */

    ctx->batch = ngx_http_kafka_batch_create(ngx_cycle->log);
    if (ctx->batch == NULL) {
        return NULL;
    }

    cln->handler = ngx_http_kafka_request_cleanup;

    ctx->batch->handler = ngx_http_kafka_request_done;
    ctx->batch->data = ctx;
    ctx->request = r;
    ctx->start = ngx_current_msec;

    ctx->producer = klcf->producer;
    ctx->protocol = klcf->protocol;
    ctx->protocol_data = ctx + 1;

    ngx_http_set_ctx(r, ctx, ngx_http_kafka_module);

    if (r->internal) {
        ngx_http_kafka_answer_clear_headers(r);
    }

    return ctx;
}


static void
ngx_http_kafka_request_cleanup(void *data)
{
    ngx_http_kafka_ctx_t  *ctx = data;

    ngx_http_kafka_body_close(ctx);

    if (ctx->batch) {
        ngx_http_kafka_batch_leave(ctx->batch);
    }
}


/* a redirect clears the context, but keeps the cleanup handler */

ngx_http_kafka_ctx_t *
ngx_http_kafka_request_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t    *cln;
    ngx_http_kafka_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_kafka_module);

    if (ctx || !(r->internal || r->filter_finalize)) {
        return ctx;
    }

    for (cln = r->pool->cleanup; cln; cln = cln->next) {

        if (cln->handler != ngx_http_kafka_request_cleanup) {
            continue;
        }

        ctx = cln->data;

        /* subrequests share the pool */

        if (ctx->request == r) {
            return ctx;
        }
    }

    return NULL;
}


ngx_http_kafka_facts_t *
ngx_http_kafka_request_facts(ngx_http_request_t *r)
{
    ngx_http_kafka_ctx_t  *ctx;

    ctx = ngx_http_kafka_request_ctx(r);

    if (ctx == NULL) {
        return NULL;
    }

    /* not answered: the request still waits, or its client has gone */

    if (ctx->batch) {
        ngx_http_kafka_request_keep(ctx);
    }

    return ctx->facts.kept ? &ctx->facts : NULL;
}


/* copies the values of variables before the batch is released */

static void
ngx_http_kafka_request_keep(ngx_http_kafka_ctx_t *ctx)
{
    ngx_http_kafka_batch_t   *batch;
    ngx_http_kafka_facts_t   *facts;
    ngx_http_kafka_record_t  *record;

    batch = ctx->batch;
    facts = &ctx->facts;

    facts->kept = 1;
    facts->messages = batch->nrecords;
    facts->bytes = batch->bytes;
    facts->partition = -1;
    facts->offset = -1;

    if (batch->start) {
        facts->sent = 1;
        facts->parse_time = batch->start - ctx->start;
        facts->ack_time = ngx_current_msec - batch->start;
    }

    record = batch->records;

    if (batch->nrecords == 1 && record->state == NGX_HTTP_KAFKA_RECORD_ACKED) {
        facts->partition = record->partition;
        facts->offset = record->offset;
    }

    ngx_http_kafka_request_keep_topic(ctx);
}


/* copies the topic only once: variables may be evaluated several times */

static void
ngx_http_kafka_request_keep_topic(ngx_http_kafka_ctx_t *ctx)
{
    ngx_str_t                *topic;
    ngx_http_kafka_target_t  *target;

    topic = &ctx->facts.topic;
    target = ctx->batch->targets;

    /* a topic of the path or the location needs no copy */

    if (ctx->topic.len || target == NULL || target->next) {
        ngx_str_null(topic);
        return;
    }

    if (topic->data == NULL) {
        topic->data = ngx_pstrdup(ctx->request->pool, &target->name);
        topic->len = topic->data ? target->name.len : 0;
    }
}


static ngx_int_t
ngx_http_kafka_request_start(ngx_http_request_t *r, ngx_http_kafka_ctx_t *ctx)
{
    ngx_int_t  rc, begun;

    begun = ctx->protocol->begin(r, ctx);

    if (begun == NGX_OK) {
        rc = ngx_http_kafka_admission_encoding(r, ctx);
        if (rc != NGX_OK) {
            return rc;
        }

    } else if (begun != NGX_DONE) {
        return begun;
    }

    if (ngx_http_kafka_producer_open(ctx->producer) == NGX_ERROR) {
        return ngx_http_kafka_refuse(ctx, NGX_HTTP_SERVICE_UNAVAILABLE,
                            "the Kafka producer could not be started: "
                            "nothing was sent, see the server's error log");
    }

    rc = ngx_http_kafka_admission_memory(r, ctx,
                   (begun == NGX_OK) ? r->headers_in.content_length_n : 0);
    if (rc != NGX_OK) {
        return rc;
    }

    if (begun == NGX_DONE) {
        return ngx_http_kafka_request_no_body(r, ctx);
    }

    if (ctx->protocol->start(r, ctx) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_kafka_body_read(r, ctx,
                                    ngx_http_kafka_request_body_handler);
}


static ngx_int_t
ngx_http_kafka_request_no_body(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx)
{
    ngx_int_t  rc;

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    if (ctx->protocol->start(r, ctx) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_kafka_request_send(r, ctx);

    if (rc == NGX_DONE) {
        r->main->count++;
    }

    return rc;
}


static void
ngx_http_kafka_request_body_handler(ngx_http_request_t *r, ngx_int_t rc)
{
    ngx_http_kafka_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_kafka_module);

    /*
     * Free the parser now.  The request may live long: it waits for Kafka, or
     * nginx discards the rest of the body.
     */
    if (ctx->protocol->done) {
        ctx->protocol->done(ctx);
    }

    if (rc == NGX_OK) {
        ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                       "kafka: batch %p: %ui messages", ctx->batch,
                       ctx->batch->nrecords);

        rc = ngx_http_kafka_request_send(r, ctx);
    }

    if (rc != NGX_DONE) {
        ngx_http_finalize_request(r, ngx_http_kafka_request_end(r, ctx, rc));
    }
}


/* returns NGX_DONE if the request waits for its batch, or an HTTP status */

static ngx_int_t
ngx_http_kafka_request_send(ngx_http_request_t *r, ngx_http_kafka_ctx_t *ctx)
{
    ngx_int_t  rc;

    rc = ngx_http_kafka_request_room(r, ctx);
    if (rc != NGX_OK) {
        return rc;
    }

    if (ctx->batch->nrecords == 0) {
        return ngx_http_kafka_request_result(r, ctx);
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
        return ngx_http_kafka_request_result(r, ctx);

    default:
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
}


/* allocates the memory for the response before any record is sent */

static ngx_int_t
ngx_http_kafka_request_room(ngx_http_request_t *r, ngx_http_kafka_ctx_t *ctx)
{
    ngx_int_t  rc;

    ctx->room.len = ctx->protocol->room(ctx->batch);

    rc = ngx_http_kafka_admission_memory(r, ctx, ctx->room.len);
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
ngx_http_kafka_request_done(ngx_http_kafka_batch_t *batch)
{
    ngx_int_t              rc;
    ngx_connection_t      *c;
    ngx_http_request_t    *r;
    ngx_http_kafka_ctx_t  *ctx;

    ctx = batch->data;
    r = ctx->request;
    c = r->connection;

    if (ngx_http_get_module_ctx(r, ngx_http_kafka_module) != ctx) {

        /* redirected while it waited: another location answers the request */

        ngx_http_kafka_request_keep(ctx);
        ctx->batch = NULL;
        ngx_http_kafka_batch_leave(batch);
        return;
    }

    ngx_http_set_log_request(c->log, r);

    rc = ngx_http_kafka_request_result(r, ctx);

    ngx_http_finalize_request(r, ngx_http_kafka_request_end(r, ctx, rc));

    ngx_http_run_posted_requests(c);
}


/* returns the HTTP status for the outcome of the batch */

static ngx_int_t
ngx_http_kafka_request_result(ngx_http_request_t *r, ngx_http_kafka_ctx_t *ctx)
{
    ngx_uint_t               status;
    ngx_http_kafka_batch_t  *batch;

    batch = ctx->batch;

    if (batch->err) {
        status = ctx->protocol->refused(r->pool, batch, &ctx->text);

    } else {
        ctx->results = (batch->acked != batch->nrecords);
        status = ctx->protocol->result(r, ctx);
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "kafka: batch %p: answered with %ui", batch, status);

    /* without results and text, nothing was sent and nginx sends its page */

    if (status != NGX_HTTP_OK && (ctx->results || ctx->text.len)) {
        ctx->status = status;
    }

    if (status == NGX_HTTP_OK && ngx_http_kafka_answer_minimal(r)) {
        return NGX_HTTP_NO_CONTENT;
    }

    return status;
}


/*
 * Answers the request.  Releases the batch first, because nginx may read the
 * rest of the request body for a long time.
 */

static ngx_int_t
ngx_http_kafka_request_end(ngx_http_request_t *r, ngx_http_kafka_ctx_t *ctx,
    ngx_int_t rc)
{
    ngx_http_kafka_batch_t  *batch;

    batch = ctx->batch;

    if (batch
        && (rc == NGX_HTTP_OK || rc == NGX_HTTP_NO_CONTENT || ctx->status))
    {
        ngx_http_kafka_request_keep(ctx);

        ctx->batch = NULL;
        ngx_http_kafka_batch_leave(batch);
    }

    return ngx_http_kafka_answer(r, ctx, rc);
}


ngx_int_t
ngx_http_kafka_request_log_handler(ngx_http_request_t *r)
{
    ngx_uint_t                  status;
    ngx_http_kafka_ctx_t       *ctx;
    ngx_http_kafka_loc_conf_t  *klcf;
    ngx_http_kafka_producer_t  *producer;

    if (r != r->main) {
        return NGX_OK;
    }

    klcf = ngx_http_get_module_loc_conf(r, ngx_http_kafka_module);
    producer = klcf->producer;

    if (producer == NULL) {

        /* an error_page may have redirected the request elsewhere */

        ctx = ngx_http_kafka_request_ctx(r);

        if (ctx == NULL || ctx->producer == NULL) {
            return NGX_OK;
        }

        producer = ctx->producer;
    }

    status = r->err_status ? r->err_status : r->headers_out.status;

    ngx_http_kafka_metrics_open(&producer->metrics, &producer->conf->name);
    ngx_http_kafka_metrics_request(&producer->metrics, status);

    return NGX_OK;
}
