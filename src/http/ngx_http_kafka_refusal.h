
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_REFUSAL_H_INCLUDED_
#define _NGX_HTTP_KAFKA_REFUSAL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_http_kafka_request.h>


/* A request that is refused: {status, text}, until the answer is made. */


/*
 * The status and the text for the caller, which is static, or lives as long as
 * the request.  Returns the status.
 */
ngx_int_t ngx_http_kafka_refuse(ngx_http_kafka_ctx_t *ctx, ngx_uint_t status,
    const char *text);
ngx_int_t ngx_http_kafka_refuse_str(ngx_http_kafka_ctx_t *ctx,
    ngx_uint_t status, ngx_str_t *text);

/*
 * The body of the error that ctx->status and ctx->text are, or of another
 * status, which nginx has decided on.  NGX_OK, or NGX_ERROR when memory is out.
 */
ngx_int_t ngx_http_kafka_refusal_body(ngx_http_request_t *r,
    ngx_uint_t status, ngx_http_kafka_ctx_t *ctx);


#endif /* _NGX_HTTP_KAFKA_REFUSAL_H_INCLUDED_ */
