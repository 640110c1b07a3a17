
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


/* records in a group at most: one partition must not fill librdkafka's queue */
#define NGX_HTTP_KAFKA_LANE_GROUP  10000


struct ngx_http_kafka_lane_s {
    ngx_http_kafka_topic_t      *topic;
    int32_t                      partition;

    ngx_http_kafka_shard_t      *shard;      /* has its group, or will */
    ngx_queue_t                  ready;      /* of lanes to hand over */
    ngx_queue_t                  busy;       /* of lanes with a group out */

    ngx_queue_t                  returned;   /* records to produce again */
    ngx_queue_t                  waiting;    /* those that come after them */
    ngx_http_kafka_record_t     *last_returned;
    uint32_t                     serial;     /* of records, their order */

    ngx_uint_t                   group;      /* records handed over together */
    ngx_uint_t                   pending;    /* of these, without a report */
    ngx_uint_t                   refused;    /* of these, to be sent again */
    ngx_uint_t                   limit;      /* of isolated groups */

    uint64_t                     clock;      /* of the group, microseconds */
    ngx_msec_t                   submitted_at;  /* the group */
    ngx_uint_t                   open;       /* batch of which more will come */
    ngx_msec_t                   stuck_until;   /* a group has timed out */

    /* the last acknowledgement: of which client, when, and the offset */
    ngx_uint_t                   generation;
    ngx_uint_t                   epoch;      /* of the topic, then */
    ngx_msec_t                   acked_at;
    int64_t                      offset;

    uint32_t                     rejected_serial;

    unsigned                     queued:1;   /* it is ready */
    unsigned                     rejected:1; /* that record of the group, by a
                                                broker that did not append it */
    unsigned                     timed_out:1;  /* some of the last group */
    unsigned                     isolated:1; /* for isolated clients */
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

/* a record that was with a client: before those that came later */
void ngx_http_kafka_lane_return(ngx_http_kafka_lane_t *lane,
    ngx_http_kafka_record_t *record);

/* the next record, or NULL; ngx_http_kafka_lane_remove() takes it out */
ngx_http_kafka_record_t *ngx_http_kafka_lane_first(
    ngx_http_kafka_lane_t *lane);
void ngx_http_kafka_lane_remove(ngx_http_kafka_record_t *record);

/* whether the next group is for an isolated client */
ngx_uint_t ngx_http_kafka_lane_isolated(ngx_http_kafka_lane_t *lane);

/* whether the record is for isolated clients only */
ngx_uint_t ngx_http_kafka_lane_large(ngx_http_kafka_record_t *record);

/*
 * Returns how many records the next group may have, with the client of this
 * generation; isolated is 1 for an isolated one.  With 1 in proof the first
 * group is a single record, until it is acknowledged, for two reasons.  Only a
 * single record is surely a single request, and a broker that does not know the
 * client's producer id on the partition accepts a later request though the
 * first one failed.  And an isolated client that purges its queue after a
 * refusal may purge records of the next group, but not those that came after
 * them.
 */
ngx_uint_t ngx_http_kafka_lane_limit(ngx_http_kafka_lane_t *lane,
    ngx_uint_t generation, ngx_uint_t proof, ngx_uint_t isolated);

/* a record had no answer in its time; whether that was so of late */
void ngx_http_kafka_lane_timed_out(ngx_http_kafka_lane_t *lane);
ngx_uint_t ngx_http_kafka_lane_stuck(ngx_http_kafka_lane_t *lane);

/*
 * A record was refused, perhaps because of others in its request.  NGX_OK: a
 * smaller group of an isolated client will show it; NGX_DECLINED: it was alone.
 */
ngx_int_t ngx_http_kafka_lane_refused(ngx_http_kafka_lane_t *lane,
    ngx_uint_t isolated);

/*
 * A broker has refused the record, and has not appended it: nor any that came
 * after it in its group, for their sequence numbers do not follow.
 */
void ngx_http_kafka_lane_rejected(ngx_http_kafka_record_t *record);
ngx_uint_t ngx_http_kafka_lane_absent(ngx_http_kafka_record_t *record);

/* all of a group have their reports; isolated: from an isolated client */
void ngx_http_kafka_lane_done(ngx_http_kafka_lane_t *lane,
    ngx_uint_t isolated);

/* the client of this generation has delivered a record at this offset */
void ngx_http_kafka_lane_acked(ngx_http_kafka_lane_t *lane,
    ngx_uint_t generation, int64_t offset, int64_t timestamp);


static ngx_inline ngx_uint_t
ngx_http_kafka_lane_empty(ngx_http_kafka_lane_t *lane)
{
    return ngx_queue_empty(&lane->waiting) && ngx_queue_empty(&lane->returned);
}


#endif /* _NGX_HTTP_KAFKA_LANE_H_INCLUDED_ */
