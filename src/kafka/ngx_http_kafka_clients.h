
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_CLIENTS_H_INCLUDED_
#define _NGX_HTTP_KAFKA_CLIENTS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http_kafka_shard.h>


/*
 * The librdkafka clients of a producer: shards, over which partitions are
 * spread; isolated clients, each with one lane's group at a time; and a client
 * for librdkafka's mock cluster, if one is configured.  Event loop.
 */


#define NGX_HTTP_KAFKA_CLIENTS_SHARDS    8
#define NGX_HTTP_KAFKA_CLIENTS_ISOLATED  4
#define NGX_HTTP_KAFKA_CLIENTS_ALL       (NGX_HTTP_KAFKA_CLIENTS_SHARDS       \
                                          + NGX_HTTP_KAFKA_CLIENTS_ISOLATED)


typedef struct {
    ngx_http_kafka_conf_t       *conf;
    ngx_http_kafka_events_t     *events;     /* shared by all shards */
    ngx_http_kafka_shard_handler_pt
                                 handler;    /* of shards */
    void                        *data;

    /* the shards, then the isolated clients */
    ngx_http_kafka_shard_t       shards[NGX_HTTP_KAFKA_CLIENTS_ALL];
    ngx_uint_t                   nshards;    /* in use, of the shards */
    ngx_uint_t                   generation; /* last number given */

    rd_kafka_t                  *mock;       /* or NULL */

    rd_kafka_conf_t             *first_conf;     /* of the first shard */
    rd_kafka_conf_t             *shard_conf;     /* of the others */
    rd_kafka_conf_t             *isolated_conf;
    rd_kafka_conf_t             *aux_conf;       /* of clients for look-ups */
    unsigned                     started:1;
} ngx_http_kafka_clients_t;


/* initializes a zeroed object with conf, events, handler and data set */
void ngx_http_kafka_clients_init(ngx_http_kafka_clients_t *clients);

/*
 * Opens the first shard, and returns the same as ngx_http_kafka_shard_open().
 * The first call, when the process starts, also prepares what all clients need,
 * and creates the client before it returns.
 */
ngx_int_t ngx_http_kafka_clients_open(ngx_http_kafka_clients_t *clients);

/* returns the shard in whose queue the lane waits when it is ready */
ngx_http_kafka_shard_t *ngx_http_kafka_clients_shard(
    ngx_http_kafka_clients_t *clients, ngx_http_kafka_lane_t *lane);

/* returns the first isolated client, whose queue all isolated lanes share */
ngx_http_kafka_shard_t *ngx_http_kafka_clients_isolated(
    ngx_http_kafka_clients_t *clients);

/* frees everything, once all shards have ended; until is of ngx_current_msec */
void ngx_http_kafka_clients_close(ngx_http_kafka_clients_t *clients,
    ngx_msec_t until);


#endif /* _NGX_HTTP_KAFKA_CLIENTS_H_INCLUDED_ */
