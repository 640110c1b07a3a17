
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_producer.h>
#include <ngx_http_kafka_brokers.h>
#include <ngx_http_kafka_client.h>
#include <ngx_http_kafka_delivery.h>
#include <ngx_http_kafka_resolve.h>
#include <ngx_http_kafka_settle.h>
#include <ngx_http_kafka_statistics.h>
#include <ngx_http_kafka_submit.h>


/* milliseconds for what is purged as the process exits */
#define NGX_HTTP_KAFKA_PRODUCER_PURGE    200

/* a client with more topics is replaced when it is idle, but not sooner than
   after so many milliseconds */
#define NGX_HTTP_KAFKA_PRODUCER_TOPICS   1000
#define NGX_HTTP_KAFKA_PRODUCER_CROWDED  5000


typedef void (*ngx_http_kafka_producer_batch_pt)(
    ngx_http_kafka_batch_t *batch, rd_kafka_resp_err_t err);


static void ngx_http_kafka_producer_start(ngx_http_kafka_producer_t *producer);
static ngx_int_t ngx_http_kafka_producer_check_size(
    ngx_http_kafka_producer_t *producer, ngx_http_kafka_batch_t *batch);
static void ngx_http_kafka_producer_resolved(ngx_http_kafka_target_t *target);
static void ngx_http_kafka_producer_queue(ngx_http_kafka_producer_t *producer,
    ngx_http_kafka_batch_t *batch);

static void ngx_http_kafka_producer_reopen_handler(ngx_event_t *ev);
static void ngx_http_kafka_producer_opened(void *data, ngx_int_t rc);
static void ngx_http_kafka_producer_each_batch(
    ngx_http_kafka_producer_t *producer,
    ngx_http_kafka_producer_batch_pt handler, rd_kafka_resp_err_t err);
static void ngx_http_kafka_producer_isolated(void *data, ngx_int_t rc);
static void ngx_http_kafka_producer_submit_handler(ngx_event_t *ev);

static void ngx_http_kafka_producer_begin_events(void *data);
static void ngx_http_kafka_producer_error(void *data, rd_kafka_resp_err_t err,
    const char *text);
static void ngx_http_kafka_producer_fatal_error(void *data);
static void ngx_http_kafka_producer_log(void *data, int level,
    const char *facility, const char *text);
static void ngx_http_kafka_producer_statistics(void *data, const char *text);
static void ngx_http_kafka_producer_served(void *data);
static ngx_uint_t ngx_http_kafka_producer_crowded(
    ngx_http_kafka_producer_t *producer);
static void ngx_http_kafka_producer_end(ngx_http_kafka_producer_t *producer);

static void ngx_http_kafka_producer_abort(void *data);
static void ngx_http_kafka_producer_flush(ngx_http_kafka_producer_t *producer,
    ngx_msec_t until);
static void ngx_http_kafka_producer_wait(ngx_http_kafka_producer_t *producer,
    ngx_msec_t until);
static void ngx_http_kafka_producer_fail_retries(
    ngx_http_kafka_producer_t *producer);
static void ngx_http_kafka_producer_destroy(
    ngx_http_kafka_producer_t *producer, ngx_msec_t until);


static const ngx_http_kafka_events_handler_t
    ngx_http_kafka_producer_events = {
    ngx_http_kafka_producer_begin_events,
    ngx_http_kafka_delivery_report,
    ngx_http_kafka_producer_error,
    ngx_http_kafka_producer_fatal_error,
    ngx_http_kafka_producer_log,
    ngx_http_kafka_producer_statistics,
    ngx_http_kafka_producer_served,
    ngx_http_kafka_producer_abort
};


ngx_http_kafka_producer_t *
ngx_http_kafka_producer_create(ngx_pool_t *pool, ngx_http_kafka_conf_t *conf)
{
    ngx_http_kafka_producer_t  *producer;

    producer = ngx_pcalloc(pool, sizeof(ngx_http_kafka_producer_t));

    if (producer) {
        producer->conf = conf;
    }

    return producer;
}


