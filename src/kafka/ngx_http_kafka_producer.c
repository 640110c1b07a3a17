
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_producer.h>
#include <ngx_http_kafka_retry.h>
#include <ngx_http_kafka_client.h>
#include <ngx_http_kafka_events.h>
#include <ngx_http_kafka_errors.h>
#include <ngx_http_kafka_outcome.h>
#include <ngx_http_kafka_record.h>
#include <librdkafka/rdkafka_mock.h>


/* milliseconds */
#define NGX_HTTP_KAFKA_PRODUCER_RETRY    1000
#define NGX_HTTP_KAFKA_PRODUCER_PURGE    200

/* milliseconds that two clocks, one of them a coarse one, may differ */
#define NGX_HTTP_KAFKA_PRODUCER_CLOCKS   20

/* milliseconds, the longest that records gather while others are on their way;
   how many of these are too few to wait for; and for requests that may come,
   milliseconds, and turns that bring none, before and after as many have come
   as last time */
#define NGX_HTTP_KAFKA_PRODUCER_GATHER   100
#define NGX_HTTP_KAFKA_PRODUCER_FEW      16
#define NGX_HTTP_KAFKA_PRODUCER_MORE     4
#define NGX_HTTP_KAFKA_PRODUCER_QUIET    30
#define NGX_HTTP_KAFKA_PRODUCER_ENOUGH   4

/* milliseconds: a spent client's acknowledgements are waited for that long */
#define NGX_HTTP_KAFKA_PRODUCER_SPENT    500
#define NGX_HTTP_KAFKA_PRODUCER_TICK     10

/* milliseconds for what was on its way as another message failed */
#define NGX_HTTP_KAFKA_PRODUCER_GAP      1000

/* a client with more topics is replaced when it is idle, but not sooner than
   after so many milliseconds */
#define NGX_HTTP_KAFKA_PRODUCER_TOPICS   1000
#define NGX_HTTP_KAFKA_PRODUCER_CROWDED  5000

/* milliseconds: librdkafka repeats an error that lasts every 30 s */
#define NGX_HTTP_KAFKA_PRODUCER_UNREACHABLE  40000

/* names a batch has looked up at a time, so that others get their turn */
#define NGX_HTTP_KAFKA_PRODUCER_NAMES    16


static ngx_uint_t ngx_http_kafka_producer_early(
    ngx_http_kafka_producer_t *producer);
static void ngx_http_kafka_producer_start(ngx_http_kafka_producer_t *producer);
static ngx_int_t ngx_http_kafka_producer_confs(
    ngx_http_kafka_producer_t *producer, char *errstr);
static void ngx_http_kafka_producer_use_mock(
    ngx_http_kafka_producer_t *producer);
static void ngx_http_kafka_producer_end(ngx_http_kafka_producer_t *producer);
static void ngx_http_kafka_producer_timers(
    ngx_http_kafka_producer_t *producer);
static void ngx_http_kafka_producer_queues(
    ngx_http_kafka_producer_t *producer);
static ngx_int_t ngx_http_kafka_producer_resolve(
    ngx_http_kafka_producer_t *producer, ngx_http_kafka_batch_t *batch);
static void ngx_http_kafka_producer_resolved(ngx_http_kafka_target_t *target);
static void ngx_http_kafka_producer_queue(ngx_http_kafka_producer_t *producer,
    ngx_http_kafka_batch_t *batch);
static void ngx_http_kafka_producer_unqueue(
    ngx_http_kafka_producer_t *producer, ngx_http_kafka_batch_t *batch);
static void ngx_http_kafka_producer_submit(ngx_event_t *ev);
static void ngx_http_kafka_producer_retry_open(
    ngx_http_kafka_producer_t *producer, ngx_int_t rc);
static ngx_uint_t ngx_http_kafka_producer_gather(
    ngx_http_kafka_producer_t *producer);
static ngx_uint_t ngx_http_kafka_producer_more_to_come(
    ngx_http_kafka_producer_t *producer);
static void ngx_http_kafka_producer_go(ngx_http_kafka_producer_t *producer);
static ngx_int_t ngx_http_kafka_producer_hand_over(
    ngx_http_kafka_producer_t *producer, ngx_http_kafka_batch_t *batch,
    ngx_uint_t *turn);
static void ngx_http_kafka_producer_acked(ngx_http_kafka_producer_t *producer,
    const rd_kafka_message_t *msg, ngx_uint_t offset_known);
static rd_kafka_resp_err_t ngx_http_kafka_producer_cause(
    ngx_http_kafka_producer_t *producer, const rd_kafka_message_t *msg);
static ngx_uint_t ngx_http_kafka_producer_endangered(
    ngx_http_kafka_producer_t *producer, const rd_kafka_message_t *msg);
static void ngx_http_kafka_producer_gap(ngx_http_kafka_producer_t *producer,
    const rd_kafka_message_t *msg);
static void ngx_http_kafka_producer_gap_lasts(ngx_event_t *ev);
static void ngx_http_kafka_producer_save(ngx_http_kafka_producer_t *producer,
    const char *why);
