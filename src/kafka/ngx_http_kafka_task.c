
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_task.h>


ngx_thread_task_t *
ngx_http_kafka_task_create(size_t size, ngx_http_kafka_task_pt run,
    ngx_event_handler_pt done)
{
    ngx_thread_task_t  *task;

    task = ngx_calloc(sizeof(ngx_thread_task_t) + size, ngx_cycle->log);
    if (task == NULL) {
        return NULL;
    }

    task->ctx = task + 1;
    task->handler = run;
    task->event.handler = done;
    task->event.data = task;
    task->event.log = ngx_cycle->log;

    return task;
}
