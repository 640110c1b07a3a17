
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_CONNECTIVITY_H_INCLUDED_
#define _NGX_HTTP_KAFKA_CONNECTIVITY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <librdkafka/rdkafka.h>


/*
 * Tracks a producer's connections by librdkafka's errors and log lines.
 * Answers for failed messages say why brokers cannot be reached.  The log
 * repeats the same cause only from time to time, so that an outage does not
 * flood it.  Event loop.
 */


typedef struct {
    ngx_str_t            *name;              /* the producer's */

    /*
     * why connections are lost or cannot be made; 0: no error since the last
     * delivered record
     */
    rd_kafka_resp_err_t   last_error;

    /* what was last logged at the level "error", and when; 0: nothing */
    rd_kafka_resp_err_t   logged_error;
    ngx_msec_t            error_logged;
    ngx_msec_t            down_logged;       /* ALL_BROKERS_DOWN, or 0 */
    rd_kafka_resp_err_t   logged_fatal;
    ngx_msec_t            fatal_logged;

    /* why a broker does not accept connections at its own address, or 0 */
    rd_kafka_resp_err_t   unreachable;
    int32_t               unreachable_broker;  /* its id */
    ngx_msec_t            unreachable_since;

    ngx_msec_t            log_window;        /* when it began */
    ngx_uint_t            log_lines;         /* in this window */
} ngx_http_kafka_connectivity_t;


/* notes and logs a connection error; text is librdkafka's */
void ngx_http_kafka_connectivity_error(ngx_http_kafka_connectivity_t *cn,
    rd_kafka_resp_err_t err, const char *text);

/* logs a fatal error, which has ended a client; text is librdkafka's */
void ngx_http_kafka_connectivity_fatal(ngx_http_kafka_connectivity_t *cn,
    rd_kafka_resp_err_t err, const char *text);

/* logs a line of librdkafka's log; level is one of syslog's */
void ngx_http_kafka_connectivity_log(ngx_http_kafka_connectivity_t *cn,
    int level, const char *facility, const char *text);

/* notes that a broker has acknowledged a record; msg belongs to librdkafka */
void ngx_http_kafka_connectivity_acked(ngx_http_kafka_connectivity_t *cn,
    const rd_kafka_message_t *msg);

/*
 * Returns the error of a request that no broker has answered in time: the last
 * connection error if there is one, otherwise _ALL_BROKERS_DOWN.
 */
rd_kafka_resp_err_t ngx_http_kafka_connectivity_cause(
    ngx_http_kafka_connectivity_t *cn);

/* returns what is wrong with a broker's address; static text, or NULL */
const char *ngx_http_kafka_connectivity_text(
    ngx_http_kafka_connectivity_t *cn);


#endif /* _NGX_HTTP_KAFKA_CONNECTIVITY_H_INCLUDED_ */