static void ngx_http_kafka_producer_purge(ngx_event_t *ev);
static void ngx_http_kafka_producer_purge_all(
    ngx_http_kafka_producer_t *producer, int what);
static ngx_uint_t ngx_http_kafka_producer_crowded(
    ngx_http_kafka_producer_t *producer);
static void ngx_http_kafka_producer_deadline(ngx_event_t *ev);
static void ngx_http_kafka_producer_give_up(ngx_http_kafka_batch_t *batch,
    rd_kafka_resp_err_t err);
static void ngx_http_kafka_producer_answer(ngx_http_kafka_batch_t *batch);
static const char *ngx_http_kafka_producer_unreachable(
    ngx_http_kafka_producer_t *producer);
static void ngx_http_kafka_producer_flush(ngx_http_kafka_producer_t *producer,
    ngx_msec_t until);
static void ngx_http_kafka_producer_destroy(
    ngx_http_kafka_producer_t *producer, ngx_msec_t until);
static void ngx_http_kafka_producer_forget(ngx_http_kafka_batch_t *batch);
static void ngx_http_kafka_producer_finish(ngx_http_kafka_batch_t *batch);


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
    char  errstr[NGX_HTTP_KAFKA_CLIENT_ERROR];

    if (producer->rk) {
        return NGX_OK;
    }

    if (producer->closing) {
        return NGX_ERROR;
    }

    if (!producer->started) {
        ngx_http_kafka_producer_start(producer);

    } else if (producer->failed
               && ngx_current_msec - producer->failed
                  < NGX_HTTP_KAFKA_PRODUCER_RETRY)
    {
        return NGX_ERROR;

    } else if (ngx_http_kafka_producer_early(producer)) {
        return NGX_AGAIN;
    }

    if (producer->connection == NULL
        && ngx_http_kafka_events_open(producer) != NGX_OK)
    {
        goto failed;
    }

    if (ngx_http_kafka_producer_confs(producer, errstr) == NGX_OK) {
        producer->rk = ngx_http_kafka_client_new(producer->client_conf,
                                                 errstr);
    }

    if (producer->rk == NULL) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "kafka producer \"%V\" could not be made: %s",
                      &producer->conf->name, errstr);
        goto failed;
    }

    producer->queue = rd_kafka_queue_get_main(producer->rk);
    (void) rd_kafka_set_log_queue(producer->rk, producer->queue);
    ngx_http_kafka_events_add(producer, producer->queue);

    if (producer->opened) {
        ngx_http_kafka_metrics_rebuilt(&producer->metrics);
    }

    producer->failed = 0;
    producer->opened = ngx_current_msec;
    producer->served = 0;

    return NGX_OK;

failed:

    /* 0 means that it did not fail */
    producer->failed = ngx_max(ngx_current_msec, 1);

    return NGX_ERROR;
}


/*
 * A client that has delivered something is followed by another one at once.
 * One that failed before may have no right to be there: brokers would see a
 * login for each request that waits, and the next client would fail, too.
 */

static ngx_uint_t
ngx_http_kafka_producer_early(ngx_http_kafka_producer_t *producer)
{
    return producer->opened
           && !producer->served
           && ngx_current_msec - producer->opened
              < NGX_HTTP_KAFKA_PRODUCER_RETRY;
}


static void
ngx_http_kafka_producer_start(ngx_http_kafka_producer_t *producer)
{
    producer->started = 1;

    producer->again_last = &producer->again;

    ngx_queue_init(&producer->batches);
    ngx_queue_init(&producer->unsent);

    producer->submit.handler = ngx_http_kafka_producer_submit;
    producer->submit.data = producer;
    producer->submit.log = ngx_cycle->log;
    producer->submit.cancelable = 1;

    producer->purge.handler = ngx_http_kafka_producer_purge;
    producer->purge.data = producer;
    producer->purge.log = ngx_cycle->log;
    producer->purge.cancelable = 1;

    producer->gap.handler = ngx_http_kafka_producer_gap_lasts;
    producer->gap.data = producer;
    producer->gap.log = ngx_cycle->log;
    producer->gap.cancelable = 1;

    producer->health.interval = producer->conf->statistics_interval;
    producer->health.patience = producer->conf->timeout;

    producer->topics.thread_pool = producer->conf->thread_pool;
    producer->topics.auto_create = producer->conf->auto_create;
    producer->topics.handler = ngx_http_kafka_producer_resolved;

    ngx_http_kafka_topics_init(&producer->topics);

    ngx_http_kafka_metrics_open(&producer->metrics, &producer->conf->name);
}


/*
 * What the clients are made with.  A mock cluster outlives them all, with its
 * address, its topics and their records: it has a client of its own.
 */

