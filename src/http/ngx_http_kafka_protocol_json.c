
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_protocol.h>
#include <ngx_http_kafka_json_messages.h>
#include <ngx_http_kafka_json_response.h>
#include <ngx_http_kafka_refusal.h>
#include <ngx_http_kafka_request.h>
#include <ngx_http_kafka_route.h>
#include <ngx_http_kafka_template.h>


/* added to the error of a body that is no JSON object or array */
#define NGX_HTTP_KAFKA_PROTOCOL_JSON_OTHER                                    \
    "; a location with \"protocol=raw\" takes any body"


typedef struct {
    ngx_http_kafka_route_t           route;
    ngx_http_kafka_json_messages_t  *messages;
    unsigned                         begun:1;  /* a byte of the body came */
    unsigned                         other:1;  /* it is neither { nor [ */
} ngx_http_kafka_protocol_json_t;


static ngx_int_t ngx_http_kafka_protocol_json_begin(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx);
static ngx_int_t ngx_http_kafka_protocol_json_method(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx, ngx_http_kafka_route_t *route);
static ngx_int_t ngx_http_kafka_protocol_json_start(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx);
static ngx_int_t ngx_http_kafka_protocol_json_message(
    ngx_http_kafka_batch_t *batch, ngx_http_kafka_route_t *route,
    ngx_http_kafka_target_t *target);
static ngx_int_t ngx_http_kafka_protocol_json_feed(ngx_http_kafka_ctx_t *ctx,
    u_char *data, size_t len);
static void ngx_http_kafka_protocol_json_look(
    ngx_http_kafka_protocol_json_t *json, u_char *data, size_t len);
static ngx_int_t ngx_http_kafka_protocol_json_end(ngx_http_kafka_ctx_t *ctx);
static void ngx_http_kafka_protocol_json_done(ngx_http_kafka_ctx_t *ctx);
static ngx_int_t ngx_http_kafka_protocol_json_fed(ngx_http_kafka_ctx_t *ctx,
    ngx_int_t rc);
static ngx_uint_t ngx_http_kafka_protocol_json_result(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx);


const ngx_http_kafka_protocol_t  ngx_http_kafka_protocol_json = {
    ngx_string("json"),
    ngx_http_kafka_protocol_json_begin,
    ngx_http_kafka_protocol_json_start,
    ngx_http_kafka_protocol_json_feed,
    ngx_http_kafka_protocol_json_end,
    ngx_http_kafka_protocol_json_done,
    ngx_http_kafka_json_response_room,
    ngx_http_kafka_protocol_json_result,
    ngx_http_kafka_json_response_refusal,
    ngx_http_kafka_json_response_error,
    ngx_http_kafka_route_topic,
    ngx_string("application/json"),
    sizeof(ngx_http_kafka_protocol_json_t)
};


static ngx_int_t
ngx_http_kafka_protocol_json_begin(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx)
{
    ngx_int_t                        rc, method;
    ngx_http_kafka_protocol_json_t  *json;

    json = ctx->protocol_data;

    rc = ngx_http_kafka_route(r, ctx->batch->pool, &json->route);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc != NGX_OK) {
        return ngx_http_kafka_refuse(ctx, rc, json->route.error);
    }

    ctx->topic = json->route.topic;

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "kafka: batch %p: route %d, topic \"%V\"", ctx->batch,
                   json->route.form, &ctx->topic);

    method = ngx_http_kafka_protocol_json_method(r, ctx, &json->route);
    if (method != NGX_OK && method != NGX_DONE) {
        return method;
    }

    rc = ngx_http_kafka_template_topic(r, ctx);

    if (rc == NGX_OK) {
        rc = ngx_http_kafka_template_records(r, ctx);
    }

    return (rc == NGX_OK) ? method : rc;
}


/* returns the codes of begin() */

static ngx_int_t
ngx_http_kafka_protocol_json_method(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx, ngx_http_kafka_route_t *route)
{
    if (route->form == NGX_HTTP_KAFKA_ROUTE_MESSAGE) {

        if (r->method == NGX_HTTP_GET) {
            return NGX_DONE;
        }

        return ngx_http_kafka_refuse_method(ctx, "GET");
    }

    if (r->method == NGX_HTTP_GET || r->method == NGX_HTTP_POST) {
        return NGX_OK;
    }

    return ngx_http_kafka_refuse_method(ctx, "GET, POST");
}


