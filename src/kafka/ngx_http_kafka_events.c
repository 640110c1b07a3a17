
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_events.h>
#include <sys/eventfd.h>


/* reports served before the loop's other events have their turn */
#define NGX_HTTP_KAFKA_EVENTS_TURN     2000

/* milliseconds to wait at a time, as the process exits; with two queues */
#define NGX_HTTP_KAFKA_EVENTS_WAIT     1000
#define NGX_HTTP_KAFKA_EVENTS_SLICE    10

/* milliseconds for the reports that came before a deadline */
#define NGX_HTTP_KAFKA_DRAIN             100

/* lines of librdkafka's log in a window of milliseconds */
#define NGX_HTTP_KAFKA_LOG_LINES         10
#define NGX_HTTP_KAFKA_LOG_WINDOW        1000

/* bytes for the text of a fatal error */
#define NGX_HTTP_KAFKA_EVENTS_FATAL    512

/* milliseconds before the same trouble is an error of its own again */
#define NGX_HTTP_KAFKA_LOG_AGAIN         10000


static void ngx_http_kafka_events_handler(ngx_event_t *rev);
static ngx_uint_t ngx_http_kafka_events_drain(
    ngx_http_kafka_producer_t *producer, ngx_uint_t max);
static rd_kafka_event_t *ngx_http_kafka_events_poll(
    ngx_http_kafka_producer_t *producer, int timeout);
static ngx_uint_t ngx_http_kafka_events_event(
    ngx_http_kafka_producer_t *producer, rd_kafka_event_t *event);
static ngx_uint_t ngx_http_kafka_events_reports(
    ngx_http_kafka_producer_t *producer, rd_kafka_event_t *event);
static void ngx_http_kafka_events_error(ngx_http_kafka_producer_t *producer,
    rd_kafka_event_t *event);
static void ngx_http_kafka_events_fatal(ngx_http_kafka_producer_t *producer);
static void ngx_http_kafka_events_unreachable(
    ngx_http_kafka_producer_t *producer, rd_kafka_resp_err_t err,
    const char *text);
static ngx_uint_t ngx_http_kafka_events_trouble(
    ngx_http_kafka_producer_t *producer, rd_kafka_resp_err_t err);
static void ngx_http_kafka_events_log(ngx_http_kafka_producer_t *producer,
    rd_kafka_event_t *event);
static ngx_uint_t ngx_http_kafka_events_may_log(
    ngx_http_kafka_producer_t *producer);
static void ngx_http_kafka_events_statistics(
    ngx_http_kafka_producer_t *producer, rd_kafka_event_t *event);


ngx_int_t
ngx_http_kafka_events_open(ngx_http_kafka_producer_t *producer)
{
    int                fd;
    ngx_int_t          event;
    ngx_connection_t  *c;

    fd = eventfd(0, EFD_NONBLOCK|EFD_CLOEXEC);

    if (fd == -1) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, ngx_errno,
                      "eventfd() failed");
        return NGX_ERROR;
    }

    c = ngx_get_connection(fd, ngx_cycle->log);

    if (c == NULL) {
        (void) close(fd);
        return NGX_ERROR;
    }

    c->data = producer;
    c->log = ngx_cycle->log;
    c->read->handler = ngx_http_kafka_events_handler;
    c->read->log = c->log;
    c->write->log = c->log;

    event = (ngx_event_flags & NGX_USE_CLEAR_EVENT) ? NGX_CLEAR_EVENT
                                                    : NGX_LEVEL_EVENT;

    if (ngx_add_event(c->read, NGX_READ_EVENT, event) != NGX_OK) {
        ngx_close_connection(c);
        return NGX_ERROR;
    }

    producer->connection = c;

    return NGX_OK;
}


void
ngx_http_kafka_events_add(ngx_http_kafka_producer_t *producer,
    rd_kafka_queue_t *queue)
{
    uint64_t  payload;

    payload = 1;

    rd_kafka_queue_io_event_enable(queue, producer->connection->fd, &payload,
                                   sizeof(payload));

    /* what was queued before wakes nobody */

    ngx_post_event(producer->connection->read, &ngx_posted_events);
}


