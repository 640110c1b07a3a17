
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_MODULE_H_INCLUDED_
#define _NGX_HTTP_KAFKA_MODULE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_http_kafka_batch.h>
#include <ngx_http_kafka_parse.h>
#include <ngx_http_kafka_producer.h>
#include <ngx_http_kafka_route.h>


typedef struct {
    ngx_array_t                  producers;  /* of pointers to producers */
    ngx_msec_t                   shutdown_timeout;
    size_t                       max_memory;
} ngx_http_kafka_main_conf_t;


typedef struct {
    ngx_http_kafka_producer_t   *producer;
} ngx_http_kafka_loc_conf_t;


/* a request in a produce location, in the request's pool */

typedef struct {
    ngx_http_kafka_route_t       route;
    ngx_http_request_t          *request;
    ngx_http_kafka_batch_t      *batch;      /* NULL once it was left */
    ngx_http_kafka_parse_t      *parse;

    ngx_str_t                    body;       /* the JSON text of success */
    ngx_str_t                    error;      /* the JSON text of a failure */
    unsigned                     own_body:1; /* read here, not before */
    unsigned                     keepalive:1;
    unsigned                     answered:1; /* with metadata */
    unsigned                     replace:1;  /* nginx's page by the error */
} ngx_http_kafka_ctx_t;


extern ngx_module_t  ngx_http_kafka_module;


#endif /* _NGX_HTTP_KAFKA_MODULE_H_INCLUDED_ */
