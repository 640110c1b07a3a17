
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_events.h>
#include <sys/eventfd.h>


/* number of reports to serve before the event loop handles other events */
#define NGX_HTTP_KAFKA_EVENTS_TURN   2000

/*
 * milliseconds to wait at a time while the process exits: for a single queue,
 * and for one of several
 */
#define NGX_HTTP_KAFKA_EVENTS_WAIT   1000
#define NGX_HTTP_KAFKA_EVENTS_SLICE  10

/* milliseconds to serve the reports that came before a deadline */
#define NGX_HTTP_KAFKA_EVENTS_LATE   100


static void ngx_http_kafka_events_read_handler(ngx_event_t *rev);
static ngx_uint_t ngx_http_kafka_events_drain(ngx_http_kafka_events_t *events,
    ngx_uint_t max);
static rd_kafka_event_t *ngx_http_kafka_events_poll(
    ngx_http_kafka_events_t *events, int timeout, void **owner);
static ngx_uint_t ngx_http_kafka_events_serve(ngx_http_kafka_events_t *events,
    rd_kafka_event_t *event, void *owner);
static ngx_uint_t ngx_http_kafka_events_reports(
    ngx_http_kafka_events_t *events, rd_kafka_event_t *event, void *owner);
static void ngx_http_kafka_events_error(ngx_http_kafka_events_t *events,
    rd_kafka_event_t *event, void *owner);
static void ngx_http_kafka_events_log(ngx_http_kafka_events_t *events,
    rd_kafka_event_t *event);


ngx_int_t
ngx_http_kafka_events_open(ngx_http_kafka_events_t *events)
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

    c->data = events;
    c->log = ngx_cycle->log;
    c->read->handler = ngx_http_kafka_events_read_handler;
    c->read->log = c->log;
    c->write->log = c->log;

    event = (ngx_event_flags & NGX_USE_CLEAR_EVENT) ? NGX_CLEAR_EVENT
                                                    : NGX_LEVEL_EVENT;

    if (ngx_add_event(c->read, NGX_READ_EVENT, event) != NGX_OK) {
        ngx_close_connection(c);
        return NGX_ERROR;
    }

    events->connection = c;

    return NGX_OK;
}


void
ngx_http_kafka_events_close(ngx_http_kafka_events_t *events)
{
    ngx_close_connection(events->connection);
    events->connection = NULL;
}


void
ngx_http_kafka_events_add(ngx_http_kafka_events_t *events, rd_kafka_t *rk,
    void *owner)
{
    uint64_t                        payload;
    rd_kafka_queue_t               *queue;
    ngx_http_kafka_events_queue_t  *slot;

    /*
     * Queues of clients are not forwarded to a common one: librdkafka would
     * take their messages for those of the other client.
     */

    queue = rd_kafka_queue_get_main(rk);
    (void) rd_kafka_set_log_queue(rk, queue);

    slot = &events->queues[events->nqueues++];
    slot->queue = queue;
    slot->owner = owner;

    payload = 1;

    rd_kafka_queue_io_event_enable(queue, events->connection->fd, &payload,
                                   sizeof(payload));

    /* events that are already queued do not write to the eventfd */

    ngx_post_event(events->connection->read, &ngx_posted_events);
}


void
ngx_http_kafka_events_remove(ngx_http_kafka_events_t *events, void *owner)
{
    ngx_uint_t         i;
    rd_kafka_queue_t  *queue;

    for (i = 0; i < events->nqueues; i++) {

        if (events->queues[i].owner != owner) {
            continue;
        }

        queue = events->queues[i].queue;
        events->queues[i] = events->queues[--events->nqueues];

        rd_kafka_queue_io_event_enable(queue, -1, NULL, 0);
        rd_kafka_queue_destroy(queue);
        return;
    }
}


ngx_int_t
ngx_http_kafka_events_wait(ngx_http_kafka_events_t *events, ngx_msec_t until)
{
    void              *owner;
    ngx_msec_int_t     left, wait;
    rd_kafka_event_t  *event;

    ngx_time_update();

    left = (ngx_msec_int_t) (until - ngx_current_msec);
    wait = (events->nqueues > 1) ? NGX_HTTP_KAFKA_EVENTS_SLICE
                                 : NGX_HTTP_KAFKA_EVENTS_WAIT;
    wait = ngx_max(ngx_min(left, wait), 0);

    event = ngx_http_kafka_events_poll(events, (int) wait, &owner);

    events->handler->begin(events->data);

    if (event) {
        (void) ngx_http_kafka_events_serve(events, event, owner);
    }

    /* when the time is over, serve only the reports that came before */

    if (left <= 0 && (event == NULL || left < -NGX_HTTP_KAFKA_EVENTS_LATE)) {
        return NGX_DONE;
    }

    return NGX_OK;
}


