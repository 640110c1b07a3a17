
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_producer.h>
#include <ngx_http_kafka_brokers.h>
#include <ngx_http_kafka_client.h>
#include <ngx_http_kafka_outcome.h>
#include <ngx_http_kafka_produce.h>
#include <ngx_http_kafka_resolve.h>
#include <ngx_http_kafka_statistics.h>


/* milliseconds for the last reports, after message.timeout.ms */
#define NGX_HTTP_KAFKA_PRODUCER_GRACE    2000

/* records handed over before the loop's other events have their turn */
#define NGX_HTTP_KAFKA_PRODUCER_TURN     2000

/* milliseconds for what is purged as the process exits */
#define NGX_HTTP_KAFKA_PRODUCER_PURGE    200

/* a client with more topics is replaced when it is idle, but not sooner than
   after so many milliseconds */
#define NGX_HTTP_KAFKA_PRODUCER_TOPICS   1000
#define NGX_HTTP_KAFKA_PRODUCER_CROWDED  5000


static void ngx_http_kafka_producer_start(ngx_http_kafka_producer_t *producer);
static ngx_int_t ngx_http_kafka_producer_check_size(
    ngx_http_kafka_producer_t *producer, ngx_http_kafka_batch_t *batch);
static void ngx_http_kafka_producer_resolved(ngx_http_kafka_target_t *target);
static void ngx_http_kafka_producer_queue(ngx_http_kafka_producer_t *producer,
    ngx_http_kafka_batch_t *batch);

static void ngx_http_kafka_producer_reopen_handler(ngx_event_t *ev);
static void ngx_http_kafka_producer_opened(void *data, ngx_int_t rc);
static void ngx_http_kafka_producer_give_up_unsent(
    ngx_http_kafka_producer_t *producer, rd_kafka_resp_err_t err);
static void ngx_http_kafka_producer_isolated(void *data, ngx_int_t rc);
static void ngx_http_kafka_producer_submit_handler(ngx_event_t *ev);
static void ngx_http_kafka_producer_submit(
    ngx_http_kafka_producer_t *producer);
static ngx_int_t ngx_http_kafka_producer_hand_over(
    ngx_http_kafka_producer_t *producer, ngx_http_kafka_batch_t *batch,
    ngx_uint_t *turn);
static void ngx_http_kafka_producer_retry(ngx_http_kafka_producer_t *producer);
static ngx_int_t ngx_http_kafka_producer_retry_record(
    ngx_http_kafka_producer_t *producer, ngx_http_kafka_record_t *record,
    rd_kafka_resp_err_t *err);
static rd_kafka_resp_err_t ngx_http_kafka_producer_produce(
    ngx_http_kafka_producer_t *producer, ngx_http_kafka_record_t *record);
static rd_kafka_resp_err_t ngx_http_kafka_producer_produce_isolated(
    rd_kafka_t *rk, ngx_http_kafka_record_t *record);
static ngx_uint_t ngx_http_kafka_producer_fatal(
    ngx_http_kafka_producer_t *producer, rd_kafka_resp_err_t err);
static void ngx_http_kafka_producer_invalidate(ngx_http_kafka_record_t *record,
    rd_kafka_resp_err_t err);

static void ngx_http_kafka_producer_begin_events(void *data);
static void ngx_http_kafka_producer_report(void *data,
    const rd_kafka_message_t *msg, ngx_uint_t offset_known);
static ngx_int_t ngx_http_kafka_producer_take_again(
    ngx_http_kafka_producer_t *producer, const rd_kafka_message_t *msg,
    rd_kafka_msg_status_t persisted);
static ngx_uint_t ngx_http_kafka_producer_in_time(
    ngx_http_kafka_producer_t *producer, ngx_http_kafka_batch_t *batch);
static void ngx_http_kafka_producer_acked(ngx_http_kafka_producer_t *producer,
    const rd_kafka_message_t *msg, ngx_uint_t offset_known);
static rd_kafka_resp_err_t ngx_http_kafka_producer_cause(
    ngx_http_kafka_producer_t *producer, const rd_kafka_message_t *msg);
