
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_producer.h>
#include <ngx_http_kafka_brokers.h>
#include <ngx_http_kafka_client.h>
#include <ngx_http_kafka_delivery.h>
#include <ngx_http_kafka_replace.h>
#include <ngx_http_kafka_resolve.h>
#include <ngx_http_kafka_settle.h>
#include <ngx_http_kafka_shutdown.h>
#include <ngx_http_kafka_statistics.h>
#include <ngx_http_kafka_submit.h>


/*
 * A client with more topics than this is replaced when it is idle, but not
 * before it is this old, in milliseconds.
 */
#define NGX_HTTP_KAFKA_PRODUCER_TOPICS   1000
#define NGX_HTTP_KAFKA_PRODUCER_CROWDED  5000

/*
 * librdkafka bumps the epoch of an isolated client after each refusal, up to
 * 32,767, and then starts again from 0.  A broker would take a record with an
 * earlier epoch and sequence number for a duplicate.  So the client ends after
 * this many refusals.
 */
#define NGX_HTTP_KAFKA_PRODUCER_REFUSALS  10000

/* milliseconds without a record after which a client that is not needed ends */
#define NGX_HTTP_KAFKA_PRODUCER_IDLE     10000


static void ngx_http_kafka_producer_start(ngx_http_kafka_producer_t *producer);
static void ngx_http_kafka_producer_start_clients(
    ngx_http_kafka_producer_t *producer);
static ngx_int_t ngx_http_kafka_producer_check_size(
    ngx_http_kafka_producer_t *producer, ngx_http_kafka_batch_t *batch);
static void ngx_http_kafka_producer_resolved(ngx_http_kafka_target_t *target);
static void ngx_http_kafka_producer_queue(ngx_http_kafka_producer_t *producer,
    ngx_http_kafka_batch_t *batch);

static void ngx_http_kafka_producer_reopen_handler(ngx_event_t *ev);
static void ngx_http_kafka_producer_opened(ngx_http_kafka_shard_t *shard,
    ngx_int_t rc);
static void ngx_http_kafka_producer_fail_lanes(
    ngx_http_kafka_producer_t *producer, ngx_http_kafka_shard_t *shard,
    rd_kafka_resp_err_t err);
static void ngx_http_kafka_producer_fail_lane(
    ngx_http_kafka_producer_t *producer, ngx_http_kafka_lane_t *lane,
    rd_kafka_resp_err_t err);
static void ngx_http_kafka_producer_submit_handler(ngx_event_t *ev);

static void ngx_http_kafka_producer_begin_events(void *data);
static void ngx_http_kafka_producer_error(void *owner, rd_kafka_resp_err_t err,
    const char *text);
static void ngx_http_kafka_producer_fatal_error(void *owner);
static void ngx_http_kafka_producer_log(void *data, int level,
    const char *facility, const char *text);
static void ngx_http_kafka_producer_statistics(void *owner, const char *text);
static void ngx_http_kafka_producer_served(void *data);
static void ngx_http_kafka_producer_reported_all(
    ngx_http_kafka_producer_t *producer, ngx_http_kafka_shard_t *shard);
static ngx_uint_t ngx_http_kafka_producer_crowded(
    ngx_http_kafka_shard_t *shard);
static void ngx_http_kafka_producer_idle_handler(ngx_event_t *ev);
static void ngx_http_kafka_producer_end(ngx_http_kafka_producer_t *producer,
    ngx_http_kafka_shard_t *shard);


