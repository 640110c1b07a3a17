
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_REFUSAL_H_INCLUDED_
#define _NGX_HTTP_KAFKA_REFUSAL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_http_kafka_request.h>


/* Sets the status, the text and the response body of an error.  Event loop. */


/*
 * Sets ctx->status and ctx->text, the error that the HTTP client will get.  The
 * text must be static, or live as long as the request.  Returns the status.
 */
ngx_int_t ngx_http_kafka_refuse(ngx_http_kafka_ctx_t *ctx, ngx_uint_t status,
    const char *text);
ngx_int_t ngx_http_kafka_refuse_str(ngx_http_kafka_ctx_t *ctx,
    ngx_uint_t status, ngx_str_t *text);

/*
 * Refuses the request's method, and adds the response header "Allow" with the
 * methods in allow, a static text.  Returns 405, or 500 when memory is out.
 */
ngx_int_t ngx_http_kafka_refuse_method(ngx_http_kafka_ctx_t *ctx,
    const char *allow);

/*
 * Sets ctx->body to the response body of an error with this status, allocated
 * from r->pool.  If the status differs from ctx->status, the error comes from
 * nginx: then also sets ctx->status and ctx->text.  Returns NGX_OK, or
 * NGX_ERROR when memory is out.
 */
ngx_int_t ngx_http_kafka_refusal_body(ngx_http_request_t *r,
    ngx_uint_t status, ngx_http_kafka_ctx_t *ctx);


#endif /* _NGX_HTTP_KAFKA_REFUSAL_H_INCLUDED_ */