static ngx_int_t
ngx_http_kafka_producer_confs(ngx_http_kafka_producer_t *producer,
    char *errstr)
{
    rd_kafka_conf_t  *properties;
    const char       *mock[] = { "test.mock.num.brokers", "security.protocol" };

    properties = producer->conf->properties;

    if (producer->client_conf) {
        return NGX_OK;
    }

    if (producer->conf->mocked) {
        producer->mock = ngx_http_kafka_client_new_quiet(properties, errstr);
        if (producer->mock == NULL) {
            return NGX_ERROR;
        }

        producer->client_conf = rd_kafka_conf_dup_filter(properties, 2, mock);
        ngx_http_kafka_producer_use_mock(producer);

    } else {
        producer->client_conf = rd_kafka_conf_dup(properties);
    }

    producer->side = rd_kafka_conf_dup(producer->client_conf);
    producer->topics.conf = producer->side;

    /* only the first client's are read */

    (void) rd_kafka_conf_set(producer->side, "statistics.interval.ms", "0",
                             NULL, 0);

    return NGX_OK;
}


static void
ngx_http_kafka_producer_use_mock(ngx_http_kafka_producer_t *producer)
{
    const char  *brokers;

    brokers = rd_kafka_mock_cluster_bootstraps(
                                 rd_kafka_handle_mock_cluster(producer->mock));

    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                  "kafka producer \"%V\": librdkafka's mock cluster answers "
                  "in this process, at %s", &producer->conf->name, brokers);

    (void) rd_kafka_conf_set(producer->client_conf, "bootstrap.servers",
                             brokers, NULL, 0);
}


/* the clients are destroyed in the background */

static void
ngx_http_kafka_producer_end(ngx_http_kafka_producer_t *producer)
{
    ngx_http_kafka_topics_release(&producer->topics);

    ngx_http_kafka_producer_timers(producer);
    ngx_http_kafka_producer_queues(producer);

    if (producer->alone) {
        ngx_http_kafka_client_destroy_later(producer->conf->thread_pool,
                                            producer->alone);
        producer->alone = NULL;
    }

    ngx_http_kafka_client_destroy_later(producer->conf->thread_pool,
                                        producer->rk);
    producer->rk = NULL;

    ngx_http_kafka_metrics_ended(&producer->metrics);
}


/* those that belong to rk */

static void
ngx_http_kafka_producer_timers(ngx_http_kafka_producer_t *producer)
{
    if (producer->purge.timer_set) {
        ngx_del_timer(&producer->purge);
    }

    if (producer->gap.timer_set) {
        ngx_del_timer(&producer->gap);
    }
}


/* gives up the handles: the clients keep their queues */

static void
ngx_http_kafka_producer_queues(ngx_http_kafka_producer_t *producer)
{
    ngx_http_kafka_events_remove(producer->queue);
    rd_kafka_queue_destroy(producer->queue);
    producer->queue = NULL;

    if (producer->alone_queue) {
        ngx_http_kafka_events_remove(producer->alone_queue);
        rd_kafka_queue_destroy(producer->alone_queue);
        producer->alone_queue = NULL;
    }
}


