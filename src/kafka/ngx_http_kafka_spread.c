
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_spread.h>


/* the shortest period, in milliseconds */
#define NGX_HTTP_KAFKA_SPREAD_PERIOD  500

/* milliseconds with too many shards after which their number is halved */
#define NGX_HTTP_KAFKA_SPREAD_CALM    60000


static void ngx_http_kafka_spread_grow(ngx_http_kafka_spread_t *spread,
    ngx_uint_t out);
static void ngx_http_kafka_spread_shrink(ngx_http_kafka_spread_t *spread);
static ngx_uint_t ngx_http_kafka_spread_warm(ngx_http_kafka_spread_t *spread);


void
ngx_http_kafka_spread_init(ngx_http_kafka_spread_t *spread,
    ngx_http_kafka_clients_t *clients)
{
    spread->clients = clients;
    spread->wanted = clients->nshards;
}


/*
 * The average number of groups in flight is the sum of their times divided by
 * the length of the period.  If it exceeds what the clients may have in flight
 * to one broker, groups may wait in the clients.  They do if their average time
 * is more than a quarter longer than the shortest time.
 */

void
ngx_http_kafka_spread_judge(ngx_http_kafka_spread_t *spread,
    uint64_t shortest, ngx_uint_t near)
{
    uint64_t    time;
    ngx_msec_t  passed;
    ngx_uint_t  groups, out, room;

    passed = ngx_current_msec - spread->since;

    if (passed < NGX_HTTP_KAFKA_SPREAD_PERIOD) {
        return;
    }

    groups = spread->groups;
    time = spread->time;
    out = (ngx_uint_t) (time / 1000 / passed);
    room = spread->clients->nshards * spread->clients->conf->in_flight;

    spread->since = ngx_current_msec;
    spread->groups = 0;
    spread->time = 0;

    if (spread->wanted > spread->clients->nshards) {

        if (ngx_http_kafka_spread_warm(spread)) {
            spread->clients->nshards = spread->wanted;
        }

        return;
    }

    if (out > room && !near && time / groups > shortest / 4 * 5) {
        ngx_http_kafka_spread_grow(spread, out);

    } else if (out < room / 4 || near) {
        ngx_http_kafka_spread_shrink(spread);

    } else {
        spread->calm = 0;
    }
}


/* creates more clients, which are used once all have had time to connect */

static void
ngx_http_kafka_spread_grow(ngx_http_kafka_spread_t *spread, ngx_uint_t out)
{
    ngx_uint_t  i;

    spread->calm = 0;

    if (spread->clients->nshards == NGX_HTTP_KAFKA_CLIENTS_SHARDS) {
        return;
    }

    while (spread->wanted < NGX_HTTP_KAFKA_CLIENTS_SHARDS
           && spread->wanted * spread->clients->conf->in_flight < out)
    {
        spread->wanted *= 2;
    }

    for (i = spread->clients->nshards; i < spread->wanted; i++) {
        (void) ngx_http_kafka_shard_takes(&spread->clients->shards[i]);
    }

    ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                  "kafka producer \"%V\": its partitions are spread over "
                  "%ui clients, because requests wait for each other",
                  &spread->clients->conf->name, spread->wanted);
}


/* halves the number of shards in use; unused clients end when they are idle */

static void
ngx_http_kafka_spread_shrink(ngx_http_kafka_spread_t *spread)
{
    if (spread->clients->nshards == 1) {
        return;
    }

    if (spread->calm == 0) {
        spread->calm = ngx_max(ngx_current_msec, 1);
    }

    if (ngx_current_msec - spread->calm < NGX_HTTP_KAFKA_SPREAD_CALM) {
        return;
    }

    spread->calm = 0;
    spread->clients->nshards /= 2;
    spread->wanted = spread->clients->nshards;

    ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                  "kafka producer \"%V\": the number of its clients is "
                  "reduced to %ui",
                  &spread->clients->conf->name, spread->wanted);
}


static ngx_uint_t
ngx_http_kafka_spread_warm(ngx_http_kafka_spread_t *spread)
{
    ngx_uint_t               i;
    ngx_http_kafka_shard_t  *shard;

    for (i = spread->clients->nshards; i < spread->wanted; i++) {
        shard = &spread->clients->shards[i];

        if (!ngx_http_kafka_shard_takes(shard)
            || ngx_current_msec - shard->opened
               < NGX_HTTP_KAFKA_SPREAD_PERIOD)
        {
            return 0;
        }
    }

    return 1;
}
