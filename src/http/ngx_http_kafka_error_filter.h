
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_ERROR_FILTER_H_INCLUDED_
#define _NGX_HTTP_KAFKA_ERROR_FILTER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/*
 * Installs the filters that replace the body of each error page of a produce
 * location with an error of its protocol.  This includes the errors of nginx
 * itself (401, 403, 413, 429 ...).  Returns NGX_OK.
 */
ngx_int_t ngx_http_kafka_error_filter_init(ngx_conf_t *cf);


#endif /* _NGX_HTTP_KAFKA_ERROR_FILTER_H_INCLUDED_ */
