
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_LOCATION_H_INCLUDED_
#define _NGX_HTTP_KAFKA_LOCATION_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_http_kafka_producer.h>
#include <ngx_http_kafka_protocol.h>


/* The module's main configuration, and its location configuration. */


#define NGX_HTTP_KAFKA_STATUS_JSON        1
#define NGX_HTTP_KAFKA_STATUS_PROMETHEUS  2


typedef struct {
    ngx_array_t                  producers;  /* of pointers to producers */
    ngx_msec_t                   shutdown_timeout;
    size_t                       max_memory; /* bytes, per worker */
    size_t                       status_size; /* bytes of the zone */
    ngx_shm_zone_t              *zone;       /* NULL without producers */
} ngx_http_kafka_main_conf_t;


typedef struct {
    ngx_http_kafka_producer_t   *producer;   /* of kafka_produce */
    const ngx_http_kafka_protocol_t
                                *protocol;   /* of kafka_produce */
    ngx_http_kafka_producer_t   *health;     /* of kafka_health */
    ngx_uint_t                   status;     /* NGX_HTTP_KAFKA_STATUS_* or 0 */
} ngx_http_kafka_loc_conf_t;


extern ngx_module_t  ngx_http_kafka_module;


#endif /* _NGX_HTTP_KAFKA_LOCATION_H_INCLUDED_ */