ngx_int_t
ngx_http_kafka_producer_send(ngx_http_kafka_producer_t *producer,
    ngx_http_kafka_batch_t *batch)
{
    size_t                    max;
    ngx_int_t                 rc;
    ngx_http_kafka_record_t  *record;

    if (producer->closing) {
        batch->err = RD_KAFKA_RESP_ERR__DESTROY;
        return NGX_DECLINED;
    }

    max = producer->conf->message_max;

    if (batch->largest > max) {

        /* the client would refuse it for sure */

        for (record = batch->records;
             ngx_http_kafka_batch_record_size(record) <= max;
             record = record->next)
        {
            /* void */
        }

        batch->err = RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE;
        batch->refused = record->target;
        batch->culprit = record;
        return NGX_DECLINED;
    }

    batch->client = producer;
    batch->start = ngx_current_msec;
    batch->unsent = batch->records;

    rc = ngx_http_kafka_producer_resolve(producer, batch);

    if (rc == NGX_DECLINED || rc == NGX_ERROR) {
        return rc;
    }

    batch->refs++;
    ngx_queue_insert_tail(&producer->batches, &batch->link);
    ngx_http_kafka_metrics_begin(&producer->metrics, batch);

    batch->deadline.handler = ngx_http_kafka_producer_deadline;
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


/* NGX_OK: all are known; NGX_AGAIN: some are asked for */

static ngx_int_t
ngx_http_kafka_producer_resolve(ngx_http_kafka_producer_t *producer,
    ngx_http_kafka_batch_t *batch)
{
    ngx_int_t                 rc;
    ngx_http_kafka_target_t  *target;

    for (target = batch->targets; target; target = target->next) {

        if (target->topic) {
            continue;
        }

        if (batch->unknown == NGX_HTTP_KAFKA_PRODUCER_NAMES) {
            break;
        }

        rc = ngx_http_kafka_topic_resolve(&producer->topics, target,
                                          &batch->err);

        if (rc == NGX_AGAIN) {
            batch->unknown++;
            continue;
        }

        if (rc != NGX_OK) {
            batch->refused = target;
            ngx_http_kafka_producer_forget(batch);
            return rc;
        }
    }

    return batch->unknown ? NGX_AGAIN : NGX_OK;
}


static void
ngx_http_kafka_producer_resolved(ngx_http_kafka_target_t *target)
{
    ngx_int_t                   rc;
    ngx_http_kafka_batch_t     *batch;
    ngx_http_kafka_producer_t  *producer;

    batch = target->batch;
    producer = batch->client;

    batch->unknown--;

    /* one that is absent decides: the others need not be waited for */

    rc = ngx_http_kafka_topic_resolve(&producer->topics, target, &batch->err);

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "kafka: batch %p: topic \"%V\" was looked up: %i, %s",
                   batch, &target->name, rc, rd_kafka_err2name(batch->err));

    if (rc == NGX_AGAIN) {
        batch->unknown++;
        return;
    }

    if (rc == NGX_OK) {

        if (batch->unknown) {
            return;
        }

        rc = ngx_http_kafka_producer_resolve(producer, batch);

    } else {
        batch->refused = target;
        ngx_http_kafka_producer_forget(batch);
    }

    switch (rc) {

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

    ngx_queue_insert_tail(&producer->unsent, &batch->queue);
    batch->queued = 1;
    producer->waiting++;

    ngx_post_event(&producer->submit, &ngx_posted_events);
}


static void
ngx_http_kafka_producer_unqueue(ngx_http_kafka_producer_t *producer,
    ngx_http_kafka_batch_t *batch)
{
    ngx_queue_remove(&batch->queue);
    batch->queued = 0;
    producer->waiting--;
}


/* once a turn of the event loop, for all requests that are complete in it */

static void
ngx_http_kafka_producer_submit(ngx_event_t *ev)
{
    ngx_int_t                   rc;
    ngx_uint_t                  turn;
    ngx_queue_t                *q;
    ngx_http_kafka_batch_t     *batch;
    ngx_http_kafka_producer_t  *producer;

    producer = ev->data;

    if (producer->spent || producer->gap.timer_set) {

        /* the client sends nothing now, and may be replaced */

        return;
    }

    rc = ngx_http_kafka_producer_open(producer);

    if (rc != NGX_OK) {
        ngx_http_kafka_producer_retry_open(producer, rc);
        return;
    }

    ngx_http_kafka_retry_produce(producer);

    if (ngx_queue_empty(&producer->unsent)
        || ngx_http_kafka_producer_gather(producer))
    {
        return;
    }

    ngx_http_kafka_producer_go(producer);
    ngx_http_kafka_metrics_tick(&producer->metrics);

    turn = 0;

    while (!ngx_queue_empty(&producer->unsent)) {
        q = ngx_queue_head(&producer->unsent);
        batch = ngx_queue_data(q, ngx_http_kafka_batch_t, queue);

        rc = ngx_http_kafka_producer_hand_over(producer, batch, &turn);

        if (rc == NGX_AGAIN) {
            return;
        }

        if (rc == NGX_BUSY) {
            ngx_post_event(ev, &ngx_posted_next_events);
            return;
        }

        ngx_http_kafka_producer_unqueue(producer, batch);

        if (batch->pending == 0) {
            ngx_http_kafka_producer_finish(batch);
        }
    }

    producer->going = 0;
}


static void
ngx_http_kafka_producer_retry_open(ngx_http_kafka_producer_t *producer,
    ngx_int_t rc)
{
    ngx_msec_t  wait;

    wait = NGX_HTTP_KAFKA_PRODUCER_RETRY;

    if (rc == NGX_AGAIN) {
        wait -= ngx_current_msec - producer->opened;
    }

    ngx_add_timer(&producer->submit, wait);
}


/*
 * While records are on their way the next ones gather here, till most of those
 * are acknowledged, or for about twice as long as acknowledgements take: one
 * slow partition must not keep others waiting.  librdkafka would keep them
 * back, too, once a partition has 5 messages in flight, but its thread spins
 * meanwhile; and fuller batches are less work for it and for brokers.
 */

static ngx_uint_t
ngx_http_kafka_producer_gather(ngx_http_kafka_producer_t *producer)
{
    ngx_msec_t  since, longest;

    if (producer->going || producer->closing) {
        return 0;
    }

    since = ngx_current_msec - producer->handed;
    longest = ngx_min(2 * producer->round + 2, NGX_HTTP_KAFKA_PRODUCER_GATHER);

    if (since >= longest) {
        return 0;
    }

    if (producer->pending < NGX_HTTP_KAFKA_PRODUCER_FEW) {
        return ngx_http_kafka_producer_more_to_come(producer);
    }

    if (!producer->submit.timer_set) {
        ngx_add_timer(&producer->submit, longest - since);
    }

    return 1;
}


/*
 * Those whose answers went out a moment ago may be about to ask again: turns
 * that follow each other at once are given to them, a few milliseconds of them
 * at the most, and a few turns (tens of microseconds) that bring nobody; fewer
 * once as many wait as were handed over last time, for a group that could be
 * larger costs brokers one more request.
 */

static ngx_uint_t
ngx_http_kafka_producer_more_to_come(ngx_http_kafka_producer_t *producer)
{
    ngx_uint_t  quiet;

    if (producer->most == 0) {
        producer->turning = ngx_current_msec;

    } else if (ngx_current_msec - producer->turning
               >= NGX_HTTP_KAFKA_PRODUCER_MORE)
    {
        return 0;
    }

    quiet = (producer->waiting < producer->group)
            ? NGX_HTTP_KAFKA_PRODUCER_QUIET : NGX_HTTP_KAFKA_PRODUCER_ENOUGH;

    if (producer->waiting > producer->most) {
        producer->most = producer->waiting;
        producer->quiet = 0;

    } else if (producer->quiet++ >= quiet) {
        return 0;
    }

    ngx_post_event(&producer->submit, &ngx_posted_next_events);

    return 1;
}


/* the group that is handed over from now on, in this turn or in several */

static void
ngx_http_kafka_producer_go(ngx_http_kafka_producer_t *producer)
{
    if (producer->going) {
        return;
    }

    producer->going = 1;
    producer->group = producer->waiting;
    producer->most = 0;
    producer->quiet = 0;

    producer->handed = ngx_current_msec;
    producer->unheard = 1;
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
        batch->handed = ngx_current_msec;
        batch->clock = producer->metrics.clock;
    }

    while (batch->unsent) {

        if (*turn >= NGX_HTTP_KAFKA_PRODUCER_TURN) {
            return NGX_BUSY;
        }

        (*turn)++;

        record = batch->unsent;
        err = ngx_http_kafka_producer_produce(producer, record);

        if (err == RD_KAFKA_RESP_ERR__QUEUE_FULL && producer->pending) {
            return NGX_AGAIN;
        }

        if (ngx_http_kafka_producer_fatal(producer, err)) {
            return NGX_AGAIN;
        }

        batch->unsent = record->next;

        if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            ngx_http_kafka_batch_fail(record, err,
                                      RD_KAFKA_MSG_STATUS_NOT_PERSISTED);
            ngx_http_kafka_producer_doubt(record, err);
            ngx_http_kafka_metrics_dropped(&producer->metrics, record);
            continue;
        }

        record->state = NGX_HTTP_KAFKA_RECORD_SENT;
        batch->pending++;
        producer->pending++;
        ngx_http_kafka_metrics_sent(&producer->metrics);
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "kafka: batch %p: handed over, %ui reports will come",
                   batch, batch->pending);

    return NGX_OK;
}


