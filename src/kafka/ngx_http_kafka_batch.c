
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_batch.h>
#include <ngx_http_kafka_held.h>
#include <ngx_http_kafka_pool_cache.h>
#include <ngx_http_kafka_topic_name.h>


/*
 * A batch of this many records, or more, is freed in its own turn of the event
 * loop, because that may take some milliseconds.
 */
#define NGX_HTTP_KAFKA_BATCH_LARGE    10000

/* rough size in bytes of a message in librdkafka, without its key */
#define NGX_HTTP_KAFKA_BATCH_MESSAGE  256


static ngx_http_kafka_target_t *ngx_http_kafka_batch_find(
    ngx_http_kafka_batch_t *batch, ngx_str_t *name);
static ngx_http_kafka_target_t *ngx_http_kafka_batch_new_target(
    ngx_http_kafka_batch_t *batch, ngx_str_t *name);
static void ngx_http_kafka_batch_index(ngx_http_kafka_batch_t *batch,
    ngx_http_kafka_target_t *target);
static void ngx_http_kafka_batch_free_later(ngx_http_kafka_batch_t *batch);
static void ngx_http_kafka_batch_free_handler(ngx_event_t *ev);


static ngx_queue_t  ngx_http_kafka_batch_large;  /* batches to be freed */
static ngx_event_t  ngx_http_kafka_batch_free_event;


