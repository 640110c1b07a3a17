
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_clients.h>
#include <ngx_http_kafka_client.h>
#include <librdkafka/rdkafka_mock.h>


#if (NGX_HTTP_KAFKA_CLIENTS_ALL > NGX_HTTP_KAFKA_EVENTS_QUEUES)
#error "each client needs an event queue"
#endif


/* milliseconds added to message.timeout.ms for librdkafka's own time-out */
#define NGX_HTTP_KAFKA_CLIENTS_LATER  5000


static ngx_int_t ngx_http_kafka_clients_start(
    ngx_http_kafka_clients_t *clients);
static ngx_int_t ngx_http_kafka_clients_confs(
    ngx_http_kafka_clients_t *clients, char *errstr);
static void ngx_http_kafka_clients_use_mock(ngx_http_kafka_clients_t *clients);
static void ngx_http_kafka_clients_timeout(ngx_http_kafka_clients_t *clients);


void
ngx_http_kafka_clients_init(ngx_http_kafka_clients_t *clients)
{
    ngx_uint_t               i;
    ngx_http_kafka_shard_t  *shard;

    clients->nshards = 1;

    for (i = 0; i < NGX_HTTP_KAFKA_CLIENTS_ALL; i++) {
        shard = &clients->shards[i];

        shard->conf = clients->conf;
        shard->events = clients->events;
        shard->generations = &clients->generation;
        shard->handler = clients->handler;
        shard->data = clients->data;
        shard->index = i;
        shard->isolated = (i >= NGX_HTTP_KAFKA_CLIENTS_SHARDS);

        ngx_http_kafka_shard_init(shard);
    }
}


ngx_int_t
ngx_http_kafka_clients_open(ngx_http_kafka_clients_t *clients)
{
    ngx_http_kafka_shard_t  *shard;

    shard = &clients->shards[0];

    if (clients->started) {
        return ngx_http_kafka_shard_open(shard, 0);
    }

    if (shard->failed
        && ngx_current_msec - shard->failed < NGX_HTTP_KAFKA_SHARD_REOPEN)
    {
        return NGX_ERROR;
    }

    return ngx_http_kafka_clients_start(clients);
}


static ngx_int_t
ngx_http_kafka_clients_start(ngx_http_kafka_clients_t *clients)
{
    char                     errstr[NGX_HTTP_KAFKA_CLIENT_ERROR];
    ngx_uint_t               i;
    ngx_http_kafka_shard_t  *shards;

    shards = clients->shards;

    if (clients->events->connection == NULL
        && ngx_http_kafka_events_open(clients->events) != NGX_OK)
    {
        return ngx_http_kafka_shard_fail(&shards[0],
                                         "its eventfd could not be opened");
    }

    if (ngx_http_kafka_clients_confs(clients, errstr) != NGX_OK) {
        return ngx_http_kafka_shard_fail(&shards[0], errstr);
    }

    for (i = 0; i < NGX_HTTP_KAFKA_CLIENTS_ALL; i++) {
        shards[i].properties = shards[i].isolated ? clients->isolated_conf
                                                  : clients->shard_conf;
    }

    shards[0].properties = clients->first_conf;
    clients->started = 1;

    return ngx_http_kafka_shard_open(&shards[0], 1);
}


/*
 * Creates the configurations of the clients.  A mock cluster must outlive all
 * of them, with its address, topics and records, so it has a client of its own.
 */