void
ngx_http_kafka_events_remove(rd_kafka_queue_t *queue)
{
    rd_kafka_queue_io_event_enable(queue, -1, NULL, 0);
}


void
ngx_http_kafka_events_close(ngx_http_kafka_producer_t *producer)
{
    ngx_close_connection(producer->connection);
    producer->connection = NULL;
}


void
ngx_http_kafka_events_wait(ngx_http_kafka_producer_t *producer,
    ngx_msec_t until)
{
    ngx_msec_int_t     left, wait;
    rd_kafka_event_t  *event;

    while (producer->pending) {
        ngx_time_update();

        left = (ngx_msec_int_t) (until - ngx_current_msec);
        wait = producer->alone_queue ? NGX_HTTP_KAFKA_EVENTS_SLICE
                                     : NGX_HTTP_KAFKA_EVENTS_WAIT;
        wait = ngx_max(ngx_min(left, wait), 0);

        event = ngx_http_kafka_events_poll(producer, (int) wait);

        ngx_http_kafka_metrics_tick(&producer->metrics);

        if (event) {
            (void) ngx_http_kafka_events_event(producer, event);
        }

        /* past the time only what was reported before it is taken */

        if (left <= 0 && (event == NULL || left < -NGX_HTTP_KAFKA_DRAIN)) {
            break;
        }
    }
}


static void
ngx_http_kafka_events_handler(ngx_event_t *rev)
{
    ssize_t                     n;
    uint64_t                    count;
    ngx_connection_t           *c;
    ngx_http_kafka_producer_t  *producer;

    c = rev->data;
    producer = c->data;

    if (c->close) {

        /* worker_shutdown_timeout: the connections of all that wait go too */

        c->close = 0;
        ngx_http_kafka_producer_abort(producer);
        return;
    }

    /* read dry before the queue is served, or a wake-up would be lost */

    n = read(c->fd, &count, sizeof(count));

    if (n == -1 && ngx_errno != NGX_EAGAIN) {
        ngx_log_error(NGX_LOG_ALERT, c->log, ngx_errno,
                      "read() from eventfd failed");
    }

    if (ngx_http_kafka_events_drain(producer, NGX_HTTP_KAFKA_EVENTS_TURN)
        >= NGX_HTTP_KAFKA_EVENTS_TURN)
    {
        ngx_post_event(rev, &ngx_posted_next_events);
    }

    ngx_http_kafka_producer_resume(producer);
}


static ngx_uint_t
ngx_http_kafka_events_drain(ngx_http_kafka_producer_t *producer,
    ngx_uint_t max)
{
    ngx_uint_t         n;
    rd_kafka_event_t  *event;

    if (producer->queue == NULL) {

        /* woken by a client that has ended */

        return 0;
    }

    ngx_http_kafka_metrics_tick(&producer->metrics);

    for (n = 0; n < max; /* void */) {
        event = ngx_http_kafka_events_poll(producer, 0);

        if (event == NULL) {
            break;
        }

        n += ngx_http_kafka_events_event(producer, event);
    }

    return n;
}


/* waits, where it may, for the first queue alone */

static rd_kafka_event_t *
ngx_http_kafka_events_poll(ngx_http_kafka_producer_t *producer, int timeout)
{
    rd_kafka_event_t  *event;

    event = rd_kafka_queue_poll(producer->queue, timeout);

    if (event == NULL && producer->alone_queue) {
        event = rd_kafka_queue_poll(producer->alone_queue, 0);
    }

    return event;
}


/* returns the work done, in reports */

