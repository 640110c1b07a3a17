
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_topic.h>
#include <ngx_http_kafka_client.h>
#include <ngx_http_kafka_lane.h>
#include <ngx_http_kafka_lookup.h>


/* milliseconds */
#define NGX_HTTP_KAFKA_LOOKUP_TIMEOUT  500
#define NGX_HTTP_KAFKA_LOOKUP_LONGEST  1500
#define NGX_HTTP_KAFKA_LOOKUP_RETRY    100
#define NGX_HTTP_KAFKA_LOOKUP_FAILED   1000
#define NGX_HTTP_KAFKA_LOOKUP_IDLE     15000
#define NGX_HTTP_KAFKA_TOPIC_CREATION  2000
#define NGX_HTTP_KAFKA_TOPIC_TTL       1000
#define NGX_HTTP_KAFKA_TOPIC_REFRESH   10000
#define NGX_HTTP_KAFKA_TOPIC_SUSPECT   60000

/* number of unknown names after which the client for look-ups is replaced */
#define NGX_HTTP_KAFKA_LOOKUP_NAMES    1000


static ngx_http_kafka_topic_t *ngx_http_kafka_topic_create(
    ngx_http_kafka_topics_t *topics, ngx_str_t *name, uint32_t hash);
static void ngx_http_kafka_topic_free(ngx_http_kafka_topics_t *topics,
    ngx_http_kafka_topic_t *topic);
static void ngx_http_kafka_topic_want(ngx_http_kafka_topics_t *topics,
    ngx_http_kafka_topic_t *topic);
static void ngx_http_kafka_topic_unwant(ngx_http_kafka_topics_t *topics,
    ngx_http_kafka_topic_t *topic);
static void ngx_http_kafka_topic_found(ngx_http_kafka_topics_t *topics,
    ngx_http_kafka_lookup_name_t *name);
static void ngx_http_kafka_topics_sweep_timer(ngx_http_kafka_topics_t *topics);

static void ngx_http_kafka_topics_ask(ngx_http_kafka_topics_t *topics);
static ngx_uint_t ngx_http_kafka_topic_in_creation(
    ngx_http_kafka_topics_t *topics, ngx_http_kafka_topic_t *topic);
static void ngx_http_kafka_topics_answered(ngx_event_t *ev);
static ngx_uint_t ngx_http_kafka_topic_unanswered(
    ngx_http_kafka_topics_t *topics, ngx_http_kafka_topic_t *topic);
static void ngx_http_kafka_topics_retry(ngx_event_t *ev);
static void ngx_http_kafka_topics_sweep(ngx_event_t *ev);


void
ngx_http_kafka_topics_init(ngx_http_kafka_topics_t *topics)
{
    ngx_rbtree_init(&topics->tree, &topics->sentinel,
                    ngx_str_rbtree_insert_value);
    ngx_queue_init(&topics->wanted);
    ngx_queue_init(&topics->absent);

    topics->timeout = NGX_HTTP_KAFKA_LOOKUP_TIMEOUT;

    topics->retry.handler = ngx_http_kafka_topics_retry;
    topics->retry.data = topics;
    topics->retry.log = ngx_cycle->log;
    topics->retry.cancelable = 1;

    topics->sweep.handler = ngx_http_kafka_topics_sweep;
    topics->sweep.data = topics;
    topics->sweep.log = ngx_cycle->log;
    topics->sweep.cancelable = 1;
}


