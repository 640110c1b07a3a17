
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

/* rk is the handler's from here on; NULL: it could not be made, errstr why */
typedef void (*ngx_http_kafka_client_made_pt)(void *data, rd_kafka_t *rk,
    const char *errstr);


/*
 * The handler is called once, in the event loop, from an event of its own; the
 * task is gone then.  conf is copied.  NULL: no task can be had, the handler
 * will not be called.  Event loop.
 */
ngx_http_kafka_client_task_t *ngx_http_kafka_client_task_start(
    ngx_thread_pool_t *tp, const rd_kafka_conf_t *conf,
    ngx_http_kafka_client_made_pt handler, void *data);

/*
 * As the process exits, when thread pools have ended and no handler is called
 * any longer: frees the task.  Returns its client, which is the caller's, or
 * NULL.
 */
rd_kafka_t *ngx_http_kafka_client_task_end(
    ngx_http_kafka_client_task_t *ct);


#endif /* _NGX_HTTP_KAFKA_CLIENT_TASK_H_INCLUDED_ */
