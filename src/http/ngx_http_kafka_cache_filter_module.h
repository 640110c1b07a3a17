
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_CACHE_FILTER_MODULE_H_INCLUDED_
#define _NGX_HTTP_KAFKA_CACHE_FILTER_MODULE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/*
 * Adds "Cache-Control: no-store" unless the response has a "Cache-Control"
 * header.  Returns NGX_OK, or NGX_ERROR when memory is out.  Event loop.
 */
ngx_int_t ngx_http_kafka_cache_filter_forbid(ngx_http_request_t *r);


extern ngx_module_t  ngx_http_kafka_cache_filter_module;


#endif /* _NGX_HTTP_KAFKA_CACHE_FILTER_MODULE_H_INCLUDED_ */