ngx_int_t
ngx_http_kafka_topic_resolve(ngx_http_kafka_topics_t *topics,
    ngx_http_kafka_target_t *target, rd_kafka_resp_err_t *err)
{
    uint32_t                 hash;
    ngx_msec_t               age;
    ngx_http_kafka_topic_t  *topic;

    hash = ngx_murmur_hash2(target->name.data, target->name.len);

    topic = (ngx_http_kafka_topic_t *)
                     ngx_str_rbtree_lookup(&topics->tree, &target->name, hash);

    if (topic == NULL) {
        topic = ngx_http_kafka_topic_create(topics, &target->name, hash);
        if (topic == NULL) {
            return NGX_ERROR;
        }
    }

    age = ngx_current_msec - topic->checked;

    if (topic->known) {

        if (target->partition < topic->partitions) {

            if (target->topic == NULL) {
                target->topic = topic;
                topic->users++;
            }

            if (age >= NGX_HTTP_KAFKA_TOPIC_REFRESH) {
                topic->refresh = 1;
                ngx_http_kafka_topic_want(topics, topic);
            }

            return NGX_OK;
        }

        /* partitions may have been added since */

        if (age < NGX_HTTP_KAFKA_TOPIC_TTL) {
            *err = RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION;
            return NGX_DECLINED;
        }
    }

    if (topic->absent && topic->err && age < NGX_HTTP_KAFKA_TOPIC_TTL) {
        *err = topic->err;
        return NGX_DECLINED;
    }

    ngx_queue_insert_tail(&topic->waiting, &target->waiting);
    target->queued = 1;

    ngx_http_kafka_topic_want(topics, topic);

    return NGX_AGAIN;
}


void
ngx_http_kafka_topic_cancel(ngx_http_kafka_target_t *target)
{
    if (target->queued) {
        ngx_queue_remove(&target->waiting);
        target->queued = 0;
    }
}


void
ngx_http_kafka_topic_unuse(ngx_http_kafka_target_t *target)
{
    if (target->topic) {
        target->topic->users--;
        target->topic = NULL;
    }
}


rd_kafka_topic_t *
ngx_http_kafka_topic_handle(ngx_http_kafka_topic_t *topic,
    ngx_http_kafka_shard_t *shard)
{
    rd_kafka_topic_t  **handle;

    handle = &topic->handles[shard->index];

    if (*handle == NULL) {

        /* the name ends with a zero byte, see ngx_http_kafka_topic_create() */

        *handle = rd_kafka_topic_new(shard->rk, (char *) topic->sn.str.data,
                                     NULL);

        if (*handle) {
            shard->topics++;
            topic->nhandles++;
        }
    }

    return *handle;
}


void
ngx_http_kafka_topic_suspected(ngx_http_kafka_topic_t *topic)
{
    topic->suspect = 1;
    topic->suspect_since = ngx_current_msec;
}


ngx_uint_t
ngx_http_kafka_topic_suspect(ngx_http_kafka_topic_t *topic)
{
    if (topic->suspect
        && ngx_current_msec - topic->suspect_since
           >= NGX_HTTP_KAFKA_TOPIC_SUSPECT)
    {
        topic->suspect = 0;
    }

    return topic->suspect;
}


void
ngx_http_kafka_topic_invalidate(ngx_http_kafka_topic_t *topic)
{
    topic->known = 0;
    topic->epoch++;
}


ngx_uint_t
ngx_http_kafka_topic_stale(ngx_http_kafka_topic_t *topic)
{
    return ngx_current_msec - topic->checked
           >= 2 * NGX_HTTP_KAFKA_TOPIC_REFRESH;
}


void
ngx_http_kafka_topics_release(ngx_http_kafka_topics_t *topics,
    ngx_http_kafka_shard_t *shard)
{
    rd_kafka_topic_t       **handle;
    ngx_rbtree_node_t       *node;
    ngx_http_kafka_topic_t  *topic;

    if (shard->topics == 0) {
        return;
    }

    for (node = ngx_rbtree_min(topics->tree.root, &topics->sentinel);
         node;
         node = ngx_rbtree_next(&topics->tree, node))
    {
        topic = (ngx_http_kafka_topic_t *) node;

        handle = &topic->handles[shard->index];

        if (*handle) {
            rd_kafka_topic_destroy(*handle);
            *handle = NULL;
            topic->nhandles--;
        }
    }

    shard->topics = 0;
}


