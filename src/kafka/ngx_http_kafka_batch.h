
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
 * A batch holds the records of one request, from the first byte of the body to
 * the last delivery report.  It has a pool of its own, because librdkafka reads
 * values from there even after the request was freed.
 *
 * A batch has at most two owners: the requester, which fills the batch and
 * waits for its end, and, from ngx_http_kafka_producer_send() on, the producer.
 * The last owner to release the batch frees it.  All functions run in the event
 * loop.
 */


typedef void (*ngx_http_kafka_batch_handler_pt)(ngx_http_kafka_batch_t *batch);


/*
 * The maximum number of topics in a batch.  librdkafka's work for new topics
 * grows with the square of their number, and delays other requests;
 * docs/design.md has the measurements.
 */
#define NGX_HTTP_KAFKA_BATCH_TOPICS  64


/* a topic of a batch, shared by all of its records to that topic */

struct ngx_http_kafka_target_s {
    ngx_str_node_t                  node;      /* by name, in batch->tree */
    ngx_http_kafka_target_t        *next;
    ngx_http_kafka_batch_t         *batch;
    ngx_http_kafka_topic_t         *topic;     /* NULL: not known yet */
    ngx_str_t                       name;
    ngx_queue_t                     waiting;   /* link of topic->waiting */
    int32_t                         partition; /* the highest one requested */
    unsigned                        queued:1;
};


struct ngx_http_kafka_batch_s {
    ngx_pool_t                     *pool;
    size_t                          size;      /* bytes in memory, roughly */

    ngx_http_kafka_record_t        *records;
    ngx_http_kafka_record_t       **last;
    ngx_uint_t                      nrecords;
    size_t                          largest;   /* size of the largest record */
    size_t                          names;     /* sum of topic name lengths */
    size_t                          bytes;     /* key and value lengths, sum */

    ngx_http_kafka_target_t        *targets;
    ngx_http_kafka_target_t       **last_target;
    ngx_http_kafka_target_t        *target;    /* the last one returned */
    ngx_uint_t                      ntargets;
    ngx_rbtree_t                    tree;      /* of targets, if two or more */
    ngx_rbtree_node_t               sentinel;

    ngx_http_kafka_record_t        *unsent;    /* first record without a lane */
    ngx_uint_t                      unknown;   /* targets being looked up */
    ngx_uint_t                      pending;   /* in a lane or in flight */
    ngx_uint_t                      acked;

    /* for records without a key or a partition, or for all records */
    ngx_str_t                       key;       /* in the pool, or NULL */
    int32_t                         partition; /* RD_KAFKA_PARTITION_UA: none */

    /*
     * why nothing of the batch was sent: the topic, the record or NULL, the
     * error
     */
    ngx_http_kafka_target_t        *refused;
    ngx_http_kafka_record_t        *offending;
    rd_kafka_resp_err_t             err;

    /*
     * what is wrong with a broker's address, static text, or NULL; set at the
     * end
     */
    const char                     *connectivity;

    ngx_queue_t                     link;      /* link of producer->batches */
    ngx_queue_t                     queue;     /* link of dispatch->batches */
    ngx_event_t                     deadline;
    ngx_msec_t                      start;

    void                           *producer;

    /*
     * called once, never from ngx_http_kafka_producer_send(), unless the
     * requester has left
     */
    ngx_http_kafka_batch_handler_pt handler;
    void                           *data;

    ngx_uint_t                      serial;    /* from 1; 0: no lanes yet */
    ngx_uint_t                      refs;
    unsigned                        queued:1;
    unsigned                        force_key:1;
    unsigned                        force_partition:1;
};


/*
 * Returns an empty batch, with the caller as its requester, or NULL when out of
 * memory.
 */
ngx_http_kafka_batch_t *ngx_http_kafka_batch_create(ngx_log_t *log);

/*
 * Adds size, in bytes, to the memory that is counted for the batch.  A negative
 * size is subtracted.
 */
void ngx_http_kafka_batch_hold(ngx_http_kafka_batch_t *batch, ssize_t size);

/*
 * Finds or adds the target of the topic with this name.  The name is copied.
 * Returns NGX_OK; NGX_DECLINED if the name is not valid for a topic; NGX_BUSY
 * if the batch has NGX_HTTP_KAFKA_BATCH_TOPICS other targets already; or
 * NGX_ERROR when out of memory.
 */
ngx_int_t ngx_http_kafka_batch_target(ngx_http_kafka_batch_t *batch,
    ngx_str_t *name, ngx_http_kafka_target_t **target);

/*
 * Allocate a record and a header, which the caller fills.  Keys, values and
 * names come from ngx_http_kafka_batch_copy(), or are allocated from the
 * batch's pool and counted by ngx_http_kafka_batch_hold().  Return NULL when
 * out of memory.
 */
ngx_http_kafka_record_t *ngx_http_kafka_batch_record(
    ngx_http_kafka_batch_t *batch);
ngx_http_kafka_header_t *ngx_http_kafka_batch_header(
    ngx_http_kafka_batch_t *batch);

/*
 * Copies len bytes into the batch's pool.  dst->data is not NULL even if len is
 * 0, because NULL stands for null.  Returns NGX_OK, or NGX_ERROR when out of
 * memory.
 */
ngx_int_t ngx_http_kafka_batch_copy(ngx_http_kafka_batch_t *batch,
    ngx_str_t *dst, const u_char *data, size_t len);

/* adds a complete record, with its target set, to the batch */
void ngx_http_kafka_batch_add(ngx_http_kafka_batch_t *batch,
    ngx_http_kafka_record_t *record);

/* returns the record for which the batch was refused, or NULL; sets *index */
ngx_http_kafka_record_t *ngx_http_kafka_batch_offending(
    ngx_http_kafka_batch_t *batch, ngx_uint_t *index);

/*
 * returns the milliseconds until the batch's deadline; 0 or less if it has
 * passed
 */
ngx_msec_int_t ngx_http_kafka_batch_left(ngx_http_kafka_batch_t *batch);

/* releases the batch for its requester: the handler will not be called */
void ngx_http_kafka_batch_leave(ngx_http_kafka_batch_t *batch);

/* calls the requester's handler, unless it was called before */
void ngx_http_kafka_batch_done(ngx_http_kafka_batch_t *batch);

void ngx_http_kafka_batch_release(ngx_http_kafka_batch_t *batch);


#endif /* _NGX_HTTP_KAFKA_BATCH_H_INCLUDED_ */
