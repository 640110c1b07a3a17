
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
 * Reads the configuration of producers.  No function leaves a thread behind:
 * the process that reads the configuration forks workers afterwards.
 */


/*
 * A producer's configuration.  It does not change after it was read.  The pool
 * of nginx's configuration owns it.
 */

typedef struct {
    ngx_str_t            name;
    rd_kafka_conf_t     *properties;     /* NULL before the block is read */
    ngx_thread_pool_t   *thread_pool;
    ngx_msec_t           timeout;        /* message.timeout.ms */
    ngx_msec_t           retry_backoff;  /* the shortest, milliseconds */
    ngx_msec_t           statistics_interval;  /* milliseconds, 0: none */
    size_t               message_max;    /* message.max.bytes */
    ngx_uint_t           in_flight;      /* requests per connection */

    const ngx_http_kafka_partitioner_t
                        *partitioner;
    ngx_msec_t           sticky;         /* sticky.partitioning.linger.ms */

    ngx_uint_t           line;           /* where it is first named */
    u_char              *file;
    ngx_uint_t           health_line;    /* where kafka_health names it */
    u_char              *health_file;    /* NULL: not named */

    unsigned             auto_create:1;  /* brokers may create topics */
    unsigned             idempotent:1;
    unsigned             mocked:1;       /* with the mock cluster */
    unsigned             statistics_off:1;  /* the user has set 0 */
} ngx_http_kafka_conf_t;


/* returns a producer that is not defined yet; NULL when out of memory */
ngx_http_kafka_conf_t *ngx_http_kafka_conf_create(ngx_conf_t *cf,
    ngx_str_t *name);

/* reads and checks the block of properties that defines the producer */
char *ngx_http_kafka_conf_block(ngx_conf_t *cf,
    ngx_http_kafka_conf_t *conf);

/*
 * called once all is read, if there is a producer: warns of known faults of the
 * loaded librdkafka
 */
void ngx_http_kafka_conf_version(ngx_conf_t *cf);

/* called once all is read: enables statistics if kafka_health needs them */
char *ngx_http_kafka_conf_health(ngx_conf_t *cf,
    ngx_http_kafka_conf_t *conf);


#endif /* _NGX_HTTP_KAFKA_CONF_H_INCLUDED_ */