void
ngx_http_kafka_topics_forget(ngx_http_kafka_topics_t *topics)
{
    ngx_rbtree_node_t       *node, *next;
    ngx_http_kafka_topic_t  *topic;

    if (topics->tree.root == &topics->sentinel) {
        return;
    }

    for (node = ngx_rbtree_min(topics->tree.root, &topics->sentinel);
         node;
         node = next)
    {
        next = ngx_rbtree_next(&topics->tree, node);
        topic = (ngx_http_kafka_topic_t *) node;

        if (topic->users == 0
            && topic->nhandles == 0
            && !topic->wanted
            && !topic->absent)
        {
            ngx_http_kafka_topic_free(topics, topic);
        }
    }
}


void
ngx_http_kafka_topics_close(ngx_http_kafka_topics_t *topics,
    ngx_msec_t until)
{
    rd_kafka_t  *rk;

    while (topics->tree.root != &topics->sentinel) {
        ngx_http_kafka_topic_free(topics, (ngx_http_kafka_topic_t *)
                                              topics->tree.root);
    }

    if (topics->retry.timer_set) {
        ngx_del_timer(&topics->retry);
    }

    if (topics->retry.posted) {
        ngx_delete_posted_event(&topics->retry);
    }

    if (topics->sweep.timer_set) {
        ngx_del_timer(&topics->sweep);
    }

    rk = topics->rk;

    if (topics->lookup) {
        rk = topics->lookup->rk;
        ngx_free(topics->lookup->task);
        topics->lookup = NULL;
    }

    if (rk) {
        (void) ngx_http_kafka_client_destroy_until(rk, until);
        topics->rk = NULL;
    }
}


static ngx_http_kafka_topic_t *
ngx_http_kafka_topic_create(ngx_http_kafka_topics_t *topics, ngx_str_t *name,
    uint32_t hash)
{
    u_char                  *p;
    ngx_http_kafka_topic_t  *topic;

    topic = ngx_calloc(sizeof(ngx_http_kafka_topic_t) + name->len + 1,
                       ngx_cycle->log);
    if (topic == NULL) {
        return NULL;
    }

    p = (u_char *) topic + sizeof(ngx_http_kafka_topic_t);
    ngx_memcpy(p, name->data, name->len);

    topic->sn.node.key = hash;
    topic->sn.str.len = name->len;
    topic->sn.str.data = p;

    ngx_queue_init(&topic->waiting);
    ngx_rbtree_insert(&topics->tree, &topic->sn.node);

    return topic;
}


static void
ngx_http_kafka_topic_free(ngx_http_kafka_topics_t *topics,
    ngx_http_kafka_topic_t *topic)
{
    ngx_rbtree_delete(&topics->tree, &topic->sn.node);
    ngx_http_kafka_lanes_free(topic);
    ngx_free(topic);
}


static void
ngx_http_kafka_topic_want(ngx_http_kafka_topics_t *topics,
    ngx_http_kafka_topic_t *topic)
{
    if (topic->wanted) {
        return;
    }

    if (topic->absent) {
        ngx_queue_remove(&topic->queue);
        topic->absent = 0;
    }

    topic->wanted = 1;
    topic->since = ngx_current_msec;
    ngx_queue_insert_tail(&topics->wanted, &topic->queue);

    if (topics->lookup == NULL && !topics->retry.timer_set) {

        /* at the end of this turn of the event loop, for all requests in it */

        ngx_post_event(&topics->retry, &ngx_posted_events);
    }
}


/* nobody waits for the topic any longer */

static void
ngx_http_kafka_topic_unwant(ngx_http_kafka_topics_t *topics,
    ngx_http_kafka_topic_t *topic)
{
    topic->wanted = 0;
    topic->absent = !topic->known;

    if (topic->absent) {

        /* let the next sweep free the topic */

        topic->since = ngx_current_msec - NGX_HTTP_KAFKA_TOPIC_TTL;
        ngx_queue_insert_head(&topics->absent, &topic->queue);
        ngx_http_kafka_topics_sweep_timer(topics);
    }
}


