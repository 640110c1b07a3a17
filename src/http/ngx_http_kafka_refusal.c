
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_refusal.h>
#include <ngx_http_kafka_headers.h>


typedef struct {
    ngx_uint_t                   status;
    ngx_str_t                    text;
} ngx_http_kafka_refusal_t;


/* texts for the errors of nginx itself */

static ngx_http_kafka_refusal_t  ngx_http_kafka_refusals[] = {
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
ngx_http_kafka_refuse(ngx_http_kafka_ctx_t *ctx, ngx_uint_t status,
    const char *text)
{
    ngx_str_t  str;

    str.data = (u_char *) text;
    str.len = ngx_strlen(text);

    return ngx_http_kafka_refuse_str(ctx, status, &str);
}


ngx_int_t
ngx_http_kafka_refuse_str(ngx_http_kafka_ctx_t *ctx, ngx_uint_t status,
    ngx_str_t *text)
{
    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, ctx->request->connection->log, 0,
                   "kafka: batch %p: refused with %ui: %V", ctx->batch, status,
                   text);

    ctx->status = status;
    ctx->text = *text;

    return status;
}


ngx_int_t
ngx_http_kafka_refuse_method(ngx_http_kafka_ctx_t *ctx, const char *allow)
{
    if (ngx_http_kafka_headers_add(ctx->request, "Allow", allow) == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_kafka_refuse(ctx, NGX_HTTP_NOT_ALLOWED,
                       "this method is not for this route, see \"Allow\"");
}


ngx_int_t
ngx_http_kafka_refusal_body(ngx_http_request_t *r, ngx_uint_t status,
    ngx_http_kafka_ctx_t *ctx)
{
    ngx_http_kafka_refusal_t  *refusal;

    if (ctx->status != status) {

        for (refusal = ngx_http_kafka_refusals; refusal->status; refusal++) {
            if (refusal->status == status) {
                break;
            }
        }

        ctx->status = status;
        ctx->text = refusal->text;
        ctx->body.len = 0;
    }

    if (ctx->body.len) {
        return NGX_OK;
    }

    return ctx->protocol->error(r->pool, status, &ctx->text, &ctx->body);
}
