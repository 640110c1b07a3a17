
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_topic.h>
#include <ngx_http_kafka_client.h>


/* milliseconds */
#define NGX_HTTP_KAFKA_LOOKUP_TIMEOUT  500
#define NGX_HTTP_KAFKA_LOOKUP_LONGEST  1500
#define NGX_HTTP_KAFKA_LOOKUP_RETRY    100
#define NGX_HTTP_KAFKA_LOOKUP_FAILED   1000
#define NGX_HTTP_KAFKA_LOOKUP_IDLE     5000
#define NGX_HTTP_KAFKA_TOPIC_CREATION  2000
#define NGX_HTTP_KAFKA_TOPIC_TTL       1000

/* names one client for look-ups is asked, and names one task asks for */
#define NGX_HTTP_KAFKA_LOOKUP_NAMES    1000
#define NGX_HTTP_KAFKA_LOOKUP_BATCH    100


typedef struct {
    ngx_http_kafka_topic_t      *topic;
    const char                  *name;       /* the topic's own */
    int32_t                      partitions;
    rd_kafka_resp_err_t          err;
    unsigned                     creation:1; /* give it time to appear */
    unsigned                     answered:1;
} ngx_http_kafka_lookup_name_t;


struct ngx_http_kafka_lookup_s {
    ngx_http_kafka_topics_t     *topics;
    ngx_pool_t                  *pool;
    const rd_kafka_conf_t       *conf;
    rd_kafka_t                  *rk;
    ngx_msec_t                   timeout;
    ngx_uint_t                   nnames;
    ngx_http_kafka_lookup_name_t names[NGX_HTTP_KAFKA_LOOKUP_BATCH];
    char                         error[NGX_HTTP_KAFKA_CLIENT_ERROR];
    unsigned                     slow:1;     /* it gave no answer in time */
};


static ngx_http_kafka_topic_t *ngx_http_kafka_topic_create(
    ngx_http_kafka_topics_t *topics, ngx_str_t *name, uint32_t hash);
static void ngx_http_kafka_topic_free(ngx_http_kafka_topics_t *topics,
    ngx_http_kafka_topic_t *topic);
static void ngx_http_kafka_topic_want(ngx_http_kafka_topics_t *topics,
    ngx_http_kafka_topic_t *topic);
static void ngx_http_kafka_topic_found(ngx_http_kafka_topics_t *topics,
    ngx_http_kafka_lookup_name_t *name);
static void ngx_http_kafka_topics_sweep_timer(ngx_http_kafka_topics_t *topics);

static void ngx_http_kafka_lookup_start(ngx_http_kafka_topics_t *topics);
static ngx_thread_task_t *ngx_http_kafka_lookup_create(
    ngx_http_kafka_topics_t *topics);
static void ngx_http_kafka_lookup_add(ngx_http_kafka_lookup_t *lookup,
    ngx_http_kafka_topic_t *topic);
static void ngx_http_kafka_lookup_task(void *data, ngx_log_t *log);
static ngx_int_t ngx_http_kafka_lookup_ask(ngx_http_kafka_lookup_t *lookup,
    ngx_http_kafka_lookup_name_t *name);
static void ngx_http_kafka_lookup_judge(ngx_http_kafka_lookup_name_t *name,
    const rd_kafka_metadata_topic_t *topic);
static void ngx_http_kafka_lookup_done(ngx_event_t *ev);
static void ngx_http_kafka_lookup_retry(ngx_event_t *ev);
static void ngx_http_kafka_topics_sweep(ngx_event_t *ev);


void
ngx_http_kafka_topics_init(ngx_http_kafka_topics_t *topics)
{
    ngx_rbtree_init(&topics->tree, &topics->sentinel,
                    ngx_str_rbtree_insert_value);
    ngx_queue_init(&topics->wanted);
    ngx_queue_init(&topics->absent);

    topics->timeout = NGX_HTTP_KAFKA_LOOKUP_TIMEOUT;

    topics->retry.handler = ngx_http_kafka_lookup_retry;
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

            return NGX_OK;
        }

        /* it may have got more since */

        if (age < NGX_HTTP_KAFKA_TOPIC_TTL) {
            *err = RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION;
            return NGX_DECLINED;
        }
    }

    if (topic->absent && age < NGX_HTTP_KAFKA_TOPIC_TTL) {
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
ngx_http_kafka_topic_handle(ngx_http_kafka_topics_t *topics,
    ngx_http_kafka_topic_t *topic, rd_kafka_t *rk)
{
    if (topic->rkt == NULL) {

        /* the name ends with a zero byte, see topic_create() */

        topic->rkt = rd_kafka_topic_new(rk, (char *) topic->sn.str.data, NULL);

        if (topic->rkt) {
            topics->handles++;
        }
    }

    return topic->rkt;
}


void
ngx_http_kafka_topic_doubt(ngx_http_kafka_topic_t *topic)
{
    topic->known = 0;
}


void
ngx_http_kafka_topics_release(ngx_http_kafka_topics_t *topics)
{
    ngx_rbtree_node_t       *node;
    ngx_http_kafka_topic_t  *topic;

    if (topics->tree.root == &topics->sentinel) {
        return;
    }

    for (node = ngx_rbtree_min(topics->tree.root, &topics->sentinel);
         node;
         node = ngx_rbtree_next(&topics->tree, node))
    {
        topic = (ngx_http_kafka_topic_t *) node;

        if (topic->rkt) {
            rd_kafka_topic_destroy(topic->rkt);
            topic->rkt = NULL;
        }
    }

    topics->handles = 0;
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

        if (topic->users == 0 && !topic->wanted && !topic->absent) {
            ngx_http_kafka_topic_free(topics, topic);
        }
    }
}