/* the event that has the client replaced is on its way */

ngx_uint_t
ngx_http_kafka_producer_fatal(ngx_http_kafka_producer_t *producer,
    rd_kafka_resp_err_t err)
{
    return err == RD_KAFKA_RESP_ERR__FATAL && !producer->closing;
}


void
ngx_http_kafka_producer_doubt(ngx_http_kafka_record_t *record,
    rd_kafka_resp_err_t err)
{
    if (err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART
        || err == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC
        || err == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION)
    {
        ngx_http_kafka_topic_doubt(record->target->topic);
    }
}


rd_kafka_resp_err_t
ngx_http_kafka_producer_produce(ngx_http_kafka_producer_t *producer,
    ngx_http_kafka_record_t *record)
{
    rd_kafka_topic_t  *rkt;

    rkt = ngx_http_kafka_topic_handle(&producer->topics,
                                      record->target->topic, producer->rk);
    if (rkt == NULL) {
        return rd_kafka_last_error();
    }

    return ngx_http_kafka_record_produce(record, producer->rk, rkt);
}


void
ngx_http_kafka_producer_report(ngx_http_kafka_producer_t *producer,
    const rd_kafka_message_t *msg, ngx_uint_t offset_known)
{
    rd_kafka_t               *rk;
    rd_kafka_resp_err_t       err;
    rd_kafka_msg_status_t     persisted;
    ngx_http_kafka_record_t  *record;

    record = msg->_private;
    rk = record->alone ? producer->alone : producer->rk;

    err = ngx_http_kafka_producer_cause(producer, msg);
    persisted = ngx_http_kafka_outcome_persisted(rk, msg,
                                                 producer->conf->retry_backoff,
                                                 producer->conf->idempotent);

    producer->pending--;
    ngx_http_kafka_metrics_reported(&producer->metrics);

    if (record->alone) {
        producer->pending_alone--;
    }

    if (producer->unheard) {
        producer->unheard = 0;
        producer->round = ngx_current_msec - producer->handed;
    }

    if (ngx_http_kafka_producer_endangered(producer, msg)) {
        ngx_http_kafka_producer_save(producer, "a message is overdue");

    } else {
        ngx_http_kafka_producer_gap(producer, msg);
    }

    if (ngx_http_kafka_retry_take(producer, msg, persisted) == NGX_OK) {
        ngx_http_kafka_retry_produce(producer);
        return;
    }

    if (err) {
        ngx_http_kafka_batch_fail(record, err, persisted);
        ngx_http_kafka_producer_doubt(record, err);
        ngx_http_kafka_metrics_failed(&producer->metrics, record);

    } else {
        ngx_http_kafka_producer_acked(producer, msg, offset_known);
    }

    ngx_http_kafka_producer_settle(record->batch);

    ngx_http_kafka_retry_produce(producer);
}


