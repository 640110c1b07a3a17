
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_VARIABLES_H_INCLUDED_
#define _NGX_HTTP_KAFKA_VARIABLES_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/*
 * Adds the variables about requests in produce locations.  Returns NGX_OK, or
 * NGX_ERROR when memory is out.
 */
ngx_int_t ngx_http_kafka_variables_add(ngx_conf_t *cf);


#endif /* _NGX_HTTP_KAFKA_VARIABLES_H_INCLUDED_ */
