
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_ERROR_FILTER_H_INCLUDED_
#define _NGX_HTTP_KAFKA_ERROR_FILTER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_http_kafka_module.h>


/*
 * Gives every error from a produce location its JSON body, whoever refused
 * the request: the module or nginx (401, 403, 413, 429 ...).
 */
ngx_int_t ngx_http_kafka_error_filter_init(ngx_conf_t *cf);

/*
 * The JSON text for an error of nginx's own, in the request's pool, into the
 * context.  NGX_ERROR when memory is out.
 */
ngx_int_t ngx_http_kafka_error_filter_error(ngx_http_request_t *r,
    ngx_uint_t status, ngx_http_kafka_ctx_t *ctx);


#endif /* _NGX_HTTP_KAFKA_ERROR_FILTER_H_INCLUDED_ */