static void
ngx_http_kafka_topic_found(ngx_http_kafka_topics_t *topics,
    ngx_http_kafka_lookup_name_t *name)
{
    ngx_queue_t               waiting, *q;
    ngx_http_kafka_topic_t   *topic;
    ngx_http_kafka_target_t  *target;

    topic = name->topic;

    topic->wanted = 0;
    topic->checked = ngx_current_msec;

    if (name->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        topic->partitions = name->partitions;
        topic->known = 1;

    } else if (!topic->refresh) {

        /*
         * an error of a refresh is ignored: if the topic was deleted, brokers
         * will deny it to the producing client
         */

        topic->known = 0;
    }

    topic->refresh = 0;
    topic->err = name->err;
    topic->absent = !topic->known;

    if (topic->absent) {
        topic->since = ngx_current_msec;
        ngx_queue_insert_tail(&topics->absent, &topic->queue);
    }

    ngx_queue_init(&waiting);

    if (!ngx_queue_empty(&topic->waiting)) {
        ngx_queue_add(&waiting, &topic->waiting);
        ngx_queue_init(&topic->waiting);
    }

    while (!ngx_queue_empty(&waiting)) {
        q = ngx_queue_head(&waiting);
        target = ngx_queue_data(q, ngx_http_kafka_target_t, waiting);

        ngx_queue_remove(q);
        target->queued = 0;
        topics->handler(target);
    }
}


static void
ngx_http_kafka_topics_sweep_timer(ngx_http_kafka_topics_t *topics)
{
    if (!topics->sweep.timer_set) {
        ngx_add_timer(&topics->sweep, NGX_HTTP_KAFKA_TOPIC_TTL);
    }
}


static void
ngx_http_kafka_topics_ask(ngx_http_kafka_topics_t *topics)
{
    ngx_queue_t              *q;
    ngx_http_kafka_topic_t   *topic;
    ngx_http_kafka_lookup_t  *lookup;

    lookup = ngx_http_kafka_lookup_create(topics->conf, topics->timeout,
                                          ngx_http_kafka_topics_answered,
                                          topics);
    if (lookup == NULL) {
        ngx_add_timer(&topics->retry, NGX_HTTP_KAFKA_LOOKUP_RETRY);
        return;
    }

    while (!ngx_queue_empty(&topics->wanted)
           && lookup->nnames < NGX_HTTP_KAFKA_LOOKUP_BATCH)
    {
        q = ngx_queue_head(&topics->wanted);
        topic = ngx_queue_data(q, ngx_http_kafka_topic_t, queue);
        ngx_queue_remove(q);

        if (ngx_queue_empty(&topic->waiting) && !topic->refresh) {
            ngx_http_kafka_topic_unwant(topics, topic);
            continue;
        }

        topics->asked += !topic->known;

        ngx_http_kafka_lookup_add(lookup, topic,
                                  ngx_http_kafka_topic_in_creation(topics,
                                                                   topic));
    }

    if (lookup->nnames == 0) {
        ngx_free(lookup->task);
        return;
    }

    topics->lookup = lookup;
    lookup->rk = topics->rk;
    topics->rk = NULL;

    if (ngx_http_kafka_lookup_post(lookup, topics->thread_pool) != NGX_OK) {
        ngx_http_kafka_topics_answered(&lookup->task->event);
    }
}


/* returns 1 if brokers may still be creating the topic */

static ngx_uint_t
ngx_http_kafka_topic_in_creation(ngx_http_kafka_topics_t *topics,
    ngx_http_kafka_topic_t *topic)
{
    return topics->auto_create
           && ngx_current_msec - topic->since < NGX_HTTP_KAFKA_TOPIC_CREATION;
}


