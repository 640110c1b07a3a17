
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_connectivity.h>
#include <ngx_http_kafka_errors.h>


/* lines that are logged in a window, and its length in milliseconds */
#define NGX_HTTP_KAFKA_LOG_LINES      10
#define NGX_HTTP_KAFKA_LOG_WINDOW     1000

/* milliseconds until the same cause is logged again at the level "error" */
#define NGX_HTTP_KAFKA_LOG_REPEAT     10000

/* milliseconds; librdkafka repeats a persistent error every 30 s */
#define NGX_HTTP_KAFKA_UNREACHABLE    40000


static void ngx_http_kafka_connectivity_unreachable(
    ngx_http_kafka_connectivity_t *cn, rd_kafka_resp_err_t err,
    const char *text);
static void ngx_http_kafka_connectivity_report(
    ngx_http_kafka_connectivity_t *cn, rd_kafka_resp_err_t err,
    const char *name, const char *text);
static ngx_uint_t ngx_http_kafka_connectivity_known(
    ngx_http_kafka_connectivity_t *cn, rd_kafka_resp_err_t err);
static ngx_uint_t ngx_http_kafka_connectivity_may_log(
    ngx_http_kafka_connectivity_t *cn, ngx_uint_t level);


void
ngx_http_kafka_connectivity_error(ngx_http_kafka_connectivity_t *cn,
    rd_kafka_resp_err_t err, const char *text)
{
    if (err == RD_KAFKA_RESP_ERR__TRANSPORT
        && ngx_strstr(text, ":SSL routines:"))
    {
        /*
         * with TLS 1.3, a broker may refuse the client after the client's
         * handshake is complete
         */

        err = RD_KAFKA_RESP_ERR__SSL;
    }

    ngx_http_kafka_connectivity_unreachable(cn, err, text);

    ngx_http_kafka_connectivity_report(cn, err, rd_kafka_err2name(err), text);
}


/*
 * librdkafka's text begins with the broker's name, such as "host:port/1: ".
 * The name ends in the broker's id only if the broker has advertised this
 * address; that of a bootstrap server ends in "/bootstrap".
 */

static void
ngx_http_kafka_connectivity_unreachable(ngx_http_kafka_connectivity_t *cn,
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

    cn->unreachable = err;
    cn->unreachable_broker = id;
    cn->unreachable_since = ngx_current_msec;
}


static void
ngx_http_kafka_connectivity_report(ngx_http_kafka_connectivity_t *cn,
    rd_kafka_resp_err_t err, const char *name, const char *text)
{
    ngx_uint_t  level, known;

    known = ngx_http_kafka_connectivity_known(cn, err);
    level = known ? NGX_LOG_INFO : NGX_LOG_ERR;

    if (!ngx_http_kafka_connectivity_may_log(cn, level)) {
        return;
    }

    ngx_log_error(level, ngx_cycle->log, 0, "kafka producer \"%V\": %s: %s",
                  cn->name, name, text);

    if (known) {
        return;
    }

    if (err == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
        cn->down_logged = ngx_max(ngx_current_msec, 1);
        return;
    }

    cn->logged_error = cn->last_error;
    cn->error_logged = ngx_current_msec;
}


/*
 * Returns 1 if the error was logged at the level "error" a short time ago.
 * Each connection attempt and each client repeat it.  A broken connection
 * (_TRANSPORT) does not replace an earlier error that says why connections
 * cannot be made.
 */

static ngx_uint_t
ngx_http_kafka_connectivity_known(ngx_http_kafka_connectivity_t *cn,
    rd_kafka_resp_err_t err)
{
    if (err == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
        return cn->down_logged
               && ngx_current_msec - cn->down_logged
                  < NGX_HTTP_KAFKA_LOG_REPEAT;
    }

    if (cn->last_error == RD_KAFKA_RESP_ERR_NO_ERROR
        || err != RD_KAFKA_RESP_ERR__TRANSPORT)
    {
        cn->last_error = err;
    }

    return cn->logged_error == cn->last_error
           && ngx_current_msec - cn->error_logged < NGX_HTTP_KAFKA_LOG_REPEAT;
}


