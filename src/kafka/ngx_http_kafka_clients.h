
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_CLIENTS_H_INCLUDED_
#define _NGX_HTTP_KAFKA_CLIENTS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http_kafka_shard.h>


/*
 * The clients of librdkafka that a producer has: shards, over which partitions
 * are spread; isolated ones, which have one lane's group at a time; and one
 * that has librdkafka's mock cluster, where it is configured.  Event loop.
 */


#define NGX_HTTP_KAFKA_CLIENTS_SHARDS    8
#define NGX_HTTP_KAFKA_CLIENTS_ISOLATED  4
#define NGX_HTTP_KAFKA_CLIENTS_ALL       (NGX_HTTP_KAFKA_CLIENTS_SHARDS       \
                                          + NGX_HTTP_KAFKA_CLIENTS_ISOLATED)


typedef struct {
    ngx_http_kafka_conf_t       *conf;
    ngx_http_kafka_events_t     *events;     /* of all shards */
    ngx_http_kafka_shard_handler_pt
                                 handler;    /* of shards */
    void                        *data;

    /* shards, and then the isolated ones */
    ngx_http_kafka_shard_t       shards[NGX_HTTP_KAFKA_CLIENTS_ALL];
    ngx_uint_t                   nshards;    /* in use, without isolated ones */
    ngx_uint_t                   generation; /* the last one */

    rd_kafka_t                  *mock;       /* or NULL */

    rd_kafka_conf_t             *first_conf;     /* of the first shard */
    rd_kafka_conf_t             *shard_conf;     /* of the others */
    rd_kafka_conf_t             *isolated_conf;
    rd_kafka_conf_t             *aux_conf;       /* of clients for look-ups */
    unsigned                     started:1;
} ngx_http_kafka_clients_t;


/* expects a zeroed object with the first group of members set */
void ngx_http_kafka_clients_init(ngx_http_kafka_clients_t *clients);

/*
 * Has the first shard's client made.  The first time, as the process starts, it
 * is made at once, with all that the clients need.  As
 * ngx_http_kafka_shard_open().
 */
ngx_int_t ngx_http_kafka_clients_open(ngx_http_kafka_clients_t *clients);

/* the shard in whose queue a lane that is ready waits */
ngx_http_kafka_shard_t *ngx_http_kafka_clients_shard(
    ngx_http_kafka_clients_t *clients, ngx_http_kafka_lane_t *lane);

/* the first isolated one: lanes wait there for any of these */
ngx_http_kafka_shard_t *ngx_http_kafka_clients_isolated(
    ngx_http_kafka_clients_t *clients);

/* frees the rest, once all shards have ended */
void ngx_http_kafka_clients_close(ngx_http_kafka_clients_t *clients,
    ngx_msec_t until);


#endif /* _NGX_HTTP_KAFKA_CLIENTS_H_INCLUDED_ */
