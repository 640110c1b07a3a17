
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

#define NGX_HTTP_KAFKA_RESPONSE_METADATA  1
#define NGX_HTTP_KAFKA_RESPONSE_MINIMAL   2


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
    ngx_http_complex_value_t    *topic;      /* of kafka_topic, or NULL */
    ngx_http_complex_value_t    *key;        /* of kafka_key, or NULL */
    ngx_http_complex_value_t    *partition;  /* of kafka_partition, or NULL */
    ngx_uint_t                   force_key;
    ngx_uint_t                   force_partition;
    ngx_uint_t                   response;   /* NGX_HTTP_KAFKA_RESPONSE_* */
    u_char                      *file;       /* where kafka_produce is */
    ngx_uint_t                   line;
    ngx_uint_t                   status;     /* NGX_HTTP_KAFKA_STATUS_* or 0 */
} ngx_http_kafka_loc_conf_t;


extern ngx_module_t  ngx_http_kafka_module;


/* returns the protocol of a parameter "protocol=NAME", or NULL */
const ngx_http_kafka_protocol_t *ngx_http_kafka_location_protocol(
    ngx_str_t *parameter);

/* returns 1 if the location's name is a prefix of paths */
ngx_uint_t ngx_http_kafka_location_prefix(ngx_http_core_loc_conf_t *clcf);

/*
 * Checks a produce location, with all its directives.  Returns NGX_CONF_OK, or
 * NGX_CONF_ERROR after it has logged the reason.
 */
char *ngx_http_kafka_location_check(ngx_conf_t *cf,
    ngx_http_kafka_loc_conf_t *klcf, ngx_http_core_loc_conf_t *clcf);


#endif /* _NGX_HTTP_KAFKA_LOCATION_H_INCLUDED_ */
