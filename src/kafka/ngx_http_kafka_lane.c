
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_lane.h>
#include <ngx_http_kafka_topic.h>


/*
 * Milliseconds after an acknowledgement in which the broker surely knows the
 * producer id still; the same where records have old timestamps, by which
 * brokers forget one after a day; and what is old.
 */
#define NGX_HTTP_KAFKA_LANE_KNOWN      60000
#define NGX_HTTP_KAFKA_LANE_KNOWN_OLD  1000
#define NGX_HTTP_KAFKA_LANE_OLD        (12 * 3600 * 1000)

/* milliseconds in which a partition that let a record time out is avoided */
#define NGX_HTTP_KAFKA_LANE_STUCK      10000


static ngx_int_t ngx_http_kafka_lanes_grow(ngx_http_kafka_topic_t *topic,
    ngx_uint_t n);


ngx_http_kafka_lane_t *
ngx_http_kafka_lane(ngx_http_kafka_topic_t *topic, int32_t partition)
{
    ngx_uint_t              i;
    ngx_http_kafka_lane_t  *lane;

    i = (ngx_uint_t) (partition + 1);

    if (i >= topic->nlanes
        && ngx_http_kafka_lanes_grow(topic, ngx_max(topic->partitions + 1,
                                                    partition + 2))
           != NGX_OK)
    {
        return NULL;
    }

    if (topic->lanes[i]) {
        return topic->lanes[i];
    }

    lane = ngx_calloc(sizeof(ngx_http_kafka_lane_t), ngx_cycle->log);

    if (lane) {
        ngx_queue_init(&lane->returned);
        ngx_queue_init(&lane->waiting);
        lane->topic = topic;
        lane->partition = partition;
        topic->lanes[i] = lane;
    }

    return lane;
}


static ngx_int_t
ngx_http_kafka_lanes_grow(ngx_http_kafka_topic_t *topic, ngx_uint_t n)
{
    ngx_http_kafka_lane_t  **lanes;

    lanes = ngx_calloc(n * sizeof(ngx_http_kafka_lane_t *), ngx_cycle->log);
    if (lanes == NULL) {
        return NGX_ERROR;
    }

    if (topic->lanes) {
        ngx_memcpy(lanes, topic->lanes,
                   topic->nlanes * sizeof(ngx_http_kafka_lane_t *));
        ngx_free(topic->lanes);
    }

    topic->lanes = lanes;
    topic->nlanes = n;

    return NGX_OK;
}


void
ngx_http_kafka_lanes_free(ngx_http_kafka_topic_t *topic)
{
    ngx_uint_t  i;

    for (i = 0; i < topic->nlanes; i++) {
        if (topic->lanes[i]) {
            ngx_free(topic->lanes[i]);
        }
    }

    if (topic->lanes) {
        ngx_free(topic->lanes);
    }
}


void
ngx_http_kafka_lane_add(ngx_http_kafka_lane_t *lane,
    ngx_http_kafka_record_t *record)
{
    record->lane = lane;
    ngx_queue_insert_tail(&lane->waiting, &record->queue);
}


void
ngx_http_kafka_lane_return(ngx_http_kafka_lane_t *lane,
    ngx_http_kafka_record_t *record)
{
    record->state = NGX_HTTP_KAFKA_RECORD_NEW;
    ngx_queue_insert_tail(&lane->returned, &record->queue);
}


ngx_http_kafka_record_t *
ngx_http_kafka_lane_first(ngx_http_kafka_lane_t *lane)
{
    ngx_queue_t  *queue;

    queue = &lane->returned;

    if (ngx_queue_empty(queue)) {
        queue = &lane->waiting;

        if (ngx_queue_empty(queue)) {
            return NULL;
        }
    }

    return ngx_queue_data(ngx_queue_head(queue), ngx_http_kafka_record_t,
                          queue);
}


void
ngx_http_kafka_lane_remove(ngx_http_kafka_record_t *record)
{
    ngx_queue_remove(&record->queue);
}


ngx_uint_t
ngx_http_kafka_lane_limit(ngx_http_kafka_lane_t *lane, ngx_uint_t generation)
{
    ngx_msec_t  known;

    known = lane->old ? NGX_HTTP_KAFKA_LANE_KNOWN_OLD
                      : NGX_HTTP_KAFKA_LANE_KNOWN;

    return (lane->generation == generation
            && lane->epoch == lane->topic->epoch
            && ngx_current_msec - lane->acked_at < known)
           ? NGX_HTTP_KAFKA_LANE_GROUP
           : 1;
}


void
ngx_http_kafka_lane_timed_out(ngx_http_kafka_lane_t *lane)
{
    lane->timed_out = 1;
    lane->stuck_until = ngx_current_msec + NGX_HTTP_KAFKA_LANE_STUCK;
}


void
ngx_http_kafka_lane_acked(ngx_http_kafka_lane_t *lane, ngx_uint_t generation,
    int64_t offset, int64_t timestamp)
{
    int64_t  now;

    /* an offset that went back is of another topic with the same name */

    lane->generation = (offset < lane->offset) ? 0 : generation;
    lane->epoch = lane->topic->epoch;
    lane->offset = offset;
    lane->acked_at = ngx_current_msec;

    now = (int64_t) ngx_time() * 1000;
    lane->old = (timestamp < now - NGX_HTTP_KAFKA_LANE_OLD);
}
