
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_PRODUCER_H_INCLUDED_
#define _NGX_HTTP_KAFKA_PRODUCER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_http_kafka_batch.h>
#include <ngx_http_kafka_conf.h>
#include <ngx_http_kafka_health.h>
#include <ngx_http_kafka_metrics.h>
#include <ngx_http_kafka_topic.h>


/* milliseconds for the last reports, after message.timeout.ms */
#define NGX_HTTP_KAFKA_PRODUCER_GRACE  2000

/* records handed over before the loop's other events have their turn */
#define NGX_HTTP_KAFKA_PRODUCER_TURN   2000


/*
 * A producer as it runs in this worker.  Everything here runs in the event
 * loop; librdkafka's own threads never see it.
 */

typedef struct {
    ngx_http_kafka_conf_t       *conf;
    ngx_http_kafka_metrics_t     metrics;
    ngx_http_kafka_health_t      health;

    /* in a worker, from the first use on */
    unsigned                     started:1;
    unsigned                     spent:1;      /* rk only waits for its end */
    unsigned                     served:1;     /* rk has delivered records */
    unsigned                     closing:1;    /* the process exits */
    rd_kafka_t                  *rk;
    rd_kafka_t                  *alone;        /* batches of one, or NULL */
    rd_kafka_t                  *mock;         /* has the brokers, or NULL */
    rd_kafka_conf_t             *client_conf;  /* for rk */
    rd_kafka_conf_t             *side;         /* for clients beside rk */
    rd_kafka_queue_t            *queue;        /* NULL without rk */
    rd_kafka_queue_t            *alone_queue;
    ngx_connection_t            *connection;   /* the eventfd's */
    ngx_http_kafka_topics_t      topics;
    ngx_msec_t                   failed;       /* when rk could not be made */
    ngx_msec_t                   opened;       /* when it was made */

    ngx_queue_t                  batches;      /* all that are not done */
    ngx_queue_t                  unsent;       /* batches to hand over */
    ngx_uint_t                   waiting;      /* how many these are */
    ngx_uint_t                   most;         /* seen while more may come */
    ngx_uint_t                   quiet;        /* turns without a new one */
    ngx_uint_t                   group;        /* handed over last time */
    ngx_event_t                  submit;
    ngx_msec_t                   handed;       /* when the last group was */
    ngx_msec_t                   round;        /* till a report came then */
    ngx_msec_t                   turning;      /* since when more may come */
    unsigned                     unheard:1;    /* none came since */
    unsigned                     going:1;      /* it is not yet all over */
    ngx_event_t                  gap;          /* a message failed */
    ngx_msec_t                   gap_since;
    ngx_uint_t                   gap_left;     /* of what was pending then */
    ngx_event_t                  purge;        /* of a spent rk */
    ngx_msec_t                   replaced;     /* since when it is spent */
    ngx_uint_t                   pending;      /* records without report */
    ngx_uint_t                   pending_alone; /* of these, with alone */
    ngx_http_kafka_record_t     *again;        /* to be produced once more */
    ngx_http_kafka_record_t    **again_last;
    rd_kafka_resp_err_t          trouble;      /* of connections, if any */
    ngx_msec_t                   told;         /* when it was logged */
    rd_kafka_resp_err_t          fatal;        /* that ended the last client */
    rd_kafka_resp_err_t          last_fatal;   /* that was logged as an error */
    ngx_msec_t                   fatal_logged; /* when that was */
    rd_kafka_resp_err_t          unreachable;  /* why a broker is, if any */
    int32_t                      unreachable_broker; /* its id */
    ngx_msec_t                   unreachable_since;

    ngx_msec_t                   log_window;
    ngx_uint_t                   logged;       /* lines in this window */
} ngx_http_kafka_producer_t;


/* a producer that is not started; NULL when memory is out */
ngx_http_kafka_producer_t *ngx_http_kafka_producer_create(ngx_pool_t *pool,
    ngx_http_kafka_conf_t *conf);

/*
 * Makes the client where there is none.  NGX_AGAIN: the last one failed as it
 * came, the next one is made within a second, batches may be sent meanwhile;
 * NGX_ERROR: it could not be made.
 */
ngx_int_t ngx_http_kafka_producer_open(ngx_http_kafka_producer_t *producer);

/*
 * Takes a filled batch, whose handler and data the requester has set.
 * NGX_OK: the handler will be called, later, once all records are reported
 * or their time is over.  NGX_DECLINED: nothing was sent and nothing will
 * be, batch->err and batch->refused tell why.  NGX_ERROR: memory is out.
 */
ngx_int_t ngx_http_kafka_producer_send(ngx_http_kafka_producer_t *producer,
    ngx_http_kafka_batch_t *batch);

/*
 * Gives a record to the client.  No report comes after an error; after none
 * the caller counts it in producer->pending.
 */
rd_kafka_resp_err_t ngx_http_kafka_producer_produce(
    ngx_http_kafka_producer_t *producer, ngx_http_kafka_record_t *record);

/* err of a record that was not taken: it is to wait for another client */
ngx_uint_t ngx_http_kafka_producer_fatal(ngx_http_kafka_producer_t *producer,
    rd_kafka_resp_err_t err);

/* after an error: its topic may be gone, the next request looks it up */
void ngx_http_kafka_producer_doubt(ngx_http_kafka_record_t *record,
    rd_kafka_resp_err_t err);

/* one of the batch's records, of those that are pending, has its outcome */
void ngx_http_kafka_producer_settle(ngx_http_kafka_batch_t *batch);

/* 1 if brokers ended the last client before it had delivered anything */
ngx_uint_t ngx_http_kafka_producer_refused(
    ngx_http_kafka_producer_t *producer);

/* a record's delivery report; msg is librdkafka's */
void ngx_http_kafka_producer_report(ngx_http_kafka_producer_t *producer,
    const rd_kafka_message_t *msg, ngx_uint_t offset_known);

/*
 * The client must not go on: all that it holds is reported now or soon, then
 * another one takes its place.  Nothing blocks.  fatal is the error that has
 * ended it, if any: what its callers hear.
 */
void ngx_http_kafka_producer_replace(ngx_http_kafka_producer_t *producer,
    rd_kafka_resp_err_t fatal);

/* a broker's connection is lost, with what was on its way */
void ngx_http_kafka_producer_broken(ngx_http_kafka_producer_t *producer);

/* there is room again, or a spent client has reported all */
void ngx_http_kafka_producer_resume(ngx_http_kafka_producer_t *producer);

/*
 * As the process exits: delivers what can be before the time, until (as
 * ngx_current_msec), answers all that wait, ends the client.
 */
void ngx_http_kafka_producer_close(ngx_http_kafka_producer_t *producer,
    ngx_msec_t until);

/* answers all that wait, for nginx closes their connections now */
void ngx_http_kafka_producer_abort(ngx_http_kafka_producer_t *producer);


#endif /* _NGX_HTTP_KAFKA_PRODUCER_H_INCLUDED_ */
