
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_ANSWER_H_INCLUDED_
#define _NGX_HTTP_KAFKA_ANSWER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_http_kafka_request.h>


/* The answer of a produce location: from here, or by nginx's error pages. */


/* rc is NGX_HTTP_OK with ctx->body set, or an error; returns for nginx */
ngx_int_t ngx_http_kafka_answer(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx, ngx_int_t rc);

/* drops header lines of an answer that another produce location began */
void ngx_http_kafka_answer_forget(ngx_http_request_t *r);


#endif /* _NGX_HTTP_KAFKA_ANSWER_H_INCLUDED_ */
