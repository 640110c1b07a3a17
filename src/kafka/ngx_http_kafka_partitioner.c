
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_partitioner.h>


static const ngx_http_kafka_partitioner_t  ngx_http_kafka_partitioners[] = {
    { "consistent", NGX_HTTP_KAFKA_PARTITIONER_NONE,
      rd_kafka_msg_partitioner_consistent },
    { "consistent_random", NGX_HTTP_KAFKA_PARTITIONER_EMPTY_KEY,
      rd_kafka_msg_partitioner_consistent },
    { "murmur2", NGX_HTTP_KAFKA_PARTITIONER_NONE,
      rd_kafka_msg_partitioner_murmur2 },
    { "murmur2_random", NGX_HTTP_KAFKA_PARTITIONER_NO_KEY,
      rd_kafka_msg_partitioner_murmur2 },
    { "fnv1a", NGX_HTTP_KAFKA_PARTITIONER_NONE,
      rd_kafka_msg_partitioner_fnv1a },
    { "fnv1a_random", NGX_HTTP_KAFKA_PARTITIONER_NO_KEY,
      rd_kafka_msg_partitioner_fnv1a },
    { NULL, NGX_HTTP_KAFKA_PARTITIONER_ALL, NULL }
};


const ngx_http_kafka_partitioner_t *
ngx_http_kafka_partitioner(const char *name)
{
    const ngx_http_kafka_partitioner_t  *p;

    for (p = ngx_http_kafka_partitioners; p->name; p++) {
        if (ngx_strcmp(p->name, name) == 0) {
            break;
        }
    }

    return p;
}
