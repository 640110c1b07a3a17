
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
 * Resolves the topics of a batch.  Nothing of the batch is sent before all of
 * its topics are known.  Event loop.
 */


/*
 * Finds the topics of a batch's targets.  Returns NGX_OK if all are known.
 * NGX_AGAIN if some are being looked up; the handler of topics is called for
 * each of these.  NGX_DECLINED if the cluster lacks or denies a topic or
 * partition; batch->err and batch->refused say which.  NGX_ERROR when out of
 * memory.  After the last two, the batch holds no topics.
 */
ngx_int_t ngx_http_kafka_resolve(ngx_http_kafka_topics_t *topics,
    ngx_http_kafka_batch_t *batch);

/* continues with a target that was looked up; returns as the function above */
ngx_int_t ngx_http_kafka_resolve_next(ngx_http_kafka_topics_t *topics,
    ngx_http_kafka_target_t *target);

/* releases the batch's topics, and stops waiting for look-ups */
void ngx_http_kafka_resolve_cancel(ngx_http_kafka_batch_t *batch);


#endif /* _NGX_HTTP_KAFKA_RESOLVE_H_INCLUDED_ */
