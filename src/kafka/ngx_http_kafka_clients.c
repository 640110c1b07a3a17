
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_clients.h>
#include <ngx_http_kafka_client.h>
#include <librdkafka/rdkafka_mock.h>


static ngx_int_t ngx_http_kafka_clients_start(
    ngx_http_kafka_clients_t *clients);
static void ngx_http_kafka_clients_opened(void *data, rd_kafka_t *rk,
    const char *errstr);
static ngx_int_t ngx_http_kafka_clients_made(ngx_http_kafka_clients_t *clients,
    rd_kafka_t *rk, const char *errstr);
static ngx_uint_t ngx_http_kafka_clients_early(
    ngx_http_kafka_clients_t *clients);
static ngx_int_t ngx_http_kafka_clients_confs(
    ngx_http_kafka_clients_t *clients, char *errstr);
static void ngx_http_kafka_clients_use_mock(ngx_http_kafka_clients_t *clients);
static void ngx_http_kafka_clients_isolated(void *data, rd_kafka_t *rk,
    const char *errstr);
static void ngx_http_kafka_clients_end_task(ngx_http_kafka_client_task_t **task,
    ngx_msec_t until);


ngx_int_t
ngx_http_kafka_clients_open(ngx_http_kafka_clients_t *clients)
{
    if (clients->rk_task) {
        return NGX_AGAIN;
    }

    if (clients->failed
        && ngx_current_msec - clients->failed
           < NGX_HTTP_KAFKA_CLIENTS_REOPEN)
    {
        return NGX_ERROR;
    }

    if (ngx_http_kafka_clients_early(clients)) {
        return NGX_AGAIN;
    }

    if (clients->rk_conf == NULL) {
        return ngx_http_kafka_clients_start(clients);
    }

    clients->rk_task = ngx_http_kafka_client_task_start(
                                              clients->conf->thread_pool,
                                              clients->rk_conf,
                                              ngx_http_kafka_clients_opened,
                                              clients);
    if (clients->rk_task == NULL) {
        return ngx_http_kafka_clients_made(clients, NULL, "no thread");
    }

    return NGX_AGAIN;
}


static ngx_int_t
ngx_http_kafka_clients_start(ngx_http_kafka_clients_t *clients)
{
    char         errstr[NGX_HTTP_KAFKA_CLIENT_ERROR];
    rd_kafka_t  *rk;

    rk = NULL;

    if (clients->events->connection == NULL
        && ngx_http_kafka_events_open(clients->events) != NGX_OK)
    {
        return ngx_http_kafka_clients_made(clients, NULL, "no connection");
    }

    if (ngx_http_kafka_clients_confs(clients, errstr) == NGX_OK) {
        rk = ngx_http_kafka_client_new(clients->rk_conf, errstr);
    }

    return ngx_http_kafka_clients_made(clients, rk, errstr);
}


static void
ngx_http_kafka_clients_opened(void *data, rd_kafka_t *rk, const char *errstr)
{
    ngx_http_kafka_clients_t *clients = data;

    clients->rk_task = NULL;

    clients->opened_handler(clients->data,
                            ngx_http_kafka_clients_made(clients, rk, errstr));
}


/* NGX_OK, or NGX_ERROR where rk is NULL */

static ngx_int_t
ngx_http_kafka_clients_made(ngx_http_kafka_clients_t *clients, rd_kafka_t *rk,
    const char *errstr)
{
    if (rk == NULL) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "kafka producer \"%V\" could not be made: %s",
                      &clients->conf->name, errstr);

        clients->failed = ngx_max(ngx_current_msec, 1);
        clients->failures++;
        return NGX_ERROR;
    }

    clients->rk = rk;
    clients->generation++;
    clients->failed = 0;
    clients->failures = 0;
    clients->opened = ngx_current_msec;
    clients->served = 0;

    ngx_http_kafka_events_add(clients->events, rk);

    return NGX_OK;
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

    clients->isolated_conf = rd_kafka_conf_dup(clients->aux_conf);

    (void) rd_kafka_conf_set(clients->isolated_conf, "batch.num.messages", "1",
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
ngx_http_kafka_clients_reopen(ngx_http_kafka_clients_t *clients)
{
    if (!ngx_http_kafka_clients_early(clients)) {
        return NGX_HTTP_KAFKA_CLIENTS_REOPEN;
    }

    return NGX_HTTP_KAFKA_CLIENTS_REOPEN
           - (ngx_current_msec - clients->opened);
}


ngx_int_t
ngx_http_kafka_clients_isolate(ngx_http_kafka_clients_t *clients)
{
    if (clients->isolated) {
        return NGX_OK;
    }

    if (clients->isolated_failed) {
        clients->isolated_failed = 0;
        return NGX_ERROR;
    }

    if (clients->isolated_task == NULL) {
        clients->isolated_task = ngx_http_kafka_client_task_start(
                                              clients->conf->thread_pool,
                                              clients->isolated_conf,
                                              ngx_http_kafka_clients_isolated,
                                              clients);
    }

    return clients->isolated_task ? NGX_AGAIN : NGX_ERROR;
}


static void
ngx_http_kafka_clients_isolated(void *data, rd_kafka_t *rk, const char *errstr)
{
    ngx_http_kafka_clients_t *clients = data;

    clients->isolated_task = NULL;

    if (rk == NULL) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "kafka producer \"%V\": no client to produce records "
                      "one by one: %s", &clients->conf->name, errstr);

        clients->isolated_failed = 1;
        clients->isolated_handler(clients->data, NGX_ERROR);
        return;
    }

    if (clients->rk == NULL) {

        /* both end together, and the other one has ended meanwhile */

        ngx_http_kafka_client_destroy_later(clients->conf->thread_pool, rk);
        return;
    }

    clients->isolated = rk;

    ngx_http_kafka_events_add(clients->events, rk);

    clients->isolated_handler(clients->data, NGX_OK);
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
    ngx_http_kafka_clients_end_task(&clients->rk_task, until);
    ngx_http_kafka_clients_end_task(&clients->isolated_task, until);

    if (clients->rk_conf) {
        rd_kafka_conf_destroy(clients->rk_conf);
        rd_kafka_conf_destroy(clients->aux_conf);
        rd_kafka_conf_destroy(clients->isolated_conf);
        clients->rk_conf = NULL;
    }

    if (clients->mock) {
        (void) ngx_http_kafka_client_destroy_until(clients->mock, until);
        clients->mock = NULL;
    }
}


/* a client that came too late, and has nothing */

static void
ngx_http_kafka_clients_end_task(ngx_http_kafka_client_task_t **task,
    ngx_msec_t until)
{
    rd_kafka_t  *rk;

    if (*task == NULL) {
        return;
    }

    rk = ngx_http_kafka_client_task_end(*task);
    *task = NULL;

    if (rk) {
        (void) ngx_http_kafka_client_destroy_until(rk, until);
    }
}
