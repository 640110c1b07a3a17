
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_REQUEST_H_INCLUDED_
#define _NGX_HTTP_KAFKA_REQUEST_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_http_kafka_batch.h>
#include <ngx_http_kafka_location.h>
#include <ngx_http_kafka_protocol.h>


/* values of variables: the batch is freed before nginx writes the log */

typedef struct {
    ngx_str_t                    topic;      /* if the body has only one */
    size_t                       messages;
    size_t                       bytes;      /* of keys and values */
    int64_t                      partition;  /* of a single message, or -1 */
    int64_t                      offset;     /* of a single message, or -1 */
    ngx_msec_t                   parse_time;
    ngx_msec_t                   ack_time;
    unsigned                     kept:1;     /* the values are set */
    unsigned                     sent:1;     /* both times are set */
} ngx_http_kafka_facts_t;


/*
 * Called when the body has been read.  rc is NGX_OK if the protocol has parsed
 * the whole body, or the HTTP status of an error of the module or nginx.
 */
typedef void (*ngx_http_kafka_body_handler_pt)(ngx_http_request_t *r,
    ngx_int_t rc);


/* the context of a request in a produce location, allocated from r->pool */

struct ngx_http_kafka_ctx_s {
    const ngx_http_kafka_protocol_t  *protocol;
    void                             *protocol_data;

    ngx_http_request_t               *request;
    ngx_http_kafka_batch_t           *batch;     /* NULL once released */
    ngx_http_kafka_producer_t        *producer;
    ngx_str_t                         topic;     /* of all records, or empty */
    ngx_msec_t                        start;     /* ngx_current_msec */
    ngx_http_kafka_facts_t            facts;

    ngx_http_kafka_body_handler_pt    body_handler;

    /* the unread part of a body that nginx has buffered */
    ngx_chain_t                      *buffered;
    off_t                             offset;    /* in its first buffer */
    ngx_event_t                       event;     /* for the next turn */

    ngx_str_t                         room;      /* for the response */
    ngx_str_t                         body;      /* of the response */

    ngx_uint_t                        status;    /* of an error, or 0 */
    ngx_str_t                         text;      /* of an error */

    unsigned                          keepalive:1; /* also after a 400 */
    unsigned                          results:1; /* body has results */
    unsigned                          replace:1; /* nginx's page with body */
};


/* the content handler of a produce location */
ngx_int_t ngx_http_kafka_request_handler(ngx_http_request_t *r);

/* the handler of the log phase; counts requests by their status */
ngx_int_t ngx_http_kafka_request_log_handler(ngx_http_request_t *r);

/*
 * Returns the request's context, or NULL if there is none.  Finds the context
 * even after a redirect to another location.  Event loop.
 */
ngx_http_kafka_ctx_t *ngx_http_kafka_request_ctx(ngx_http_request_t *r);

/*
 * Returns the values of the request's variables, or NULL if the request has had
 * no batch.  While the request waits for Kafka, the values are preliminary.
 * Event loop.
 */
ngx_http_kafka_facts_t *ngx_http_kafka_request_facts(ngx_http_request_t *r);


#endif /* _NGX_HTTP_KAFKA_REQUEST_H_INCLUDED_ */
