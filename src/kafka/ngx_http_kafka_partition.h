
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_PARTITION_H_INCLUDED_
#define _NGX_HTTP_KAFKA_PARTITION_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http_kafka_conf.h>
#include <ngx_http_kafka_topic.h>


/*
 * The partition of a record, whose topic is known: its own; by its key, as
 * librdkafka's partitioners choose it; or one for records without a key, kept
 * for a while so that their groups are large.  RD_KAFKA_PARTITION_UA where the
 * topic has none.  Event loop.
 */
int32_t ngx_http_kafka_partition(ngx_http_kafka_conf_t *conf,
    ngx_http_kafka_topic_t *topic, ngx_http_kafka_record_t *record);


#endif /* _NGX_HTTP_KAFKA_PARTITION_H_INCLUDED_ */
