
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_ANSWER_H_INCLUDED_
#define _NGX_HTTP_KAFKA_ANSWER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_http_kafka_request.h>


/* Answers in a produce location, itself or by nginx's error pages. */


/*
 * Answers with ctx->body where rc is NGX_HTTP_OK, or with an error.  Returns
 * what a content handler returns.
 */
ngx_int_t ngx_http_kafka_answer(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx, ngx_int_t rc);

/*
 * Fills out with a response's whole body, in one buffer that points to body.
 * Returns NGX_OK, or NGX_ERROR when memory is out.
 */
ngx_int_t ngx_http_kafka_answer_body(ngx_http_request_t *r, ngx_str_t *body,
    ngx_chain_t *out);

/* removes header lines that another produce location has added for its error */
void ngx_http_kafka_answer_clear_headers(ngx_http_request_t *r);


#endif /* _NGX_HTTP_KAFKA_ANSWER_H_INCLUDED_ */
