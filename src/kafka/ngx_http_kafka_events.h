
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


/* a client that produces, and one that produces records one by one */
#define NGX_HTTP_KAFKA_EVENTS_QUEUES  2


/* who gets the events; all of it is called in the event loop */

typedef struct {
    /* some come now: the time that they have in common may be taken */
    void       (*begin)(void *data);

    /*
     * msg is librdkafka's, until the return; offset_known is 0 where its
     * offset means nothing
     */
    void       (*report)(void *data, const rd_kafka_message_t *msg,
                     ngx_uint_t offset_known);

    /* text is librdkafka's */
    void       (*error)(void *data, rd_kafka_resp_err_t err, const char *text);

    /* one of the clients has a fatal error, which it can be asked for */
    void       (*fatal)(void *data);

    /* level is one of syslog's */
    void       (*log)(void *data, int level, const char *facility,
                     const char *text);

    /* JSON */
    void       (*statistics)(void *data, const char *text);

    /* those that had come are served, or as many as a turn may have */
    void       (*served)(void *data);

    /* worker_shutdown_timeout is over: nginx closes all connections */
    void       (*abort)(void *data);
} ngx_http_kafka_events_handler_t;


typedef struct {
    const ngx_http_kafka_events_handler_t  *handler;
    void                                   *data;
    ngx_connection_t                       *connection;  /* the eventfd's */
    rd_kafka_queue_t          *queues[NGX_HTTP_KAFKA_EVENTS_QUEUES];
    ngx_uint_t                              nqueues;
} ngx_http_kafka_events_t;


/*
 * Expects a zeroed object with handler and data set.  Takes the eventfd and its
 * connection, for all clients that follow each other: when one is replaced,
 * requests may have taken all other connections.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_http_kafka_events_open(ngx_http_kafka_events_t *events);

/* no queue may be left */
void ngx_http_kafka_events_close(ngx_http_kafka_events_t *events);

/* serves the client's main queue, and its log, from now on */
void ngx_http_kafka_events_add(ngx_http_kafka_events_t *events,
    rd_kafka_t *rk);

/* serves none any longer: clients keep their queues, and are destroyed next */
void ngx_http_kafka_events_remove_all(ngx_http_kafka_events_t *events);

/*
 * Serves the next event, for which it waits as the process exits: until the
 * time, as ngx_current_msec.  NGX_OK, or NGX_DONE when the time is over, and
 * all that came before it is served.
 */
ngx_int_t ngx_http_kafka_events_wait(ngx_http_kafka_events_t *events,
    ngx_msec_t until);


#endif /* _NGX_HTTP_KAFKA_EVENTS_H_INCLUDED_ */
