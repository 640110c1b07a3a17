
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_CONF_H_INCLUDED_
#define _NGX_HTTP_KAFKA_CONF_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_thread_pool.h>
#include <ngx_http_kafka_partitioner.h>
#include <librdkafka/rdkafka.h>


/*
 * The configuration of producers, while nginx reads it.  Nothing here keeps
 * a thread: the process that reads forks workers afterwards.
 */


/*
 * A producer as it is configured.  Nothing here changes once the configuration
 * is read; the pool of the configuration owns it.
 */

typedef struct {
    ngx_str_t            name;
    rd_kafka_conf_t     *properties;     /* NULL before the block is read */
    ngx_thread_pool_t   *thread_pool;
    ngx_msec_t           timeout;        /* message.timeout.ms */
    ngx_msec_t           retry_backoff;  /* milliseconds, the shortest */
    ngx_msec_t           statistics_interval;  /* milliseconds, 0: none */
    size_t               message_max;    /* message.max.bytes */
    ngx_uint_t           in_flight;      /* requests, of a connection */

    const ngx_http_kafka_partitioner_t
                        *partitioner;
    ngx_msec_t           sticky;         /* sticky.partitioning.linger.ms */

    ngx_uint_t           line;           /* where it is first named */
    u_char              *file;
    ngx_uint_t           health_line;    /* where kafka_health names it */
    u_char              *health_file;    /* NULL: nowhere */

    unsigned             auto_create:1;  /* brokers may create topics */
    unsigned             idempotent:1;
    unsigned             mocked:1;       /* brokers inside a client */
    unsigned             statistics_off:1;  /* by the user's 0 */
} ngx_http_kafka_conf_t;


/* a producer that is named, and not yet defined; NULL when memory is out */
ngx_http_kafka_conf_t *ngx_http_kafka_conf_create(ngx_conf_t *cf,
    ngx_str_t *name);

/* reads the block of properties that defines the producer, and checks it */
char *ngx_http_kafka_conf_block(ngx_conf_t *cf,
    ngx_http_kafka_conf_t *conf);

/* once all is read, with some producer: warns of librdkafka's known faults */
void ngx_http_kafka_conf_version(ngx_conf_t *cf);

/* once all is read: librdkafka's statistics, where kafka_health needs them */
char *ngx_http_kafka_conf_health(ngx_conf_t *cf,
    ngx_http_kafka_conf_t *conf);


#endif /* _NGX_HTTP_KAFKA_CONF_H_INCLUDED_ */
