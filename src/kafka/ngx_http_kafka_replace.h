
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_REPLACE_H_INCLUDED_
#define _NGX_HTTP_KAFKA_REPLACE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_http_kafka_clients.h>


/*
 * When a client must not go on, and how it drains: all that it holds is
 * reported, now or soon, and then another one takes its place.  Nothing blocks.
 * Event loop.
 */


typedef struct {
    ngx_http_kafka_clients_t    *clients;

    unsigned                     draining:1;
    unsigned                     closing:1;  /* the process exits */
    ngx_msec_t                   since;      /* when it began to drain */
    ngx_event_t                  purge;      /* while it drains */

    /* that ended the last client, until a record is delivered; 0: none */
    rd_kafka_resp_err_t          fatal;

    /* a message failed: librdkafka will close the gap in its numbers */
    ngx_event_t                  seq_gap;
    ngx_msec_t                   seq_gap_since;
    ngx_uint_t                   seq_gap_left;  /* reports that will end it */
} ngx_http_kafka_replace_t;


void ngx_http_kafka_replace_init(ngx_http_kafka_replace_t *replace,
    ngx_http_kafka_clients_t *clients);

/* fatal is the error that has ended the client, if any: what callers hear */
void ngx_http_kafka_replace_start(ngx_http_kafka_replace_t *replace,
    rd_kafka_resp_err_t fatal);

/*
 * For each report, before it changes anything but the count: pending is of
 * records that rk has yet to report.  May start the replacement.
 */
void ngx_http_kafka_replace_reported(ngx_http_kafka_replace_t *replace,
    const rd_kafka_message_t *msg, ngx_uint_t pending);

/* a broker's connection is lost, with what was on its way */
void ngx_http_kafka_replace_disconnected(ngx_http_kafka_replace_t *replace);

/* the client has ended: the next one may come */
void ngx_http_kafka_replace_done(ngx_http_kafka_replace_t *replace);

/* 1 if brokers ended the last client before it had delivered anything */
ngx_uint_t ngx_http_kafka_replace_refused(ngx_http_kafka_replace_t *replace);

/* the process exits: nothing is replaced from here on */
void ngx_http_kafka_replace_close(ngx_http_kafka_replace_t *replace);


/* 1 while the client is to get no more records */

static ngx_inline ngx_uint_t
ngx_http_kafka_replace_holds(ngx_http_kafka_replace_t *replace)
{
    return replace->draining || replace->seq_gap.timer_set;
}


#endif /* _NGX_HTTP_KAFKA_REPLACE_H_INCLUDED_ */