static void
ngx_http_kafka_topics_answered(ngx_event_t *ev)
{
    ngx_uint_t                     i, unanswered;
    ngx_thread_task_t             *task;
    ngx_http_kafka_topics_t       *topics;
    ngx_http_kafka_lookup_t       *lookup;
    ngx_http_kafka_lookup_name_t  *name;

    task = ev->data;
    lookup = task->ctx;
    topics = lookup->data;

    topics->lookup = NULL;
    topics->rk = lookup->rk;
    topics->used = ngx_current_msec;

    /* keep the timeout short: an exiting process waits for the thread */

    topics->timeout = lookup->slow ? ngx_min(topics->timeout * 2,
                                             NGX_HTTP_KAFKA_LOOKUP_LONGEST)
                                   : NGX_HTTP_KAFKA_LOOKUP_TIMEOUT;

    if (topics->rk && topics->asked >= NGX_HTTP_KAFKA_LOOKUP_NAMES) {
        ngx_http_kafka_client_destroy_later(topics->thread_pool, topics->rk);
        topics->rk = NULL;
        topics->asked = 0;
    }

    unanswered = 0;

    for (i = 0; i < lookup->nnames; i++) {
        name = &lookup->names[i];

        if (name->answered) {
            ngx_http_kafka_topic_found(topics, name);

        } else if (ngx_http_kafka_topic_unanswered(topics, name->topic)) {
            unanswered = 1;
        }
    }

    ngx_free(lookup->task);

    if (unanswered) {
        ngx_add_timer(&topics->retry,
                      topics->rk ? NGX_HTTP_KAFKA_LOOKUP_RETRY
                                 : NGX_HTTP_KAFKA_LOOKUP_FAILED);

    } else if (!ngx_queue_empty(&topics->wanted)) {
        ngx_post_event(&topics->retry, &ngx_posted_events);
    }

    ngx_http_kafka_topics_sweep_timer(topics);
}


/* returns 1 if the topic must be looked up again soon */

static ngx_uint_t
ngx_http_kafka_topic_unanswered(ngx_http_kafka_topics_t *topics,
    ngx_http_kafka_topic_t *topic)
{
    topic->refresh = 0;

    if (ngx_queue_empty(&topic->waiting)) {

        /* not again at once, but a request for an unknown partition may ask */

        topic->checked = ngx_current_msec - NGX_HTTP_KAFKA_TOPIC_TTL;
        ngx_http_kafka_topic_unwant(topics, topic);
        return 0;
    }

    ngx_queue_insert_tail(&topics->wanted, &topic->queue);

    return 1;
}


static void
ngx_http_kafka_topics_retry(ngx_event_t *ev)
{
    ngx_http_kafka_topics_t  *topics;

    topics = ev->data;

    if (topics->lookup == NULL && !ngx_queue_empty(&topics->wanted)) {
        ngx_http_kafka_topics_ask(topics);
    }
}


/* frees absent topics, and a client for look-ups that has been idle */

static void
ngx_http_kafka_topics_sweep(ngx_event_t *ev)
{
    ngx_queue_t              *q;
    ngx_http_kafka_topic_t   *topic;
    ngx_http_kafka_topics_t  *topics;

    topics = ev->data;

    while (!ngx_queue_empty(&topics->absent)) {
        q = ngx_queue_head(&topics->absent);
        topic = ngx_queue_data(q, ngx_http_kafka_topic_t, queue);

        if (ngx_current_msec - topic->since < NGX_HTTP_KAFKA_TOPIC_TTL) {
            break;
        }

        ngx_queue_remove(q);

        if (topic->users) {

            /* batches wait for room in librdkafka, and still use the topic */

            topic->since = ngx_current_msec;
            ngx_queue_insert_tail(&topics->absent, q);
            continue;
        }

        topic->absent = 0;

        if (topic->nhandles == 0) {
            ngx_http_kafka_topic_free(topics, topic);
        }
    }

    if (topics->rk
        && ngx_current_msec - topics->used >= NGX_HTTP_KAFKA_LOOKUP_IDLE)
    {
        ngx_http_kafka_client_destroy_later(topics->thread_pool, topics->rk);
        topics->rk = NULL;
        topics->asked = 0;
    }

    if (topics->rk || !ngx_queue_empty(&topics->absent)) {
        ngx_http_kafka_topics_sweep_timer(topics);
    }
}
