
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
 * Makes a client in nginx's thread pool: with TLS that takes long enough to be
 * noticed by other requests.
 */


typedef struct ngx_http_kafka_client_task_s  ngx_http_kafka_client_task_t;

/*
 * The handler owns rk from then on.  rk is NULL if the client could not be made
 * for the reason in errstr, which is valid until the handler returns.
 */
typedef void (*ngx_http_kafka_client_made_pt)(void *data, rd_kafka_t *rk,
    const char *errstr);


/*
 * Starts ngx_http_kafka_client_new() with a copy of conf.  The handler is
 * called once, in the event loop, from an event of its own; the task is freed
 * after that.  Returns NULL if no task can be started; the handler is not
 * called then.  Event loop.
 */
ngx_http_kafka_client_task_t *ngx_http_kafka_client_task_start(
    ngx_thread_pool_t *tp, const rd_kafka_conf_t *conf, ngx_uint_t isolated,
    ngx_http_kafka_client_made_pt handler, void *data);

/*
 * Frees the task as the process exits, when thread pools have ended and no
 * handler is called any longer.  Returns its client, which the caller then
 * owns, or NULL.  Event loop.
 */
rd_kafka_t *ngx_http_kafka_client_task_end(
    ngx_http_kafka_client_task_t *ct);


#endif /* _NGX_HTTP_KAFKA_CLIENT_TASK_H_INCLUDED_ */
