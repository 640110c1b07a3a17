
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
 * Decides when records are handed over to the clients.  The records of a batch
 * are put into the lanes of their partitions, a limited number in each turn of
 * the event loop.  A lane is ready when it has records and none in flight.
 * Event loop.
 */


typedef struct {
    ngx_http_kafka_clients_t    *clients;
    ngx_http_kafka_spread_t      spread;

    ngx_queue_t                  batches;    /* with records without a lane */
    ngx_uint_t                   waiting;    /* records in all lanes */
    ngx_uint_t                   pending;    /* records without a report */
    ngx_uint_t                   nready;     /* lanes */

    /* the last hand-over, which may take several turns of the event loop */
    ngx_uint_t                   group;      /* records */
    ngx_msec_t                   submitted_at;
    ngx_msec_t                   rtt;        /* until its first report */

    /*
     * the shortest time from a hand-over to an acknowledgement, in
     * microseconds: in the current period, and in the previous one
     */
    uint64_t                     shortest;
    uint64_t                     rtt_min;
    ngx_msec_t                   period;     /* when it began */
    ngx_uint_t                   serial;     /* last batch's, from 1 */
    unsigned                     submitting:1;  /* hand-over not complete */
    unsigned                     rtt_armed:1;   /* awaits the first report */

    /* turns of the event loop that wait for more batches; see spin() */
    ngx_msec_t                   spin_since;
    ngx_uint_t                   spin_most;  /* most waiting so far */
    ngx_uint_t                   spin_idle;  /* turns without a new record */

    ngx_event_t                  submit;     /* posted to hand over */
    ngx_event_t                  gather;     /* a timer to hand over */
} ngx_http_kafka_dispatch_t;


/* the handler is called, by an event with this data, to hand over records */
void ngx_http_kafka_dispatch_init(ngx_http_kafka_dispatch_t *dispatch,
    ngx_http_kafka_clients_t *clients, ngx_event_handler_pt handler,
    void *data);

/* appends the batch to the batches whose records have no lanes yet */
void ngx_http_kafka_dispatch_add(ngx_http_kafka_dispatch_t *dispatch,
    ngx_http_kafka_batch_t *batch);

/* removes the batch from these batches */
void ngx_http_kafka_dispatch_remove(ngx_http_kafka_dispatch_t *dispatch,
    ngx_http_kafka_batch_t *batch);

/* returns the first of these batches, or NULL */
ngx_http_kafka_batch_t *ngx_http_kafka_dispatch_first(
    ngx_http_kafka_dispatch_t *dispatch);

/* put a record into a lane: at the end, or back before those that came later */
void ngx_http_kafka_dispatch_wait(ngx_http_kafka_dispatch_t *dispatch,
    ngx_http_kafka_lane_t *lane, ngx_http_kafka_record_t *record);
void ngx_http_kafka_dispatch_return(ngx_http_kafka_dispatch_t *dispatch,
    ngx_http_kafka_record_t *record);

/* removes a record, which has an outcome, from its lane */
void ngx_http_kafka_dispatch_drop(ngx_http_kafka_dispatch_t *dispatch,
    ngx_http_kafka_record_t *record);

/*
 * Makes the lane ready if none of its records is in flight.  It is also made
 * ready if its group is still open, which means that serial is that of the
 * unfinished batch; otherwise serial may be 0.
 */
void ngx_http_kafka_dispatch_ready(ngx_http_kafka_dispatch_t *dispatch,
    ngx_http_kafka_lane_t *lane, ngx_uint_t serial);

/* returns the next lane that is ready for the shard, or NULL */
ngx_http_kafka_lane_t *ngx_http_kafka_dispatch_lane(
    ngx_http_kafka_shard_t *shard);

/* makes the lane not ready */
void ngx_http_kafka_dispatch_lane_done(ngx_http_kafka_dispatch_t *dispatch,
    ngx_http_kafka_lane_t *lane);

/*
 * note that the lane's group was handed over to the shard's client, and that it
 * had its last report
 */
void ngx_http_kafka_dispatch_busy(ngx_http_kafka_lane_t *lane,
    ngx_http_kafka_shard_t *shard);
void ngx_http_kafka_dispatch_idle(ngx_http_kafka_dispatch_t *dispatch,
    ngx_http_kafka_lane_t *lane);

/*
 * Updates, from time to time, how near brokers are and how many shards lanes
 * are spread over.  Returns 1 if brokers are near.
 */
ngx_uint_t ngx_http_kafka_dispatch_judge(ngx_http_kafka_dispatch_t *dispatch);

/* returns 1 if more records must gather first: the handler is called later */
ngx_uint_t ngx_http_kafka_dispatch_gather(
    ngx_http_kafka_dispatch_t *dispatch);

/* mark the beginning and the end of a hand-over of all ready lanes */
void ngx_http_kafka_dispatch_begin(ngx_http_kafka_dispatch_t *dispatch);
void ngx_http_kafka_dispatch_done(ngx_http_kafka_dispatch_t *dispatch);

/* stops calling the handler */
void ngx_http_kafka_dispatch_close(ngx_http_kafka_dispatch_t *dispatch);


/* call the handler soon: in this turn of the event loop, or in the next one */

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


/* a record was handed over from its lane to the client */

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


/* a record of the lane was acknowledged at the time clock, in microseconds */

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
