
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_VARIABLES_H_INCLUDED_
#define _NGX_HTTP_KAFKA_VARIABLES_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_http_kafka_module.h>


/* nginx's variables that tell of a request in a produce location */


ngx_int_t ngx_http_kafka_variables_add(ngx_conf_t *cf);

/* before the request lets its batch go: keeps what variables tell of it */
void ngx_http_kafka_variables_keep(ngx_http_kafka_ctx_t *ctx);

/*
 * The request's context, where a redirect has led it elsewhere, too; or NULL.
 * Event loop.
 */
ngx_http_kafka_ctx_t *ngx_http_kafka_variables_ctx(ngx_http_request_t *r);


#endif /* _NGX_HTTP_KAFKA_VARIABLES_H_INCLUDED_ */
