
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_BATCH_H_INCLUDED_
#define _NGX_HTTP_KAFKA_BATCH_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_http_kafka_record.h>


/*
 * A batch holds the records of one request from the first byte of the body
 * to the last delivery report, in a pool of its own: librdkafka reads values
 * from there, so it outlives a request whose client has gone.
 *
 * Two own a batch: the requester, who fills it and waits for its end, and
 * from ngx_http_kafka_producer_send() on the producer.  The one who lets go
 * last frees it.  Everything here runs in the event loop.
 */


typedef void (*ngx_http_kafka_batch_handler_pt)(ngx_http_kafka_batch_t *batch);


/*
 * Topics of one batch, at most: librdkafka's work for new ones grows with their
 * square, and others wait for it, see docs/design.md for how long
 */
#define NGX_HTTP_KAFKA_BATCH_TOPICS  64


/* a topic of the batch, for all of its records */

struct ngx_http_kafka_target_s {
    ngx_str_node_t                  node;      /* by name, in batch->tree */
    ngx_http_kafka_target_t        *next;
    ngx_http_kafka_batch_t         *batch;
    ngx_http_kafka_topic_t         *topic;     /* once it is known */
    ngx_str_t                       name;
    ngx_queue_t                     waiting;   /* for its look-up */
    int32_t                         partition; /* the highest asked for */
    unsigned                        queued:1;
};


struct ngx_http_kafka_batch_s {
    ngx_pool_t                     *pool;
    size_t                          size;      /* bytes held, about */

    ngx_http_kafka_record_t        *records;
    ngx_http_kafka_record_t       **last;
    ngx_uint_t                      nrecords;
    size_t                          largest;   /* of their sizes */
    size_t                          names;     /* of their topics, in all */
    size_t                          bytes;     /* of keys and values */

    ngx_http_kafka_target_t        *targets;
    ngx_http_kafka_target_t       **last_target;
    ngx_http_kafka_target_t        *target;    /* the one asked for last */
    ngx_uint_t                      ntargets;
    ngx_rbtree_t                    tree;      /* of targets, if several */
    ngx_rbtree_node_t               sentinel;

    ngx_http_kafka_record_t        *unsent;    /* first without a lane */
    ngx_uint_t                      unknown;   /* targets being looked up */
    ngx_uint_t                      pending;   /* others without outcome */
    ngx_uint_t                      acked;

    /* why nothing of the batch was sent */
    ngx_http_kafka_target_t        *refused;
    ngx_http_kafka_record_t        *offending;
    rd_kafka_resp_err_t             err;

    const char                     *connectivity; /* with brokers, at its end */

    ngx_queue_t                     link;      /* of all of the producer's */
    ngx_queue_t                     queue;     /* to go to lanes */
    ngx_event_t                     deadline;
    ngx_msec_t                      start;

    void                           *producer;

    /* called once, from an event of its own, unless the requester left */
    ngx_http_kafka_batch_handler_pt handler;
    void                           *data;

    ngx_uint_t                      serial;    /* of dispatch, 0: not begun */
    ngx_uint_t                      refs;
    unsigned                        queued:1;
};


/* returns NULL when memory is out; the caller is the requester */
ngx_http_kafka_batch_t *ngx_http_kafka_batch_create(ngx_log_t *log);

/* counts bytes that the batch holds from now on, or no longer (negative) */
void ngx_http_kafka_batch_hold(ngx_http_kafka_batch_t *batch, ssize_t size);

/*
 * The target for a topic's name, which is copied; each topic has one.  NGX_OK,
 * NGX_DECLINED where no topic can have this name, NGX_BUSY where it would be
 * one more than NGX_HTTP_KAFKA_BATCH_TOPICS, or NGX_ERROR when memory is out.
 */
ngx_int_t ngx_http_kafka_batch_target(ngx_http_kafka_batch_t *batch,
    ngx_str_t *name, ngx_http_kafka_target_t **target);

/*
 * A record, and a header of one, that are the caller's to fill: keys, values
 * and names by ngx_http_kafka_batch_copy(), or in the batch's pool and counted
 * by ngx_http_kafka_batch_hold().  NULL when memory is out.
 */
ngx_http_kafka_record_t *ngx_http_kafka_batch_record(
    ngx_http_kafka_batch_t *batch);
ngx_http_kafka_header_t *ngx_http_kafka_batch_header(
    ngx_http_kafka_batch_t *batch);

/* never NULL for no bytes, since that is null; NGX_ERROR when memory is out */
ngx_int_t ngx_http_kafka_batch_copy(ngx_http_kafka_batch_t *batch,
    ngx_str_t *dst, const u_char *data, size_t len);

/* adds the record, once it has its target and is complete */
void ngx_http_kafka_batch_add(ngx_http_kafka_batch_t *batch,
    ngx_http_kafka_record_t *record);

/* the record for which the batch was refused, and its index; or NULL */
ngx_http_kafka_record_t *ngx_http_kafka_batch_offending(
    ngx_http_kafka_batch_t *batch, ngx_uint_t *index);

/* milliseconds until the batch's deadline; 0 or less where it is over */
ngx_msec_int_t ngx_http_kafka_batch_left(ngx_http_kafka_batch_t *batch);

/* the requester no longer waits: its handler will not be called */
void ngx_http_kafka_batch_leave(ngx_http_kafka_batch_t *batch);

/* calls the requester's handler, the first time only */
void ngx_http_kafka_batch_done(ngx_http_kafka_batch_t *batch);

void ngx_http_kafka_batch_release(ngx_http_kafka_batch_t *batch);


#endif /* _NGX_HTTP_KAFKA_BATCH_H_INCLUDED_ */