static void
ngx_http_kafka_events_read_handler(ngx_event_t *rev)
{
    ssize_t                   n;
    uint64_t                  count;
    ngx_connection_t         *c;
    ngx_http_kafka_events_t  *events;

    c = rev->data;
    events = c->data;

    if (c->close) {

        /* nginx closes the connections of all waiting requests, too */

        c->close = 0;
        events->handler->abort(events->data);
        return;
    }

    /* read the eventfd before serving the queue, or a wake-up could be lost */

    n = read(c->fd, &count, sizeof(count));

    if (n == -1 && ngx_errno != NGX_EAGAIN) {
        ngx_log_error(NGX_LOG_ALERT, c->log, ngx_errno,
                      "read() from eventfd failed");
    }

    if (ngx_http_kafka_events_drain(events, NGX_HTTP_KAFKA_EVENTS_TURN)
        >= NGX_HTTP_KAFKA_EVENTS_TURN)
    {
        ngx_post_event(rev, &ngx_posted_next_events);
    }

    events->handler->served(events->data);
}


static ngx_uint_t
ngx_http_kafka_events_drain(ngx_http_kafka_events_t *events, ngx_uint_t max)
{
    void              *owner;
    ngx_uint_t         n;
    rd_kafka_event_t  *event;

    if (events->nqueues == 0) {

        /* the event came from a client that has ended */

        return 0;
    }

    events->handler->begin(events->data);

    for (n = 0; n < max; /* void */) {
        event = ngx_http_kafka_events_poll(events, 0, &owner);

        if (event == NULL) {
            break;
        }

        n += ngx_http_kafka_events_serve(events, event, owner);
    }

    return n;
}


/*
 * Returns an event of the next queue that has one, or NULL.  Queues take turns.
 * Waits for timeout milliseconds, but only on the first queue.
 */

static rd_kafka_event_t *
ngx_http_kafka_events_poll(ngx_http_kafka_events_t *events, int timeout,
    void **owner)
{
    ngx_uint_t                      n;
    rd_kafka_event_t               *event;
    ngx_http_kafka_events_queue_t  *slot;

    for (n = 0; n < events->nqueues; n++) {

        if (events->next >= events->nqueues) {
            events->next = 0;
        }

        slot = &events->queues[events->next++];
        event = rd_kafka_queue_poll(slot->queue, n ? 0 : timeout);

        if (event) {
            *owner = slot->owner;
            return event;
        }
    }

    return NULL;
}


/* handles and destroys an event; returns the number of reports, or 1 */

static ngx_uint_t
ngx_http_kafka_events_serve(ngx_http_kafka_events_t *events,
    rd_kafka_event_t *event, void *owner)
{
    ngx_uint_t  n;

    n = 1;

    switch (rd_kafka_event_type(event)) {

    case RD_KAFKA_EVENT_DR:
        n = ngx_http_kafka_events_reports(events, event, owner);
        break;

    case RD_KAFKA_EVENT_ERROR:
        ngx_http_kafka_events_error(events, event, owner);
        break;

    case RD_KAFKA_EVENT_LOG:
        ngx_http_kafka_events_log(events, event);
        break;

    case RD_KAFKA_EVENT_STATS:
        events->handler->statistics(owner, rd_kafka_event_stats(event));
        break;

    default:
        break;
    }

    rd_kafka_event_destroy(event);

    return n;
}


static ngx_uint_t
ngx_http_kafka_events_reports(ngx_http_kafka_events_t *events,
    rd_kafka_event_t *event, void *owner)
{
    ngx_uint_t                 n, known;
    const rd_kafka_message_t  *msg;

    n = 0;
    known = 1;

    while ((msg = rd_kafka_event_message_next(event)) != NULL) {

        /*
         * A batch that the broker calls a duplicate, after a retry, is reported
         * as delivered, with offsets that count up from -1.
         */

        if (n == 0 && msg->offset < 0) {
            known = 0;
        }

        events->handler->report(owner, msg, known, n == 0);
        n++;
    }

    return n;
}


static void
ngx_http_kafka_events_error(ngx_http_kafka_events_t *events,
    rd_kafka_event_t *event, void *owner)
{
    if (rd_kafka_event_error_is_fatal(event)) {
        events->handler->fatal(owner);
        return;
    }

    events->handler->error(owner, rd_kafka_event_error(event),
                           rd_kafka_event_error_string(event));
}


static void
ngx_http_kafka_events_log(ngx_http_kafka_events_t *events,
    rd_kafka_event_t *event)
{
    int          level;
    const char  *facility, *text;

    if (rd_kafka_event_log(event, &facility, &text, &level) != 0) {
        return;
    }

    /* there is an error event for each of these lines */

    if (ngx_strcmp(facility, "FAIL") == 0
        || ngx_strcmp(facility, "FATAL") == 0)
    {
        return;
    }

    events->handler->log(events->data, level, facility, text);
}
