
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_CONF_H_INCLUDED_
#define _NGX_HTTP_KAFKA_CONF_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http_kafka_producer.h>


/*
 * The configuration of producers, while nginx reads it.  Nothing here keeps
 * a thread: the process that reads forks workers afterwards.
 */


/*
 * The producer of this name out of producers (of pointers), added where it is
 * new, for it may be named before it is defined.  NULL when memory is out.
 */
ngx_http_kafka_producer_t *ngx_http_kafka_conf_producer(ngx_conf_t *cf,
    ngx_array_t *producers, ngx_str_t *name);

/* reads the block of properties that defines the producer, and checks it */
char *ngx_http_kafka_conf_block(ngx_conf_t *cf,
    ngx_http_kafka_producer_t *producer);

/* once all is read, with some producer: warns of librdkafka's known faults */
void ngx_http_kafka_conf_version(ngx_conf_t *cf);

/* once all is read: librdkafka's statistics, where kafka_health needs them */
char *ngx_http_kafka_conf_health(ngx_conf_t *cf,
    ngx_http_kafka_producer_t *producer);


#endif /* _NGX_HTTP_KAFKA_CONF_H_INCLUDED_ */
