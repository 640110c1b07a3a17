
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_ADMISSION_H_INCLUDED_
#define _NGX_HTTP_KAFKA_ADMISSION_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_http_kafka_request.h>


/* Whether a request may go on: its coding, and the memory that it needs. */


/* returns NGX_OK if the body has no coding, or the status of a refusal */
ngx_int_t ngx_http_kafka_admission_encoding(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx);

/* returns NGX_OK if there is room for more bytes, or the status of a refusal */
ngx_int_t ngx_http_kafka_admission_memory(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx, off_t more);


#endif /* _NGX_HTTP_KAFKA_ADMISSION_H_INCLUDED_ */
