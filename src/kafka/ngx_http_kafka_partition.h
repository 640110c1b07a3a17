
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
 * Returns the partition of a record, whose topic must be known: the partition
 * that the record names; the one that librdkafka's partitioner chooses by the
 * key; or, for records without a key, one partition that is kept for a while so
 * that groups are large.  Returns RD_KAFKA_PARTITION_UA if the client is to
 * choose, because the number of partitions is not known or not up to date.
 * Event loop.
 */
int32_t ngx_http_kafka_partition(ngx_http_kafka_conf_t *conf,
    ngx_http_kafka_topic_t *topic, ngx_http_kafka_record_t *record);

/* returns the number of a partition that the text names, or NGX_ERROR */
ngx_int_t ngx_http_kafka_partition_number(ngx_str_t *text);


#endif /* _NGX_HTTP_KAFKA_PARTITION_H_INCLUDED_ */