ngx_http_kafka_batch_t *
ngx_http_kafka_batch_create(ngx_log_t *log)
{
    ngx_pool_t              *pool;
    ngx_http_kafka_batch_t  *batch;

    pool = ngx_http_kafka_pool_cache_get(log);
    if (pool == NULL) {
        return NULL;
    }

    batch = ngx_pcalloc(pool, sizeof(ngx_http_kafka_batch_t));
    if (batch == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    batch->pool = pool;
    batch->last = &batch->records;
    batch->last_target = &batch->targets;
    batch->partition = RD_KAFKA_PARTITION_UA;
    batch->refs = 1;

    ngx_http_kafka_batch_hold(batch, NGX_HTTP_KAFKA_POOL_CACHE_BLOCK);

    return batch;
}


void
ngx_http_kafka_batch_hold(ngx_http_kafka_batch_t *batch, ssize_t size)
{
    batch->size += size;
    ngx_http_kafka_held_add(size);
}


ngx_int_t
ngx_http_kafka_batch_target(ngx_http_kafka_batch_t *batch, ngx_str_t *name,
    ngx_http_kafka_target_t **dst)
{
    ngx_http_kafka_target_t  *target;

    target = batch->target;

    if (target == NULL
        || target->name.len != name->len
        || ngx_memcmp(target->name.data, name->data, name->len) != 0)
    {
        target = ngx_http_kafka_batch_find(batch, name);
    }

    if (target == NULL) {

        if (!ngx_http_kafka_topic_name_valid(name)) {
            return NGX_DECLINED;
        }

        if (batch->ntargets == NGX_HTTP_KAFKA_BATCH_TOPICS) {
            return NGX_BUSY;
        }

        target = ngx_http_kafka_batch_new_target(batch, name);
        if (target == NULL) {
            return NGX_ERROR;
        }
    }

    batch->target = target;
    *dst = target;

    return NGX_OK;
}


/* searches two or more targets: a single one is batch->target */

static ngx_http_kafka_target_t *
ngx_http_kafka_batch_find(ngx_http_kafka_batch_t *batch, ngx_str_t *name)
{
    uint32_t  hash;

    if (batch->ntargets < 2) {
        return NULL;
    }

    hash = ngx_murmur_hash2(name->data, name->len);

    return (ngx_http_kafka_target_t *)
               ngx_str_rbtree_lookup(&batch->tree, name, hash);
}


static ngx_http_kafka_target_t *
ngx_http_kafka_batch_new_target(ngx_http_kafka_batch_t *batch, ngx_str_t *name)
{
    ngx_http_kafka_target_t  *target;

    target = ngx_pcalloc(batch->pool, sizeof(ngx_http_kafka_target_t)
                                      + name->len);
    if (target == NULL) {
        return NULL;
    }

    target->name.len = name->len;
    target->name.data = (u_char *) (target + 1);
    ngx_memcpy(target->name.data, name->data, name->len);

    target->batch = batch;
    target->partition = RD_KAFKA_PARTITION_UA;

    /* most batches have one topic, and need no tree */

    if (batch->ntargets == 1) {
        ngx_rbtree_init(&batch->tree, &batch->sentinel,
                        ngx_str_rbtree_insert_value);
        ngx_http_kafka_batch_index(batch, batch->targets);
    }

    if (batch->ntargets) {
        ngx_http_kafka_batch_index(batch, target);
    }

    *batch->last_target = target;
    batch->last_target = &target->next;
    batch->ntargets++;

    ngx_http_kafka_batch_hold(batch, name->len);

    return target;
}


static void
ngx_http_kafka_batch_index(ngx_http_kafka_batch_t *batch,
    ngx_http_kafka_target_t *target)
{
    target->node.str = target->name;
    target->node.node.key = ngx_murmur_hash2(target->name.data,
                                             target->name.len);

    ngx_rbtree_insert(&batch->tree, &target->node.node);
}


ngx_http_kafka_record_t *
ngx_http_kafka_batch_record(ngx_http_kafka_batch_t *batch)
{
    ngx_http_kafka_record_t  *record;

    record = ngx_pcalloc(batch->pool, sizeof(ngx_http_kafka_record_t));

    if (record) {
        record->partition = RD_KAFKA_PARTITION_UA;
    }

    return record;
}


ngx_http_kafka_header_t *
ngx_http_kafka_batch_header(ngx_http_kafka_batch_t *batch)
{
    /* librdkafka has a copy */

    ngx_http_kafka_batch_hold(batch, 2 * sizeof(ngx_http_kafka_header_t));

    return ngx_pcalloc(batch->pool, sizeof(ngx_http_kafka_header_t));
}


ngx_int_t
ngx_http_kafka_batch_copy(ngx_http_kafka_batch_t *batch, ngx_str_t *dst,
    const u_char *data, size_t len)
{
    dst->data = ngx_pnalloc(batch->pool, ngx_max(len, 1));
    if (dst->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(dst->data, data, len);
    dst->len = len;

    ngx_http_kafka_batch_hold(batch, len);

    return NGX_OK;
}


void
ngx_http_kafka_batch_add(ngx_http_kafka_batch_t *batch,
    ngx_http_kafka_record_t *record)
{
    size_t  size;

    record->batch = batch;

    if (record->key.data == NULL || batch->force_key) {
        record->key = batch->key;
    }

    if (record->partition == RD_KAFKA_PARTITION_UA || batch->force_partition) {
        record->partition = batch->partition;
    }

    size = ngx_http_kafka_record_size(record);
    batch->largest = ngx_max(batch->largest, size);
    batch->names += record->target->name.len;
    batch->bytes += record->key.len + record->value.len;

    if (record->target->partition < record->partition) {
        record->target->partition = record->partition;
    }

    *batch->last = record;
    batch->last = &record->next;
    batch->nrecords++;

    ngx_http_kafka_batch_hold(batch, sizeof(ngx_http_kafka_record_t)
                                     + NGX_HTTP_KAFKA_BATCH_MESSAGE);
}


ngx_http_kafka_record_t *
ngx_http_kafka_batch_offending(ngx_http_kafka_batch_t *batch, ngx_uint_t *index)
{
    ngx_uint_t                i;
    ngx_http_kafka_record_t  *record;

    i = 0;

    for (record = batch->records; record; record = record->next) {

        if (record == batch->offending) {
            break;
        }

        if (batch->offending == NULL
            && record->target == batch->refused
            && (batch->err != RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION
                || record->partition == batch->refused->partition))
        {
            break;
        }

        i++;
    }

    *index = i;

    return record;
}


ngx_msec_int_t
ngx_http_kafka_batch_left(ngx_http_kafka_batch_t *batch)
{
    if (!batch->deadline.timer_set) {
        return 0;
    }

    return (ngx_msec_int_t) (batch->deadline.timer.key - ngx_current_msec);
}


void
ngx_http_kafka_batch_leave(ngx_http_kafka_batch_t *batch)
{
    batch->handler = NULL;
    ngx_http_kafka_batch_release(batch);
}


void
ngx_http_kafka_batch_done(ngx_http_kafka_batch_t *batch)
{
    ngx_http_kafka_batch_handler_pt  handler;

    handler = batch->handler;

    if (handler) {
        batch->handler = NULL;
        handler(batch);
    }
}


void
ngx_http_kafka_batch_release(ngx_http_kafka_batch_t *batch)
{
    if (--batch->refs == 0) {
        ngx_http_kafka_held_add(-(ssize_t) batch->size);

        if (batch->nrecords >= NGX_HTTP_KAFKA_BATCH_LARGE) {
            ngx_http_kafka_batch_free_later(batch);
            return;
        }

        ngx_http_kafka_pool_cache_put(batch->pool);
    }
}


static void
ngx_http_kafka_batch_free_later(ngx_http_kafka_batch_t *batch)
{
    ngx_event_t  *ev;

    ev = &ngx_http_kafka_batch_free_event;

    if (ev->handler == NULL) {
        ngx_queue_init(&ngx_http_kafka_batch_large);
        ev->handler = ngx_http_kafka_batch_free_handler;
        ev->log = ngx_cycle->log;
    }

    ngx_queue_insert_tail(&ngx_http_kafka_batch_large, &batch->queue);

    ngx_post_event(ev, &ngx_posted_next_events);
}


static void
ngx_http_kafka_batch_free_handler(ngx_event_t *ev)
{
    ngx_queue_t             *q;
    ngx_http_kafka_batch_t  *batch;

    q = ngx_queue_head(&ngx_http_kafka_batch_large);
    batch = ngx_queue_data(q, ngx_http_kafka_batch_t, queue);

    ngx_queue_remove(q);
    ngx_destroy_pool(batch->pool);

    if (!ngx_queue_empty(&ngx_http_kafka_batch_large)) {
        ngx_post_event(ev, &ngx_posted_next_events);
    }
}
