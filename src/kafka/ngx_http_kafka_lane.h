
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_LANE_H_INCLUDED_
#define _NGX_HTTP_KAFKA_LANE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http_kafka_batch.h>


/*
 * A lane is the queue of one partition of a topic.  One group of its records is
 * in flight at a time.  Records that come in the meantime wait in the lane and
 * form the next group.  So a slow partition does not hold up others, records
 * that wait here are certainly not in Kafka, and the order within a partition
 * is kept.  Event loop.
 */


/* the largest group, so that one partition does not fill librdkafka's queue */
#define NGX_HTTP_KAFKA_LANE_GROUP  10000


struct ngx_http_kafka_lane_s {
    ngx_http_kafka_topic_t      *topic;
    int32_t                      partition;

    ngx_http_kafka_shard_t      *shard;      /* of the last or next group */
    ngx_queue_t                  ready;      /* link of shard->ready */
    ngx_queue_t                  busy;       /* link of shard->busy */

    ngx_queue_t                  returned;   /* records back from a client */
    ngx_queue_t                  waiting;    /* records that came later */
    ngx_http_kafka_record_t     *last_returned;
    uint32_t                     serial;     /* of the next record */

    ngx_uint_t                   group;      /* records in the group */
    ngx_uint_t                   pending;    /* of those, without a report */
    ngx_uint_t                   refused;    /* of those, to be sent again */
    ngx_uint_t                   limit;      /* size of isolated groups */

    uint64_t                     clock;      /* of hand-over, microseconds */
    ngx_msec_t                   submitted_at;  /* of hand-over */
    ngx_uint_t                   open;       /* serial of unfinished batch */
    ngx_msec_t                   stuck_until;   /* after a time-out */

    /*
     * the last acknowledgement: the client's generation, the topic's epoch, the
     * time, and the offset
     */
    ngx_uint_t                   generation;
    ngx_uint_t                   epoch;
    ngx_msec_t                   acked_at;
    int64_t                      offset;

    uint32_t                     rejected_serial;

    unsigned                     queued:1;   /* in shard->ready */

    /* a broker has refused, and not appended, the record rejected_serial */
    unsigned                     rejected:1;
    unsigned                     timed_out:1;  /* of the last group */
    unsigned                     isolated:1; /* needs an isolated client */
    unsigned                     old:1;      /* by the last timestamp */
};


/*
 * Returns the lane of a topic's partition, or of RD_KAFKA_PARTITION_UA.  The
 * lane is created if it is missing.  The topic owns it.  Returns NULL when out
 * of memory.
 */
ngx_http_kafka_lane_t *ngx_http_kafka_lane(ngx_http_kafka_topic_t *topic,
    int32_t partition);

/* frees the topic's lanes, which must be empty */
void ngx_http_kafka_lanes_free(ngx_http_kafka_topic_t *topic);

/* appends the record to the lane */
void ngx_http_kafka_lane_add(ngx_http_kafka_lane_t *lane,
    ngx_http_kafka_record_t *record);

/* puts a record that a client had back into the lane, before later records */
void ngx_http_kafka_lane_return(ngx_http_kafka_lane_t *lane,
    ngx_http_kafka_record_t *record);

/* returns the next record, or NULL; ngx_http_kafka_lane_remove() removes it */
ngx_http_kafka_record_t *ngx_http_kafka_lane_first(
    ngx_http_kafka_lane_t *lane);
void ngx_http_kafka_lane_remove(ngx_http_kafka_record_t *record);

/* returns 1 if the next group must go to an isolated client */
ngx_uint_t ngx_http_kafka_lane_isolated(ngx_http_kafka_lane_t *lane);

/* returns 1 if the record is too large for clients that are not isolated */
ngx_uint_t ngx_http_kafka_lane_large(ngx_http_kafka_record_t *record);

/*
 * Returns the maximum size of the next group, with the client of this
 * generation; idempotent and isolated are 1 if the client is so.
 *
 * With such a client, the first group is a single record, until the record is
 * acknowledged.  There are two reasons.  Only a single record is certainly a
 * single request: a broker that does not know the producer id of an idempotent
 * client on the partition accepts a second request even if the first one has
 * failed.  And an isolated client that purges its queue after a refusal may
 * purge records of the next group: if that group is a single record, no later
 * record overtakes the purged one.
 */
ngx_uint_t ngx_http_kafka_lane_limit(ngx_http_kafka_lane_t *lane,
    ngx_uint_t generation, ngx_uint_t idempotent, ngx_uint_t isolated);

/*
 * note that a record had no answer in time; return 1 if that was in the last 10
 * seconds
 */
void ngx_http_kafka_lane_timed_out(ngx_http_kafka_lane_t *lane);
ngx_uint_t ngx_http_kafka_lane_stuck(ngx_http_kafka_lane_t *lane);

/*
 * Notes that a record was refused, perhaps because of other records in its
 * request.  Returns NGX_OK if the record must be sent again in a smaller group
 * of an isolated client; NGX_DECLINED if it was refused alone.
 */
ngx_int_t ngx_http_kafka_lane_refused(ngx_http_kafka_lane_t *lane,
    ngx_uint_t isolated);

/*
 * The first function notes that a broker has refused the record and has not
 * appended it.  Later records of the same group were not appended either,
 * because their sequence numbers do not follow.  The second function returns 1
 * for such a record.
 */
void ngx_http_kafka_lane_rejected(ngx_http_kafka_record_t *record);
ngx_uint_t ngx_http_kafka_lane_absent(ngx_http_kafka_record_t *record);

/*
 * ends a group, when all of its records have reports; isolated is 1 if they
 * came from an isolated client
 */
void ngx_http_kafka_lane_done(ngx_http_kafka_lane_t *lane,
    ngx_uint_t isolated);

/*
 * notes that the client of this generation has delivered a record at this
 * offset; timestamp is in milliseconds
 */
void ngx_http_kafka_lane_acked(ngx_http_kafka_lane_t *lane,
    ngx_uint_t generation, int64_t offset, int64_t timestamp);


static ngx_inline ngx_uint_t
ngx_http_kafka_lane_empty(ngx_http_kafka_lane_t *lane)
{
    return ngx_queue_empty(&lane->waiting) && ngx_queue_empty(&lane->returned);
}


#endif /* _NGX_HTTP_KAFKA_LANE_H_INCLUDED_ */
