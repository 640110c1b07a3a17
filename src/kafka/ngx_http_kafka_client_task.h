
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_CLIENT_TASK_H_INCLUDED_
#define _NGX_HTTP_KAFKA_CLIENT_TASK_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_thread_pool.h>
#include <librdkafka/rdkafka.h>


/*
 * Creates a client in nginx's thread pool: with TLS that takes long enough to
 * delay other requests noticeably.
 */


typedef struct ngx_http_kafka_client_task_s  ngx_http_kafka_client_task_t;

/*
 * rk is the new client, which the handler then owns, or NULL if it could not be
 * created.  The reason is in errstr, which is valid until the handler returns.
 */
typedef void (*ngx_http_kafka_client_made_pt)(void *data, rd_kafka_t *rk,
    const char *errstr);


/*
 * Calls ngx_http_kafka_client_new() in a thread, with a copy of conf.  The
 * handler is called once, in the event loop and not from this function; then
 * the task is freed.  Returns NULL if the task cannot be started, and does not
 * call the handler then.  Event loop.
 */
ngx_http_kafka_client_task_t *ngx_http_kafka_client_task_start(
    ngx_thread_pool_t *tp, const rd_kafka_conf_t *conf, ngx_uint_t isolated,
    ngx_http_kafka_client_made_pt handler, void *data);

/*
 * Frees the task while the process exits, when thread pools have ended and no
 * handler will be called.  Returns the client, which the caller then owns, or
 * NULL.  Event loop.
 */
rd_kafka_t *ngx_http_kafka_client_task_end(
    ngx_http_kafka_client_task_t *ct);


#endif /* _NGX_HTTP_KAFKA_CLIENT_TASK_H_INCLUDED_ */
