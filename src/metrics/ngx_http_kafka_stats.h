
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_STATS_H_INCLUDED_
#define _NGX_HTTP_KAFKA_STATS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* Parses the brokers in librdkafka's statistics.  Event loop. */


/* counters that start at 0 in a new client */

typedef enum {
    NGX_HTTP_KAFKA_STATS_SENT = 0,       /* bytes */
    NGX_HTTP_KAFKA_STATS_RECEIVED,
    NGX_HTTP_KAFKA_STATS_RETRIES,
    NGX_HTTP_KAFKA_STATS_TIMEOUTS,
    NGX_HTTP_KAFKA_STATS_CONNECTS,
    NGX_HTTP_KAFKA_STATS_DISCONNECTS,
    NGX_HTTP_KAFKA_STATS_SUMS
} ngx_http_kafka_stats_sum_e;


/* indices of the names in ngx_http_kafka_stats_states */

typedef enum {
    NGX_HTTP_KAFKA_STATS_NONE = 0,
    NGX_HTTP_KAFKA_STATS_OTHER,
    NGX_HTTP_KAFKA_STATS_HANGS,          /* up, but does not answer */
    NGX_HTTP_KAFKA_STATS_UP,
    NGX_HTTP_KAFKA_STATS_UPDATE,         /* up, its name is changing */
    NGX_HTTP_KAFKA_STATS_REAUTH,         /* up, authenticates again */
    NGX_HTTP_KAFKA_STATS_STATES = 16
} ngx_http_kafka_stats_state_e;


typedef struct {
    u_char                       data[272];  /* host:port */
    size_t                       len;
    int64_t                      id;         /* negative: not known yet */
    ngx_uint_t                   state;
    uint64_t                     average;    /* round trip, microseconds */
    uint64_t                     p99;
    uint64_t                     measured;   /* number of round trips */
    uint64_t                     received;   /* responses, so far */
    uint64_t                     unanswered; /* requests in flight */
    uint64_t                     sum[NGX_HTTP_KAFKA_STATS_SUMS];
    unsigned                     broker:1;   /* it has an address */
} ngx_http_kafka_stats_broker_t;


typedef void (*ngx_http_kafka_stats_broker_pt)(void *data,
    ngx_http_kafka_stats_broker_t *broker);


extern const char
    *ngx_http_kafka_stats_states[NGX_HTTP_KAFKA_STATS_STATES];


/*
 * Parses statistics, len bytes of JSON.  Calls the handler with data for each
 * broker.  The broker is valid until the handler returns, and the handler may
 * change it.  Returns NGX_OK, or NGX_ERROR if the text is not statistics or
 * memory is out.
 */
ngx_int_t ngx_http_kafka_stats_parse(const char *text, size_t len,
    ngx_http_kafka_stats_broker_pt handler, void *data);

/* returns 1 if a broker in this state is connected, else 0 */
ngx_uint_t ngx_http_kafka_stats_is_up(ngx_uint_t state);


#endif /* _NGX_HTTP_KAFKA_STATS_H_INCLUDED_ */