static const ngx_http_kafka_events_handler_t
    ngx_http_kafka_producer_events = {
    ngx_http_kafka_producer_begin_events,
    ngx_http_kafka_delivery_report,
    ngx_http_kafka_producer_error,
    ngx_http_kafka_producer_fatal_error,
    ngx_http_kafka_producer_log,
    ngx_http_kafka_producer_statistics,
    ngx_http_kafka_producer_served,
    ngx_http_kafka_shutdown_abort
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

    if (clients->shards[0].rk) {
        return NGX_OK;
    }

    if (producer->closing) {
        return NGX_ERROR;
    }

    if (!producer->started) {
        ngx_http_kafka_producer_start(producer);
    }

    rc = ngx_http_kafka_clients_open(clients);

    if (rc == NGX_OK) {
        ngx_http_kafka_metrics_clients(&producer->metrics, 1);
    }

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

    producer->events.handler = &ngx_http_kafka_producer_events;
    producer->events.data = producer;

    producer->connectivity.name = &conf->name;

    producer->health.interval = conf->statistics_interval;
    producer->health.patience = conf->timeout;

    producer->topics.thread_pool = conf->thread_pool;
    producer->topics.auto_create = conf->auto_create;
    producer->topics.handler = ngx_http_kafka_producer_resolved;

    ngx_http_kafka_topics_init(&producer->topics);
    ngx_http_kafka_producer_start_clients(producer);
    ngx_http_kafka_dispatch_init(&producer->dispatch, &producer->clients,
                                 ngx_http_kafka_producer_submit_handler,
                                 producer);

    ngx_http_kafka_metrics_open(&producer->metrics, &conf->name);
}


static void
ngx_http_kafka_producer_start_clients(ngx_http_kafka_producer_t *producer)
{
    ngx_uint_t                 i;
    ngx_http_kafka_shard_t    *shard;
    ngx_http_kafka_clients_t  *clients;

    clients = &producer->clients;

    clients->conf = producer->conf;
    clients->events = &producer->events;
    clients->handler = ngx_http_kafka_producer_opened;
    clients->data = producer;

    ngx_http_kafka_clients_init(clients);

    for (i = 0; i < NGX_HTTP_KAFKA_CLIENTS_ALL; i++) {
        shard = &clients->shards[i];

        ngx_http_kafka_replace_init(shard);

        shard->reopen.handler = ngx_http_kafka_producer_reopen_handler;
        shard->reopen.data = shard;
        shard->reopen.log = ngx_cycle->log;
        shard->reopen.cancelable = 1;

        shard->idle.handler = ngx_http_kafka_producer_idle_handler;
        shard->idle.data = shard;
        shard->idle.log = ngx_cycle->log;
        shard->idle.cancelable = 1;
    }
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

        /*
         * not cancelable: a worker that shuts down gracefully waits for the
         * batch
         */

        ngx_add_timer(&batch->deadline, producer->conf->timeout);
        return NGX_OK;
    }

    ngx_http_kafka_producer_queue(producer, batch);

    return NGX_OK;
}


/* refuses a batch with a record that the client would certainly refuse */

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

    /* the time that the look-up has left, and the grace for the last reports */

    waited = ngx_current_msec - batch->start;
    timeout = producer->conf->timeout + NGX_HTTP_KAFKA_PRODUCER_GRACE;
    timeout -= ngx_min(waited, producer->conf->timeout);

    if (batch->deadline.timer_set) {
        ngx_del_timer(&batch->deadline);
    }

    ngx_add_timer(&batch->deadline, timeout);

    ngx_http_kafka_dispatch_add(&producer->dispatch, batch);
}


/*
 * Creates a missing client.  The first shard gets one even if there is nothing
 * to send, because that client also watches the brokers.
 */

static void
ngx_http_kafka_producer_reopen_handler(ngx_event_t *ev)
{
    ngx_http_kafka_shard_t     *shard;
    ngx_http_kafka_producer_t  *producer;

    shard = ev->data;
    producer = shard->data;

    if (ngx_http_kafka_shard_takes(shard)) {
        ngx_http_kafka_dispatch_post(&producer->dispatch);
    }
}


/* records that wait for the client wait for one more attempt at most */

static void
ngx_http_kafka_producer_opened(ngx_http_kafka_shard_t *shard, ngx_int_t rc)
{
    ngx_http_kafka_producer_t  *producer;

    producer = shard->data;

    if (rc == NGX_OK) {
        ngx_http_kafka_metrics_clients(&producer->metrics, 1);

        if (shard->replaced) {
            shard->replaced = 0;
            ngx_http_kafka_metrics_rebuilt(&producer->metrics);
        }

        ngx_http_kafka_dispatch_post(&producer->dispatch);
        return;
    }

    if (shard->isolated) {
        ngx_http_kafka_producer_fail_lanes(producer, shard,
                                           RD_KAFKA_RESP_ERR__STATE);
        return;
    }

    if (shard->failures > 1) {
        ngx_http_kafka_producer_fail_lanes(producer, shard,
                                         RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE);
    }

    if (shard->opened && !shard->reopen.timer_set) {
        ngx_add_timer(&shard->reopen, ngx_http_kafka_shard_reopen(shard));
    }

    /* if there never was a client, the next request tries again */
}