static void ngx_http_kafka_producer_fail(ngx_http_kafka_producer_t *producer,
    ngx_http_kafka_record_t *record, rd_kafka_resp_err_t err,
    rd_kafka_msg_status_t persisted);
static void ngx_http_kafka_producer_dropped(
    ngx_http_kafka_producer_t *producer, ngx_http_kafka_record_t *record);
static void ngx_http_kafka_producer_settle(ngx_http_kafka_batch_t *batch);
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

static void ngx_http_kafka_producer_deadline_handler(ngx_event_t *ev);
static void ngx_http_kafka_producer_give_up(ngx_http_kafka_batch_t *batch,
    rd_kafka_resp_err_t err);
static void ngx_http_kafka_producer_finish(ngx_http_kafka_batch_t *batch);
static void ngx_http_kafka_producer_answer(ngx_http_kafka_batch_t *batch);

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
    ngx_http_kafka_producer_report,
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

    if (rc == NGX_ERROR) {
        producer->failed++;
    }

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

    batch->deadline.handler = ngx_http_kafka_producer_deadline_handler;
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
        ngx_http_kafka_producer_finish(batch);
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
        producer->failed = 0;
        ngx_http_kafka_metrics_rebuilt(&producer->metrics);
        ngx_http_kafka_dispatch_post(&producer->dispatch);
        return;
    }

    if (producer->failed++) {
        ngx_http_kafka_producer_give_up_unsent(producer,
                                         RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE);
    }

    if (producer->clients.opened) {
        ngx_add_timer(&producer->reopen,
                      ngx_http_kafka_clients_reopen(&producer->clients));
    }

    /* where there never was one, the next request is the next attempt */
}


static void
ngx_http_kafka_producer_give_up_unsent(ngx_http_kafka_producer_t *producer,
    rd_kafka_resp_err_t err)
{
    ngx_http_kafka_batch_t  *batch;

    while ((batch = ngx_http_kafka_dispatch_first(&producer->dispatch))
           != NULL)
    {
        ngx_http_kafka_producer_give_up(batch, err);
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

    ngx_http_kafka_producer_retry(producer);

    if (producer->dispatch.nunsent == 0
        || (!producer->closing
            && ngx_http_kafka_dispatch_gather(&producer->dispatch)))
    {
        return;
    }

    ngx_http_kafka_producer_submit(producer);
}


static void
ngx_http_kafka_producer_submit(ngx_http_kafka_producer_t *producer)
{
    ngx_int_t                   rc;
    ngx_uint_t                  turn;
    ngx_http_kafka_batch_t     *batch;
    ngx_http_kafka_dispatch_t  *dispatch;

    dispatch = &producer->dispatch;

    ngx_http_kafka_dispatch_begin(dispatch);
    ngx_http_kafka_metrics_tick(&producer->metrics);

    turn = 0;

    while ((batch = ngx_http_kafka_dispatch_first(dispatch)) != NULL) {

        rc = ngx_http_kafka_producer_hand_over(producer, batch, &turn);

        if (rc == NGX_AGAIN) {
            return;
        }

        if (rc == NGX_BUSY) {
            ngx_http_kafka_dispatch_post_next(dispatch);
            return;
        }

        ngx_http_kafka_dispatch_remove(dispatch, batch);

        if (batch->pending == 0) {
            ngx_http_kafka_producer_finish(batch);
        }
    }

    ngx_http_kafka_dispatch_done(dispatch);
}


/*
 * NGX_AGAIN: the client's queue is full, its reports make room, or it takes no
 * more, and will be replaced;
 * NGX_BUSY: enough for this turn
 */

static ngx_int_t
ngx_http_kafka_producer_hand_over(ngx_http_kafka_producer_t *producer,
    ngx_http_kafka_batch_t *batch, ngx_uint_t *turn)
{
    rd_kafka_resp_err_t       err;
    ngx_http_kafka_record_t  *record;

    if (batch->unsent == batch->records) {
        batch->submitted_at = ngx_current_msec;
        batch->clock = producer->metrics.clock;
    }

    while (batch->unsent) {

        if (*turn >= NGX_HTTP_KAFKA_PRODUCER_TURN) {
            return NGX_BUSY;
        }

        (*turn)++;

        record = batch->unsent;
        err = ngx_http_kafka_producer_produce(producer, record);

        if ((err == RD_KAFKA_RESP_ERR__QUEUE_FULL
             && producer->dispatch.pending)
            || ngx_http_kafka_producer_fatal(producer, err))
        {
            return NGX_AGAIN;
        }

        batch->unsent = record->next;

        if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            ngx_http_kafka_record_fail(record, err,
                                       RD_KAFKA_MSG_STATUS_NOT_PERSISTED);
            ngx_http_kafka_producer_invalidate(record, err);
            ngx_http_kafka_producer_dropped(producer, record);
            continue;
        }

        record->state = NGX_HTTP_KAFKA_RECORD_SENT;
        batch->pending++;
        ngx_http_kafka_dispatch_sent(&producer->dispatch, record);
        ngx_http_kafka_metrics_sent(&producer->metrics);
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "kafka: batch %p: handed over, %ui reports will come",
                   batch, batch->pending);

    return NGX_OK;
}