ngx_int_t
ngx_http_kafka_producer_open(ngx_http_kafka_producer_t *producer)
{
    ngx_int_t                  rc;
    ngx_http_kafka_clients_t  *clients;

    clients = &producer->clients;

    if (clients->rk) {
        return NGX_OK;
    }

    if (producer->closing) {
        return NGX_ERROR;
    }

    if (!producer->started) {
        ngx_http_kafka_producer_start(producer);
    }

    rc = ngx_http_kafka_clients_open(clients);

    producer->topics.conf = clients->aux_conf;

    return rc;
}


static void
ngx_http_kafka_producer_start(ngx_http_kafka_producer_t *producer)
{
    ngx_http_kafka_conf_t  *conf;

    conf = producer->conf;

    producer->started = 1;

    ngx_queue_init(&producer->batches);

    producer->reopen.handler = ngx_http_kafka_producer_reopen_handler;
    producer->reopen.data = producer;
    producer->reopen.log = ngx_cycle->log;
    producer->reopen.cancelable = 1;

    producer->events.handler = &ngx_http_kafka_producer_events;
    producer->events.data = producer;

    producer->clients.conf = conf;
    producer->clients.events = &producer->events;
    producer->clients.opened_handler = ngx_http_kafka_producer_opened;
    producer->clients.isolated_handler = ngx_http_kafka_producer_isolated;
    producer->clients.data = producer;

    producer->connectivity.name = &conf->name;

    producer->health.interval = conf->statistics_interval;
    producer->health.patience = conf->timeout;

    producer->topics.thread_pool = conf->thread_pool;
    producer->topics.auto_create = conf->auto_create;
    producer->topics.handler = ngx_http_kafka_producer_resolved;

    ngx_http_kafka_topics_init(&producer->topics);
    ngx_http_kafka_replace_init(&producer->replace, &producer->clients);
    ngx_http_kafka_retry_init(&producer->retry);
    ngx_http_kafka_dispatch_init(&producer->dispatch,
                                 ngx_http_kafka_producer_submit_handler,
                                 producer);

    ngx_http_kafka_metrics_open(&producer->metrics, &conf->name);
}


ngx_int_t
ngx_http_kafka_producer_send(ngx_http_kafka_producer_t *producer,
    ngx_http_kafka_batch_t *batch)
{
    ngx_int_t  rc;

    if (producer->closing) {
        batch->err = RD_KAFKA_RESP_ERR__DESTROY;
        return NGX_DECLINED;
    }

    if (ngx_http_kafka_producer_check_size(producer, batch) != NGX_OK) {
        return NGX_DECLINED;
    }

    batch->producer = producer;
    batch->start = ngx_current_msec;
    batch->unsent = batch->records;

    rc = ngx_http_kafka_resolve(&producer->topics, batch);

    if (rc == NGX_DECLINED || rc == NGX_ERROR) {
        return rc;
    }

    batch->refs++;
    ngx_queue_insert_tail(&producer->batches, &batch->link);
    ngx_http_kafka_metrics_begin(&producer->metrics, batch->nrecords);

    batch->deadline.handler = ngx_http_kafka_settle_deadline_handler;
    batch->deadline.data = batch;
    batch->deadline.log = ngx_cycle->log;

    if (rc == NGX_AGAIN) {

        ngx_log_debug2(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                       "kafka: batch %p: %ui topics are looked up", batch,
                       batch->unknown);

        /* not cancelable: a worker that quits waits for it */

        ngx_add_timer(&batch->deadline, producer->conf->timeout);
        return NGX_OK;
    }

    ngx_http_kafka_producer_queue(producer, batch);

    return NGX_OK;
}


/* the client would refuse a record that is too large for sure */

static ngx_int_t
ngx_http_kafka_producer_check_size(ngx_http_kafka_producer_t *producer,
    ngx_http_kafka_batch_t *batch)
{
    size_t                    max;
    ngx_http_kafka_record_t  *record;

    max = producer->conf->message_max;

    if (batch->largest <= max) {
        return NGX_OK;
    }

    for (record = batch->records;
         ngx_http_kafka_record_size(record) <= max;
         record = record->next)
    {
        /* void */
    }

    batch->err = RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE;
    batch->refused = record->target;
    batch->offending = record;

    return NGX_DECLINED;
}