static ngx_int_t
ngx_http_kafka_protocol_json_start(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx)
{
    ngx_http_kafka_target_t         *target;
    ngx_http_kafka_protocol_json_t  *json;

    json = ctx->protocol_data;
    target = NULL;

    /* the name is valid: begin() has checked it */

    if (ctx->topic.len
        && ngx_http_kafka_batch_target(ctx->batch, &ctx->topic, &target)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (json->route.form == NGX_HTTP_KAFKA_ROUTE_MESSAGE) {
        return ngx_http_kafka_protocol_json_message(ctx->batch, &json->route,
                                                    target);
    }

    json->messages = ngx_http_kafka_json_messages_create(r->pool, ctx->batch,
                                                         target);

    return json->messages ? NGX_OK : NGX_ERROR;
}


/* creates the record of "GET /topic/message" */

static ngx_int_t
ngx_http_kafka_protocol_json_message(ngx_http_kafka_batch_t *batch,
    ngx_http_kafka_route_t *route, ngx_http_kafka_target_t *target)
{
    ngx_http_kafka_record_t  *record;

    record = ngx_http_kafka_batch_record(batch);
    if (record == NULL) {
        return NGX_ERROR;
    }

    /* key and value are already in the batch's pool */

    record->key = route->key;
    record->value = route->message;
    record->target = target;

    ngx_http_kafka_batch_hold(batch, record->key.len + record->value.len);
    ngx_http_kafka_batch_add(batch, record);

    return NGX_OK;
}


static ngx_int_t
ngx_http_kafka_protocol_json_feed(ngx_http_kafka_ctx_t *ctx, u_char *data,
    size_t len)
{
    ngx_int_t                        rc;
    ngx_http_kafka_protocol_json_t  *json;

    json = ctx->protocol_data;

    if (!json->begun) {
        ngx_http_kafka_protocol_json_look(json, data, len);
    }

    rc = ngx_http_kafka_json_messages_feed(json->messages, data, len);

    return ngx_http_kafka_protocol_json_fed(ctx, rc);
}


/* looks at the first byte of the body that is not blank */

static void
ngx_http_kafka_protocol_json_look(ngx_http_kafka_protocol_json_t *json,
    u_char *data, size_t len)
{
    size_t  i;

    for (i = 0; i < len; i++) {

        switch (data[i]) {

        case ' ':
        case '\t':
        case '\r':
        case '\n':
            break;

        default:
            json->begun = 1;
            json->other = (data[i] != '{' && data[i] != '[');
            return;
        }
    }
}


static ngx_int_t
ngx_http_kafka_protocol_json_end(ngx_http_kafka_ctx_t *ctx)
{
    ngx_int_t                        rc;
    ngx_http_kafka_protocol_json_t  *json;

    json = ctx->protocol_data;

    rc = ngx_http_kafka_json_messages_end(json->messages);

    return ngx_http_kafka_protocol_json_fed(ctx, rc);
}


static void
ngx_http_kafka_protocol_json_done(ngx_http_kafka_ctx_t *ctx)
{
    ngx_http_kafka_protocol_json_t  *json;

    json = ctx->protocol_data;

    ngx_http_kafka_json_messages_done(json->messages);
}


static ngx_int_t
ngx_http_kafka_protocol_json_fed(ngx_http_kafka_ctx_t *ctx, ngx_int_t rc)
{
    u_char                          *p;
    ngx_str_t                        text;
    ngx_http_kafka_protocol_json_t  *json;

    if (rc != NGX_DECLINED) {
        return rc;
    }

    json = ctx->protocol_data;

    text = *ngx_http_kafka_json_messages_error(json->messages);

    p = json->other
        ? ngx_pnalloc(ctx->request->pool,
                      text.len + sizeof(NGX_HTTP_KAFKA_PROTOCOL_JSON_OTHER))
        : NULL;

    if (p) {
        text.len = ngx_sprintf(p, "%V" NGX_HTTP_KAFKA_PROTOCOL_JSON_OTHER,
                               &text)
                   - p;
        text.data = p;
    }

    (void) ngx_http_kafka_refuse_str(ctx, NGX_HTTP_BAD_REQUEST, &text);

    return NGX_DECLINED;
}


static ngx_uint_t
ngx_http_kafka_protocol_json_result(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx)
{
    ngx_uint_t                       object;
    ngx_http_kafka_protocol_json_t  *json;

    json = ctx->protocol_data;
    object = (json->route.form == NGX_HTTP_KAFKA_ROUTE_MESSAGE);

    return ngx_http_kafka_json_response(r->pool, ctx->batch, object,
                                        &ctx->room, &ctx->text, &ctx->body);
}
