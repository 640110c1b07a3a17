
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_DISPATCH_H_INCLUDED_
#define _NGX_HTTP_KAFKA_DISPATCH_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_http_kafka_batch.h>


/*
 * When batches are handed over to the client: those that come while records
 * are on their way gather, and go together.  Event loop.
 */


typedef struct {
    ngx_queue_t                  unsent;     /* batches to hand over */
    ngx_uint_t                   nunsent;

    ngx_uint_t                   pending;    /* records without a report */
    ngx_uint_t                   isolated;   /* of these, with that client */

    /* the last group, which was handed over in a turn or in several */
    ngx_uint_t                   group;      /* batches */
    ngx_msec_t                   submitted_at;
    ngx_msec_t                   rtt;        /* until its first report */
    unsigned                     submitting:1;  /* it is not all over yet */
    unsigned                     rtt_armed:1;   /* no report came since */

    /* turns of the event loop in which more batches may come */
    ngx_msec_t                   spin_since;
    ngx_uint_t                   spin_most;  /* batches seen */
    ngx_uint_t                   spin_idle;  /* turns without a new one */

    ngx_event_t                  submit;     /* posted: hands over */
    ngx_event_t                  gather;     /* the timer for the same */
} ngx_http_kafka_dispatch_t;


/* the handler, of an event with this data, is to hand over */
void ngx_http_kafka_dispatch_init(ngx_http_kafka_dispatch_t *dispatch,
    ngx_event_handler_pt handler, void *data);

/* the batch is to be handed over, after all others */
void ngx_http_kafka_dispatch_add(ngx_http_kafka_dispatch_t *dispatch,
    ngx_http_kafka_batch_t *batch);

/* it is handed over, or will not be */
void ngx_http_kafka_dispatch_remove(ngx_http_kafka_dispatch_t *dispatch,
    ngx_http_kafka_batch_t *batch);

/* the first batch of those, or NULL */
ngx_http_kafka_batch_t *ngx_http_kafka_dispatch_first(
    ngx_http_kafka_dispatch_t *dispatch);

/* 1: more are to gather first, and the handler will be called again */
ngx_uint_t ngx_http_kafka_dispatch_gather(
    ngx_http_kafka_dispatch_t *dispatch);

/* all that wait are the group that is handed over, until it is done */
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


/* a record is with a client */

static ngx_inline void
ngx_http_kafka_dispatch_sent(ngx_http_kafka_dispatch_t *dispatch,
    ngx_http_kafka_record_t *record)
{
    dispatch->pending++;
    dispatch->isolated += record->isolated;
}


/* it has its report */

static ngx_inline void
ngx_http_kafka_dispatch_reported(ngx_http_kafka_dispatch_t *dispatch,
    ngx_http_kafka_record_t *record)
{
    dispatch->pending--;
    dispatch->isolated -= record->isolated;

    if (dispatch->rtt_armed) {
        dispatch->rtt_armed = 0;
        dispatch->rtt = ngx_current_msec - dispatch->submitted_at;
    }
}


#endif /* _NGX_HTTP_KAFKA_DISPATCH_H_INCLUDED_ */
