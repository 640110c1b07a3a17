
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
 * Decides how many shards lanes are spread over.  A client has few requests in
 * flight to a broker, and each request carries one partition.  If brokers are
 * far away, lanes wait in their client, and more clients help.  Event loop.
 */


typedef struct {
    ngx_http_kafka_clients_t    *clients;

    /*
     * the groups that were acknowledged in the current period, which began at
     * since, and the sum of their times in microseconds
     */
    ngx_msec_t                   since;
    ngx_uint_t                   groups;
    uint64_t                     time;

    ngx_uint_t                   wanted;     /* shards, once they are ready */
    ngx_msec_t                   calm;       /* too many since, or 0 */
} ngx_http_kafka_spread_t;


void ngx_http_kafka_spread_init(ngx_http_kafka_spread_t *spread,
    ngx_http_kafka_clients_t *clients);

/*
 * Adapts the number of shards, if the current period is long enough.  shortest
 * is the shortest time of a group, in microseconds.  If brokers are near (near
 * is 1), more clients do not help.
 */
void ngx_http_kafka_spread_judge(ngx_http_kafka_spread_t *spread,
    uint64_t shortest, ngx_uint_t near);


/* a group was acknowledged after this time, in microseconds */

static ngx_inline void
ngx_http_kafka_spread_group(ngx_http_kafka_spread_t *spread, uint64_t time)
{
    spread->groups++;
    spread->time += time;
}


#endif /* _NGX_HTTP_KAFKA_SPREAD_H_INCLUDED_ */
