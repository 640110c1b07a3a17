
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_ENDPOINT_H_INCLUDED_
#define _NGX_HTTP_KAFKA_ENDPOINT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_http_kafka_writer.h>


/* What kafka_status and kafka_health have in common.  Event loop. */


/* discards a body; returns NGX_OK for GET and HEAD, or an HTTP status */
ngx_int_t ngx_http_kafka_endpoint_begin(ngx_http_request_t *r);

/* sends what was written; returns what a content handler returns */
ngx_int_t ngx_http_kafka_endpoint_send(ngx_http_request_t *r,
    ngx_uint_t status, ngx_str_t *type, ngx_http_kafka_writer_t *out);


#endif /* _NGX_HTTP_KAFKA_ENDPOINT_H_INCLUDED_ */
