
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_shard.h>
#include <ngx_http_kafka_client.h>
#include <ngx_http_kafka_errors.h>


static void ngx_http_kafka_shard_opened(void *data, rd_kafka_t *rk,
    const char *errstr);
static ngx_int_t ngx_http_kafka_shard_made(ngx_http_kafka_shard_t *shard,
    rd_kafka_t *rk, const char *errstr);
static ngx_uint_t ngx_http_kafka_shard_refused(const rd_kafka_message_t *msg);
static ngx_uint_t ngx_http_kafka_shard_early(ngx_http_kafka_shard_t *shard);


void
ngx_http_kafka_shard_init(ngx_http_kafka_shard_t *shard)
{
    ngx_queue_init(&shard->ready);
    ngx_queue_init(&shard->busy);
    ngx_queue_init(&shard->purged);
}


ngx_int_t
ngx_http_kafka_shard_open(ngx_http_kafka_shard_t *shard, ngx_uint_t now)
{
    char         errstr[NGX_HTTP_KAFKA_CLIENT_ERROR];
    rd_kafka_t  *rk;

    if (shard->rk) {
        return NGX_OK;
    }

    if (shard->task) {
        return NGX_AGAIN;
    }

    if (shard->failed
        && ngx_current_msec - shard->failed < NGX_HTTP_KAFKA_SHARD_REOPEN)
    {
        return NGX_ERROR;
    }

    if (ngx_http_kafka_shard_early(shard)) {
        return NGX_AGAIN;
    }

    if (now) {
        rk = ngx_http_kafka_client_new(shard->properties, shard->isolated,
                                       errstr);
        return ngx_http_kafka_shard_made(shard, rk, errstr);
    }

    shard->task = ngx_http_kafka_client_task_start(shard->conf->thread_pool,
                                                   shard->properties,
                                                   shard->isolated,
                                                   ngx_http_kafka_shard_opened,
                                                   shard);
    if (shard->task == NULL) {
        return ngx_http_kafka_shard_fail(shard, "no thread is available");
    }

    return NGX_AGAIN;
}


static void
ngx_http_kafka_shard_opened(void *data, rd_kafka_t *rk, const char *errstr)
{
    ngx_http_kafka_shard_t *shard = data;

    shard->task = NULL;

    shard->handler(shard, ngx_http_kafka_shard_made(shard, rk, errstr));
}


/* takes rk as the shard's client; returns NGX_OK, or NGX_ERROR if rk is NULL */

static ngx_int_t
ngx_http_kafka_shard_made(ngx_http_kafka_shard_t *shard, rd_kafka_t *rk,
    const char *errstr)
{
    if (rk == NULL) {
        return ngx_http_kafka_shard_fail(shard, errstr);
    }

    shard->rk = rk;
    shard->generation = ++*shard->generations;
    shard->opened = ngx_current_msec;
    shard->failed = 0;
    shard->failures = 0;
    shard->served = 0;
    shard->full = 0;
    shard->refusals = 0;

    ngx_http_kafka_events_add(shard->events, rk, shard);

    return NGX_OK;
}


ngx_uint_t
ngx_http_kafka_shard_takes(ngx_http_kafka_shard_t *shard)
{
    if (shard->rk) {
        return !shard->draining;
    }

    if (shard->closing) {

        /* the thread pools have ended */

        return 0;
    }

    if (ngx_http_kafka_shard_open(shard, 0) == NGX_OK) {
        return 1;
    }

    if (shard->task == NULL && !shard->reopen.timer_set) {
        ngx_add_timer(&shard->reopen, ngx_http_kafka_shard_reopen(shard));
    }

    return 0;
}


ngx_int_t
ngx_http_kafka_shard_fail(ngx_http_kafka_shard_t *shard, const char *why)
{
    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "kafka producer \"%V\" could not be made: %s",
                  &shard->conf->name, why);

    shard->failed = ngx_max(ngx_current_msec, 1);
    shard->failures++;

    return NGX_ERROR;
}


