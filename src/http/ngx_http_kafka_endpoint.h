
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_ENDPOINT_H_INCLUDED_
#define _NGX_HTTP_KAFKA_ENDPOINT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_http_kafka_writer.h>


/* Functions that kafka_status and kafka_health share.  Event loop. */


/*
 * Checks the method, and discards the request body.  Returns NGX_OK for GET and
 * HEAD, or an HTTP status: 405 for other methods, or 500 when memory is out.
 */
ngx_int_t ngx_http_kafka_endpoint_begin(ngx_http_request_t *r);

/*
 * Sends the text in out with this status and type, or a 500 if out->failed is
 * set.  Returns a content handler's return code.
 */
ngx_int_t ngx_http_kafka_endpoint_send(ngx_http_request_t *r,
    ngx_uint_t status, ngx_str_t *type, ngx_http_kafka_writer_t *out);


#endif /* _NGX_HTTP_KAFKA_ENDPOINT_H_INCLUDED_ */
