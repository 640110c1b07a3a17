
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_replace.h>
#include <ngx_http_kafka_batch.h>
#include <ngx_http_kafka_client.h>
#include <ngx_http_kafka_lane.h>


/* milliseconds that two clocks, one of them a coarse one, may differ */
#define NGX_HTTP_KAFKA_REPLACE_CLOCKS  20

/* milliseconds: a draining client's acknowledgements are waited for that long,
   and what it puts back into its queue is purged that often */
#define NGX_HTTP_KAFKA_REPLACE_DRAIN   500
#define NGX_HTTP_KAFKA_REPLACE_TICK    10

/* milliseconds for what was on its way as another message failed */
#define NGX_HTTP_KAFKA_REPLACE_GAP     1000


static ngx_uint_t ngx_http_kafka_replace_overdue(
    ngx_http_kafka_replace_t *replace, const rd_kafka_message_t *msg);
static void ngx_http_kafka_replace_seq_gap(ngx_http_kafka_replace_t *replace,
    const rd_kafka_message_t *msg, ngx_uint_t pending);
static void ngx_http_kafka_replace_seq_gap_handler(ngx_event_t *ev);
static void ngx_http_kafka_replace_save(ngx_http_kafka_replace_t *replace,
    const char *why);
static void ngx_http_kafka_replace_purge_handler(ngx_event_t *ev);
static void ngx_http_kafka_replace_timers(ngx_http_kafka_replace_t *replace);


void
ngx_http_kafka_replace_init(ngx_http_kafka_replace_t *replace,
    ngx_http_kafka_clients_t *clients)
{
    replace->clients = clients;

    replace->purge.handler = ngx_http_kafka_replace_purge_handler;
    replace->purge.data = replace;
    replace->purge.log = ngx_cycle->log;
    replace->purge.cancelable = 1;

    replace->seq_gap.handler = ngx_http_kafka_replace_seq_gap_handler;
    replace->seq_gap.data = replace;
    replace->seq_gap.log = ngx_cycle->log;
    replace->seq_gap.cancelable = 1;
}


void
ngx_http_kafka_replace_reported(ngx_http_kafka_replace_t *replace,
    const rd_kafka_message_t *msg, ngx_uint_t pending)
{
    if (ngx_http_kafka_replace_overdue(replace, msg)) {
        ngx_http_kafka_replace_save(replace, "a message is overdue");
        return;
    }

    ngx_http_kafka_replace_seq_gap(replace, msg, pending);
}


/*
 * When a message times out librdkafka starts its sequence numbers anew, and
 * sends what else was on its way to a broker once more under another number:
 * the broker cannot tell that it has it already.  After silence for as long
 * as the message was given, all that was on its way is overdue, too.
 */

static ngx_uint_t
ngx_http_kafka_replace_overdue(ngx_http_kafka_replace_t *replace,
    const rd_kafka_message_t *msg)
{
    rd_kafka_t                *rk;
    ngx_http_kafka_conf_t     *conf;
    ngx_http_kafka_record_t   *record;
    ngx_http_kafka_clients_t  *clients;

    if (msg->err != RD_KAFKA_RESP_ERR__MSG_TIMED_OUT) {
        return 0;
    }

    record = msg->_private;
    clients = replace->clients;
    conf = clients->conf;
    rk = record->isolated ? clients->isolated : clients->rk;

    return rd_kafka_message_status(msg)
           == RD_KAFKA_MSG_STATUS_POSSIBLY_PERSISTED
           && conf->idempotent
           && !replace->draining
           && ngx_http_kafka_client_idle(rk) + NGX_HTTP_KAFKA_REPLACE_CLOCKS
              < conf->timeout;
}


/*
 * After any other message that fails for good librdkafka does the same, once
 * all that was on its way has its answer, and sends nothing to any broker
 * before: no harm, unless one of them hangs, or its connection breaks.
 */