/*
 * Returns 1 if it is too early to create the next client.  A client that has
 * delivered a record is replaced at once.  A client that has not may lack
 * permissions, and the next one would fail as well.  Without a delay, each
 * waiting request would cause another login to the brokers.
 */

static ngx_uint_t
ngx_http_kafka_shard_early(ngx_http_kafka_shard_t *shard)
{
    return shard->opened
           && !shard->served
           && ngx_current_msec - shard->opened < NGX_HTTP_KAFKA_SHARD_REOPEN;
}


ngx_msec_t
ngx_http_kafka_shard_reopen(ngx_http_kafka_shard_t *shard)
{
    if (!ngx_http_kafka_shard_early(shard)) {
        return NGX_HTTP_KAFKA_SHARD_REOPEN;
    }

    return NGX_HTTP_KAFKA_SHARD_REOPEN - (ngx_current_msec - shard->opened);
}


void
ngx_http_kafka_shard_purge(ngx_http_kafka_shard_t *shard, int what)
{
    (void) rd_kafka_purge(shard->rk, what|RD_KAFKA_PURGE_F_NON_BLOCKING);
}


void
ngx_http_kafka_shard_sent(ngx_http_kafka_shard_t *shard,
    ngx_http_kafka_record_t *record)
{
    if (shard->pending++ == 0) {
        shard->requests = record->requests;
        shard->answered = 0;

        if (shard->idle.timer_set) {
            ngx_del_timer(&shard->idle);
        }
    }
}


/*
 * librdkafka reports the records of a request in one event.  A record that it
 * reports without a request has no broker's error and no offset: it timed out
 * or was purged in the queue, or librdkafka infers its acknowledgement from a
 * later success.
 */

void
ngx_http_kafka_shard_reported(ngx_http_kafka_shard_t *shard,
    const rd_kafka_message_t *msg, ngx_uint_t first)
{
    shard->pending--;
    shard->full = 0;

    if (!first) {
        return;
    }

    if (msg->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        shard->answered += (msg->offset != RD_KAFKA_OFFSET_INVALID);

    } else if (msg->err == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT) {
        shard->answered++;

    } else if (ngx_http_kafka_shard_refused(msg)) {
        shard->answered++;

        if (shard->isolated) {

            /*
             * The client may purge its queue after records of the next group
             * were handed over.  A new generation limits that group to a single
             * record.
             */

            shard->generation = ++*shard->generations;
            shard->refusals++;
        }
    }
}


static ngx_uint_t
ngx_http_kafka_shard_refused(const rd_kafka_message_t *msg)
{
    return msg->err == RD_KAFKA_RESP_ERR__INVALID_DIFFERENT_RECORD
           || (msg->err > RD_KAFKA_RESP_ERR_NO_ERROR
               && rd_kafka_message_broker_id(msg) >= 0);
}


ngx_uint_t
ngx_http_kafka_shard_proven(ngx_http_kafka_shard_t *shard)
{
    return ngx_http_kafka_client_requests(shard->rk) - shard->requests
           == shard->answered;
}


void
ngx_http_kafka_shard_end(ngx_http_kafka_shard_t *shard)
{
    ngx_http_kafka_events_remove(shard->events, shard);

    ngx_http_kafka_client_destroy_later(shard->conf->thread_pool, shard->rk);
    shard->rk = NULL;
}


ngx_int_t
ngx_http_kafka_shard_destroy(ngx_http_kafka_shard_t *shard, ngx_msec_t until)
{
    ngx_http_kafka_events_remove(shard->events, shard);

    if (ngx_http_kafka_client_destroy_until(shard->rk, until) != NGX_OK) {
        return NGX_AGAIN;
    }

    shard->rk = NULL;

    return NGX_OK;
}


void
ngx_http_kafka_shard_close(ngx_http_kafka_shard_t *shard, ngx_msec_t until)
{
    rd_kafka_t  *rk;

    if (shard->task == NULL) {
        return;
    }

    rk = ngx_http_kafka_client_task_end(shard->task);
    shard->task = NULL;

    if (rk) {
        (void) ngx_http_kafka_client_destroy_until(rk, until);
    }
}
