
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
 * What a worker knows about the topics of a cluster.  Topic names come from
 * HTTP clients.  librdkafka never forgets a name, and asks for it every second
 * until its client is destroyed.  So a name is passed to a producing client
 * only after a separate client has found the topic, in nginx's thread pool.
 * That client has no messages and is replaced now and then.  All else runs in
 * the event loop.
 */


typedef struct ngx_http_kafka_lookup_s  ngx_http_kafka_lookup_t;

typedef void (*ngx_http_kafka_resolved_pt)(ngx_http_kafka_target_t *target);


struct ngx_http_kafka_topic_s {
    ngx_str_node_t               sn;         /* the name */
    rd_kafka_topic_t            *handles[NGX_HTTP_KAFKA_CLIENTS_ALL];
    ngx_uint_t                   nhandles;   /* that are not NULL */
    ngx_msec_t                   suspect_since;  /* last refusal */
    ngx_queue_t                  waiting;    /* targets */
    ngx_http_kafka_lane_t      **lanes;      /* partition i is at i + 1 */
    ngx_uint_t                   nlanes;
    ngx_uint_t                   epoch;      /* number of invalidations */
    int32_t                      sticky;     /* for records without a key */
    ngx_msec_t                   sticky_since;  /* when its period began */
    ngx_queue_t                  queue;      /* of wanted or absent topics */
    ngx_msec_t                   since;      /* when it was queued there */
    ngx_msec_t                   checked;    /* time of the last answer */
    int32_t                      partitions;
    rd_kafka_resp_err_t          err;        /* why it is absent */
    ngx_uint_t                   users;      /* targets that point here */
    ngx_uint_t                   slot;       /* of metrics, 0: not known */
    unsigned                     known:1;
    unsigned                     absent:1;
    unsigned                     wanted:1;
    unsigned                     refresh:1;  /* known, but looked up again */
    unsigned                     suspect:1;
};


typedef struct {
    ngx_rbtree_t                 tree;
    ngx_rbtree_node_t            sentinel;
    ngx_queue_t                  wanted;     /* to look up */
    ngx_queue_t                  absent;     /* the oldest first */

    ngx_event_t                  retry;
    ngx_event_t                  sweep;

    const rd_kafka_conf_t       *conf;
    ngx_thread_pool_t           *thread_pool;
    ngx_http_kafka_resolved_pt   handler;

    rd_kafka_t                  *rk;         /* for look-ups, if idle */
    ngx_uint_t                   asked;      /* names, by this rk */
    ngx_msec_t                   used;
    ngx_msec_t                   timeout;    /* of a query, milliseconds */
    ngx_http_kafka_lookup_t     *lookup;     /* running, owns rk; or NULL */
    unsigned                     auto_create:1;
} ngx_http_kafka_topics_t;


/*
 * Initializes a zeroed object.  conf (of the clients for look-ups),
 * thread_pool, auto_create and handler are set before the first look-up.  The
 * handler is called, never from ngx_http_kafka_topic_resolve(), for a target
 * that waited.
 */
void ngx_http_kafka_topics_init(ngx_http_kafka_topics_t *topics);

/*
 * Looks for the topic and the partition of the target.  Returns NGX_OK with
 * target->topic set, until ngx_http_kafka_topic_unuse().  NGX_AGAIN if the
 * target waits until the handler is called, or until
 * ngx_http_kafka_topic_cancel().  NGX_DECLINED if the cluster lacks or denies
 * the topic or the partition, with *err set.  NGX_ERROR when out of memory.
 */
ngx_int_t ngx_http_kafka_topic_resolve(ngx_http_kafka_topics_t *topics,
    ngx_http_kafka_target_t *target, rd_kafka_resp_err_t *err);

/* stops waiting for the target's topic */
void ngx_http_kafka_topic_cancel(ngx_http_kafka_target_t *target);

void ngx_http_kafka_topic_unuse(ngx_http_kafka_target_t *target);

/*
 * returns the topic's handle for the shard's client, which topics own and keep
 * until ngx_http_kafka_topics_release(); NULL if librdkafka refuses
 */
rd_kafka_topic_t *ngx_http_kafka_topic_handle(ngx_http_kafka_topic_t *topic,
    ngx_http_kafka_shard_t *shard);

/*
 * The first function notes that a broker has refused a record of the topic for
 * good, which ends the client.  The second one returns 1 for a minute after
 * that: the topic's records go to isolated clients then.
 */
void ngx_http_kafka_topic_suspected(ngx_http_kafka_topic_t *topic);
ngx_uint_t ngx_http_kafka_topic_suspect(ngx_http_kafka_topic_t *topic);

/*
 * Called when a broker denied the topic or a partition.  The next request looks
 * the topic up again, and its lanes begin with a single record.
 */
void ngx_http_kafka_topic_invalidate(ngx_http_kafka_topic_t *topic);

/* returns 1 if the number of partitions may be out of date */
ngx_uint_t ngx_http_kafka_topic_stale(ngx_http_kafka_topic_t *topic);

/* destroys the topic handles of the shard's client, before the client itself */
void ngx_http_kafka_topics_release(ngx_http_kafka_topics_t *topics,
    ngx_http_kafka_shard_t *shard);

/* forgets all topics that are not in use */
void ngx_http_kafka_topics_forget(ngx_http_kafka_topics_t *topics);

/*
 * Frees everything while the process exits, when thread pools have ended.
 * Waits for the client until the time "until" (of ngx_current_msec).
 */
void ngx_http_kafka_topics_close(ngx_http_kafka_topics_t *topics,
    ngx_msec_t until);


#endif /* _NGX_HTTP_KAFKA_TOPIC_H_INCLUDED_ */