/* fails all records that wait for the shard's client, or for a group in it */

static void
ngx_http_kafka_producer_fail_lanes(ngx_http_kafka_producer_t *producer,
    ngx_http_kafka_shard_t *shard, rd_kafka_resp_err_t err)
{
    ngx_uint_t               i;
    ngx_queue_t             *q;
    ngx_http_kafka_lane_t   *lane;
    ngx_http_kafka_shard_t  *owner;

    for (q = ngx_queue_head(&shard->busy);
         q != ngx_queue_sentinel(&shard->busy);
         q = ngx_queue_next(q))
    {
        lane = ngx_queue_data(q, ngx_http_kafka_lane_t, busy);
        ngx_http_kafka_producer_fail_lane(producer, lane, err);
    }

    owner = shard;

    if (shard->isolated) {
        owner = ngx_http_kafka_clients_isolated(&producer->clients);

        for (i = 0; i < NGX_HTTP_KAFKA_CLIENTS_ISOLATED; i++) {
            if (&owner[i] != shard && owner[i].rk) {

                /* another isolated client serves the queue */

                return;
            }
        }
    }

    while ((lane = ngx_http_kafka_dispatch_lane(owner)) != NULL) {
        ngx_http_kafka_producer_fail_lane(producer, lane, err);
    }
}


static void
ngx_http_kafka_producer_fail_lane(ngx_http_kafka_producer_t *producer,
    ngx_http_kafka_lane_t *lane, rd_kafka_resp_err_t err)
{
    ngx_http_kafka_record_t  *record;

    while ((record = ngx_http_kafka_lane_first(lane)) != NULL) {
        ngx_http_kafka_settle_waiting(producer, record, err);
    }
}


/* runs once in a turn of the event loop, for all requests that are complete */

static void
ngx_http_kafka_producer_submit_handler(ngx_event_t *ev)
{
    ngx_http_kafka_submit(ev->data);
}


static void
ngx_http_kafka_producer_begin_events(void *data)
{
    ngx_http_kafka_producer_t *producer = data;

    ngx_http_kafka_metrics_tick(&producer->metrics);
}


static void
ngx_http_kafka_producer_error(void *owner, rd_kafka_resp_err_t err,
    const char *text)
{
    ngx_http_kafka_shard_t *shard = owner;

    ngx_http_kafka_producer_t  *producer;

    producer = shard->data;

    ngx_http_kafka_connectivity_error(&producer->connectivity, err, text);
}


