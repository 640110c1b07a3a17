
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
 * One of rd_kafka_msg_partitioner_*().  These read only the key, so they may be
 * called without a topic handle.
 */
typedef int32_t (*ngx_http_kafka_partitioner_hash_pt)(
    const rd_kafka_topic_t *rkt, const void *key, size_t len,
    int32_t partitions, void *rkt_opaque, void *msg_opaque);


/* which records may go to any partition */

typedef enum {
    NGX_HTTP_KAFKA_PARTITIONER_NONE = 0,
    NGX_HTTP_KAFKA_PARTITIONER_NO_KEY,
    NGX_HTTP_KAFKA_PARTITIONER_EMPTY_KEY,    /* or no key */
    NGX_HTTP_KAFKA_PARTITIONER_ALL
} ngx_http_kafka_partitioner_any_e;


typedef struct {
    const char                          *name;
    ngx_http_kafka_partitioner_any_e     any;
    ngx_http_kafka_partitioner_hash_pt   hash;    /* NULL for ALL */
} ngx_http_kafka_partitioner_t;


/* returns the partitioner with this name; an unknown name means "random" */
const ngx_http_kafka_partitioner_t *ngx_http_kafka_partitioner(
    const char *name);


#endif /* _NGX_HTTP_KAFKA_PARTITIONER_H_INCLUDED_ */
