
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_TASK_H_INCLUDED_
#define _NGX_HTTP_KAFKA_TASK_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_thread_pool.h>


typedef void (*ngx_http_kafka_task_pt)(void *data, ngx_log_t *log);


/*
 * Creates a task for nginx's thread pool, with size zeroed bytes at task->ctx.
 * A thread calls run with task->ctx.  Then the event loop calls done with an
 * event whose data is the task; from then on the caller owns the task again,
 * and must free it by ngx_free().  Returns NULL when out of memory.  Event
 * loop.
 */
ngx_thread_task_t *ngx_http_kafka_task_create(size_t size,
    ngx_http_kafka_task_pt run, ngx_event_handler_pt done);


#endif /* _NGX_HTTP_KAFKA_TASK_H_INCLUDED_ */