static void
ngx_http_kafka_producer_acked(ngx_http_kafka_producer_t *producer,
    const rd_kafka_message_t *msg, ngx_uint_t offset_known)
{
    ngx_http_kafka_record_t  *record;

    record = msg->_private;

    record->state = NGX_HTTP_KAFKA_RECORD_ACKED;
    record->persisted = RD_KAFKA_MSG_STATUS_PERSISTED;
    record->partition = msg->partition;
    record->offset = offset_known ? msg->offset : -1;
    record->timestamp = rd_kafka_message_timestamp(msg, NULL);
    record->batch->acked++;
    ngx_http_kafka_metrics_acked(&producer->metrics, record);

    producer->served = 1;
    producer->trouble = RD_KAFKA_RESP_ERR_NO_ERROR;

    if (!producer->spent) {
        producer->fatal = RD_KAFKA_RESP_ERR_NO_ERROR;
    }

    if (producer->unreachable
        && rd_kafka_message_broker_id(msg) == producer->unreachable_broker)
    {
        producer->unreachable = RD_KAFKA_RESP_ERR_NO_ERROR;
    }
}


void
ngx_http_kafka_producer_settle(ngx_http_kafka_batch_t *batch)
{
    batch->pending--;

    if (batch->pending == 0 && batch->unsent == NULL) {
        ngx_http_kafka_producer_finish(batch);
    }
}


/* no fatal error for so long: the brokers have changed their mind */

ngx_uint_t
ngx_http_kafka_producer_refused(ngx_http_kafka_producer_t *producer)
{
    return producer->fatal
           && !producer->served
           && (producer->rk == NULL
               || producer->spent
               || ngx_current_msec - producer->opened
                  < 2 * NGX_HTTP_KAFKA_PRODUCER_RETRY);
}


/* a client that ended with a fatal error purges what it holds, or times out */

static rd_kafka_resp_err_t
ngx_http_kafka_producer_cause(ngx_http_kafka_producer_t *producer,
    const rd_kafka_message_t *msg)
{
    rd_kafka_resp_err_t  err;

    err = ngx_http_kafka_outcome_err(msg);

    if (producer->spent
        && producer->fatal
        && (err == RD_KAFKA_RESP_ERR__PURGE_QUEUE
            || err == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT
            || err == RD_KAFKA_RESP_ERR__FATAL))
    {
        return producer->fatal;
    }

    return err;
}


/*
 * When a message times out librdkafka starts its sequence numbers anew, and
 * sends what else was on its way to a broker once more under another number:
 * the broker cannot tell that it has it already.  After silence for as long
 * as the message was given, all that was on its way is overdue, too.
 */

static ngx_uint_t
ngx_http_kafka_producer_endangered(ngx_http_kafka_producer_t *producer,
    const rd_kafka_message_t *msg)
{
    rd_kafka_t               *rk;
    ngx_http_kafka_record_t  *record;

    record = msg->_private;
    rk = record->alone ? producer->alone : producer->rk;

    return msg->err == RD_KAFKA_RESP_ERR__MSG_TIMED_OUT
           && rd_kafka_message_status(msg)
              == RD_KAFKA_MSG_STATUS_POSSIBLY_PERSISTED
           && producer->conf->idempotent
           && !producer->spent
           && ngx_http_kafka_client_idle(rk) + NGX_HTTP_KAFKA_PRODUCER_CLOCKS
              < producer->conf->timeout;
}


/*
 * After any other message that fails for good librdkafka does the same, once
 * all that was on its way has its answer, and sends nothing to any broker
 * before: no harm, unless one of them hangs, or its connection breaks.
 */

static void
ngx_http_kafka_producer_gap(ngx_http_kafka_producer_t *producer,
    const rd_kafka_message_t *msg)
{
    ngx_http_kafka_record_t  *record;

    record = msg->_private;

    if (producer->gap.timer_set) {

        if (!record->alone
            && (ngx_msec_int_t) (record->batch->handed - producer->gap_since)
               <= 0
            && --producer->gap_left == 0)
        {
            ngx_del_timer(&producer->gap);
        }

        return;
    }

    producer->gap_left = producer->pending - producer->pending_alone;

    if (msg->err == RD_KAFKA_RESP_ERR_NO_ERROR
        || record->alone
        || !producer->conf->idempotent
        || producer->spent
        || producer->closing
        || producer->gap_left == 0)
    {
        return;
    }

    producer->gap_since = ngx_current_msec;

    ngx_add_timer(&producer->gap, NGX_HTTP_KAFKA_PRODUCER_GAP);
}


static void
ngx_http_kafka_producer_gap_lasts(ngx_event_t *ev)
{
    ngx_http_kafka_producer_t  *producer;

    producer = ev->data;

    if (!producer->spent) {
        ngx_http_kafka_producer_save(producer, "a message failed while others "
                                     "were long on their way");
    }
}