/* as many of those that are to be produced again as there is room for */

static void
ngx_http_kafka_producer_retry(ngx_http_kafka_producer_t *producer)
{
    ngx_uint_t                turn;
    rd_kafka_resp_err_t       err;
    ngx_http_kafka_record_t  *record;

    for (turn = 0; producer->retry.first; turn++) {

        if (producer->clients.rk == NULL || producer->replace.draining) {
            return;
        }

        if (turn == NGX_HTTP_KAFKA_PRODUCER_TURN) {
            ngx_http_kafka_dispatch_post_next(&producer->dispatch);
            return;
        }

        record = producer->retry.first;

        if (ngx_http_kafka_producer_retry_record(producer, record, &err)
            == NGX_AGAIN)
        {
            return;
        }

        (void) ngx_http_kafka_retry_next(&producer->retry);

        if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            ngx_http_kafka_producer_fail(producer, record, err,
                                         RD_KAFKA_MSG_STATUS_NOT_PERSISTED);
            continue;
        }

        ngx_http_kafka_dispatch_sent(&producer->dispatch, record);
        ngx_http_kafka_metrics_sent_again(&producer->metrics);
    }
}


/* NGX_OK, with err set; NGX_AGAIN: its client takes no record now */

static ngx_int_t
ngx_http_kafka_producer_retry_record(ngx_http_kafka_producer_t *producer,
    ngx_http_kafka_record_t *record, rd_kafka_resp_err_t *err)
{
    rd_kafka_t                *rk;
    ngx_http_kafka_clients_t  *clients;

    clients = &producer->clients;

    if (record->isolated) {

        switch (ngx_http_kafka_clients_isolate(clients)) {

        case NGX_OK:
            break;

        case NGX_AGAIN:
            return NGX_AGAIN;

        default: /* NGX_ERROR */
            *err = RD_KAFKA_RESP_ERR__STATE;
            return NGX_OK;
        }

        rk = clients->isolated;
        *err = ngx_http_kafka_producer_produce_isolated(rk, record);

    } else {
        rk = clients->rk;
        *err = ngx_http_kafka_producer_produce(producer, record);
    }

    if ((*err == RD_KAFKA_RESP_ERR__QUEUE_FULL && rd_kafka_outq_len(rk))
        || ngx_http_kafka_producer_fatal(producer, *err))
    {
        return NGX_AGAIN;
    }

    return NGX_OK;
}


/* no report comes after an error */

static rd_kafka_resp_err_t
ngx_http_kafka_producer_produce(ngx_http_kafka_producer_t *producer,
    ngx_http_kafka_record_t *record)
{
    rd_kafka_t        *rk;
    rd_kafka_topic_t  *rkt;

    rk = producer->clients.rk;

    rkt = ngx_http_kafka_topic_handle(&producer->topics,
                                      record->target->topic, rk);
    if (rkt == NULL) {
        return rd_kafka_last_error();
    }

    return ngx_http_kafka_produce(record, rk, rkt);
}


