
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_TOPIC_H_INCLUDED_
#define _NGX_HTTP_KAFKA_TOPIC_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_thread_pool.h>
#include <ngx_http_kafka_batch.h>
#include <ngx_http_kafka_clients.h>


/*
 * What a worker knows of the topics of one cluster.  Names come from clients
 * and librdkafka never forgets one, asking for it each second until its
 * client is destroyed: so a name reaches the client that produces only after
 * a second one, which has no messages and is replaced now and then, has
 * found the topic, in nginx's thread pool.  Event loop, but for that task.
 */


typedef struct ngx_http_kafka_lookup_s  ngx_http_kafka_lookup_t;

typedef void (*ngx_http_kafka_resolved_pt)(ngx_http_kafka_target_t *target);


struct ngx_http_kafka_topic_s {
    ngx_str_node_t               sn;         /* the name */
    rd_kafka_topic_t            *handles[NGX_HTTP_KAFKA_CLIENTS_ALL];
    ngx_uint_t                   nhandles;   /* of shards, not NULL */
    ngx_msec_t                   suspect_since;  /* a record was refused */
    ngx_queue_t                  waiting;    /* targets */
    ngx_http_kafka_lane_t      **lanes;      /* of partition i: at i + 1 */
    ngx_uint_t                   nlanes;
    ngx_uint_t                   epoch;      /* how often it was in doubt */
    int32_t                      sticky;     /* partition without a key, */
    ngx_msec_t                   sticky_since;  /* since that time */
    ngx_queue_t                  queue;      /* wanted, asked or absent */
    ngx_msec_t                   since;      /* wanted or absent since then */
    ngx_msec_t                   checked;    /* when it was answered last */
    int32_t                      partitions;
    rd_kafka_resp_err_t          err;        /* why it is absent */
    ngx_uint_t                   users;      /* targets that point here */
    ngx_uint_t                   slot;       /* of metrics, 0: not asked for */
    unsigned                     known:1;
    unsigned                     absent:1;
    unsigned                     wanted:1;
    unsigned                     refresh:1;  /* wanted, though it is known */
    unsigned                     suspect:1;
};


typedef struct {
    ngx_rbtree_t                 tree;
    ngx_rbtree_node_t            sentinel;
    ngx_queue_t                  wanted;     /* to be looked up */
    ngx_queue_t                  absent;     /* the oldest first */

    ngx_event_t                  retry;
    ngx_event_t                  sweep;

    const rd_kafka_conf_t       *conf;
    ngx_thread_pool_t           *thread_pool;
    ngx_http_kafka_resolved_pt   handler;

    rd_kafka_t                  *rk;         /* for look-ups, when idle */
    ngx_uint_t                   asked;      /* names, of this rk */
    ngx_msec_t                   used;
    ngx_msec_t                   timeout;    /* of one question */
    ngx_http_kafka_lookup_t     *lookup;     /* that owns rk meanwhile */
    unsigned                     auto_create:1;
} ngx_http_kafka_topics_t;


/*
 * Expects a zeroed object with conf (that of the producing client),
 * thread_pool, auto_create and handler set.  The handler is called, from an
 * event of its own, for a target that waited.
 */
void ngx_http_kafka_topics_init(ngx_http_kafka_topics_t *topics);

/*
 * Looks for the topic and the partition of the target.  Returns NGX_OK with
 * target->topic set, until ngx_http_kafka_topic_unuse(); NGX_AGAIN when the
 * target waits, till the handler is called or ngx_http_kafka_topic_cancel();
 * NGX_DECLINED when the cluster lacks it, with *err set; NGX_ERROR when memory
 * is out.
 */
ngx_int_t ngx_http_kafka_topic_resolve(ngx_http_kafka_topics_t *topics,
    ngx_http_kafka_target_t *target, rd_kafka_resp_err_t *err);

/* the target waits no longer */
void ngx_http_kafka_topic_cancel(ngx_http_kafka_target_t *target);

void ngx_http_kafka_topic_unuse(ngx_http_kafka_target_t *target);

/* the handle of the shard's client, kept; NULL when librdkafka refuses */
rd_kafka_topic_t *ngx_http_kafka_topic_handle(ngx_http_kafka_topic_t *topic,
    ngx_http_kafka_shard_t *shard);

/*
 * A broker has refused a record of it for good, which ends the client: for a
 * minute its records go to isolated clients.
 */
void ngx_http_kafka_topic_suspected(ngx_http_kafka_topic_t *topic);
ngx_uint_t ngx_http_kafka_topic_suspect(ngx_http_kafka_topic_t *topic);

/*
 * The broker denied it: the next request looks it up again, and its lanes begin
 * with a single record.
 */
void ngx_http_kafka_topic_invalidate(ngx_http_kafka_topic_t *topic);

/* whether it may have other partitions than are known */
ngx_uint_t ngx_http_kafka_topic_stale(ngx_http_kafka_topic_t *topic);

/* gives back the handles of the shard's client, before it is destroyed */
void ngx_http_kafka_topics_release(ngx_http_kafka_topics_t *topics,
    ngx_http_kafka_shard_t *shard);

/* as if those that nobody uses had never been looked up */
void ngx_http_kafka_topics_forget(ngx_http_kafka_topics_t *topics);

/*
 * Frees everything, as the worker exits and thread pools have ended, before
 * the time, until (as ngx_current_msec).
 */
void ngx_http_kafka_topics_close(ngx_http_kafka_topics_t *topics,
    ngx_msec_t until);


#endif /* _NGX_HTTP_KAFKA_TOPIC_H_INCLUDED_ */
