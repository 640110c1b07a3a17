
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_EVENTS_H_INCLUDED_
#define _NGX_HTTP_KAFKA_EVENTS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <librdkafka/rdkafka.h>


/*
 * Serves librdkafka's events (delivery reports, errors, log lines, statistics)
 * in nginx's event loop.  A librdkafka thread writes to an eventfd when its
 * queue becomes non-empty, and the event loop then serves the queue.
 */


/* clients that can have events at the same time: shards and isolated clients */
#define NGX_HTTP_KAFKA_EVENTS_QUEUES  12


/*
 * The functions that handle events.  They are called in the event loop.  owner
 * is the pointer that was passed to ngx_http_kafka_events_add().
 */

typedef struct {
    /*
     * called before a series of events, which may share one reading of the
     * clock
     */
    void       (*begin)(void *data);

    /*
     * msg belongs to librdkafka and is valid until the return.  offset_known is
     * 0 if the offset is not valid.  first is 1 for the first report of an
     * event.
     */
    void       (*report)(void *owner, const rd_kafka_message_t *msg,
                     ngx_uint_t offset_known, ngx_uint_t first);

    /* text belongs to librdkafka and is valid until the return */
    void       (*error)(void *owner, rd_kafka_resp_err_t err,
                     const char *text);

    /* the client has had a fatal error: see rd_kafka_fatal_error() */
    void       (*fatal)(void *owner);

    /* level is one of syslog's */
    void       (*log)(void *data, int level, const char *facility,
                     const char *text);

    /* text is JSON and is valid until the return */
    void       (*statistics)(void *owner, const char *text);

    /* called after all events, or as many as one turn may serve */
    void       (*served)(void *data);

    /* worker_shutdown_timeout has expired, and nginx closes all connections */
    void       (*abort)(void *data);
} ngx_http_kafka_events_handler_t;


typedef struct {
    rd_kafka_queue_t                       *queue;
    void                                   *owner;
} ngx_http_kafka_events_queue_t;


typedef struct {
    const ngx_http_kafka_events_handler_t  *handler;
    void                                   *data;
    ngx_connection_t                       *connection;  /* the eventfd's */
    ngx_http_kafka_events_queue_t
                               queues[NGX_HTTP_KAFKA_EVENTS_QUEUES];
    ngx_uint_t                              nqueues;
    ngx_uint_t                              next;   /* queue to serve */
} ngx_http_kafka_events_t;


/*
 * Initializes a zeroed object, in which handler and data are set, with an
 * eventfd and one of nginx's connections.  All clients share them.  A new
 * client could not get its own, because requests may have taken all other
 * connections.  Returns NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_http_kafka_events_open(ngx_http_kafka_events_t *events);

/* closes the eventfd; all queues must be removed before */
void ngx_http_kafka_events_close(ngx_http_kafka_events_t *events);

/* starts to serve the client's main queue, which also gets its log lines */
void ngx_http_kafka_events_add(ngx_http_kafka_events_t *events,
    rd_kafka_t *rk, void *owner);

/* stops serving the owner's queue; its client may be destroyed then */
void ngx_http_kafka_events_remove(ngx_http_kafka_events_t *events,
    void *owner);

/*
 * While the process exits, waits for the next event until the time "until" (of
 * ngx_current_msec), and serves it.  Returns NGX_OK, or NGX_DONE when the time
 * is over and all events that came before it were served.
 */
ngx_int_t ngx_http_kafka_events_wait(ngx_http_kafka_events_t *events,
    ngx_msec_t until);


#endif /* _NGX_HTTP_KAFKA_EVENTS_H_INCLUDED_ */