static void
ngx_http_kafka_replace_seq_gap(ngx_http_kafka_replace_t *replace,
    const rd_kafka_message_t *msg, ngx_uint_t pending)
{
    ngx_http_kafka_record_t  *record;

    record = msg->_private;

    if (replace->seq_gap.timer_set) {

        if (!record->isolated
            && (ngx_msec_int_t) (record->lane->submitted_at
                                 - replace->seq_gap_since)
               <= 0
            && --replace->seq_gap_left == 0)
        {
            ngx_del_timer(&replace->seq_gap);
        }

        return;
    }

    if (msg->err == RD_KAFKA_RESP_ERR_NO_ERROR
        || record->isolated
        || pending == 0
        || !replace->clients->conf->idempotent
        || replace->draining
        || replace->closing)
    {
        return;
    }

    replace->seq_gap_left = pending;
    replace->seq_gap_since = ngx_current_msec;

    ngx_add_timer(&replace->seq_gap, NGX_HTTP_KAFKA_REPLACE_GAP);
}


static void
ngx_http_kafka_replace_seq_gap_handler(ngx_event_t *ev)
{
    ngx_http_kafka_replace_t  *replace;

    replace = ev->data;

    if (!replace->draining) {
        ngx_http_kafka_replace_save(replace, "a message failed while others "
                                    "were long on their way");
    }
}


void
ngx_http_kafka_replace_disconnected(ngx_http_kafka_replace_t *replace)
{
    if (replace->seq_gap.timer_set && !replace->draining) {
        ngx_http_kafka_replace_save(replace, "a connection broke after a "
                                    "message failed");
    }
}


static void
ngx_http_kafka_replace_save(ngx_http_kafka_replace_t *replace,
    const char *why)
{
    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "kafka producer \"%V\": %s, its client is replaced to "
                  "avoid duplicates", &replace->clients->conf->name, why);

    ngx_http_kafka_replace_start(replace, RD_KAFKA_RESP_ERR_NO_ERROR);
}


/* first what is not sent, for what is sent may be acknowledged any moment */

void
ngx_http_kafka_replace_start(ngx_http_kafka_replace_t *replace,
    rd_kafka_resp_err_t fatal)
{
    replace->draining = 1;
    replace->fatal = fatal;
    replace->since = ngx_current_msec;

    if (replace->closing) {
        ngx_http_kafka_clients_purge(replace->clients,
                                     RD_KAFKA_PURGE_F_QUEUE
                                     |RD_KAFKA_PURGE_F_INFLIGHT);
        return;
    }

    ngx_http_kafka_replace_purge_handler(&replace->purge);
}


static void
ngx_http_kafka_replace_purge_handler(ngx_event_t *ev)
{
    int                        what;
    ngx_http_kafka_replace_t  *replace;

    replace = ev->data;
    what = RD_KAFKA_PURGE_F_QUEUE;

    if (ngx_current_msec - replace->since >= NGX_HTTP_KAFKA_REPLACE_DRAIN) {
        what |= RD_KAFKA_PURGE_F_INFLIGHT;
    }

    ngx_http_kafka_clients_purge(replace->clients, what);

    /* and what librdkafka puts back into its queue meanwhile */

    ngx_add_timer(ev, NGX_HTTP_KAFKA_REPLACE_TICK);
}


void
ngx_http_kafka_replace_done(ngx_http_kafka_replace_t *replace)
{
    ngx_http_kafka_replace_timers(replace);

    replace->draining = 0;
}


static void
ngx_http_kafka_replace_timers(ngx_http_kafka_replace_t *replace)
{
    if (replace->purge.timer_set) {
        ngx_del_timer(&replace->purge);
    }

    if (replace->seq_gap.timer_set) {
        ngx_del_timer(&replace->seq_gap);
    }
}


/* no fatal error for so long: the brokers have changed their mind */

ngx_uint_t
ngx_http_kafka_replace_refused(ngx_http_kafka_replace_t *replace)
{
    ngx_http_kafka_clients_t  *clients;

    clients = replace->clients;

    return replace->fatal
           && !clients->served
           && (clients->rk == NULL
               || replace->draining
               || ngx_current_msec - clients->opened
                  < 2 * NGX_HTTP_KAFKA_CLIENTS_REOPEN);
}


void
ngx_http_kafka_replace_close(ngx_http_kafka_replace_t *replace)
{
    replace->closing = 1;

    ngx_http_kafka_replace_timers(replace);
}
