
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_PARTITIONER_H_INCLUDED_
#define _NGX_HTTP_KAFKA_PARTITIONER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <librdkafka/rdkafka.h>


/* librdkafka's partitioners, by the values of its property "partitioner" */


/*
 * One of rd_kafka_msg_partitioner_*().  These read nothing but the key, so that
 * they may be called without a topic's handle.
 */
typedef int32_t (*ngx_http_kafka_partitioner_hash_pt)(
    const rd_kafka_topic_t *rkt, const void *key, size_t len,
    int32_t partitions, void *rkt_opaque, void *msg_opaque);


/* which records get any partition */

typedef enum {
    NGX_HTTP_KAFKA_PARTITIONER_NONE = 0,
    NGX_HTTP_KAFKA_PARTITIONER_NO_KEY,
    NGX_HTTP_KAFKA_PARTITIONER_EMPTY_KEY,    /* those without a key, too */
    NGX_HTTP_KAFKA_PARTITIONER_ALL
} ngx_http_kafka_partitioner_any_e;


typedef struct {
    const char                          *name;
    ngx_http_kafka_partitioner_any_e     any;
    ngx_http_kafka_partitioner_hash_pt   hash;    /* NULL: ALL */
} ngx_http_kafka_partitioner_t;


/* the partitioner of this name; an unknown one is as "random" */
const ngx_http_kafka_partitioner_t *ngx_http_kafka_partitioner(
    const char *name);


#endif /* _NGX_HTTP_KAFKA_PARTITIONER_H_INCLUDED_ */
