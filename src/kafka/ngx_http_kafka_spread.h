
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_SPREAD_H_INCLUDED_
#define _NGX_HTTP_KAFKA_SPREAD_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_http_kafka_clients.h>


/*
 * Over how many shards lanes are spread.  A client has few requests in flight
 * to a broker, and sends one partition a request: where brokers are far away,
 * lanes wait in their client, and more clients help.  Event loop.
 */


typedef struct {
    ngx_http_kafka_clients_t    *clients;

    /* groups that were acknowledged since, and their times, in microseconds */
    ngx_msec_t                   since;
    ngx_uint_t                   groups;
    uint64_t                     time;

    ngx_uint_t                   wanted;     /* shards, some not yet in use */
    ngx_msec_t                   calm;       /* too many since then, or 0 */
} ngx_http_kafka_spread_t;


void ngx_http_kafka_spread_init(ngx_http_kafka_spread_t *spread,
    ngx_http_kafka_clients_t *clients);

/*
 * Judges the time that has passed, where it was long enough.  shortest is the
 * shortest time of a group, in microseconds; where brokers are near, more
 * clients do not help.
 */
void ngx_http_kafka_spread_judge(ngx_http_kafka_spread_t *spread,
    uint64_t shortest, ngx_uint_t near);


/* a group that took this time, in microseconds, is acknowledged */

static ngx_inline void
ngx_http_kafka_spread_group(ngx_http_kafka_spread_t *spread, uint64_t time)
{
    spread->groups++;
    spread->time += time;
}


#endif /* _NGX_HTTP_KAFKA_SPREAD_H_INCLUDED_ */