static rd_kafka_resp_err_t
ngx_http_kafka_producer_produce_isolated(rd_kafka_t *rk,
    ngx_http_kafka_record_t *record)
{
    rd_kafka_topic_t     *rkt;
    rd_kafka_resp_err_t   err;

    rkt = rd_kafka_topic_new(rk, (char *) record->target->topic->sn.str.data,
                             NULL);
    if (rkt == NULL) {
        return rd_kafka_last_error();
    }

    err = ngx_http_kafka_produce(record, rk, rkt);

    rd_kafka_topic_destroy(rkt);

    return err;
}


/*
 * 1 if the record was not taken and is to wait for another client: the event
 * that has this one replaced is on its way
 */

static ngx_uint_t
ngx_http_kafka_producer_fatal(ngx_http_kafka_producer_t *producer,
    rd_kafka_resp_err_t err)
{
    return err == RD_KAFKA_RESP_ERR__FATAL && !producer->closing;
}


/* the topic may be gone: the next request looks it up */

static void
ngx_http_kafka_producer_invalidate(ngx_http_kafka_record_t *record,
    rd_kafka_resp_err_t err)
{
    if (err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART
        || err == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC
        || err == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION)
    {
        ngx_http_kafka_topic_doubt(record->target->topic);
    }
}


static void
ngx_http_kafka_producer_begin_events(void *data)
{
    ngx_http_kafka_producer_t *producer = data;

    ngx_http_kafka_metrics_tick(&producer->metrics);
}


static void
ngx_http_kafka_producer_report(void *data, const rd_kafka_message_t *msg,
    ngx_uint_t offset_known)
{
    ngx_http_kafka_producer_t *producer = data;

    rd_kafka_t                 *rk;
    rd_kafka_resp_err_t         err;
    rd_kafka_msg_status_t       persisted;
    ngx_http_kafka_conf_t      *conf;
    ngx_http_kafka_record_t    *record;
    ngx_http_kafka_dispatch_t  *dispatch;

    conf = producer->conf;
    dispatch = &producer->dispatch;

    record = msg->_private;
    rk = record->isolated ? producer->clients.isolated : producer->clients.rk;

    err = ngx_http_kafka_producer_cause(producer, msg);
    persisted = ngx_http_kafka_outcome_persisted(rk, msg, conf->retry_backoff,
                                                 conf->idempotent);

    ngx_http_kafka_dispatch_reported(dispatch, record);
    ngx_http_kafka_metrics_reported(&producer->metrics);

    ngx_http_kafka_replace_reported(&producer->replace, msg,
                                    dispatch->pending - dispatch->isolated);

    if (ngx_http_kafka_producer_take_again(producer, msg, persisted)
        == NGX_DECLINED)
    {
        if (err) {
            ngx_http_kafka_producer_fail(producer, record, err, persisted);

        } else {
            ngx_http_kafka_producer_acked(producer, msg, offset_known);
        }
    }

    if (producer->retry.first) {
        ngx_http_kafka_producer_retry(producer);
    }
}


/*
 * NGX_OK: the report is not the last one, its record waits to be produced
 * again; NGX_DECLINED: it is
 */

static ngx_int_t
ngx_http_kafka_producer_take_again(ngx_http_kafka_producer_t *producer,
    const rd_kafka_message_t *msg, rd_kafka_msg_status_t persisted)
{
    ngx_http_kafka_record_t  *record;

    if (rd_kafka_message_status(msg) != RD_KAFKA_MSG_STATUS_NOT_PERSISTED) {
        return NGX_DECLINED;
    }

    if (ngx_http_kafka_retry_isolate(&producer->retry, msg, persisted)
        == NGX_OK)
    {
        return NGX_OK;
    }

    record = msg->_private;

    if (persisted != RD_KAFKA_MSG_STATUS_NOT_PERSISTED
        || msg->err != RD_KAFKA_RESP_ERR__PURGE_QUEUE
        || producer->closing
        || ngx_http_kafka_replace_refused(&producer->replace)
        || !ngx_http_kafka_producer_in_time(producer, record->batch))
    {
        return NGX_DECLINED;
    }

    ngx_http_kafka_retry_add(&producer->retry, record);

    return NGX_OK;
}


