
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
 * librdkafka's events (delivery reports, errors, log lines, statistics) in
 * nginx's event loop: a thread of librdkafka writes to an eventfd when its
 * queue is no longer empty, and the loop then serves the queue.
 */


/* clients that have events at once: shards, and those that are isolated */
#define NGX_HTTP_KAFKA_EVENTS_QUEUES  12


/*
 * Gets the events; all functions are called in the event loop.  owner is the
 * one that the client was added with.
 */

typedef struct {
    /* some events come now, for which one reading of the clock is enough */
    void       (*begin)(void *data);

    /*
     * msg belongs to librdkafka, and is valid until the return; offset_known is
     * 0 if its offset means nothing; first is 1 for the first report of an
     * event
     */
    void       (*report)(void *owner, const rd_kafka_message_t *msg,
                     ngx_uint_t offset_known, ngx_uint_t first);

    /* text belongs to librdkafka, and is valid until the return */
    void       (*error)(void *owner, rd_kafka_resp_err_t err,
                     const char *text);

    /* the client has a fatal error: see rd_kafka_fatal_error() */
    void       (*fatal)(void *owner);

    /* level is one of syslog's */
    void       (*log)(void *data, int level, const char *facility,
                     const char *text);

    /* text is JSON, and is valid until the return */
    void       (*statistics)(void *owner, const char *text);

    /* all events, or as many as a turn may have, were served */
    void       (*served)(void *data);

    /* worker_shutdown_timeout is over: nginx closes all connections */
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
 * Expects a zeroed object with handler and data set.  Takes an eventfd and a
 * connection, which all clients share one after another: when one is replaced,
 * requests may have taken all other connections.  Returns NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_http_kafka_events_open(ngx_http_kafka_events_t *events);

/* closes the eventfd; no queue may be left */
void ngx_http_kafka_events_close(ngx_http_kafka_events_t *events);

/* serves the client's main queue, and its log, from now on */
void ngx_http_kafka_events_add(ngx_http_kafka_events_t *events,
    rd_kafka_t *rk, void *owner);

/* serves the owner's queue no longer; its client may then be destroyed */
void ngx_http_kafka_events_remove(ngx_http_kafka_events_t *events,
    void *owner);

/*
 * Waits for the next event, and serves it, as the process exits: until the time
 * until (of ngx_current_msec).  Returns NGX_OK, or NGX_DONE when the time is
 * over and all events that came before it were served.
 */
ngx_int_t ngx_http_kafka_events_wait(ngx_http_kafka_events_t *events,
    ngx_msec_t until);


#endif /* _NGX_HTTP_KAFKA_EVENTS_H_INCLUDED_ */