static void
ngx_http_kafka_producer_fatal_error(void *owner)
{
    ngx_http_kafka_shard_t *shard = owner;

    char                        text[NGX_HTTP_KAFKA_CLIENT_ERROR];
    rd_kafka_resp_err_t         err;
    ngx_http_kafka_producer_t  *producer;

    if (shard->draining) {
        return;
    }

    producer = shard->data;
    text[0] = '\0';
    err = rd_kafka_fatal_error(shard->rk, text, sizeof(text));

    if (err == RD_KAFKA_RESP_ERR__GAPLESS_GUARANTEE) {

        /* the brokers accepted this client: the next one is created at once */

        shard->served = 1;
        ngx_http_kafka_replace_save(shard, "a message failed for good");
        return;
    }

    ngx_http_kafka_connectivity_fatal(&producer->connectivity, err, text);
    ngx_http_kafka_replace_start(shard, err);

    if (ngx_http_kafka_replace_refused(shard)) {

        /* the next client would fail in the same way */

        ngx_http_kafka_producer_fail_lanes(producer, shard, err);
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
ngx_http_kafka_producer_statistics(void *owner, const char *text)
{
    ngx_http_kafka_shard_t *shard = owner;

    ngx_http_kafka_producer_t  *producer;

    producer = shard->data;

    ngx_http_kafka_statistics(&producer->health, &producer->metrics,
                              shard->opened, text);
}


/* librdkafka's queue may have room, or a draining client may be done */

static void
ngx_http_kafka_producer_served(void *data)
{
    ngx_http_kafka_producer_t *producer = data;

    ngx_uint_t               i;
    ngx_http_kafka_shard_t  *shard;

    for (i = 0; i < NGX_HTTP_KAFKA_CLIENTS_ALL; i++) {
        shard = &producer->clients.shards[i];

        if (shard->rk && shard->pending == 0) {
            ngx_http_kafka_producer_reported_all(producer, shard);
        }
    }

    (void) ngx_http_kafka_dispatch_judge(&producer->dispatch);

    if (producer->dispatch.nready
        || ngx_http_kafka_dispatch_first(&producer->dispatch))
    {
        ngx_http_kafka_dispatch_post(&producer->dispatch);
    }
}


static void
ngx_http_kafka_producer_reported_all(ngx_http_kafka_producer_t *producer,
    ngx_http_kafka_shard_t *shard)
{
    ngx_http_kafka_delivery_drained(shard);

    if (shard->draining) {
        shard->replaced = !shard->isolated;
        ngx_http_kafka_producer_end(producer, shard);

    } else if (ngx_http_kafka_producer_crowded(shard)) {
        shard->replaced = !shard->isolated;
        ngx_http_kafka_client_large(shard->rk);
        ngx_http_kafka_producer_end(producer, shard);
        ngx_http_kafka_topics_forget(&producer->topics);

    } else if (shard->refusals >= NGX_HTTP_KAFKA_PRODUCER_REFUSALS
               && !shard->closing)
    {
        ngx_http_kafka_producer_end(producer, shard);

    } else if ((shard->isolated || shard->index >= producer->clients.nshards)
               && !shard->idle.timer_set)
    {
        ngx_add_timer(&shard->idle, NGX_HTTP_KAFKA_PRODUCER_IDLE);
    }

    if (shard->rk == NULL && shard->index == 0 && !shard->closing) {
        ngx_post_event(&shard->reopen, &ngx_posted_events);
    }
}


/*
 * A librdkafka client keeps asking for all topics that it has ever used.  The
 * time for that grows with the square of their number: with 10,000 topics, it
 * is a fifth of a core.
 */

static ngx_uint_t
ngx_http_kafka_producer_crowded(ngx_http_kafka_shard_t *shard)
{
    return shard->topics > NGX_HTTP_KAFKA_PRODUCER_TOPICS
           && ngx_current_msec - shard->opened
              > NGX_HTTP_KAFKA_PRODUCER_CROWDED
           && !shard->closing;
}


/* ends a client that was idle for a while and is not needed */

static void
ngx_http_kafka_producer_idle_handler(ngx_event_t *ev)
{
    ngx_http_kafka_shard_t     *shard;
    ngx_http_kafka_producer_t  *producer;

    shard = ev->data;
    producer = shard->data;

    if (shard->rk
        && shard->pending == 0
        && !shard->draining
        && (shard->isolated || shard->index >= producer->clients.nshards))
    {
        ngx_http_kafka_producer_end(producer, shard);
    }
}


static void
ngx_http_kafka_producer_end(ngx_http_kafka_producer_t *producer,
    ngx_http_kafka_shard_t *shard)
{
    ngx_http_kafka_topics_release(&producer->topics, shard);
    ngx_http_kafka_replace_done(shard);
    ngx_http_kafka_shard_end(shard);
    ngx_http_kafka_metrics_clients(&producer->metrics, -1);

    if (shard->index == 0) {
        ngx_http_kafka_brokers_forget(&producer->metrics);
    }
}


ngx_int_t
ngx_http_kafka_producer_health(ngx_http_kafka_producer_t *producer,
    rd_kafka_resp_err_t *err)
{
    ngx_int_t                rc;
    ngx_http_kafka_shard_t  *shard;

    *err = RD_KAFKA_RESP_ERR_NO_ERROR;
    shard = &producer->clients.shards[0];

    rc = ngx_http_kafka_producer_open(producer);

    if (ngx_http_kafka_replace_refused(shard)) {
        *err = shard->fatal;
        return NGX_ABORT;
    }

    /* shard->failed is also set while another attempt is being made */

    if (rc == NGX_ERROR || shard->failed) {
        return NGX_ERROR;
    }

    rc = ngx_http_kafka_health(&producer->health, &producer->metrics,
                               shard->opened);

    if (rc != NGX_OK) {
        *err = producer->connectivity.last_error;
    }

    return rc;
}
