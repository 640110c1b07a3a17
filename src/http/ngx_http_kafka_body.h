
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
 * Reads a request body, as it arrives or from nginx's buffers, and feeds it to
 * the protocol.  The number of bytes in one turn of the event loop is limited.
 */


/*
 * Reads the body.  Returns NGX_DONE if the handler is called, once, before or
 * after this function returns.  Returns an HTTP status if the handler is not
 * called.
 */
ngx_int_t ngx_http_kafka_body_read(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx, ngx_http_kafka_body_handler_pt handler);

/*
 * Returns 1 if the request's body, or a part of it, was discarded before the
 * request came to this location, by an internal redirect or as a subrequest
 * without a body.  Event loop.
 */
ngx_uint_t ngx_http_kafka_body_lost(ngx_http_request_t *r);

/* stops reading; the handler is not called afterwards */
void ngx_http_kafka_body_close(ngx_http_kafka_ctx_t *ctx);


#endif /* _NGX_HTTP_KAFKA_BODY_H_INCLUDED_ */