void
ngx_http_kafka_producer_broken(ngx_http_kafka_producer_t *producer)
{
    if (producer->gap.timer_set && !producer->spent) {
        ngx_http_kafka_producer_save(producer, "a connection broke after a "
                                     "message failed");
    }
}


static void
ngx_http_kafka_producer_save(ngx_http_kafka_producer_t *producer,
    const char *why)
{
    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "kafka producer \"%V\": %s, its client is replaced to "
                  "avoid duplicates", &producer->conf->name, why);

    ngx_http_kafka_producer_replace(producer, RD_KAFKA_RESP_ERR_NO_ERROR);
}


/* first what is not sent, for what is sent may be acknowledged any moment */

void
ngx_http_kafka_producer_replace(ngx_http_kafka_producer_t *producer,
    rd_kafka_resp_err_t fatal)
{
    producer->spent = 1;
    producer->fatal = fatal;
    producer->replaced = ngx_current_msec;

    if (producer->closing) {
        ngx_http_kafka_producer_purge_all(producer, RD_KAFKA_PURGE_F_QUEUE
                                                    |RD_KAFKA_PURGE_F_INFLIGHT);
        return;
    }

    ngx_http_kafka_producer_purge(&producer->purge);
}


static void
ngx_http_kafka_producer_purge(ngx_event_t *ev)
{
    int                         what;
    ngx_http_kafka_producer_t  *producer;

    producer = ev->data;
    what = RD_KAFKA_PURGE_F_QUEUE;

    if (ngx_current_msec - producer->replaced
        >= NGX_HTTP_KAFKA_PRODUCER_SPENT)
    {
        what |= RD_KAFKA_PURGE_F_INFLIGHT;
    }

    ngx_http_kafka_producer_purge_all(producer, what);

    /* and what librdkafka puts back into its queue meanwhile */

    ngx_add_timer(ev, NGX_HTTP_KAFKA_PRODUCER_TICK);
}


static void
ngx_http_kafka_producer_purge_all(ngx_http_kafka_producer_t *producer,
    int what)
{
    (void) rd_kafka_purge(producer->rk, what|RD_KAFKA_PURGE_F_NON_BLOCKING);

    if (producer->alone) {
        (void) rd_kafka_purge(producer->alone,
                              what|RD_KAFKA_PURGE_F_NON_BLOCKING);
    }
}