static void
ngx_http_kafka_producer_resolved(ngx_http_kafka_target_t *target)
{
    ngx_http_kafka_batch_t     *batch;
    ngx_http_kafka_producer_t  *producer;

    batch = target->batch;
    producer = batch->producer;

    switch (ngx_http_kafka_resolve_next(&producer->topics, target)) {

    case NGX_OK:
        ngx_http_kafka_producer_queue(producer, batch);
        break;

    case NGX_AGAIN:
        break;

    case NGX_ERROR:
        batch->err = RD_KAFKA_RESP_ERR__FAIL;
        /* fall through */

    default: /* NGX_DECLINED */
        ngx_http_kafka_settle_batch(batch);
    }
}


static void
ngx_http_kafka_producer_queue(ngx_http_kafka_producer_t *producer,
    ngx_http_kafka_batch_t *batch)
{
    ngx_msec_t  timeout, waited;

    /* librdkafka's own clock runs anew; the grace is for its report */

    waited = ngx_current_msec - batch->start;
    timeout = producer->conf->timeout + NGX_HTTP_KAFKA_PRODUCER_GRACE;
    timeout -= ngx_min(waited, producer->conf->timeout);

    if (batch->deadline.timer_set) {
        ngx_del_timer(&batch->deadline);
    }

    ngx_add_timer(&batch->deadline, timeout);

    ngx_http_kafka_dispatch_add(&producer->dispatch, batch);
}


/* with nothing to send, too: a client also watches the brokers */

static void
ngx_http_kafka_producer_reopen_handler(ngx_event_t *ev)
{
    ngx_int_t                   rc;
    ngx_http_kafka_clients_t   *clients;
    ngx_http_kafka_producer_t  *producer;

    producer = ev->data;
    clients = &producer->clients;

    rc = ngx_http_kafka_producer_open(producer);

    if (rc == NGX_OK) {
        ngx_http_kafka_dispatch_post(&producer->dispatch);
        return;
    }

    if (clients->rk_task == NULL) {
        ngx_add_timer(ev, ngx_http_kafka_clients_reopen(clients));
    }
}


/* those that wait are to wait for one more attempt, and no longer */

static void
ngx_http_kafka_producer_opened(void *data, ngx_int_t rc)
{
    ngx_http_kafka_producer_t *producer = data;

    if (rc == NGX_OK) {
        ngx_http_kafka_metrics_rebuilt(&producer->metrics);
        ngx_http_kafka_dispatch_post(&producer->dispatch);
        return;
    }

    if (producer->clients.failures > 1) {
        ngx_http_kafka_producer_each_batch(producer,
                                         ngx_http_kafka_settle_fail_unsent,
                                         RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE);
    }

    if (producer->clients.opened) {
        ngx_add_timer(&producer->reopen,
                      ngx_http_kafka_clients_reopen(&producer->clients));
    }

    /* where there never was one, the next request is the next attempt */
}


/* the handler may free the batch that it is called for */

static void
ngx_http_kafka_producer_each_batch(ngx_http_kafka_producer_t *producer,
    ngx_http_kafka_producer_batch_pt handler, rd_kafka_resp_err_t err)
{
    ngx_queue_t             *q, *next;
    ngx_http_kafka_batch_t  *batch;

    for (q = ngx_queue_head(&producer->batches);
         q != ngx_queue_sentinel(&producer->batches);
         q = next)
    {
        next = ngx_queue_next(q);
        batch = ngx_queue_data(q, ngx_http_kafka_batch_t, link);

        handler(batch, err);
    }
}


static void
ngx_http_kafka_producer_isolated(void *data, ngx_int_t rc)
{
    ngx_http_kafka_producer_t *producer = data;

    ngx_http_kafka_dispatch_post(&producer->dispatch);
}


/* once a turn of the event loop, for all requests that are complete in it */

static void
ngx_http_kafka_producer_submit_handler(ngx_event_t *ev)
{
    ngx_http_kafka_producer_t  *producer;

    producer = ev->data;

    if (ngx_http_kafka_replace_holds(&producer->replace)) {
        return;
    }

    if (producer->clients.rk == NULL) {
        ngx_http_kafka_producer_reopen_handler(&producer->reopen);
        return;
    }

    if (ngx_http_kafka_retry_first(&producer->retry)) {
        ngx_http_kafka_submit_retries(producer);
    }

    ngx_http_kafka_submit(producer);
}


static void
ngx_http_kafka_producer_begin_events(void *data)
{
    ngx_http_kafka_producer_t *producer = data;

    ngx_http_kafka_metrics_tick(&producer->metrics);
}


