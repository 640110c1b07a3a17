
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_MODULE_H_INCLUDED_
#define _NGX_HTTP_KAFKA_MODULE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_http_kafka_batch.h>
#include <ngx_http_kafka_messages.h>
#include <ngx_http_kafka_producer.h>
#include <ngx_http_kafka_route.h>


#define NGX_HTTP_KAFKA_STATUS_JSON        1
#define NGX_HTTP_KAFKA_STATUS_PROMETHEUS  2


typedef struct {
    ngx_array_t                  producers;  /* of pointers to producers */
    ngx_msec_t                   shutdown_timeout;
    size_t                       max_memory;
    size_t                       status_size; /* of the zone */
    ngx_shm_zone_t              *zone;       /* with some producer only */
} ngx_http_kafka_main_conf_t;


typedef struct {
    ngx_http_kafka_producer_t   *producer;   /* of kafka_produce */
    ngx_http_kafka_producer_t   *health;     /* of kafka_health */
    ngx_uint_t                   status;     /* NGX_HTTP_KAFKA_STATUS_* or 0 */
} ngx_http_kafka_loc_conf_t;


/* what variables tell of a batch, which is gone before the log is written */

typedef struct {
    ngx_str_t                    topic;      /* that all messages name */
    size_t                       messages;
    size_t                       bytes;
    int64_t                      partition;  /* of a single message, or -1 */
    int64_t                      offset;
    ngx_msec_t                   parse_time;
    ngx_msec_t                   ack_time;
    unsigned                     kept:1;
    unsigned                     sent:1;     /* both times are known */
} ngx_http_kafka_facts_t;


/* a request in a produce location, in the request's pool */

typedef struct {
    ngx_http_kafka_route_t       route;
    ngx_http_request_t          *request;
    ngx_http_kafka_batch_t      *batch;      /* NULL once it was left */
    ngx_http_kafka_messages_t   *messages;
    ngx_http_kafka_producer_t   *producer;
    ngx_msec_t                   start;
    ngx_http_kafka_facts_t       facts;

    ngx_str_t                    room;       /* for the answer */
    ngx_str_t                    body;       /* the JSON text of success */
    ngx_str_t                    error;      /* the JSON text of a failure */
    ngx_uint_t                   error_status; /* that the text names */
    unsigned                     own_body:1; /* read here, and not kept */
    unsigned                     keepalive:1;
    unsigned                     results:1;  /* messages were handed over */
    unsigned                     replace:1;  /* nginx's page by the error */
} ngx_http_kafka_ctx_t;


extern ngx_module_t  ngx_http_kafka_module;


#endif /* _NGX_HTTP_KAFKA_MODULE_H_INCLUDED_ */
