
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_HEALTH_CHECK_H_INCLUDED_
#define _NGX_HTTP_KAFKA_HEALTH_CHECK_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/* the content handler of kafka_health */
ngx_int_t ngx_http_kafka_health_check_handler(ngx_http_request_t *r);


#endif /* _NGX_HTTP_KAFKA_HEALTH_CHECK_H_INCLUDED_ */
