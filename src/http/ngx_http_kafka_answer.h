
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_ANSWER_H_INCLUDED_
#define _NGX_HTTP_KAFKA_ANSWER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_http_kafka_request.h>


/*
 * Sends the responses of a produce location, directly or through nginx's error
 * pages.  Event loop.
 */


/*
 * Sends ctx->body if rc is NGX_HTTP_OK, a response without a body if rc is
 * NGX_HTTP_NO_CONTENT, or an error response if rc is an HTTP status of 400 or
 * more.  Does nothing for another rc.  Returns a content handler's return code.
 */
ngx_int_t ngx_http_kafka_answer(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx, ngx_int_t rc);

/*
 * Sets *out to a chain link with one buffer, which points to the whole response
 * body and does not copy it.  The buffer is allocated from r->pool.  Returns
 * NGX_OK, or NGX_ERROR when memory is out.
 */
ngx_int_t ngx_http_kafka_answer_body(ngx_http_request_t *r, ngx_str_t *body,
    ngx_chain_t *out);

/* removes the headers that another produce location has added to its error */
void ngx_http_kafka_answer_clear_headers(ngx_http_request_t *r);

/*
 * Returns 1 if a success is to be answered without a body: by kafka_response,
 * or because the request has "Prefer: return=minimal" (RFC 7240).  In the
 * latter case adds the response header "Preference-Applied".  Returns 0 when
 * memory is out.
 */
ngx_uint_t ngx_http_kafka_answer_minimal(ngx_http_request_t *r);


#endif /* _NGX_HTTP_KAFKA_ANSWER_H_INCLUDED_ */
