
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_HANDLER_H_INCLUDED_
#define _NGX_HTTP_KAFKA_HANDLER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/* the content handler of produce locations */
ngx_int_t ngx_http_kafka_handler(ngx_http_request_t *r);

/* of the request's pool; its data is the request's context */
void ngx_http_kafka_handler_cleanup(void *data);


#endif /* _NGX_HTTP_KAFKA_HANDLER_H_INCLUDED_ */
