
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_BODY_H_INCLUDED_
#define _NGX_HTTP_KAFKA_BODY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_http_kafka_request.h>


/*
 * The pump: reads a body as it arrives, or from where nginx has buffered it,
 * and feeds it to the protocol, a bounded number of bytes in a turn of the
 * event loop.
 */


/*
 * Reads the body.  Returns NGX_DONE, and the handler is called once, now or
 * later; or returns an HTTP status, and the handler is not called.
 */
ngx_int_t ngx_http_kafka_body_read(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx, ngx_http_kafka_body_handler_pt handler);

/* stops reading; the handler is not called any more */
void ngx_http_kafka_body_close(ngx_http_kafka_ctx_t *ctx);


#endif /* _NGX_HTTP_KAFKA_BODY_H_INCLUDED_ */
