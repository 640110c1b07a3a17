
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_SHARD_H_INCLUDED_
#define _NGX_HTTP_KAFKA_SHARD_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_http_kafka_client_task.h>
#include <ngx_http_kafka_conf.h>
#include <ngx_http_kafka_events.h>
#include <ngx_http_kafka_lane.h>


/*
 * A shard is a librdkafka client that produces, with the lanes and records that
 * belong to it.  When the client must not go on, another client takes its
 * place.  Event loop.
 */


/* milliseconds between a client that failed and the next one */
#define NGX_HTTP_KAFKA_SHARD_REOPEN  1000


/*
 * Called when the shard's client is ready (NGX_OK), or could not be created
 * (NGX_ERROR); the reason is in the log.
 */
typedef void (*ngx_http_kafka_shard_handler_pt)(ngx_http_kafka_shard_t *shard,
    ngx_int_t rc);


struct ngx_http_kafka_shard_s {
    ngx_http_kafka_conf_t       *conf;       /* of the producer */
    rd_kafka_conf_t             *properties; /* of the shard's clients */
    ngx_http_kafka_events_t     *events;
    ngx_uint_t                  *generations;  /* of the producer's clients */
    ngx_http_kafka_shard_handler_pt
                                 handler;
    void                        *data;       /* the producer */
    ngx_uint_t                   index;      /* in clients->shards */

    rd_kafka_t                  *rk;         /* or NULL */
    ngx_http_kafka_client_task_t  *task;     /* creates rk, or NULL */
    ngx_event_t                  reopen;     /* creates a missing client */
    ngx_event_t                  idle;       /* ends an unneeded client */

    /* number of rk, from 1; changes as well when rk may purge its queue late */
    ngx_uint_t                   generation;
    ngx_msec_t                   opened;     /* when the last rk was created */
    ngx_msec_t                   failed;     /* when creating it failed, or 0 */
    ngx_uint_t                   failures;   /* of attempts, in a row */
    ngx_uint_t                   topics;     /* handles that rk has */

    ngx_queue_t                  ready;      /* lanes to hand over */
    ngx_queue_t                  busy;       /* lanes with a group in flight */
    ngx_queue_t                  purged;     /* records; see shard_proven() */
    ngx_uint_t                   nbusy;
    ngx_uint_t                   pending;    /* records without a report */

    /*
     * for shard_proven(): client_requests() when the shard was last without
     * pending records, and the number of requests answered since
     */
    uint32_t                     requests;
    uint32_t                     answered;

    ngx_uint_t                   refusals;   /* of requests, by isolated rk */

    unsigned                     isolated:1; /* one lane at a time */
    unsigned                     served:1;   /* rk has delivered records */
    unsigned                     full:1;     /* rk's queue is full */
    unsigned                     replaced:1; /* next rk is a replacement */

    /* the client's replacement, see ngx_http_kafka_replace.h */
    unsigned                     draining:1;
    unsigned                     closing:1;  /* the process exits */
    ngx_msec_t                   since;      /* when draining began */
    ngx_event_t                  purge;      /* repeats while draining */
    ngx_event_t                  overdue;    /* when a group is overdue */

    /*
     * the error that ended the last client; 0: none, or a record was delivered
     * since
     */
    rd_kafka_resp_err_t          fatal;
};


/* initializes a zeroed object with all members before rk set */
void ngx_http_kafka_shard_init(ngx_http_kafka_shard_t *shard);

/*
 * Creates the client if there is none: in nginx's thread pool, or before the
 * return if now is 1.  Returns NGX_OK if the client is there.  NGX_AGAIN if it
 * is being created, and the handler will be called; or if the last client ended
 * before it had delivered a record, and it is too early for the next one.
 * NGX_ERROR if it cannot be created; the reason is in the log.
 */
ngx_int_t ngx_http_kafka_shard_open(ngx_http_kafka_shard_t *shard,
    ngx_uint_t now);

/* returns 1 if the client takes records; else starts creating a missing one */
ngx_uint_t ngx_http_kafka_shard_takes(ngx_http_kafka_shard_t *shard);

/* logs and notes that no client can be created now; returns NGX_ERROR */
ngx_int_t ngx_http_kafka_shard_fail(ngx_http_kafka_shard_t *shard,
    const char *why);

/* returns the milliseconds until the next attempt to create the client */
ngx_msec_t ngx_http_kafka_shard_reopen(ngx_http_kafka_shard_t *shard);

/* purges the client's records; what is a combination of RD_KAFKA_PURGE_F_* */
void ngx_http_kafka_shard_purge(ngx_http_kafka_shard_t *shard, int what);

/* the record was handed over to the client */
void ngx_http_kafka_shard_sent(ngx_http_kafka_shard_t *shard,
    ngx_http_kafka_record_t *record);

/*
 * A record of the shard has its report.  first is 1 for the first report of an
 * event.  librdkafka reports all records of a request in one event, so it is
 * then the first report of the request, if there was a request.
 */
void ngx_http_kafka_shard_reported(ngx_http_kafka_shard_t *shard,
    const rd_kafka_message_t *msg, ngx_uint_t first);

/*
 * Returns 1 if every request with records that the client has sent was
 * answered, with the reports of all its records.  A record that was purged from
 * the client's queue was then never sent.  Otherwise it may have been in a
 * request that librdkafka was to send again.  The shard must have no pending
 * records.
 */
ngx_uint_t ngx_http_kafka_shard_proven(ngx_http_kafka_shard_t *shard);

/* destroys the client in nginx's thread pool; no topic handle may be left */
void ngx_http_kafka_shard_end(ngx_http_kafka_shard_t *shard);

/*
 * Destroys the client while the process exits.  Waits until the time "until"
 * (of ngx_current_msec).  Returns NGX_OK, or NGX_AGAIN if that was too short:
 * the client's threads may still use records.
 */
ngx_int_t ngx_http_kafka_shard_destroy(ngx_http_kafka_shard_t *shard,
    ngx_msec_t until);

/* while the process exits, destroys a client that was still being created */
void ngx_http_kafka_shard_close(ngx_http_kafka_shard_t *shard,
    ngx_msec_t until);


#endif /* _NGX_HTTP_KAFKA_SHARD_H_INCLUDED_ */