void
ngx_http_kafka_producer_resume(ngx_http_kafka_producer_t *producer)
{
    if (producer->pending == 0) {

        if (producer->spent) {
            ngx_http_kafka_producer_end(producer);
            producer->spent = 0;

        } else if (ngx_http_kafka_producer_crowded(producer)) {
            ngx_http_kafka_client_large(producer->rk);
            ngx_http_kafka_producer_end(producer);
            ngx_http_kafka_topics_forget(&producer->topics);
        }

        if (producer->rk == NULL && !producer->closing) {

            /* with nothing to send, too: a client also watches the brokers */

            ngx_post_event(&producer->submit, &ngx_posted_events);
        }
    }

    if (producer->again || !ngx_queue_empty(&producer->unsent)) {
        ngx_post_event(&producer->submit, &ngx_posted_events);
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
           && ngx_current_msec - producer->opened
              > NGX_HTTP_KAFKA_PRODUCER_CROWDED
           && !producer->closing;
}


static void
ngx_http_kafka_producer_deadline(ngx_event_t *ev)
{
    rd_kafka_resp_err_t         err;
    ngx_http_kafka_batch_t     *batch;
    ngx_http_kafka_producer_t  *producer;

    batch = ev->data;
    producer = batch->client;

    err = RD_KAFKA_RESP_ERR__QUEUE_FULL;

    if (producer->fatal && (producer->rk == NULL || producer->spent)) {
        err = producer->fatal;
    }

    if (batch->unknown) {
        err = RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN;

        if (ngx_http_kafka_error(producer->trouble)->flags
            & NGX_HTTP_KAFKA_ERROR_CONNECT)
        {
            err = producer->trouble;
        }
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

    producer = batch->client;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "kafka: batch %p: given up: %s", batch,
                   rd_kafka_err2name(err));

    if (batch->unknown) {
        ngx_http_kafka_producer_forget(batch);

        batch->err = err;
        ngx_http_kafka_producer_finish(batch);
        return;
    }

    if (batch->queued) {
        ngx_http_kafka_producer_unqueue(producer, batch);
    }

    for (record = batch->unsent; record; record = record->next) {
        ngx_http_kafka_batch_fail(record, err,
                                  RD_KAFKA_MSG_STATUS_NOT_PERSISTED);
        ngx_http_kafka_metrics_dropped(&producer->metrics, record);
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
ngx_http_kafka_producer_forget(ngx_http_kafka_batch_t *batch)
{
    ngx_http_kafka_target_t  *target;

    for (target = batch->targets; target; target = target->next) {
        ngx_http_kafka_topic_cancel(target);
        ngx_http_kafka_topic_unuse(target);
    }

    batch->unknown = 0;
}


static void
ngx_http_kafka_producer_finish(ngx_http_kafka_batch_t *batch)
{
    ngx_http_kafka_target_t    *target;
    ngx_http_kafka_producer_t  *producer;

    producer = batch->client;

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "kafka: batch %p: done, %ui of %ui messages acknowledged",
                   batch, batch->acked, batch->nrecords);

    ngx_http_kafka_metrics_end(&producer->metrics, batch);

    if (batch->deadline.timer_set) {
        ngx_del_timer(&batch->deadline);
    }

    for (target = batch->targets; target; target = target->next) {
        ngx_http_kafka_topic_unuse(target);
    }

    ngx_queue_remove(&batch->link);

    ngx_http_kafka_producer_answer(batch);
    ngx_http_kafka_batch_release(batch);
}


static void
ngx_http_kafka_producer_answer(ngx_http_kafka_batch_t *batch)
{
    if (batch->acked != batch->nrecords) {
        batch->trouble = ngx_http_kafka_producer_unreachable(batch->client);
    }

    ngx_http_kafka_batch_done(batch);
}


/* of a broker, for the callers whose messages are not acknowledged */

static const char *
ngx_http_kafka_producer_unreachable(ngx_http_kafka_producer_t *producer)
{
    if (producer->unreachable == RD_KAFKA_RESP_ERR_NO_ERROR
        || ngx_current_msec - producer->unreachable_since
           >= NGX_HTTP_KAFKA_PRODUCER_UNREACHABLE)
    {
        return NULL;
    }

    return (producer->unreachable == RD_KAFKA_RESP_ERR__RESOLVE)
           ? "the name that a Kafka broker advertises as its address cannot be "
             "resolved by this server"
           : "a Kafka broker accepts no connection at the address that it "
             "advertises: it is down, or this server cannot reach it there";
}


void
ngx_http_kafka_producer_abort(ngx_http_kafka_producer_t *producer)
{
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

    ngx_http_kafka_producer_timers(producer);

    if (producer->rk) {
        ngx_http_kafka_producer_flush(producer, until);
    }

    ngx_http_kafka_retry_fail(producer);
    ngx_http_kafka_producer_abort(producer);

    if (producer->submit.timer_set) {
        ngx_del_timer(&producer->submit);
    }

    if (producer->submit.posted) {
        ngx_delete_posted_event(&producer->submit);
    }

    if (producer->rk) {
        ngx_http_kafka_producer_destroy(producer, until);
    }

    if (producer->connection) {
        ngx_http_kafka_events_close(producer);
    }

    ngx_http_kafka_topics_close(&producer->topics, until);

    if (producer->client_conf) {
        rd_kafka_conf_destroy(producer->client_conf);
        rd_kafka_conf_destroy(producer->side);
        producer->client_conf = NULL;
        producer->side = NULL;
    }

    if (producer->mock) {
        (void) ngx_http_kafka_client_destroy_until(producer->mock, until);
        producer->mock = NULL;
    }
}


static void
ngx_http_kafka_producer_flush(ngx_http_kafka_producer_t *producer,
    ngx_msec_t until)
{
    while (!producer->spent
           && (producer->pending || !ngx_queue_empty(&producer->unsent)))
    {
        if (!ngx_queue_empty(&producer->unsent)) {
            ngx_http_kafka_producer_submit(&producer->submit);
        }

        ngx_http_kafka_events_wait(producer, until);

        if ((ngx_msec_int_t) (until - ngx_current_msec) <= 0) {
            break;
        }
    }

    if (producer->pending == 0) {
        return;
    }

    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "kafka producer \"%V\": %ui messages were not acknowledged "
                  "before the process had to exit",
                  &producer->conf->name, producer->pending);

    ngx_http_kafka_producer_purge_all(producer, RD_KAFKA_PURGE_F_QUEUE
                                                |RD_KAFKA_PURGE_F_INFLIGHT);

    ngx_http_kafka_events_wait(producer, ngx_current_msec
                                           + NGX_HTTP_KAFKA_PRODUCER_PURGE);
}


static void
ngx_http_kafka_producer_destroy(ngx_http_kafka_producer_t *producer,
    ngx_msec_t until)
{
    ngx_queue_t             *q;
    ngx_http_kafka_batch_t  *batch;

    ngx_http_kafka_topics_release(&producer->topics);
    ngx_http_kafka_producer_queues(producer);

    if ((producer->alone
         && ngx_http_kafka_client_destroy_until(producer->alone, until)
            != NGX_OK)
        || ngx_http_kafka_client_destroy_until(producer->rk, until)
           != NGX_OK)
    {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "kafka producer \"%V\" did not end in time",
                      &producer->conf->name);
        return;
    }

    producer->rk = NULL;

    while (!ngx_queue_empty(&producer->batches)) {
        q = ngx_queue_head(&producer->batches);
        batch = ngx_queue_data(q, ngx_http_kafka_batch_t, link);
        ngx_http_kafka_producer_finish(batch);
    }
}
