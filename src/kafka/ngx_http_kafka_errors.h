
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_ERRORS_H_INCLUDED_
#define _NGX_HTTP_KAFKA_ERRORS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <librdkafka/rdkafka.h>


/* sending the same message again can succeed */
#define NGX_HTTP_KAFKA_ERROR_RETRIABLE  0x01

/* a broker that answers with this error may have appended the message */
#define NGX_HTTP_KAFKA_ERROR_UNCERTAIN  0x02

/* the message was refused before it was appended: no broker has it */
#define NGX_HTTP_KAFKA_ERROR_REFUSED    0x04

/* Kafka refuses a whole batch because of one such message */
#define NGX_HTTP_KAFKA_ERROR_BATCH      0x08

/* the error says why connections to the brokers cannot be made */
#define NGX_HTTP_KAFKA_ERROR_CONNECT    0x10

/* the module may run with a newer librdkafka than it was built with */

#if (RD_KAFKA_VERSION < 0x02040000)
#define RD_KAFKA_RESP_ERR__INVALID_DIFFERENT_RECORD                           \
    ((rd_kafka_resp_err_t) -138)
#define RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_ID  ((rd_kafka_resp_err_t) 100)
#endif

#if (RD_KAFKA_VERSION < 0x020a0000)
#define RD_KAFKA_RESP_ERR__DESTROY_BROKER  ((rd_kafka_resp_err_t) -137)
#endif


/* What an error of librdkafka means to the caller.  Read-only, any thread. */

typedef struct {
    rd_kafka_resp_err_t          err;
    ngx_uint_t                   status;     /* HTTP, if nothing was sent */
    ngx_uint_t                   flags;
    const char                  *remedy;     /* a short text, or NULL */
} ngx_http_kafka_error_t;


/* returns the entry of the error; without one, an entry with the status 500 */
const ngx_http_kafka_error_t *ngx_http_kafka_error(rd_kafka_resp_err_t err);

/* returns the HTTP status for a message that failed with err */
ngx_uint_t ngx_http_kafka_error_status(rd_kafka_resp_err_t err,
    rd_kafka_msg_status_t persisted);

/*
 * returns the HTTP status for a request of which nothing was sent because of
 * err
 */
ngx_uint_t ngx_http_kafka_error_unsent_status(rd_kafka_resp_err_t err);

/*
 * Returns why nothing was sent if no message is to blame, in words that the
 * caller can pass on to the operator.  nginx's log has the details.  Static
 * text.
 */
const char *ngx_http_kafka_error_unsent(rd_kafka_resp_err_t err);

/*
 * Writes from p to last why a message for this topic and partition was refused.
 * Returns the end of the text.
 */
u_char *ngx_http_kafka_error_refusal(u_char *p, u_char *last,
    rd_kafka_resp_err_t err, ngx_str_t *topic, int32_t partition);

/* returns librdkafka's name for err, such as "_MSG_TIMED_OUT"; static */
const char *ngx_http_kafka_error_name(rd_kafka_resp_err_t err);

/* returns the length of the longest of these names; event loop */
size_t ngx_http_kafka_error_longest_name(void);

/* returns librdkafka's text for err; static */
const char *ngx_http_kafka_error_text(rd_kafka_resp_err_t err);


#endif /* _NGX_HTTP_KAFKA_ERRORS_H_INCLUDED_ */