static ngx_int_t
ngx_http_kafka_clients_confs(ngx_http_kafka_clients_t *clients, char *errstr)
{
    rd_kafka_conf_t  *properties;
    const char       *mock[] = { "test.mock.num.brokers", "security.protocol" };

    properties = clients->conf->properties;

    if (clients->conf->mocked) {
        clients->mock = ngx_http_kafka_client_new_quiet(properties, errstr);
        if (clients->mock == NULL) {
            return NGX_ERROR;
        }

        clients->first_conf = rd_kafka_conf_dup_filter(properties, 2, mock);
        ngx_http_kafka_clients_use_mock(clients);

    } else {
        clients->first_conf = rd_kafka_conf_dup(properties);
    }

    if (clients->conf->idempotent) {
        ngx_http_kafka_clients_timeout(clients);
    }

    clients->shard_conf = rd_kafka_conf_dup(clients->first_conf);

    /* only the statistics of the first shard are read */

    (void) rd_kafka_conf_set(clients->shard_conf, "statistics.interval.ms",
                             "0", NULL, 0);

    clients->aux_conf = rd_kafka_conf_dup(clients->shard_conf);

    (void) rd_kafka_conf_set(clients->aux_conf, "enable.gapless.guarantee",
                             "false", NULL, 0);

    /*
     * After a record has failed for good, librdkafka may send other records
     * again under new sequence numbers.  That is harmless here: an isolated
     * client has one lane and one request in flight, so there is no other
     * record that a broker may have already.
     */

    clients->isolated_conf = rd_kafka_conf_dup(clients->aux_conf);

    (void) rd_kafka_conf_set(clients->isolated_conf,
                             "max.in.flight.requests.per.connection", "1",
                             NULL, 0);

    return NGX_OK;
}


static void
ngx_http_kafka_clients_use_mock(ngx_http_kafka_clients_t *clients)
{
    const char  *brokers;

    brokers = rd_kafka_mock_cluster_bootstraps(
                                  rd_kafka_handle_mock_cluster(clients->mock));

    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                  "kafka producer \"%V\": librdkafka's mock cluster answers "
                  "in this process, at %s", &clients->conf->name, brokers);

    (void) rd_kafka_conf_set(clients->first_conf, "bootstrap.servers", brokers,
                             NULL, 0);
}


/*
 * When a record times out in librdkafka, librdkafka bumps the epoch and
 * renumbers all other records, as after a failure.  So the module gives the
 * record up before that.
 */

static void
ngx_http_kafka_clients_timeout(ngx_http_kafka_clients_t *clients)
{
    char        text[NGX_INT64_LEN + 1];
    ngx_msec_t  timeout;

    timeout = ngx_min(clients->conf->timeout + NGX_HTTP_KAFKA_CLIENTS_LATER,
                      NGX_MAX_INT32_VALUE);

    *ngx_snprintf((u_char *) text, NGX_INT64_LEN, "%M", timeout) = '\0';

    (void) rd_kafka_conf_set(clients->first_conf, "message.timeout.ms", text,
                             NULL, 0);
}


ngx_http_kafka_shard_t *
ngx_http_kafka_clients_shard(ngx_http_kafka_clients_t *clients,
    ngx_http_kafka_lane_t *lane)
{
    if (ngx_http_kafka_lane_isolated(lane)) {
        return ngx_http_kafka_clients_isolated(clients);
    }

    return &clients->shards[(ngx_uint_t) ngx_max(lane->partition, 0)
                            % clients->nshards];
}


ngx_http_kafka_shard_t *
ngx_http_kafka_clients_isolated(ngx_http_kafka_clients_t *clients)
{
    return &clients->shards[NGX_HTTP_KAFKA_CLIENTS_SHARDS];
}


void
ngx_http_kafka_clients_close(ngx_http_kafka_clients_t *clients,
    ngx_msec_t until)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_KAFKA_CLIENTS_ALL; i++) {
        ngx_http_kafka_shard_close(&clients->shards[i], until);
    }

    if (clients->started) {
        rd_kafka_conf_destroy(clients->first_conf);
        rd_kafka_conf_destroy(clients->shard_conf);
        rd_kafka_conf_destroy(clients->aux_conf);
        rd_kafka_conf_destroy(clients->isolated_conf);
        clients->started = 0;
    }

    if (clients->mock) {
        (void) ngx_http_kafka_client_destroy_until(clients->mock, until);
        clients->mock = NULL;
    }
}
