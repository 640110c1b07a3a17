
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_CONNECTIVITY_H_INCLUDED_
#define _NGX_HTTP_KAFKA_CONNECTIVITY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <librdkafka/rdkafka.h>


/*
 * What librdkafka's errors and log lines say of a producer's connections.  The
 * callers whose messages fail learn why brokers cannot be reached.  The log
 * gets each cause once in a while: brokers that stay away must not flood it.
 * Event loop.
 */


typedef struct {
    ngx_str_t            *name;              /* of the producer */

    /* why connections are lost or cannot be made, until a record is delivered;
       0: they can */
    rd_kafka_resp_err_t   last_error;

    /* what was last written at the level "error", and when; 0: nothing */
    rd_kafka_resp_err_t   logged_error;
    ngx_msec_t            error_logged;
    ngx_msec_t            down_logged;       /* all brokers, or 0 */
    rd_kafka_resp_err_t   logged_fatal;
    ngx_msec_t            fatal_logged;

    /* why a broker does not accept connections at its own address, or 0 */
    rd_kafka_resp_err_t   unreachable;
    int32_t               unreachable_broker;  /* its id */
    ngx_msec_t            unreachable_since;

    ngx_msec_t            log_window;        /* its start */
    ngx_uint_t            log_lines;         /* in this window */
} ngx_http_kafka_connectivity_t;


/* takes and logs an error of a connection, with librdkafka's text */
void ngx_http_kafka_connectivity_error(ngx_http_kafka_connectivity_t *cn,
    rd_kafka_resp_err_t err, const char *text);

/* logs an error that has ended a client */
void ngx_http_kafka_connectivity_fatal(ngx_http_kafka_connectivity_t *cn,
    rd_kafka_resp_err_t err, const char *text);

/* logs a line of librdkafka's; level is one of syslog's */
void ngx_http_kafka_connectivity_log(ngx_http_kafka_connectivity_t *cn,
    int level, const char *facility, const char *text);

/* a broker has acknowledged a record; msg belongs to librdkafka */
void ngx_http_kafka_connectivity_acked(ngx_http_kafka_connectivity_t *cn,
    const rd_kafka_message_t *msg);

/*
 * The error for a request that no broker answered in time: the last connection
 * error if known, else _ALL_BROKERS_DOWN.
 */
rd_kafka_resp_err_t ngx_http_kafka_connectivity_cause(
    ngx_http_kafka_connectivity_t *cn);

/* for callers: what is wrong with a broker's address; static text, or NULL */
const char *ngx_http_kafka_connectivity_text(
    ngx_http_kafka_connectivity_t *cn);


#endif /* _NGX_HTTP_KAFKA_CONNECTIVITY_H_INCLUDED_ */
