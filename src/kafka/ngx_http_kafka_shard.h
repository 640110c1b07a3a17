
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
 * A shard is one client of librdkafka that produces, and what is with it.  When
 * its client must not go on, another one takes its place.  Event loop.
 */


/* milliseconds from a client that could not serve to the next one */
#define NGX_HTTP_KAFKA_SHARD_REOPEN  1000


/*
 * The client of the shard has come (NGX_OK), or cannot be made (NGX_ERROR), and
 * the log says why.
 */
typedef void (*ngx_http_kafka_shard_handler_pt)(ngx_http_kafka_shard_t *shard,
    ngx_int_t rc);


struct ngx_http_kafka_shard_s {
    ngx_http_kafka_conf_t       *conf;       /* of the producer */
    rd_kafka_conf_t             *properties; /* of its clients */
    ngx_http_kafka_events_t     *events;
    ngx_uint_t                  *generations;  /* of the producer's clients */
    ngx_http_kafka_shard_handler_pt
                                 handler;
    void                        *data;       /* the producer */
    ngx_uint_t                   index;      /* of all of the producer's */

    rd_kafka_t                  *rk;         /* or NULL */
    ngx_http_kafka_client_task_t  *task;     /* makes rk, or NULL */
    ngx_event_t                  reopen;     /* where there is no client */
    ngx_event_t                  idle;       /* an isolated one ends then */

    ngx_uint_t                   generation; /* of rk, from 1; another one
                                                after rk has purged its queue */
    ngx_msec_t                   opened;     /* when the last rk was made */
    ngx_msec_t                   failed;     /* when it could not be, or 0 */
    ngx_uint_t                   failures;   /* of attempts, in a row */
    ngx_uint_t                   topics;     /* that rk has to do with */

    ngx_queue_t                  ready;      /* lanes to hand over */
    ngx_queue_t                  busy;       /* lanes with a group out */
    ngx_queue_t                  purged;     /* records; see shard_proven() */
    ngx_uint_t                   nbusy;
    ngx_uint_t                   pending;    /* records without a report */

    /* requests with records: sent before, and answered since, nothing was
       pending */
    uint32_t                     requests;
    uint32_t                     answered;

    unsigned                     isolated:1; /* one lane at a time */
    unsigned                     served:1;   /* rk has delivered records */
    unsigned                     full:1;     /* rk takes no more for now */
    unsigned                     replaced:1; /* the next rk is for another */

    /* how it is replaced: see ngx_http_kafka_replace.h */
    unsigned                     draining:1;
    unsigned                     closing:1;  /* the process exits */
    ngx_msec_t                   since;      /* when it began to drain */
    ngx_event_t                  purge;      /* while it drains */
    ngx_event_t                  overdue;    /* the next group that is */

    /* that ended the last client, until a record is delivered; 0: none */
    rd_kafka_resp_err_t          fatal;
};


/* expects a zeroed object with all set that comes before rk */
void ngx_http_kafka_shard_init(ngx_http_kafka_shard_t *shard);

/*
 * Has the client made in nginx's thread pool, or at once with now.  NGX_OK: it
 * is there.  NGX_AGAIN: it is being made, the handler will be called; or the
 * last one ended before it had served, and it is too early for the next one.
 * NGX_ERROR: it cannot be made, and the log says why.
 */
ngx_int_t ngx_http_kafka_shard_open(ngx_http_kafka_shard_t *shard,
    ngx_uint_t now);

/* whether it takes records now; has its client made where there is none */
ngx_uint_t ngx_http_kafka_shard_takes(ngx_http_kafka_shard_t *shard);

/* notes and logs that no client can be made now; returns NGX_ERROR */
ngx_int_t ngx_http_kafka_shard_fail(ngx_http_kafka_shard_t *shard,
    const char *why);

/* milliseconds until the next try, where none is being made */
ngx_msec_t ngx_http_kafka_shard_reopen(ngx_http_kafka_shard_t *shard);

/* has records reported as purged; what is of RD_KAFKA_PURGE_F_* */
void ngx_http_kafka_shard_purge(ngx_http_kafka_shard_t *shard, int what);

/* the record is with the client */
void ngx_http_kafka_shard_sent(ngx_http_kafka_shard_t *shard,
    ngx_http_kafka_record_t *record);

/*
 * A record of it has its report; first: the first one of an event, and thus of
 * a request, if there was one.
 */
void ngx_http_kafka_shard_reported(ngx_http_kafka_shard_t *shard,
    const rd_kafka_message_t *msg, ngx_uint_t first);

/*
 * 1 if each request with records that the client has sent was answered, with
 * the report of all its records: so a record that was purged from the client's
 * queue was in none.  Otherwise it may have been in one that librdkafka was to
 * send again.  For a shard with nothing pending.
 */
ngx_uint_t ngx_http_kafka_shard_proven(ngx_http_kafka_shard_t *shard);

/* destroys the client in nginx's thread pool; no handle may be left */
void ngx_http_kafka_shard_end(ngx_http_kafka_shard_t *shard);

/*
 * The same as the process exits, by the time until, as ngx_current_msec.
 * NGX_OK, or NGX_AGAIN if it takes longer: then its threads may still use
 * records.
 */
ngx_int_t ngx_http_kafka_shard_destroy(ngx_http_kafka_shard_t *shard,
    ngx_msec_t until);

/* a client that is still being made ends, too, as the process exits */
void ngx_http_kafka_shard_close(ngx_http_kafka_shard_t *shard,
    ngx_msec_t until);


#endif /* _NGX_HTTP_KAFKA_SHARD_H_INCLUDED_ */