static ngx_uint_t
ngx_http_kafka_events_event(ngx_http_kafka_producer_t *producer,
    rd_kafka_event_t *event)
{
    ngx_uint_t  n;

    n = 1;

    switch (rd_kafka_event_type(event)) {

    case RD_KAFKA_EVENT_DR:
        n = ngx_http_kafka_events_reports(producer, event);
        break;

    case RD_KAFKA_EVENT_ERROR:
        ngx_http_kafka_events_error(producer, event);
        break;

    case RD_KAFKA_EVENT_LOG:
        ngx_http_kafka_events_log(producer, event);
        break;

    case RD_KAFKA_EVENT_STATS:
        ngx_http_kafka_events_statistics(producer, event);
        break;

    default:
        break;
    }

    rd_kafka_event_destroy(event);

    return n;
}


static ngx_uint_t
ngx_http_kafka_events_reports(ngx_http_kafka_producer_t *producer,
    rd_kafka_event_t *event)
{
    ngx_uint_t                 n, known;
    const rd_kafka_message_t  *msg;

    n = 0;
    known = 1;

    while ((msg = rd_kafka_event_message_next(event)) != NULL) {

        /*
         * a batch that the broker calls a duplicate, from a retry, is reported
         * as delivered, with offsets that count up from -1
         */

        if (n++ == 0 && msg->offset < 0) {
            known = 0;
        }

        ngx_http_kafka_producer_report(producer, msg, known);
    }

    return n;
}


static void
ngx_http_kafka_events_error(ngx_http_kafka_producer_t *producer,
    rd_kafka_event_t *event)
{
    ngx_uint_t           level;
    const char          *text;
    rd_kafka_resp_err_t  err;

    err = rd_kafka_event_error(event);
    text = rd_kafka_event_error_string(event);

    if (rd_kafka_event_error_is_fatal(event)) {
        ngx_http_kafka_events_fatal(producer);
        return;
    }

    ngx_http_kafka_producer_broken(producer);

    if (err == RD_KAFKA_RESP_ERR__TRANSPORT
        && ngx_strstr(text, ":SSL routines:"))
    {
        /* TLS 1.3: the broker refuses after the client is done */

        err = RD_KAFKA_RESP_ERR__SSL;
    }

    ngx_http_kafka_events_unreachable(producer, err, text);

    level = ngx_http_kafka_events_trouble(producer, err) ? NGX_LOG_ERR
                                                           : NGX_LOG_INFO;

    if (ngx_http_kafka_events_may_log(producer)) {
        ngx_log_error(level, ngx_cycle->log, 0,
                      "kafka producer \"%V\": %s: %s", &producer->conf->name,
                      rd_kafka_err2name(err), text);
    }
}


/* of either client; the event itself says only that there is one */

static void
ngx_http_kafka_events_fatal(ngx_http_kafka_producer_t *producer)
{
    char                 text[NGX_HTTP_KAFKA_EVENTS_FATAL];
    ngx_uint_t           level;
    rd_kafka_resp_err_t  err;

    if (producer->spent) {
        return;
    }

    text[0] = '\0';
    err = rd_kafka_fatal_error(producer->rk, text, sizeof(text));

    if (err == RD_KAFKA_RESP_ERR_NO_ERROR && producer->alone) {
        err = rd_kafka_fatal_error(producer->alone, text, sizeof(text));
    }

    level = NGX_LOG_INFO;

    if (err != producer->last_fatal
        || ngx_current_msec - producer->fatal_logged
           >= NGX_HTTP_KAFKA_LOG_AGAIN)
    {
        level = NGX_LOG_ERR;
        producer->last_fatal = err;
        producer->fatal_logged = ngx_current_msec;
    }

    if (ngx_http_kafka_events_may_log(producer)) {
        ngx_log_error(level, ngx_cycle->log, 0,
                      "kafka producer \"%V\": fatal error %s: %s; its client "
                      "is replaced", &producer->conf->name,
                      rd_kafka_err2name(err),
                      text);
    }

    ngx_http_kafka_producer_replace(producer, err);
}


/*
 * librdkafka's text begins with the broker's name, "host:port/1: ", which ends
 * in "/bootstrap: " unless the address is one that the broker has advertised.
 */