/* librdkafka's clock will run anew, and must end before the batch's */

static ngx_uint_t
ngx_http_kafka_producer_in_time(ngx_http_kafka_producer_t *producer,
    ngx_http_kafka_batch_t *batch)
{
    ngx_msec_int_t  left;

    if (!batch->deadline.timer_set) {
        return 0;
    }

    left = (ngx_msec_int_t) (batch->deadline.timer.key - ngx_current_msec);

    return left > (ngx_msec_int_t) (producer->conf->timeout
                                    + NGX_HTTP_KAFKA_PRODUCER_GRACE / 2);
}


static void
ngx_http_kafka_producer_acked(ngx_http_kafka_producer_t *producer,
    const rd_kafka_message_t *msg, ngx_uint_t offset_known)
{
    ngx_http_kafka_topic_t   *topic;
    ngx_http_kafka_record_t  *record;

    record = msg->_private;

    record->state = NGX_HTTP_KAFKA_RECORD_ACKED;
    record->persisted = RD_KAFKA_MSG_STATUS_PERSISTED;
    record->partition = msg->partition;
    record->offset = offset_known ? msg->offset : -1;
    record->timestamp = rd_kafka_message_timestamp(msg, NULL);
    record->batch->acked++;
    topic = record->target->topic;

    ngx_http_kafka_metrics_acked(&producer->metrics, record->batch->clock,
                                 record->key.len + record->value.len,
                                 &topic->slot, &topic->sn.str);

    producer->clients.served = 1;

    if (!producer->replace.draining) {
        producer->replace.fatal = RD_KAFKA_RESP_ERR_NO_ERROR;
    }

    ngx_http_kafka_connectivity_acked(&producer->connectivity, msg);

    ngx_http_kafka_producer_settle(record->batch);
}


/* a client that ended with a fatal error purges what it holds, or times out */

static rd_kafka_resp_err_t
ngx_http_kafka_producer_cause(ngx_http_kafka_producer_t *producer,
    const rd_kafka_message_t *msg)
{
    rd_kafka_resp_err_t  err;

    err = ngx_http_kafka_outcome_err(msg);

    if (producer->replace.draining
        && producer->replace.fatal
        && (err == RD_KAFKA_RESP_ERR__PURGE_QUEUE
            || err == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT
            || err == RD_KAFKA_RESP_ERR__FATAL))
    {
        return producer->replace.fatal;
    }

    return err;
}


static void
ngx_http_kafka_producer_fail(ngx_http_kafka_producer_t *producer,
    ngx_http_kafka_record_t *record, rd_kafka_resp_err_t err,
    rd_kafka_msg_status_t persisted)
{
    ngx_http_kafka_topic_t  *topic;

    ngx_http_kafka_record_fail(record, err, persisted);
    ngx_http_kafka_producer_invalidate(record, err);
    topic = record->target->topic;

    ngx_http_kafka_metrics_failed(&producer->metrics, err, &topic->slot,
                                  &topic->sn.str);

    ngx_http_kafka_producer_settle(record->batch);
}


/* a record that was never with the client */

static void
ngx_http_kafka_producer_dropped(ngx_http_kafka_producer_t *producer,
    ngx_http_kafka_record_t *record)
{
    ngx_http_kafka_topic_t  *topic;

    topic = record->target->topic;

    ngx_http_kafka_metrics_dropped(&producer->metrics, record->err,
                                   &topic->slot, &topic->sn.str);
}


/* one of the batch's records, of those that are pending, has its outcome */

