
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_LOOKUP_H_INCLUDED_
#define _NGX_HTTP_KAFKA_LOOKUP_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_thread_pool.h>
#include <ngx_http_kafka_client.h>
#include <ngx_http_kafka_topic.h>


/*
 * Asks the cluster for topics, one by one, in nginx's thread pool, by a client
 * that has no messages.
 */


/* names one task asks for */
#define NGX_HTTP_KAFKA_LOOKUP_BATCH  100


typedef struct {
    ngx_http_kafka_topic_t      *topic;
    const char                  *name;       /* the topic's own */
    int32_t                      partitions;
    rd_kafka_resp_err_t          err;
    unsigned                     creation:1; /* give it time to appear */
    unsigned                     answered:1;
} ngx_http_kafka_lookup_name_t;


struct ngx_http_kafka_lookup_s {
    void                        *data;       /* of the event's handler */
    ngx_thread_task_t           *task;       /* has this as its ctx */
    const rd_kafka_conf_t       *conf;
    rd_kafka_t                  *rk;
    ngx_msec_t                   timeout;
    ngx_uint_t                   nnames;
    ngx_http_kafka_lookup_name_t names[NGX_HTTP_KAFKA_LOOKUP_BATCH];
    char                         error[NGX_HTTP_KAFKA_CLIENT_ERROR];
    unsigned                     slow:1;     /* it gave no answer in time */
};


/*
 * Creates a look-up without names; returns NULL when memory is out.  conf is
 * for its client and must live as long; timeout is that of one question, in
 * milliseconds.  The handler is called in the event loop, with an event whose
 * data is the task, and frees the task.  Event loop.
 */
ngx_http_kafka_lookup_t *ngx_http_kafka_lookup_create(
    const rd_kafka_conf_t *conf, ngx_msec_t timeout,
    ngx_event_handler_pt handler, void *data);

/* adds the name of a topic, which must live until the look-up is done */
void ngx_http_kafka_lookup_add(ngx_http_kafka_lookup_t *lookup,
    ngx_http_kafka_topic_t *topic, ngx_uint_t creation);

/*
 * Starts the look-up: until the handler is called only a thread may use it, and
 * its client, rk, if there is one already.  Returns NGX_OK, or NGX_ERROR: it
 * did not start, and the handler will not be called.
 */
ngx_int_t ngx_http_kafka_lookup_post(ngx_http_kafka_lookup_t *lookup,
    ngx_thread_pool_t *tp);


#endif /* _NGX_HTTP_KAFKA_LOOKUP_H_INCLUDED_ */
