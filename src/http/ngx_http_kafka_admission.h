
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_ADMISSION_H_INCLUDED_
#define _NGX_HTTP_KAFKA_ADMISSION_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_http_kafka_request.h>


/*
 * Checks before a request is processed: the coding of its body, and the memory
 * that it needs.  Event loop.
 */


/*
 * Checks that the body has no content coding.  Returns NGX_OK, or an HTTP
 * status: 415 with ctx->text set, or 500 when memory is out.
 */
ngx_int_t ngx_http_kafka_admission_encoding(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx);

/*
 * Checks that the worker can use "more" additional bytes within
 * kafka_max_memory; a negative number counts as 0.  Returns NGX_OK, or an HTTP
 * status with ctx->text set: 413 if this request alone exceeds the limit, else
 * 503.
 */
ngx_int_t ngx_http_kafka_admission_memory(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx, off_t more);


#endif /* _NGX_HTTP_KAFKA_ADMISSION_H_INCLUDED_ */
