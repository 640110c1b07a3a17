
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_client_task.h>
#include <ngx_http_kafka_client.h>
#include <ngx_http_kafka_task.h>


struct ngx_http_kafka_client_task_s {
    ngx_thread_task_t              *task;      /* its ctx is this structure */
    rd_kafka_conf_t                *conf;
    ngx_uint_t                      isolated;
    rd_kafka_t                     *rk;
    ngx_http_kafka_client_made_pt   handler;
    void                           *data;
    char                            errstr[NGX_HTTP_KAFKA_CLIENT_ERROR];
};


static void ngx_http_kafka_client_task_run(void *data, ngx_log_t *log);
static void ngx_http_kafka_client_task_done(ngx_event_t *ev);
static void ngx_http_kafka_client_task_free(ngx_http_kafka_client_task_t *ct);


ngx_http_kafka_client_task_t *
ngx_http_kafka_client_task_start(ngx_thread_pool_t *tp,
    const rd_kafka_conf_t *conf, ngx_uint_t isolated,
    ngx_http_kafka_client_made_pt handler, void *data)
{
    ngx_thread_task_t             *task;
    ngx_http_kafka_client_task_t  *ct;

    task = ngx_http_kafka_task_create(sizeof(ngx_http_kafka_client_task_t),
                                      ngx_http_kafka_client_task_run,
                                      ngx_http_kafka_client_task_done);
    if (task == NULL) {
        return NULL;
    }

    ct = task->ctx;
    ct->task = task;
    ct->handler = handler;
    ct->data = data;
    ct->conf = rd_kafka_conf_dup(conf);
    ct->isolated = isolated;

    if (ngx_thread_task_post(tp, task) != NGX_OK) {
        ngx_http_kafka_client_task_free(ct);
        return NULL;
    }

    return ct;
}


/* runs in a thread of the pool, which alone uses the task until it is done */

static void
ngx_http_kafka_client_task_run(void *data, ngx_log_t *log)
{
    ngx_http_kafka_client_task_t *ct = data;

    ngx_log_debug0(NGX_LOG_DEBUG_CORE, log, 0, "kafka new client");

    ct->rk = ngx_http_kafka_client_new(ct->conf, ct->isolated, ct->errstr);
}


static void
ngx_http_kafka_client_task_done(ngx_event_t *ev)
{
    ngx_thread_task_t             *task;
    ngx_http_kafka_client_task_t  *ct;

    task = ev->data;
    ct = task->ctx;

    ct->handler(ct->data, ct->rk, ct->errstr);

    ngx_http_kafka_client_task_free(ct);
}


rd_kafka_t *
ngx_http_kafka_client_task_end(ngx_http_kafka_client_task_t *ct)
{
    rd_kafka_t  *rk;

    rk = ct->rk;

    ngx_http_kafka_client_task_free(ct);

    return rk;
}


static void
ngx_http_kafka_client_task_free(ngx_http_kafka_client_task_t *ct)
{
    rd_kafka_conf_destroy(ct->conf);
    ngx_free(ct->task);
}