void
ngx_http_kafka_connectivity_fatal(ngx_http_kafka_connectivity_t *cn,
    rd_kafka_resp_err_t err, const char *text)
{
    ngx_uint_t  level;

    level = NGX_LOG_INFO;

    if (err != cn->logged_fatal
        || ngx_current_msec - cn->fatal_logged >= NGX_HTTP_KAFKA_LOG_REPEAT)
    {
        level = NGX_LOG_ERR;
    }

    if (!ngx_http_kafka_connectivity_may_log(cn, level)) {
        return;
    }

    ngx_log_error(level, ngx_cycle->log, 0,
                  "kafka producer \"%V\": fatal error %s: %s; its client "
                  "is replaced", cn->name, rd_kafka_err2name(err), text);

    if (level == NGX_LOG_ERR) {
        cn->logged_fatal = err;
        cn->fatal_logged = ngx_current_msec;
    }
}


void
ngx_http_kafka_connectivity_log(ngx_http_kafka_connectivity_t *cn, int level,
    const char *facility, const char *text)
{
    if (ngx_strcmp(facility, "SSLCERTVRFY") == 0) {
        ngx_http_kafka_connectivity_report(cn, RD_KAFKA_RESP_ERR__SSL,
                                           facility, text);
        return;
    }

    if (ngx_strcmp(facility, "CONFWARN") == 0
        && ngx_strstr(text, "enable.gapless.guarantee"))
    {
        /* librdkafka warns for each client: the property is experimental */

        return;
    }

    /*
     * nginx's level is syslog's plus 1; a broker's failure is at most [error]
     */

    level = ngx_max(level + 1, NGX_LOG_ERR);

    if (!ngx_http_kafka_connectivity_may_log(cn, level)) {
        return;
    }

    ngx_log_error((ngx_uint_t) level, ngx_cycle->log, 0,
                  "kafka producer \"%V\": %s: %s", cn->name, facility, text);
}


/*
 * Limits the lines per window, so that an outage or a debug setting does not
 * flood the log.  Lines that error_log discards because of their level do not
 * count.
 */

static ngx_uint_t
ngx_http_kafka_connectivity_may_log(ngx_http_kafka_connectivity_t *cn,
    ngx_uint_t level)
{
    if (level > ngx_cycle->log->log_level) {
        return 0;
    }

    if (ngx_current_msec - cn->log_window >= NGX_HTTP_KAFKA_LOG_WINDOW) {

        if (cn->log_lines > NGX_HTTP_KAFKA_LOG_LINES) {
            ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                          "kafka producer \"%V\": %ui lines were not logged",
                          cn->name, cn->log_lines - NGX_HTTP_KAFKA_LOG_LINES);
        }

        cn->log_window = ngx_current_msec;
        cn->log_lines = 0;
    }

    return ++cn->log_lines <= NGX_HTTP_KAFKA_LOG_LINES;
}


void
ngx_http_kafka_connectivity_acked(ngx_http_kafka_connectivity_t *cn,
    const rd_kafka_message_t *msg)
{
    cn->last_error = RD_KAFKA_RESP_ERR_NO_ERROR;
    cn->logged_error = RD_KAFKA_RESP_ERR_NO_ERROR;
    cn->down_logged = 0;

    if (cn->unreachable
        && rd_kafka_message_broker_id(msg) == cn->unreachable_broker)
    {
        cn->unreachable = RD_KAFKA_RESP_ERR_NO_ERROR;
    }
}


rd_kafka_resp_err_t
ngx_http_kafka_connectivity_cause(ngx_http_kafka_connectivity_t *cn)
{
    return (ngx_http_kafka_error(cn->last_error)->flags
            & NGX_HTTP_KAFKA_ERROR_CONNECT)
           ? cn->last_error : RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN;
}


const char *
ngx_http_kafka_connectivity_text(ngx_http_kafka_connectivity_t *cn)
{
    if (cn->unreachable == RD_KAFKA_RESP_ERR_NO_ERROR
        || ngx_current_msec - cn->unreachable_since
           >= NGX_HTTP_KAFKA_UNREACHABLE)
    {
        return NULL;
    }

    return (cn->unreachable == RD_KAFKA_RESP_ERR__RESOLVE)
           ? "the name that a Kafka broker advertises as its address cannot be "
             "resolved by this server"
           : "a Kafka broker accepts no connection at the address that it "
             "advertises: it is down, or this server cannot reach it there";
}