static void
ngx_http_kafka_producer_error(void *data, rd_kafka_resp_err_t err,
    const char *text)
{
    ngx_http_kafka_producer_t *producer = data;

    ngx_http_kafka_replace_disconnected(&producer->replace);
    ngx_http_kafka_connectivity_error(&producer->connectivity, err, text);
}


static void
ngx_http_kafka_producer_fatal_error(void *data)
{
    ngx_http_kafka_producer_t *producer = data;

    char                 text[NGX_HTTP_KAFKA_CLIENT_ERROR];
    rd_kafka_resp_err_t  err;

    if (producer->replace.draining) {
        return;
    }

    err = ngx_http_kafka_clients_fatal_error(&producer->clients, text,
                                             sizeof(text));

    ngx_http_kafka_connectivity_fatal(&producer->connectivity, err, text);
    ngx_http_kafka_replace_start(&producer->replace, err);

    if (ngx_http_kafka_replace_refused(&producer->replace)) {

        /* the next client will hear the same */

        ngx_http_kafka_producer_each_batch(producer,
                                           ngx_http_kafka_settle_fail_unsent,
                                           err);
    }
}


static void
ngx_http_kafka_producer_log(void *data, int level, const char *facility,
    const char *text)
{
    ngx_http_kafka_producer_t *producer = data;

    ngx_http_kafka_connectivity_log(&producer->connectivity, level, facility,
                                    text);
}


static void
ngx_http_kafka_producer_statistics(void *data, const char *text)
{
    ngx_http_kafka_producer_t *producer = data;

    ngx_http_kafka_statistics(&producer->health, &producer->metrics,
                              producer->clients.opened, text);
}


/* there may be room again, or a draining client has reported all */

static void
ngx_http_kafka_producer_served(void *data)
{
    ngx_http_kafka_producer_t *producer = data;

    if (producer->dispatch.pending == 0) {

        if (producer->replace.draining) {
            ngx_http_kafka_producer_end(producer);

        } else if (ngx_http_kafka_producer_crowded(producer)) {
            ngx_http_kafka_client_large(producer->clients.rk);
            ngx_http_kafka_producer_end(producer);
            ngx_http_kafka_topics_forget(&producer->topics);
        }

        if (producer->clients.rk == NULL && !producer->closing) {
            ngx_post_event(&producer->reopen, &ngx_posted_events);
        }
    }

    if (ngx_http_kafka_retry_first(&producer->retry)
        || ngx_http_kafka_dispatch_lane(&producer->dispatch)
        || ngx_http_kafka_dispatch_first(&producer->dispatch))
    {
        ngx_http_kafka_dispatch_post(&producer->dispatch);
    }
}


/*
 * librdkafka asks for all topics it ever had to do with, and takes a time for
 * it that grows with their square: with 10,000 a fifth of a core.
 */

static ngx_uint_t
ngx_http_kafka_producer_crowded(ngx_http_kafka_producer_t *producer)
{
    return producer->topics.handles > NGX_HTTP_KAFKA_PRODUCER_TOPICS
           && ngx_current_msec - producer->clients.opened
              > NGX_HTTP_KAFKA_PRODUCER_CROWDED
           && !producer->closing;
}


static void
ngx_http_kafka_producer_end(ngx_http_kafka_producer_t *producer)
{
    ngx_http_kafka_topics_release(&producer->topics);
    ngx_http_kafka_replace_done(&producer->replace);
    ngx_http_kafka_clients_end(&producer->clients);
    ngx_http_kafka_brokers_forget(&producer->metrics);
}


/* answers all that wait, for nginx closes their connections now */

static void
ngx_http_kafka_producer_abort(void *data)
{
    ngx_http_kafka_producer_each_batch(data, ngx_http_kafka_settle_give_up,
                                       RD_KAFKA_RESP_ERR__DESTROY);
}


