
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_clients.h>
#include <ngx_http_kafka_client.h>
#include <librdkafka/rdkafka_mock.h>


static ngx_uint_t ngx_http_kafka_clients_early(
    ngx_http_kafka_clients_t *clients);
static ngx_int_t ngx_http_kafka_clients_confs(
    ngx_http_kafka_clients_t *clients, char *errstr);
static void ngx_http_kafka_clients_use_mock(ngx_http_kafka_clients_t *clients);


ngx_int_t
ngx_http_kafka_clients_open(ngx_http_kafka_clients_t *clients)
{
    char  errstr[NGX_HTTP_KAFKA_CLIENT_ERROR];

    if (clients->failed
        && ngx_current_msec - clients->failed
           < NGX_HTTP_KAFKA_CLIENTS_REOPEN)
    {
        return NGX_ERROR;
    }

    if (ngx_http_kafka_clients_early(clients)) {
        return NGX_AGAIN;
    }

    if (clients->events->connection == NULL
        && ngx_http_kafka_events_open(clients->events) != NGX_OK)
    {
        goto failed;
    }

    if (ngx_http_kafka_clients_confs(clients, errstr) == NGX_OK) {
        clients->rk = ngx_http_kafka_client_new(clients->rk_conf, errstr);
    }

    if (clients->rk == NULL) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "kafka producer \"%V\" could not be made: %s",
                      &clients->conf->name, errstr);
        goto failed;
    }

    ngx_http_kafka_events_add(clients->events, clients->rk);

    clients->failed = 0;
    clients->opened = ngx_current_msec;
    clients->served = 0;

    return NGX_OK;

failed:

    clients->failed = ngx_max(ngx_current_msec, 1);

    return NGX_ERROR;
}


/*
 * A client that has delivered something is followed by another one at once.
 * One that failed before may have no right to be there: brokers would see a
 * login for each request that waits, and the next client would fail, too.
 */

static ngx_uint_t
ngx_http_kafka_clients_early(ngx_http_kafka_clients_t *clients)
{
    return clients->opened
           && !clients->served
           && ngx_current_msec - clients->opened
              < NGX_HTTP_KAFKA_CLIENTS_REOPEN;
}


/*
 * What the clients are made with.  A mock cluster outlives them all, with its
 * address, its topics and their records: it has a client of its own.
 */

static ngx_int_t
ngx_http_kafka_clients_confs(ngx_http_kafka_clients_t *clients, char *errstr)
{
    rd_kafka_conf_t  *properties;
    const char       *mock[] = { "test.mock.num.brokers", "security.protocol" };

    if (clients->rk_conf) {
        return NGX_OK;
    }

    properties = clients->conf->properties;

    if (clients->conf->mocked) {
        clients->mock = ngx_http_kafka_client_new_quiet(properties, errstr);
        if (clients->mock == NULL) {
            return NGX_ERROR;
        }

        clients->rk_conf = rd_kafka_conf_dup_filter(properties, 2, mock);
        ngx_http_kafka_clients_use_mock(clients);

    } else {
        clients->rk_conf = rd_kafka_conf_dup(properties);
    }

    clients->aux_conf = rd_kafka_conf_dup(clients->rk_conf);

    /* only the statistics of rk are read */

    (void) rd_kafka_conf_set(clients->aux_conf, "statistics.interval.ms", "0",
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

    (void) rd_kafka_conf_set(clients->rk_conf, "bootstrap.servers", brokers,
                             NULL, 0);
}


ngx_msec_t
ngx_http_kafka_clients_reopen(ngx_http_kafka_clients_t *clients, ngx_int_t rc)
{
    if (rc != NGX_AGAIN) {
        return NGX_HTTP_KAFKA_CLIENTS_REOPEN;
    }

    return NGX_HTTP_KAFKA_CLIENTS_REOPEN
           - (ngx_current_msec - clients->opened);
}


rd_kafka_t *
ngx_http_kafka_clients_isolated(ngx_http_kafka_clients_t *clients)
{
    char              errstr[NGX_HTTP_KAFKA_CLIENT_ERROR];
    rd_kafka_conf_t  *conf;

    if (clients->isolated) {
        return clients->isolated;
    }

    conf = rd_kafka_conf_dup(clients->aux_conf);

    if (rd_kafka_conf_set(conf, "batch.num.messages", "1", errstr,
                          sizeof(errstr))
        == RD_KAFKA_CONF_OK)
    {
        clients->isolated = ngx_http_kafka_client_new(conf, errstr);
    }

    rd_kafka_conf_destroy(conf);

    if (clients->isolated == NULL) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "kafka producer \"%V\": no client to produce records "
                      "one by one: %s", &clients->conf->name, errstr);
        return NULL;
    }

    ngx_http_kafka_events_add(clients->events, clients->isolated);

    return clients->isolated;
}


rd_kafka_resp_err_t
ngx_http_kafka_clients_fatal_error(ngx_http_kafka_clients_t *clients,
    char *text, size_t size)
{
    rd_kafka_resp_err_t  err;

    text[0] = '\0';
    err = rd_kafka_fatal_error(clients->rk, text, size);

    if (err == RD_KAFKA_RESP_ERR_NO_ERROR && clients->isolated) {
        err = rd_kafka_fatal_error(clients->isolated, text, size);
    }

    return err;
}


void
ngx_http_kafka_clients_purge(ngx_http_kafka_clients_t *clients, int what)
{
    what |= RD_KAFKA_PURGE_F_NON_BLOCKING;

    (void) rd_kafka_purge(clients->rk, what);

    if (clients->isolated) {
        (void) rd_kafka_purge(clients->isolated, what);
    }
}


void
ngx_http_kafka_clients_end(ngx_http_kafka_clients_t *clients)
{
    ngx_http_kafka_events_remove_all(clients->events);

    if (clients->isolated) {
        ngx_http_kafka_client_destroy_later(clients->conf->thread_pool,
                                            clients->isolated);
        clients->isolated = NULL;
    }

    ngx_http_kafka_client_destroy_later(clients->conf->thread_pool,
                                        clients->rk);
    clients->rk = NULL;
}


ngx_int_t
ngx_http_kafka_clients_destroy(ngx_http_kafka_clients_t *clients,
    ngx_msec_t until)
{
    ngx_http_kafka_events_remove_all(clients->events);

    if (clients->isolated
        && ngx_http_kafka_client_destroy_until(clients->isolated, until)
           != NGX_OK)
    {
        return NGX_AGAIN;
    }

    if (ngx_http_kafka_client_destroy_until(clients->rk, until) != NGX_OK) {
        return NGX_AGAIN;
    }

    clients->rk = NULL;

    return NGX_OK;
}


void
ngx_http_kafka_clients_close(ngx_http_kafka_clients_t *clients,
    ngx_msec_t until)
{
    if (clients->rk_conf) {
        rd_kafka_conf_destroy(clients->rk_conf);
        rd_kafka_conf_destroy(clients->aux_conf);
        clients->rk_conf = NULL;
        clients->aux_conf = NULL;
    }

    if (clients->mock) {
        (void) ngx_http_kafka_client_destroy_until(clients->mock, until);
        clients->mock = NULL;
    }
}