void
ngx_http_kafka_topics_close(ngx_http_kafka_topics_t *topics,
    ngx_msec_t until)
{
    rd_kafka_t  *rk;

    ngx_http_kafka_topics_release(topics);

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
        ngx_destroy_pool(topics->lookup->pool);
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

        /* at the end of this turn of the event loop, for all its requests */

        ngx_post_event(&topics->retry, &ngx_posted_events);
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
    topic->partitions = name->partitions;
    topic->err = name->err;
    topic->known = (name->err == RD_KAFKA_RESP_ERR_NO_ERROR);
    topic->absent = !topic->known;

    if (topic->absent) {
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
ngx_http_kafka_lookup_start(ngx_http_kafka_topics_t *topics)
{
    ngx_queue_t              *q;
    ngx_thread_task_t        *task;
    ngx_http_kafka_topic_t   *topic;
    ngx_http_kafka_lookup_t  *lookup;

    task = ngx_http_kafka_lookup_create(topics);
    if (task == NULL) {
        ngx_add_timer(&topics->retry, NGX_HTTP_KAFKA_LOOKUP_RETRY);
        return;
    }

    lookup = task->ctx;

    while (!ngx_queue_empty(&topics->wanted)
           && lookup->nnames < NGX_HTTP_KAFKA_LOOKUP_BATCH)
    {
        q = ngx_queue_head(&topics->wanted);
        topic = ngx_queue_data(q, ngx_http_kafka_topic_t, queue);
        ngx_queue_remove(q);

        if (ngx_queue_empty(&topic->waiting)) {

            /* as if it had been absent for long: the sweep takes it */

            topic->wanted = 0;
            topic->absent = !topic->known;

            if (topic->absent) {
                topic->checked = ngx_current_msec - NGX_HTTP_KAFKA_TOPIC_TTL;
                ngx_queue_insert_head(&topics->absent, &topic->queue);
                ngx_http_kafka_topics_sweep_timer(topics);
            }

            continue;
        }

        ngx_http_kafka_lookup_add(lookup, topic);
    }

    if (lookup->nnames == 0) {
        ngx_destroy_pool(lookup->pool);
        return;
    }

    topics->lookup = lookup;
    lookup->rk = topics->rk;
    topics->rk = NULL;

    if (ngx_thread_task_post(topics->thread_pool, task) != NGX_OK) {
        ngx_http_kafka_lookup_done(&task->event);
    }
}


static ngx_thread_task_t *
ngx_http_kafka_lookup_create(ngx_http_kafka_topics_t *topics)
{
    ngx_pool_t               *pool;
    ngx_thread_task_t        *task;
    ngx_http_kafka_lookup_t  *lookup;

    pool = ngx_create_pool(ngx_pagesize, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    task = ngx_thread_task_alloc(pool, sizeof(ngx_http_kafka_lookup_t));
    if (task == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    lookup = task->ctx;
    lookup->topics = topics;
    lookup->pool = pool;
    lookup->conf = topics->conf;
    lookup->timeout = topics->timeout;

    task->handler = ngx_http_kafka_lookup_task;
    task->event.handler = ngx_http_kafka_lookup_done;
    task->event.data = lookup;
    task->event.log = ngx_cycle->log;

    return task;
}


static void
ngx_http_kafka_lookup_add(ngx_http_kafka_lookup_t *lookup,
    ngx_http_kafka_topic_t *topic)
{
    ngx_http_kafka_lookup_name_t  *name;

    name = &lookup->names[lookup->nnames++];

    name->topic = topic;
    name->name = (char *) topic->sn.str.data;
    name->creation = lookup->topics->auto_create
                     && ngx_current_msec - topic->since
                        < NGX_HTTP_KAFKA_TOPIC_CREATION;
}


/* in a thread of the pool, which alone has the look-up until it is done */

static void
ngx_http_kafka_lookup_task(void *data, ngx_log_t *log)
{
    ngx_http_kafka_lookup_t  *lookup = data;

    ngx_uint_t  i;

    if (lookup->rk == NULL) {
        lookup->rk = ngx_http_kafka_client_new_quiet(lookup->conf,
                                                     lookup->error);

        if (lookup->rk == NULL) {
            ngx_log_error(NGX_LOG_ERR, log, 0,
                          "kafka: no client to look topics up: %s",
                          lookup->error);
            return;
        }
    }

    for (i = 0; i < lookup->nnames; i++) {
        if (ngx_http_kafka_lookup_ask(lookup, &lookup->names[i]) != NGX_OK) {
            return;
        }
    }
}


/* NGX_ERROR: no broker answers, the other names need not be tried */

static ngx_int_t
ngx_http_kafka_lookup_ask(ngx_http_kafka_lookup_t *lookup,
    ngx_http_kafka_lookup_name_t *name)
{
    rd_kafka_topic_t                *rkt;
    rd_kafka_resp_err_t              err;
    const struct rd_kafka_metadata  *metadata;

    rkt = rd_kafka_topic_new(lookup->rk, name->name, NULL);

    if (rkt == NULL) {
        name->err = rd_kafka_last_error();
        name->answered = 1;
        return NGX_OK;
    }

    err = rd_kafka_metadata(lookup->rk, 0, rkt, &metadata,
                            (int) lookup->timeout);

    rd_kafka_topic_destroy(rkt);

    lookup->slow = (err == RD_KAFKA_RESP_ERR__TIMED_OUT);

    if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return NGX_ERROR;
    }

    if (metadata->topic_cnt == 1) {
        ngx_http_kafka_lookup_judge(name, &metadata->topics[0]);
    }

    rd_kafka_metadata_destroy(metadata);

    return NGX_OK;
}


/* an answer that may be another one soon is none: the name is asked again */

static void
ngx_http_kafka_lookup_judge(ngx_http_kafka_lookup_name_t *name,
    const rd_kafka_metadata_topic_t *topic)
{
    switch (topic->err) {

    case RD_KAFKA_RESP_ERR_NO_ERROR:
        name->partitions = topic->partition_cnt;
        break;

    case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
        return;

    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
        if (name->creation) {
            return;
        }

        break;

    default:
        break;
    }

    name->err = topic->err;
    name->answered = 1;
}


static void
ngx_http_kafka_lookup_done(ngx_event_t *ev)
{
    ngx_uint_t                     i, unanswered;
    ngx_http_kafka_topics_t       *topics;
    ngx_http_kafka_lookup_t       *lookup;
    ngx_http_kafka_lookup_name_t  *name;

    lookup = ev->data;
    topics = lookup->topics;

    topics->lookup = NULL;
    topics->rk = lookup->rk;
    topics->asked += lookup->nnames;
    topics->used = ngx_current_msec;

    /* a thread that waits long is one that an exit waits for */

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

        } else {
            ngx_queue_insert_tail(&topics->wanted, &name->topic->queue);
            unanswered = 1;
        }
    }

    ngx_destroy_pool(lookup->pool);

    if (unanswered) {
        ngx_add_timer(&topics->retry,
                      topics->rk ? NGX_HTTP_KAFKA_LOOKUP_RETRY
                                 : NGX_HTTP_KAFKA_LOOKUP_FAILED);

    } else if (!ngx_queue_empty(&topics->wanted)) {
        ngx_post_event(&topics->retry, &ngx_posted_events);
    }

    ngx_http_kafka_topics_sweep_timer(topics);
}


static void
ngx_http_kafka_lookup_retry(ngx_event_t *ev)
{
    ngx_http_kafka_topics_t  *topics;

    topics = ev->data;

    if (topics->lookup == NULL && !ngx_queue_empty(&topics->wanted)) {
        ngx_http_kafka_lookup_start(topics);
    }
}


/* forgets absent names, and a client for look-ups that had none of late */

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

        if (ngx_current_msec - topic->checked < NGX_HTTP_KAFKA_TOPIC_TTL) {
            break;
        }

        ngx_queue_remove(q);

        if (topic->users) {

            /* batches wait for room, and will still produce to it */

            topic->checked = ngx_current_msec;
            ngx_queue_insert_tail(&topics->absent, q);
            continue;
        }

        topic->absent = 0;

        if (topic->rkt == NULL) {
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
