
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_batch.h>


#define NGX_HTTP_KAFKA_BATCH_POOL_SIZE  2048

/* pools kept for the next batches: as many as a busy worker has at a time */
#define NGX_HTTP_KAFKA_BATCH_POOLS      512

/* records from which on a batch is freed in a turn of its own: it may take
   the loop some milliseconds */
#define NGX_HTTP_KAFKA_BATCH_LARGE      10000

/* bytes that librdkafka takes for a message beside its key, about */
#define NGX_HTTP_KAFKA_BATCH_MESSAGE    256


/* what librdkafka adds to a record's size: lengths, timestamp, attributes */
#define NGX_HTTP_KAFKA_BATCH_OVERHEAD   36


static ngx_pool_t *ngx_http_kafka_batch_pool(ngx_log_t *log);
static void ngx_http_kafka_batch_free(ngx_pool_t *pool);
static void ngx_http_kafka_batch_free_later(ngx_http_kafka_batch_t *batch);
static void ngx_http_kafka_batch_free_spent(ngx_event_t *ev);
static size_t ngx_http_kafka_batch_varint(size_t len);


static size_t       ngx_http_kafka_batch_own;
static size_t      *ngx_http_kafka_batch_total = &ngx_http_kafka_batch_own;

static ngx_pool_t  *ngx_http_kafka_batch_pools[NGX_HTTP_KAFKA_BATCH_POOLS];
static ngx_uint_t   ngx_http_kafka_batch_npools;

static ngx_queue_t  ngx_http_kafka_batch_spent;  /* to be freed later */
static ngx_event_t  ngx_http_kafka_batch_free_event;


ngx_http_kafka_batch_t *
ngx_http_kafka_batch_create(ngx_log_t *log)
{
    ngx_pool_t              *pool;
    ngx_http_kafka_batch_t  *batch;

    pool = ngx_http_kafka_batch_pool(log);
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
    batch->refs = 1;

    ngx_http_kafka_batch_hold(batch, NGX_HTTP_KAFKA_BATCH_POOL_SIZE);

    return batch;
}


static ngx_pool_t *
ngx_http_kafka_batch_pool(ngx_log_t *log)
{
    ngx_pool_t  *pool;

    if (ngx_http_kafka_batch_npools == 0) {
        return ngx_create_pool(NGX_HTTP_KAFKA_BATCH_POOL_SIZE, log);
    }

    pool = ngx_http_kafka_batch_pools[--ngx_http_kafka_batch_npools];
    pool->log = log;

    return pool;
}


/* a pool that has never grown is as good as new */

static void
ngx_http_kafka_batch_free(ngx_pool_t *pool)
{
    if (pool->d.next || pool->large || pool->cleanup
        || ngx_http_kafka_batch_npools == NGX_HTTP_KAFKA_BATCH_POOLS)
    {
        ngx_destroy_pool(pool);
        return;
    }

    ngx_reset_pool(pool);

    ngx_http_kafka_batch_pools[ngx_http_kafka_batch_npools++] = pool;
}


void
ngx_http_kafka_batch_hold(ngx_http_kafka_batch_t *batch, ssize_t size)
{
    batch->size += size;
    *ngx_http_kafka_batch_total += size;
}


size_t
ngx_http_kafka_batch_held(void)
{
    return *ngx_http_kafka_batch_total;
}


void
ngx_http_kafka_batch_share(size_t *held)
{
    if (held == NULL) {
        held = &ngx_http_kafka_batch_own;
    }

    *held = *ngx_http_kafka_batch_total;
    ngx_http_kafka_batch_total = held;
}


