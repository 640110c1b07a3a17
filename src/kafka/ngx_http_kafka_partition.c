
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_partition.h>
#include <ngx_http_kafka_lane.h>


/*
 * milliseconds without an answer after which a partition is avoided; and how
 * many partitions are tried to find another one
 */
#define NGX_HTTP_KAFKA_PARTITION_STUCK  500
#define NGX_HTTP_KAFKA_PARTITION_TRIES  100


static int32_t ngx_http_kafka_partition_sticky(ngx_http_kafka_conf_t *conf,
    ngx_http_kafka_topic_t *topic);
static int32_t ngx_http_kafka_partition_random(ngx_http_kafka_topic_t *topic);
static ngx_uint_t ngx_http_kafka_partition_stuck(ngx_http_kafka_topic_t *topic,
    int32_t partition);


int32_t
ngx_http_kafka_partition(ngx_http_kafka_conf_t *conf,
    ngx_http_kafka_topic_t *topic, ngx_http_kafka_record_t *record)
{
    ngx_uint_t                           any;
    const ngx_http_kafka_partitioner_t  *partitioner;

    if (record->partition != RD_KAFKA_PARTITION_UA) {
        return record->partition;
    }

    if (topic->partitions == 0 || ngx_http_kafka_topic_stale(topic)) {

        /* librdkafka chooses, by its own number of partitions */

        return RD_KAFKA_PARTITION_UA;
    }

    partitioner = conf->partitioner;

    switch (partitioner->any) {

    case NGX_HTTP_KAFKA_PARTITIONER_ALL:
        if (record->key.data) {
            return ngx_http_kafka_partition_random(topic);
        }

        any = 1;
        break;

    case NGX_HTTP_KAFKA_PARTITIONER_EMPTY_KEY:
        any = (record->key.len == 0);
        break;

    case NGX_HTTP_KAFKA_PARTITIONER_NO_KEY:
        any = (record->key.data == NULL);
        break;

    default: /* NGX_HTTP_KAFKA_PARTITIONER_NONE */
        any = 0;
    }

    if (any) {
        return ngx_http_kafka_partition_sticky(conf, topic);
    }

    return partitioner->hash(NULL, record->key.data, record->key.len,
                             topic->partitions, NULL, NULL);
}


static int32_t
ngx_http_kafka_partition_sticky(ngx_http_kafka_conf_t *conf,
    ngx_http_kafka_topic_t *topic)
{
    int32_t  other;

    if (conf->sticky == 0) {
        return ngx_http_kafka_partition_random(topic);
    }

    if (topic->sticky >= topic->partitions
        || ngx_current_msec - topic->sticky_since >= conf->sticky)
    {
        topic->sticky = ngx_http_kafka_partition_random(topic);
        topic->sticky_since = ngx_current_msec;

    } else if (ngx_http_kafka_partition_stuck(topic, topic->sticky)) {
        other = ngx_http_kafka_partition_random(topic);

        if (!ngx_http_kafka_partition_stuck(topic, other)) {
            topic->sticky = other;
        }
    }

    return topic->sticky;
}


static int32_t
ngx_http_kafka_partition_random(ngx_http_kafka_topic_t *topic)
{
    int32_t  first, partition, n;

    first = ngx_random() % topic->partitions;
    partition = first;

    for (n = 0; n < NGX_HTTP_KAFKA_PARTITION_TRIES; n++) {

        if (!ngx_http_kafka_partition_stuck(topic, partition)) {
            return partition;
        }

        partition = (partition + 1) % topic->partitions;
    }

    return first;
}


static ngx_uint_t
ngx_http_kafka_partition_stuck(ngx_http_kafka_topic_t *topic,
    int32_t partition)
{
    ngx_http_kafka_lane_t  *lane;

    if ((ngx_uint_t) partition + 1 >= topic->nlanes) {
        return 0;
    }

    lane = topic->lanes[partition + 1];

    if (lane == NULL) {
        return 0;
    }

    return (lane->pending
            && ngx_current_msec - lane->submitted_at
               > NGX_HTTP_KAFKA_PARTITION_STUCK)
           || ngx_http_kafka_lane_stuck(lane);
}


ngx_int_t
ngx_http_kafka_partition_number(ngx_str_t *text)
{
    ngx_int_t  n;

    n = ngx_atoi(text->data, text->len);

    return (n > NGX_MAX_INT32_VALUE) ? NGX_ERROR : n;
}