static void
ngx_http_kafka_events_unreachable(ngx_http_kafka_producer_t *producer,
    rd_kafka_resp_err_t err, const char *text)
{
    u_char     *p, *last;
    ngx_int_t   id;

    if (err != RD_KAFKA_RESP_ERR__RESOLVE
        && (err != RD_KAFKA_RESP_ERR__TRANSPORT
            || ngx_strstr(text, "state CONNECT") == NULL))
    {
        return;
    }

    last = (u_char *) ngx_strstr(text, ": ");

    if (last == NULL) {
        return;
    }

    for (p = last; p > (u_char *) text && p[-1] != '/'; p--) { /* void */ }

    id = ngx_atoi(p, last - p);

    if (id == NGX_ERROR) {
        return;
    }

    producer->unreachable = err;
    producer->unreachable_broker = id;
    producer->unreachable_since = ngx_current_msec;
}


/*
 * Is it news, or what is known already and comes with each attempt to
 * connect?  That a connection broke says less than why it cannot be made.
 */

static ngx_uint_t
ngx_http_kafka_events_trouble(ngx_http_kafka_producer_t *producer,
    rd_kafka_resp_err_t err)
{
    if (err == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
        return 1;
    }

    if (producer->trouble
        && (err == producer->trouble || err == RD_KAFKA_RESP_ERR__TRANSPORT))
    {
        if (ngx_current_msec - producer->told < NGX_HTTP_KAFKA_LOG_AGAIN) {
            return 0;
        }

    } else {
        producer->trouble = err;
    }

    producer->told = ngx_current_msec;

    return 1;
}


static void
ngx_http_kafka_events_log(ngx_http_kafka_producer_t *producer,
    rd_kafka_event_t *event)
{
    int          level;
    const char  *facility, *text;

    if (rd_kafka_event_log(event, &facility, &text, &level) != 0) {
        return;
    }

    /* these are told by error events, too */

    if (ngx_strcmp(facility, "FAIL") == 0
        || ngx_strcmp(facility, "FATAL") == 0)
    {
        return;
    }

    /* syslog's levels are nginx's less one; a broker's fault is no [crit] */

    level = ngx_max(level + 1, NGX_LOG_ERR);

    if (ngx_strcmp(facility, "SSLCERTVRFY") == 0
        && !ngx_http_kafka_events_trouble(producer, RD_KAFKA_RESP_ERR__SSL))
    {
        level = NGX_LOG_INFO;
    }

    if ((ngx_uint_t) level > ngx_cycle->log->log_level
        || !ngx_http_kafka_events_may_log(producer))
    {
        return;
    }

    ngx_log_error((ngx_uint_t) level, ngx_cycle->log, 0,
                  "kafka producer \"%V\": %s: %s", &producer->conf->name,
                  facility,
                  text);
}


/* brokers that stay away, or a debug setting, must not flood the log */

static ngx_uint_t
ngx_http_kafka_events_may_log(ngx_http_kafka_producer_t *producer)
{
    if (ngx_current_msec - producer->log_window >= NGX_HTTP_KAFKA_LOG_WINDOW) {

        if (producer->logged > NGX_HTTP_KAFKA_LOG_LINES) {
            ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                          "kafka producer \"%V\": %ui lines were not logged",
                          &producer->conf->name,
                          producer->logged - NGX_HTTP_KAFKA_LOG_LINES);
        }

        producer->log_window = ngx_current_msec;
        producer->logged = 0;
    }

    return ++producer->logged <= NGX_HTTP_KAFKA_LOG_LINES;
}


static void
ngx_http_kafka_events_statistics(ngx_http_kafka_producer_t *producer,
    rd_kafka_event_t *event)
{
    const char  *text;

    text = rd_kafka_event_stats(event);

    ngx_http_kafka_health_statistics(&producer->health, &producer->metrics,
                                     producer->opened, text,
                                     ngx_strlen(text));
}