ngx_int_t
ngx_http_kafka_producer_health(ngx_http_kafka_producer_t *producer,
    rd_kafka_resp_err_t *err)
{
    ngx_int_t  rc;

    *err = RD_KAFKA_RESP_ERR_NO_ERROR;

    rc = ngx_http_kafka_producer_open(producer);

    if (ngx_http_kafka_replace_refused(&producer->replace)) {
        *err = producer->replace.fatal;
        return NGX_ABORT;
    }

    /* another attempt may be on its way */

    if (rc == NGX_ERROR || producer->clients.failed) {
        return NGX_ERROR;
    }

    rc = ngx_http_kafka_health(&producer->health, &producer->metrics,
                               producer->clients.opened);

    if (rc != NGX_OK) {
        *err = producer->connectivity.last_error;
    }

    return rc;
}


void
ngx_http_kafka_producer_close(ngx_http_kafka_producer_t *producer,
    ngx_msec_t until)
{
    producer->closing = 1;

    if (!producer->started) {
        return;
    }

    ngx_http_kafka_replace_close(&producer->replace);

    if (producer->clients.rk) {
        ngx_http_kafka_producer_flush(producer, until);
    }

    ngx_http_kafka_producer_fail_retries(producer);
    ngx_http_kafka_producer_abort(producer);

    ngx_http_kafka_dispatch_close(&producer->dispatch);

    if (producer->reopen.timer_set) {
        ngx_del_timer(&producer->reopen);
    }

    if (producer->reopen.posted) {
        ngx_delete_posted_event(&producer->reopen);
    }

    if (producer->clients.rk) {
        ngx_http_kafka_producer_destroy(producer, until);
    }

    if (producer->events.connection) {
        ngx_http_kafka_events_close(&producer->events);
    }

    ngx_http_kafka_topics_close(&producer->topics, until);
    ngx_http_kafka_clients_close(&producer->clients, until);
}


static void
ngx_http_kafka_producer_flush(ngx_http_kafka_producer_t *producer,
    ngx_msec_t until)
{
    ngx_http_kafka_dispatch_t  *dispatch;

    dispatch = &producer->dispatch;

    while (!producer->replace.draining
           && (dispatch->pending
               || dispatch->waiting
               || ngx_http_kafka_dispatch_first(dispatch)))
    {
        ngx_http_kafka_producer_submit_handler(&dispatch->submit);

        if (ngx_http_kafka_events_wait(&producer->events, until) == NGX_DONE) {
            break;
        }
    }

    if (dispatch->pending == 0) {
        return;
    }

    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "kafka producer \"%V\": %ui messages were not acknowledged "
                  "before the process had to exit",
                  &producer->conf->name, dispatch->pending);

    ngx_http_kafka_clients_purge(&producer->clients,
                                 RD_KAFKA_PURGE_F_QUEUE
                                 |RD_KAFKA_PURGE_F_INFLIGHT);

    ngx_http_kafka_producer_wait(producer, ngx_current_msec
                                           + NGX_HTTP_KAFKA_PRODUCER_PURGE);
}


/* until all that is pending is reported, or the time is over */

static void
ngx_http_kafka_producer_wait(ngx_http_kafka_producer_t *producer,
    ngx_msec_t until)
{
    while (producer->dispatch.pending) {
        if (ngx_http_kafka_events_wait(&producer->events, until) == NGX_DONE) {
            return;
        }
    }
}


static void
ngx_http_kafka_producer_fail_retries(ngx_http_kafka_producer_t *producer)
{
    ngx_http_kafka_record_t  *record;

    while ((record = ngx_http_kafka_retry_first(&producer->retry)) != NULL) {
        ngx_queue_remove(&record->queue);
        ngx_http_kafka_settle_dropped(producer, record,
                                      RD_KAFKA_RESP_ERR__DESTROY);
        ngx_http_kafka_settle_record(record->batch);
    }
}


static void
ngx_http_kafka_producer_destroy(ngx_http_kafka_producer_t *producer,
    ngx_msec_t until)
{
    ngx_queue_t             *q;
    ngx_http_kafka_batch_t  *batch;

    ngx_http_kafka_topics_release(&producer->topics);

    if (ngx_http_kafka_clients_destroy(&producer->clients, until) != NGX_OK) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "kafka producer \"%V\" did not end in time",
                      &producer->conf->name);
        return;
    }

    while (!ngx_queue_empty(&producer->batches)) {
        q = ngx_queue_head(&producer->batches);
        batch = ngx_queue_data(q, ngx_http_kafka_batch_t, link);
        ngx_http_kafka_settle_batch(batch);
    }
}