static void
ngx_http_kafka_producer_settle(ngx_http_kafka_batch_t *batch)
{
    batch->pending--;

    if (batch->pending == 0 && batch->unsent == NULL) {
        ngx_http_kafka_producer_finish(batch);
    }
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

    if (producer->retry.first || producer->dispatch.nunsent) {
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


static void
ngx_http_kafka_producer_deadline_handler(ngx_event_t *ev)
{
    rd_kafka_resp_err_t         err;
    ngx_http_kafka_batch_t     *batch;
    ngx_http_kafka_producer_t  *producer;

    batch = ev->data;
    producer = batch->producer;

    err = RD_KAFKA_RESP_ERR__QUEUE_FULL;

    if (producer->replace.fatal
        && (producer->clients.rk == NULL || producer->replace.draining))
    {
        err = producer->replace.fatal;
    }

    if (batch->unknown) {
        err = ngx_http_kafka_connectivity_cause(&producer->connectivity);
    }

    ngx_http_kafka_producer_give_up(batch, err);
}


/*
 * Ends the wait: what is not yet with the client will never be and fails with
 * err; what is with it keeps the batch until its report.
 */

static void
ngx_http_kafka_producer_give_up(ngx_http_kafka_batch_t *batch,
    rd_kafka_resp_err_t err)
{
    ngx_http_kafka_record_t    *record;
    ngx_http_kafka_producer_t  *producer;

    producer = batch->producer;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "kafka: batch %p: given up: %s", batch,
                   rd_kafka_err2name(err));

    if (batch->unknown) {
        ngx_http_kafka_resolve_cancel(batch);

        batch->err = err;
        ngx_http_kafka_producer_finish(batch);
        return;
    }

    if (batch->queued) {
        ngx_http_kafka_dispatch_remove(&producer->dispatch, batch);
    }

    for (record = batch->unsent; record; record = record->next) {
        ngx_http_kafka_record_fail(record, err,
                                   RD_KAFKA_MSG_STATUS_NOT_PERSISTED);
        ngx_http_kafka_producer_dropped(producer, record);
    }

    batch->unsent = NULL;

    if (batch->pending == 0) {
        ngx_http_kafka_producer_finish(batch);
        return;
    }

    /* nobody waits from here on: a worker that quits need not, either */

    if (batch->deadline.timer_set) {
        ngx_del_timer(&batch->deadline);
    }

    ngx_http_kafka_producer_answer(batch);
}


static void
ngx_http_kafka_producer_finish(ngx_http_kafka_batch_t *batch)
{
    ngx_http_kafka_producer_t  *producer;

    producer = batch->producer;

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "kafka: batch %p: done, %ui of %ui messages acknowledged",
                   batch, batch->acked, batch->nrecords);

    /* with some unsent nothing of it was ever handed over */

    ngx_http_kafka_metrics_end(&producer->metrics,
                               batch->unsent ? batch->nrecords : 0);

    if (batch->deadline.timer_set) {
        ngx_del_timer(&batch->deadline);
    }

    ngx_http_kafka_resolve_cancel(batch);

    ngx_queue_remove(&batch->link);

    ngx_http_kafka_producer_answer(batch);
    ngx_http_kafka_batch_release(batch);
}


static void
ngx_http_kafka_producer_answer(ngx_http_kafka_batch_t *batch)
{
    ngx_http_kafka_producer_t  *producer;

    if (batch->acked != batch->nrecords) {
        producer = batch->producer;
        batch->trouble =
                     ngx_http_kafka_connectivity_text(&producer->connectivity);
    }

    ngx_http_kafka_batch_done(batch);
}


/* answers all that wait, for nginx closes their connections now */

static void
ngx_http_kafka_producer_abort(void *data)
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

        ngx_http_kafka_producer_give_up(batch, RD_KAFKA_RESP_ERR__DESTROY);
    }
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
           && (dispatch->pending || dispatch->nunsent))
    {
        if (dispatch->nunsent) {
            ngx_http_kafka_producer_submit_handler(&dispatch->submit);
        }

        ngx_http_kafka_producer_wait(producer, until);

        if ((ngx_msec_int_t) (until - ngx_current_msec) <= 0) {
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

    while (producer->retry.first) {
        record = ngx_http_kafka_retry_next(&producer->retry);

        ngx_http_kafka_producer_fail(producer, record,
                                     RD_KAFKA_RESP_ERR__DESTROY,
                                     RD_KAFKA_MSG_STATUS_NOT_PERSISTED);
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
        ngx_http_kafka_producer_finish(batch);
    }
}
