
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_RESOLVE_H_INCLUDED_
#define _NGX_HTTP_KAFKA_RESOLVE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http_kafka_batch.h>
#include <ngx_http_kafka_topic.h>


/*
 * The topics of a batch: nothing of it is sent before all of them are known.
 * Event loop.
 */


/*
 * Finds the topics of a batch's targets.  NGX_OK: all are known.  NGX_AGAIN:
 * some are being looked up; the handler of topics is called for each of these.
 * NGX_DECLINED: the cluster lacks one, batch->err and batch->refused say which.
 * NGX_ERROR: memory is out.  After the last two the batch has no topics.
 */
ngx_int_t ngx_http_kafka_resolve(ngx_http_kafka_topics_t *topics,
    ngx_http_kafka_batch_t *batch);

/* goes on with a target that was looked up; returns as the function above */
ngx_int_t ngx_http_kafka_resolve_next(ngx_http_kafka_topics_t *topics,
    ngx_http_kafka_target_t *target);

/* the batch needs its topics no longer, and waits for none */
void ngx_http_kafka_resolve_cancel(ngx_http_kafka_batch_t *batch);


#endif /* _NGX_HTTP_KAFKA_RESOLVE_H_INCLUDED_ */
