
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
 * Looks topics up in the cluster, one by one, in nginx's thread pool.  The
 * client for this has no messages.
 */


/* maximum number of names in a task */
#define NGX_HTTP_KAFKA_LOOKUP_BATCH  100


typedef struct {
    ngx_http_kafka_topic_t      *topic;
    const char                  *name;       /* owned by the topic */
    int32_t                      partitions;
    rd_kafka_resp_err_t          err;
    unsigned                     creation:1; /* brokers may be creating it */
    unsigned                     answered:1;
} ngx_http_kafka_lookup_name_t;


struct ngx_http_kafka_lookup_s {
    void                        *data;       /* for the handler */
    ngx_thread_task_t           *task;       /* its ctx is this structure */
    const rd_kafka_conf_t       *conf;
    rd_kafka_t                  *rk;
    ngx_msec_t                   timeout;
    ngx_uint_t                   nnames;
    ngx_http_kafka_lookup_name_t names[NGX_HTTP_KAFKA_LOOKUP_BATCH];
    char                         error[NGX_HTTP_KAFKA_CLIENT_ERROR];
    unsigned                     slow:1;     /* the last query timed out */
};


/*
 * Creates a look-up without names.  Returns NULL when out of memory.  conf is
 * for the look-up's client and must outlive the look-up.  timeout is that of
 * one query, in milliseconds.  The handler is called in the event loop, with an
 * event whose data is the task, and must free the task.  Event loop.
 */
ngx_http_kafka_lookup_t *ngx_http_kafka_lookup_create(
    const rd_kafka_conf_t *conf, ngx_msec_t timeout,
    ngx_event_handler_pt handler, void *data);

/*
 * adds a topic, which must live until the look-up is done; creation is 1 if
 * brokers may still be creating the topic
 */
void ngx_http_kafka_lookup_add(ngx_http_kafka_lookup_t *lookup,
    ngx_http_kafka_topic_t *topic, ngx_uint_t creation);

/*
 * Starts the look-up.  Until the handler is called, only a thread may use the
 * look-up and its client, rk, which is created if it is NULL.  Returns NGX_OK,
 * or NGX_ERROR if the look-up did not start: the handler will not be called.
 */
ngx_int_t ngx_http_kafka_lookup_post(ngx_http_kafka_lookup_t *lookup,
    ngx_thread_pool_t *tp);


#endif /* _NGX_HTTP_KAFKA_LOOKUP_H_INCLUDED_ */
