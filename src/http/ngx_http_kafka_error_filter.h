
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_ERROR_FILTER_H_INCLUDED_
#define _NGX_HTTP_KAFKA_ERROR_FILTER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/*
 * Installs filters that give every error from a produce location the body of
 * its protocol, also if nginx has refused the request (401, 403, 413, 429 ...).
 */
ngx_int_t ngx_http_kafka_error_filter_init(ngx_conf_t *cf);


#endif /* _NGX_HTTP_KAFKA_ERROR_FILTER_H_INCLUDED_ */
