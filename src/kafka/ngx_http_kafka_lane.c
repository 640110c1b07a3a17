
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_lane.h>
#include <ngx_http_kafka_topic.h>


/*
 * How long a broker is certain to know the producer id after an
 * acknowledgement; the same if records have old timestamps, because brokers
 * forget a producer id a day after its last record's timestamp; and the age
 * that counts as old.  In milliseconds.
 */
#define NGX_HTTP_KAFKA_LANE_KNOWN      60000
#define NGX_HTTP_KAFKA_LANE_KNOWN_OLD  1000
#define NGX_HTTP_KAFKA_LANE_OLD        (12 * 3600 * 1000)

/* size of a large record's key and value, in bytes */
#define NGX_HTTP_KAFKA_LANE_LARGE      (256 * 1024)

/* milliseconds for which a partition is avoided after a record's time-out */
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
        lane->limit = NGX_HTTP_KAFKA_LANE_GROUP;
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
    record->serial = lane->serial++;
    ngx_queue_insert_tail(&lane->waiting, &record->queue);
}


/*
 * Keeps returned records in the order of their serials, because librdkafka may
 * report later requests first.  Most records follow the one that was returned
 * last.
 */

void
ngx_http_kafka_lane_return(ngx_http_kafka_lane_t *lane,
    ngx_http_kafka_record_t *record)
{
    ngx_queue_t              *q, *next;
    ngx_http_kafka_record_t  *other;

    record->state = NGX_HTTP_KAFKA_RECORD_NEW;

    q = lane->last_returned ? &lane->last_returned->queue : &lane->returned;

    while (q != ngx_queue_sentinel(&lane->returned)) {
        other = ngx_queue_data(q, ngx_http_kafka_record_t, queue);

        if ((int32_t) (record->serial - other->serial) > 0) {
            break;
        }

        q = ngx_queue_prev(q);
    }

    for (next = ngx_queue_next(q);
         next != ngx_queue_sentinel(&lane->returned);
         next = ngx_queue_next(q))
    {
        other = ngx_queue_data(next, ngx_http_kafka_record_t, queue);

        if ((int32_t) (record->serial - other->serial) < 0) {
            break;
        }

        q = next;
    }

    ngx_queue_insert_after(q, &record->queue);
    lane->last_returned = record;
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

    if (record->lane->last_returned == record) {
        record->lane->last_returned = NULL;
    }
}


ngx_uint_t
ngx_http_kafka_lane_isolated(ngx_http_kafka_lane_t *lane)
{
    ngx_http_kafka_record_t  *record;

    if (lane->isolated || ngx_http_kafka_topic_suspect(lane->topic)) {
        return 1;
    }

    record = ngx_http_kafka_lane_first(lane);

    return record && ngx_http_kafka_lane_large(record);
}


/*
 * Some brokers refuse a request that is too large by closing the connection,
 * and all other requests in flight on it are lost.  That repeats, because
 * librdkafka sends the same request again.
 */

ngx_uint_t
ngx_http_kafka_lane_large(ngx_http_kafka_record_t *record)
{
    return record->key.len + record->value.len >= NGX_HTTP_KAFKA_LANE_LARGE;
}


ngx_uint_t
ngx_http_kafka_lane_limit(ngx_http_kafka_lane_t *lane, ngx_uint_t generation,
    ngx_uint_t idempotent, ngx_uint_t isolated)
{
    ngx_msec_t  known;

    known = lane->old ? NGX_HTTP_KAFKA_LANE_KNOWN_OLD
                      : NGX_HTTP_KAFKA_LANE_KNOWN;

    if ((idempotent || isolated)
        && (lane->generation != generation
            || lane->epoch != lane->topic->epoch
            || ngx_current_msec - lane->acked_at >= known))
    {
        return 1;
    }

    return isolated ? lane->limit : NGX_HTTP_KAFKA_LANE_GROUP;
}


void
ngx_http_kafka_lane_timed_out(ngx_http_kafka_lane_t *lane)
{
    lane->timed_out = 1;
    lane->stuck_until = ngx_current_msec + NGX_HTTP_KAFKA_LANE_STUCK;
}


ngx_uint_t
ngx_http_kafka_lane_stuck(ngx_http_kafka_lane_t *lane)
{
    return lane->stuck_until
           && (ngx_msec_int_t) (lane->stuck_until - ngx_current_msec) > 0;
}


ngx_int_t
ngx_http_kafka_lane_refused(ngx_http_kafka_lane_t *lane, ngx_uint_t isolated)
{
    if (isolated && lane->group == 1) {
        return NGX_DECLINED;
    }

    lane->refused++;
    lane->isolated = 1;

    return NGX_OK;
}


void
ngx_http_kafka_lane_rejected(ngx_http_kafka_record_t *record)
{
    ngx_http_kafka_lane_t  *lane;

    lane = record->lane;

    if (!lane->rejected) {
        lane->rejected = 1;
        lane->rejected_serial = record->serial;
    }
}


ngx_uint_t
ngx_http_kafka_lane_absent(ngx_http_kafka_record_t *record)
{
    ngx_http_kafka_lane_t  *lane;

    lane = record->lane;

    return lane->rejected
           && (int32_t) (record->serial - lane->rejected_serial) > 0;
}


/*
 * After a refusal, the next group has half as many records as were refused.
 * After each full group without a refusal, the next one has twice as many.  A
 * single record that only proves that the client can go on is not a full group.
 */

void
ngx_http_kafka_lane_done(ngx_http_kafka_lane_t *lane, ngx_uint_t isolated)
{
    lane->rejected = 0;

    if (lane->refused) {
        lane->limit = ngx_max(lane->refused / 2, 1);
        lane->refused = 0;

    } else if (isolated && !lane->timed_out) {

        if (lane->group >= lane->limit) {
            lane->limit = ngx_min(lane->limit * 2, NGX_HTTP_KAFKA_LANE_GROUP);
        }

        lane->isolated = !ngx_queue_empty(&lane->returned);
    }
}


void
ngx_http_kafka_lane_acked(ngx_http_kafka_lane_t *lane, ngx_uint_t generation,
    int64_t offset, int64_t timestamp)
{
    int64_t  now;

    /* a smaller offset means that the topic was deleted and created again */

    lane->generation = (offset < lane->offset) ? 0 : generation;
    lane->epoch = lane->topic->epoch;
    lane->offset = offset;
    lane->acked_at = ngx_current_msec;

    now = (int64_t) ngx_time() * 1000;
    lane->old = (timestamp < now - NGX_HTTP_KAFKA_LANE_OLD);
}
