
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_resolve.h>


/* names of a batch to look up at a time, so that others get their turn */
#define NGX_HTTP_KAFKA_RESOLVE_NAMES  16


ngx_int_t
ngx_http_kafka_resolve(ngx_http_kafka_topics_t *topics,
    ngx_http_kafka_batch_t *batch)
{
    ngx_int_t                 rc;
    ngx_http_kafka_target_t  *target;

    for (target = batch->targets; target; target = target->next) {

        if (target->topic) {
            continue;
        }

        if (batch->unknown == NGX_HTTP_KAFKA_RESOLVE_NAMES) {
            break;
        }

        rc = ngx_http_kafka_topic_resolve(topics, target, &batch->err);

        if (rc == NGX_AGAIN) {
            batch->unknown++;
            continue;
        }

        if (rc != NGX_OK) {
            batch->refused = target;
            ngx_http_kafka_resolve_cancel(batch);
            return rc;
        }
    }

    return batch->unknown ? NGX_AGAIN : NGX_OK;
}


ngx_int_t
ngx_http_kafka_resolve_next(ngx_http_kafka_topics_t *topics,
    ngx_http_kafka_target_t *target)
{
    ngx_int_t                rc;
    ngx_http_kafka_batch_t  *batch;

    batch = target->batch;
    batch->unknown--;

    rc = ngx_http_kafka_topic_resolve(topics, target, &batch->err);

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "kafka: batch %p: topic \"%V\" was looked up: %i, %s",
                   batch, &target->name, rc, rd_kafka_err2name(batch->err));

    switch (rc) {

    case NGX_OK:
        return batch->unknown ? NGX_AGAIN
                              : ngx_http_kafka_resolve(topics, batch);

    case NGX_AGAIN:
        batch->unknown++;
        return NGX_AGAIN;

    default: /* NGX_DECLINED, NGX_ERROR */

        /* an absent topic decides: the other look-ups need not be awaited */

        batch->refused = target;
        ngx_http_kafka_resolve_cancel(batch);
        return rc;
    }
}


void
ngx_http_kafka_resolve_cancel(ngx_http_kafka_batch_t *batch)
{
    ngx_http_kafka_target_t  *target;

    for (target = batch->targets; target; target = target->next) {
        ngx_http_kafka_topic_cancel(target);
        ngx_http_kafka_topic_unuse(target);
    }

    batch->unknown = 0;
}
