
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_DISPATCH_H_INCLUDED_
#define _NGX_HTTP_KAFKA_DISPATCH_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_http_kafka_batch.h>
#include <ngx_http_kafka_clients.h>
#include <ngx_http_kafka_spread.h>


/*
 * When records are handed over to the clients.  Those of each batch go to the
 * lanes of their partitions, a bounded number in a turn of the event loop; a
 * lane is ready as it has records and none of it is on its way.  Event loop.
 */


typedef struct {
    ngx_http_kafka_clients_t    *clients;
    ngx_http_kafka_spread_t      spread;

    ngx_queue_t                  batches;    /* with records without a lane */
    ngx_uint_t                   waiting;    /* records in all lanes */
    ngx_uint_t                   pending;    /* records without a report */
    ngx_uint_t                   nready;     /* lanes */

    /* what was handed over last, in a turn or in several */
    ngx_uint_t                   group;      /* records */
    ngx_msec_t                   submitted_at;
    ngx_msec_t                   rtt;        /* until its first report */

    /* the shortest time from a hand-over to an acknowledgement, in
       microseconds: in this period, and in the one before */
    uint64_t                     shortest;
    uint64_t                     rtt_min;
    ngx_msec_t                   period;     /* when it began */
    ngx_uint_t                   serial;     /* of batches, from 1 */
    unsigned                     submitting:1;  /* it is not all over yet */
    unsigned                     rtt_armed:1;   /* no report came since */

    /* turns of the event loop in which more batches may come */
    ngx_msec_t                   spin_since;
    ngx_uint_t                   spin_most;  /* records seen */
    ngx_uint_t                   spin_idle;  /* turns without a new one */

    ngx_event_t                  submit;     /* posted: hands over */
    ngx_event_t                  gather;     /* the timer for the same */
} ngx_http_kafka_dispatch_t;


/* the handler, of an event with this data, is to hand over */
void ngx_http_kafka_dispatch_init(ngx_http_kafka_dispatch_t *dispatch,
    ngx_http_kafka_clients_t *clients, ngx_event_handler_pt handler,
    void *data);

/* the batch's records are to go to lanes, after all others' */
void ngx_http_kafka_dispatch_add(ngx_http_kafka_dispatch_t *dispatch,
    ngx_http_kafka_batch_t *batch);

/* they have, or will not */
void ngx_http_kafka_dispatch_remove(ngx_http_kafka_dispatch_t *dispatch,
    ngx_http_kafka_batch_t *batch);

/* the first batch of those, or NULL */
ngx_http_kafka_batch_t *ngx_http_kafka_dispatch_first(
    ngx_http_kafka_dispatch_t *dispatch);

/* the record waits in this lane, after all others; or before them, again */
void ngx_http_kafka_dispatch_wait(ngx_http_kafka_dispatch_t *dispatch,
    ngx_http_kafka_lane_t *lane, ngx_http_kafka_record_t *record);
void ngx_http_kafka_dispatch_return(ngx_http_kafka_dispatch_t *dispatch,
    ngx_http_kafka_record_t *record);

/* a record that waits has its outcome */
void ngx_http_kafka_dispatch_drop(ngx_http_kafka_dispatch_t *dispatch,
    ngx_http_kafka_record_t *record);

/*
 * The lane is ready, unless a group other than that of the batch with this
 * serial is on its way.
 */
void ngx_http_kafka_dispatch_ready(ngx_http_kafka_dispatch_t *dispatch,
    ngx_http_kafka_lane_t *lane, ngx_uint_t serial);

/* the next lane that is ready for the shard, or NULL */
ngx_http_kafka_lane_t *ngx_http_kafka_dispatch_lane(
    ngx_http_kafka_shard_t *shard);

/* it is ready no longer */
void ngx_http_kafka_dispatch_lane_done(ngx_http_kafka_dispatch_t *dispatch,
    ngx_http_kafka_lane_t *lane);

/* the lane has a group with the shard's client, or had its last report */
void ngx_http_kafka_dispatch_busy(ngx_http_kafka_lane_t *lane,
    ngx_http_kafka_shard_t *shard);
void ngx_http_kafka_dispatch_idle(ngx_http_kafka_dispatch_t *dispatch,
    ngx_http_kafka_lane_t *lane);

/*
 * Judges, now and then, how far brokers are, and over how many shards lanes are
 * spread.  Returns 1 if brokers are near.
 */
ngx_uint_t ngx_http_kafka_dispatch_judge(ngx_http_kafka_dispatch_t *dispatch);

/* 1: more are to gather first, and the handler will be called again */
ngx_uint_t ngx_http_kafka_dispatch_gather(
    ngx_http_kafka_dispatch_t *dispatch);

/* lanes are handed over, until all that were ready are done */
void ngx_http_kafka_dispatch_begin(ngx_http_kafka_dispatch_t *dispatch);
void ngx_http_kafka_dispatch_done(ngx_http_kafka_dispatch_t *dispatch);

/* calls no handler any longer */
void ngx_http_kafka_dispatch_close(ngx_http_kafka_dispatch_t *dispatch);


/* calls the handler soon: in this turn of the event loop, or in the next one */

static ngx_inline void
ngx_http_kafka_dispatch_post(ngx_http_kafka_dispatch_t *dispatch)
{
    ngx_post_event(&dispatch->submit, &ngx_posted_events);
}


static ngx_inline void
ngx_http_kafka_dispatch_post_next(ngx_http_kafka_dispatch_t *dispatch)
{
    ngx_post_event(&dispatch->submit, &ngx_posted_next_events);
}


/* a record that waited in its lane is with the client */

static ngx_inline void
ngx_http_kafka_dispatch_sent(ngx_http_kafka_dispatch_t *dispatch,
    ngx_http_kafka_record_t *record)
{
    ngx_http_kafka_lane_remove(record);
    record->lane->pending++;
    record->lane->group++;

    dispatch->group++;
    dispatch->waiting--;
    dispatch->pending++;
}


/* a record of the lane is acknowledged, at this time in microseconds */

static ngx_inline void
ngx_http_kafka_dispatch_acked(ngx_http_kafka_dispatch_t *dispatch,
    ngx_http_kafka_lane_t *lane, uint64_t clock)
{
    uint64_t  time;

    time = clock - lane->clock;

    if (time < dispatch->shortest) {
        dispatch->shortest = time;
    }

    if (lane->pending == 1) {
        ngx_http_kafka_spread_group(&dispatch->spread, time);
    }
}


/* a record of the lane has its report */

static ngx_inline void
ngx_http_kafka_dispatch_reported(ngx_http_kafka_dispatch_t *dispatch,
    ngx_http_kafka_lane_t *lane)
{
    dispatch->pending--;

    if (--lane->pending == 0) {
        ngx_http_kafka_dispatch_idle(dispatch, lane);
    }

    if (dispatch->rtt_armed) {
        dispatch->rtt_armed = 0;
        dispatch->rtt = ngx_current_msec - dispatch->submitted_at;
    }
}


#endif /* _NGX_HTTP_KAFKA_DISPATCH_H_INCLUDED_ */
