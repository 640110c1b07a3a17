
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


/* what variables say of a batch, which is gone before the log is written */

typedef struct {
    ngx_str_t                    topic;      /* that all messages name */
    size_t                       messages;
    size_t                       bytes;
    int64_t                      partition;  /* of a single message, or -1 */
    int64_t                      offset;
    ngx_msec_t                   parse_time;
    ngx_msec_t                   ack_time;
    unsigned                     kept:1;
    unsigned                     sent:1;     /* both times are known */
} ngx_http_kafka_facts_t;


/*
 * rc is NGX_OK if the whole body was fed, or an HTTP status: that of a refusal,
 * or nginx's.
 */
typedef void (*ngx_http_kafka_body_handler_pt)(ngx_http_request_t *r,
    ngx_int_t rc);


/* a request in a produce location, in the request's pool */

struct ngx_http_kafka_ctx_s {
    const ngx_http_kafka_protocol_t  *protocol;
    void                             *protocol_data;

    ngx_http_request_t               *request;
    ngx_http_kafka_batch_t           *batch;     /* NULL once it was left */
    ngx_http_kafka_producer_t        *producer;
    ngx_str_t                         topic;     /* of all records, or empty */
    ngx_msec_t                        start;
    ngx_http_kafka_facts_t            facts;

    ngx_http_kafka_body_handler_pt    body_handler;

    /* what is still to be read of a body that nginx has buffered */
    ngx_chain_t                      *buffered;
    off_t                             offset;    /* in the first buffer */
    ngx_event_t                       event;     /* for the next turn */

    ngx_str_t                         room;      /* for the answer */
    ngx_str_t                         body;      /* the answer's */

    ngx_uint_t                        status;    /* of an error, or 0 */
    ngx_str_t                         text;      /* what it says */

    unsigned                          keepalive:1;
    unsigned                          results:1; /* messages were sent */
    unsigned                          replace:1; /* nginx's page by body */
};


/* the content handler of a produce location */
ngx_int_t ngx_http_kafka_request_handler(ngx_http_request_t *r);

/* the handler of the log phase, which counts requests by their status */
ngx_int_t ngx_http_kafka_request_log_handler(ngx_http_request_t *r);

/*
 * Returns the request's context, even after a redirect to another location, or
 * NULL.  Event loop.
 */
ngx_http_kafka_ctx_t *ngx_http_kafka_request_ctx(ngx_http_request_t *r);

/*
 * Returns what variables say of the request, so far if it still waits, or NULL
 * if it has no batch.
 */
ngx_http_kafka_facts_t *ngx_http_kafka_request_facts(ngx_http_request_t *r);


#endif /* _NGX_HTTP_KAFKA_REQUEST_H_INCLUDED_ */
