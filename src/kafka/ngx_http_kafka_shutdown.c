
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_shutdown.h>
#include <ngx_http_kafka_delivery.h>
#include <ngx_http_kafka_replace.h>
#include <ngx_http_kafka_settle.h>
#include <ngx_http_kafka_submit.h>


/* milliseconds to wait for the reports of purged records */
#define NGX_HTTP_KAFKA_SHUTDOWN_PURGE  200


static void ngx_http_kafka_shutdown_timers(ngx_http_kafka_shard_t *shard);
static void ngx_http_kafka_shutdown_flush(ngx_http_kafka_producer_t *producer,
    ngx_msec_t until);
static ngx_uint_t ngx_http_kafka_shutdown_waits(
    ngx_http_kafka_producer_t *producer);
static void ngx_http_kafka_shutdown_wait(ngx_http_kafka_producer_t *producer,
    ngx_msec_t until);
static void ngx_http_kafka_shutdown_drained(
    ngx_http_kafka_producer_t *producer);
static void ngx_http_kafka_shutdown_destroy(
    ngx_http_kafka_producer_t *producer, ngx_msec_t until);


void
ngx_http_kafka_shutdown(ngx_http_kafka_producer_t *producer,
    ngx_msec_t until)
{
    ngx_uint_t  i;

    producer->closing = 1;

    if (!producer->started) {
        return;
    }

    for (i = 0; i < NGX_HTTP_KAFKA_CLIENTS_ALL; i++) {
        ngx_http_kafka_replace_close(&producer->clients.shards[i]);
        ngx_http_kafka_shutdown_timers(&producer->clients.shards[i]);
    }

    ngx_http_kafka_shutdown_flush(producer, until);
    ngx_http_kafka_shutdown_abort(producer);
    ngx_http_kafka_dispatch_close(&producer->dispatch);

    ngx_http_kafka_shutdown_destroy(producer, until);

    if (producer->events.connection) {
        ngx_http_kafka_events_close(&producer->events);
    }

    ngx_http_kafka_topics_close(&producer->topics, until);
    ngx_http_kafka_clients_close(&producer->clients, until);
}


void
ngx_http_kafka_shutdown_abort(void *data)
{
    ngx_http_kafka_producer_t *producer = data;

    ngx_queue_t             *q, *next;
    ngx_http_kafka_batch_t  *batch;

    for (q = ngx_queue_head(&producer->batches);
         q != ngx_queue_sentinel(&producer->batches);
         q = next)
    {
        next = ngx_queue_next(q);
        batch = ngx_queue_data(q, ngx_http_kafka_batch_t, link);

        /* this may free the batch */

        ngx_http_kafka_settle_give_up(batch, RD_KAFKA_RESP_ERR__DESTROY);
    }
}


static void
ngx_http_kafka_shutdown_timers(ngx_http_kafka_shard_t *shard)
{
    if (shard->reopen.timer_set) {
        ngx_del_timer(&shard->reopen);
    }

    if (shard->reopen.posted) {
        ngx_delete_posted_event(&shard->reopen);
    }

    if (shard->idle.timer_set) {
        ngx_del_timer(&shard->idle);
    }
}


static void
ngx_http_kafka_shutdown_flush(ngx_http_kafka_producer_t *producer,
    ngx_msec_t until)
{
    ngx_uint_t                  i;
    ngx_http_kafka_shard_t     *shard;
    ngx_http_kafka_dispatch_t  *dispatch;

    dispatch = &producer->dispatch;

    do {
        ngx_http_kafka_shutdown_drained(producer);
        ngx_http_kafka_submit(producer);

        /* records left after the loop have no client, and will get none */

    } while (ngx_http_kafka_shutdown_waits(producer)
             && ngx_http_kafka_events_wait(&producer->events, until)
                != NGX_DONE);

    if (dispatch->pending == 0) {
        return;
    }

    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "kafka producer \"%V\": %ui messages were not acknowledged "
                  "before the process had to exit",
                  &producer->conf->name, dispatch->pending);

    for (i = 0; i < NGX_HTTP_KAFKA_CLIENTS_ALL; i++) {
        shard = &producer->clients.shards[i];

        if (shard->rk) {
            ngx_http_kafka_shard_purge(shard, RD_KAFKA_PURGE_F_QUEUE
                                              |RD_KAFKA_PURGE_F_INFLIGHT);
        }
    }

    ngx_http_kafka_shutdown_wait(producer, ngx_current_msec
                                           + NGX_HTTP_KAFKA_SHUTDOWN_PURGE);
}


/* returns 1 if reports are pending in clients that are not draining */

static ngx_uint_t
ngx_http_kafka_shutdown_waits(ngx_http_kafka_producer_t *producer)
{
    ngx_uint_t               i;
    ngx_http_kafka_shard_t  *shard;

    for (i = 0; i < NGX_HTTP_KAFKA_CLIENTS_ALL; i++) {
        shard = &producer->clients.shards[i];

        if (shard->pending && !shard->draining) {
            return 1;
        }
    }

    return 0;
}


/* waits until all pending records have reports, or the time is over */

static void
ngx_http_kafka_shutdown_wait(ngx_http_kafka_producer_t *producer,
    ngx_msec_t until)
{
    while (producer->dispatch.pending) {

        if (ngx_http_kafka_events_wait(&producer->events, until) == NGX_DONE) {
            return;
        }

        ngx_http_kafka_shutdown_drained(producer);
    }
}


/* returns purged records to their lanes, or fails them */

static void
ngx_http_kafka_shutdown_drained(ngx_http_kafka_producer_t *producer)
{
    ngx_uint_t               i;
    ngx_http_kafka_shard_t  *shard;

    for (i = 0; i < NGX_HTTP_KAFKA_CLIENTS_ALL; i++) {
        shard = &producer->clients.shards[i];

        if (shard->rk && shard->pending == 0) {
            ngx_http_kafka_delivery_drained(shard);
        }
    }
}


static void
ngx_http_kafka_shutdown_destroy(ngx_http_kafka_producer_t *producer,
    ngx_msec_t until)
{
    ngx_int_t                rc;
    ngx_uint_t               i;
    ngx_queue_t             *q;
    ngx_http_kafka_shard_t  *shard;
    ngx_http_kafka_batch_t  *batch;

    rc = NGX_OK;

    for (i = 0; i < NGX_HTTP_KAFKA_CLIENTS_ALL; i++) {
        shard = &producer->clients.shards[i];

        if (shard->rk) {
            ngx_http_kafka_topics_release(&producer->topics, shard);

            if (ngx_http_kafka_shard_destroy(shard, until) != NGX_OK) {
                rc = NGX_AGAIN;
            }
        }
    }

    if (rc != NGX_OK) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "kafka producer \"%V\": its clients did not end in time",
                      &producer->conf->name);
        return;
    }

    while (!ngx_queue_empty(&producer->batches)) {
        q = ngx_queue_head(&producer->batches);
        batch = ngx_queue_data(q, ngx_http_kafka_batch_t, link);
        ngx_http_kafka_settle_batch(batch);
    }
}
