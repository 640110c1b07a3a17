
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_LANE_H_INCLUDED_
#define _NGX_HTTP_KAFKA_LANE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http_kafka_batch.h>


/*
 * A lane is the queue of one partition of a topic.  One group of its records
 * is with the client at a time, and those that come meanwhile are the next
 * group: so a slow partition holds up no other, what waits here is surely not
 * in Kafka, and the order within a partition is kept.  Event loop.
 */


/* records in a group: one partition must not fill librdkafka's queue */
#define NGX_HTTP_KAFKA_LANE_GROUP  10000


struct ngx_http_kafka_lane_s {
    ngx_queue_t                  ready;      /* of lanes to hand over */
    ngx_http_kafka_topic_t      *topic;
    int32_t                      partition;

    ngx_queue_t                  returned;   /* records to produce again */
    ngx_queue_t                  waiting;    /* those that come after them */
    ngx_uint_t                   pending;    /* with the client, no report */

    uint64_t                     clock;      /* of the group, microseconds */
    ngx_msec_t                   submitted_at;  /* the group */
    ngx_uint_t                   open;       /* batch of which more will come */
    ngx_msec_t                   stuck_until;   /* a group has timed out */

    /* the last acknowledgement: of which client, when, and the offset */
    ngx_uint_t                   generation;
    ngx_uint_t                   epoch;      /* of the topic, then */
    ngx_msec_t                   acked_at;
    int64_t                      offset;

    unsigned                     queued:1;   /* it is ready */
    unsigned                     timed_out:1;  /* some of the last group */
    unsigned                     old:1;      /* by a record's timestamp */
};


/*
 * The lane of a topic's partition, or of RD_KAFKA_PARTITION_UA.  The topic owns
 * it.  NULL when memory is out.
 */
ngx_http_kafka_lane_t *ngx_http_kafka_lane(ngx_http_kafka_topic_t *topic,
    int32_t partition);

/* no record may be left in them */
void ngx_http_kafka_lanes_free(ngx_http_kafka_topic_t *topic);

/* after all others */
void ngx_http_kafka_lane_add(ngx_http_kafka_lane_t *lane,
    ngx_http_kafka_record_t *record);

/* a record that was with the client: before those that came later */
void ngx_http_kafka_lane_return(ngx_http_kafka_lane_t *lane,
    ngx_http_kafka_record_t *record);

/* the next record, or NULL; ngx_http_kafka_lane_remove() takes it out */
ngx_http_kafka_record_t *ngx_http_kafka_lane_first(
    ngx_http_kafka_lane_t *lane);
void ngx_http_kafka_lane_remove(ngx_http_kafka_record_t *record);

/*
 * How many records the next group may have.  Only a single record is surely a
 * single request, and a broker that does not know the client's producer id on
 * the partition takes a later request though the first one failed: one record
 * goes first, until the client of this generation has had an acknowledgement.
 */
ngx_uint_t ngx_http_kafka_lane_limit(ngx_http_kafka_lane_t *lane,
    ngx_uint_t generation);

/* a record of the lane had no answer in its time */
void ngx_http_kafka_lane_timed_out(ngx_http_kafka_lane_t *lane);

/* the client of this generation has delivered a record at this offset */
void ngx_http_kafka_lane_acked(ngx_http_kafka_lane_t *lane,
    ngx_uint_t generation, int64_t offset, int64_t timestamp);


static ngx_inline ngx_uint_t
ngx_http_kafka_lane_empty(ngx_http_kafka_lane_t *lane)
{
    return ngx_queue_empty(&lane->waiting) && ngx_queue_empty(&lane->returned);
}


#endif /* _NGX_HTTP_KAFKA_LANE_H_INCLUDED_ */