ngx_http_kafka_target_t *
ngx_http_kafka_batch_target(ngx_http_kafka_batch_t *batch, ngx_str_t *name)
{
    ngx_http_kafka_target_t  *target;

    target = batch->target;

    if (target
        && target->name.len == name->len
        && ngx_memcmp(target->name.data, name->data, name->len) == 0)
    {
        return target;
    }

    target = ngx_pcalloc(batch->pool, sizeof(ngx_http_kafka_target_t));
    if (target == NULL) {
        return NULL;
    }

    target->name = *name;
    target->batch = batch;
    target->partition = RD_KAFKA_PARTITION_UA;

    if (batch->target) {
        batch->target->next = target;

    } else {
        batch->targets = target;
    }

    batch->target = target;

    return target;
}


void
ngx_http_kafka_batch_add(ngx_http_kafka_batch_t *batch,
    ngx_http_kafka_record_t *record)
{
    size_t  size;

    record->batch = batch;

    size = ngx_http_kafka_batch_record_size(record);
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


size_t
ngx_http_kafka_batch_record_size(ngx_http_kafka_record_t *record)
{
    size_t                    size;
    ngx_http_kafka_header_t  *header;

    size = NGX_HTTP_KAFKA_BATCH_OVERHEAD + record->key.len + record->value.len;

    for (header = record->headers; header; header = header->next) {
        size += ngx_http_kafka_batch_varint(header->key.len)
                + header->key.len
                + ngx_http_kafka_batch_varint(header->value.len)
                + header->value.len;
    }

    return size;
}


/* the bytes that Kafka's record format spends on a length */

static size_t
ngx_http_kafka_batch_varint(size_t len)
{
    size_t  n;

    /* a sign takes the lowest bit */

    for (n = 1, len >>= 6; len; len >>= 7) {
        n++;
    }

    return n;
}


ngx_http_kafka_record_t *
ngx_http_kafka_batch_culprit(ngx_http_kafka_batch_t *batch, ngx_uint_t *index)
{
    ngx_uint_t                i;
    ngx_http_kafka_record_t  *record;

    i = 0;

    for (record = batch->records; record; record = record->next) {

        if (record == batch->culprit) {
            break;
        }

        if (batch->culprit == NULL
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


void
ngx_http_kafka_batch_fail(ngx_http_kafka_record_t *record,
    rd_kafka_resp_err_t err, rd_kafka_msg_status_t persisted)
{
    record->state = NGX_HTTP_KAFKA_RECORD_FAILED;
    record->err = err;
    record->persisted = persisted;

    if (record->uncertain && persisted == RD_KAFKA_MSG_STATUS_NOT_PERSISTED) {
        record->persisted = RD_KAFKA_MSG_STATUS_POSSIBLY_PERSISTED;
    }
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
        *ngx_http_kafka_batch_total -= batch->size;

        if (batch->nrecords >= NGX_HTTP_KAFKA_BATCH_LARGE) {
            ngx_http_kafka_batch_free_later(batch);
            return;
        }

        ngx_http_kafka_batch_free(batch->pool);
    }
}


static void
ngx_http_kafka_batch_free_later(ngx_http_kafka_batch_t *batch)
{
    if (ngx_http_kafka_batch_free_event.handler == NULL) {
        ngx_queue_init(&ngx_http_kafka_batch_spent);
        ngx_http_kafka_batch_free_event.handler =
                                            ngx_http_kafka_batch_free_spent;
        ngx_http_kafka_batch_free_event.log = ngx_cycle->log;
    }

    ngx_queue_insert_tail(&ngx_http_kafka_batch_spent, &batch->queue);

    ngx_post_event(&ngx_http_kafka_batch_free_event, &ngx_posted_next_events);
}


static void
ngx_http_kafka_batch_free_spent(ngx_event_t *ev)
{
    ngx_queue_t             *q;
    ngx_http_kafka_batch_t  *batch;

    q = ngx_queue_head(&ngx_http_kafka_batch_spent);
    batch = ngx_queue_data(q, ngx_http_kafka_batch_t, queue);

    ngx_queue_remove(q);
    ngx_destroy_pool(batch->pool);

    if (!ngx_queue_empty(&ngx_http_kafka_batch_spent)) {
        ngx_post_event(ev, &ngx_posted_next_events);
    }
}
