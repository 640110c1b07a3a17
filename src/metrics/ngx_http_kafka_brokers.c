
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_brokers.h>


/*
 * The state of a broker in the statistics of this worker's client.  librdkafka
 * counts the sums from the start of the client, so only the difference between
 * two statistics documents is added to the zone.
 */

struct ngx_http_kafka_metrics_seen_s {
    uint64_t                         last[NGX_HTTP_KAFKA_STATS_SUMS];
    uint64_t                         now[NGX_HTTP_KAFKA_STATS_SUMS];
    ngx_uint_t                       state;
    unsigned                         known:1;  /* reported before */
};


static void ngx_http_kafka_brokers_new(ngx_http_kafka_metrics_t *metrics,
    ngx_uint_t slot);
static ngx_uint_t ngx_http_kafka_brokers_slot(
    ngx_http_kafka_metrics_t *metrics, ngx_http_kafka_stats_broker_t *broker);
static ngx_uint_t ngx_http_kafka_brokers_find(
    ngx_http_kafka_zone_producer_t *producer,
    ngx_http_kafka_stats_broker_t *broker);


void
ngx_http_kafka_brokers_begin(ngx_http_kafka_metrics_t *metrics)
{
    ngx_uint_t                      i;
    ngx_slab_pool_t                *shpool;
    ngx_http_kafka_metrics_cell_t  *cell;

    cell = metrics->cell;

    if (cell->brokers == NULL && cell->producer) {
        shpool = (ngx_slab_pool_t *) metrics->zone->shm.addr;

        cell->brokers = ngx_slab_calloc(shpool,
                                    sizeof(ngx_http_kafka_metrics_broker_t)
                                    * NGX_HTTP_KAFKA_METRICS_BROKERS);
        if (cell->brokers == NULL) {
            ngx_http_kafka_zone_full(metrics->zone);
        }
    }

    if (metrics->seen == NULL) {
        metrics->seen = ngx_calloc(sizeof(ngx_http_kafka_metrics_seen_t)
                                   * NGX_HTTP_KAFKA_METRICS_BROKERS,
                                   ngx_cycle->log);
        if (metrics->seen == NULL) {
            return;
        }
    }

    for (i = 0; i < NGX_HTTP_KAFKA_METRICS_BROKERS; i++) {
        ngx_memzero(metrics->seen[i].now, sizeof(metrics->seen[i].now));
        metrics->seen[i].state = NGX_HTTP_KAFKA_STATS_NONE;
    }
}


/*
 * Adds up two brokers with the same name.  They are one broker, but librdkafka
 * does not know this yet.
 */

void
ngx_http_kafka_brokers_add(ngx_http_kafka_metrics_t *metrics,
    ngx_http_kafka_stats_broker_t *broker)
{
    ngx_uint_t                        i, k;
    ngx_http_kafka_metrics_seen_t    *seen;
    ngx_http_kafka_metrics_broker_t  *shared;

    if (metrics->cell->brokers == NULL || metrics->seen == NULL) {
        return;
    }

    i = ngx_http_kafka_brokers_slot(metrics, broker);

    if (i == NGX_HTTP_KAFKA_METRICS_BROKERS) {
        return;
    }

    seen = &metrics->seen[i];
    shared = &metrics->cell->brokers[i];

    for (k = 0; k < NGX_HTTP_KAFKA_STATS_SUMS; k++) {
        seen->now[k] += broker->sum[k];
    }

    if (!ngx_http_kafka_stats_is_up(seen->state)) {
        seen->state = broker->state;
    }

    if (broker->measured) {
        shared->average = broker->average;
        shared->p99 = broker->p99;
    }
}


void
ngx_http_kafka_brokers_end(ngx_http_kafka_metrics_t *metrics)
{
    ngx_uint_t                        i, k;
    ngx_http_kafka_metrics_seen_t    *seen;
    ngx_http_kafka_metrics_broker_t  *broker;

    if (metrics->cell->brokers == NULL || metrics->seen == NULL) {
        return;
    }

    for (i = 0; i < metrics->cell->producer->nbrokers; i++) {
        seen = &metrics->seen[i];
        broker = &metrics->cell->brokers[i];

        broker->state = seen->state;

        if (seen->state == NGX_HTTP_KAFKA_STATS_NONE) {

            /* keep seen->last: the broker may come back with its old sums */

            continue;
        }

        if (!seen->known) {
            ngx_http_kafka_brokers_new(metrics, i);
        }

        for (k = 0; k < NGX_HTTP_KAFKA_STATS_SUMS; k++) {

            /*
             * A sum decreases if librdkafka has recreated the broker, or if
             * there were two brokers with this name.  It is better to count too
             * little than to count twice.
             */

            if (seen->now[k] > seen->last[k]) {
                broker->sum[k] += seen->now[k] - seen->last[k];
            }

            seen->last[k] = seen->now[k];
        }
    }
}


/*
 * The statistics have this broker for the first time.  If the client had a
 * broker with the same id and another name, takes over the sums of that broker.
 */

static void
ngx_http_kafka_brokers_new(ngx_http_kafka_metrics_t *metrics,
    ngx_uint_t slot)
{
    ngx_uint_t                       i;
    ngx_http_kafka_metrics_seen_t   *seen;
    ngx_http_kafka_zone_producer_t  *producer;

    producer = metrics->cell->producer;
    seen = metrics->seen;

    seen[slot].known = 1;

    if (producer->brokers[slot].id < 0) {
        return;
    }

    for (i = 0; i < producer->nbrokers; i++) {

        if (seen[i].known
            && seen[i].state == NGX_HTTP_KAFKA_STATS_NONE
            && producer->brokers[i].id == producer->brokers[slot].id)
        {
            ngx_memcpy(seen[slot].last, seen[i].last, sizeof(seen[i].last));
            ngx_memzero(seen[i].last, sizeof(seen[i].last));
            seen[i].known = 0;
            return;
        }
    }
}


static ngx_uint_t
ngx_http_kafka_brokers_slot(ngx_http_kafka_metrics_t *metrics,
    ngx_http_kafka_stats_broker_t *broker)
{
    ngx_uint_t                       i;
    ngx_slab_pool_t                 *shpool;
    ngx_http_kafka_zone_broker_t    *b;
    ngx_http_kafka_zone_producer_t  *producer;

    producer = metrics->cell->producer;
    shpool = (ngx_slab_pool_t *) metrics->zone->shm.addr;

    ngx_shmtx_lock(&shpool->mutex);

    i = ngx_http_kafka_brokers_find(producer, broker);

    if (i < NGX_HTTP_KAFKA_METRICS_BROKERS) {
        b = &producer->brokers[i];

        if (i == producer->nbrokers) {
            b->id = -1;

            if (ngx_http_kafka_zone_str(shpool, &b->name, broker->data,
                                        broker->len)
                != NGX_OK)
            {
                ngx_shmtx_unlock(&shpool->mutex);
                ngx_http_kafka_zone_full(metrics->zone);
                return NGX_HTTP_KAFKA_METRICS_BROKERS;
            }

            producer->nbrokers++;
        }

        if (broker->id >= 0) {
            b->id = broker->id;
        }
    }

    ngx_shmtx_unlock(&shpool->mutex);

    return i;
}


/*
 * Returns the index of the broker, or producer->nbrokers if it is new.  A
 * bootstrap server has no id until librdkafka has asked for it, so a broker
 * without an id matches any id.
 */

static ngx_uint_t
ngx_http_kafka_brokers_find(ngx_http_kafka_zone_producer_t *producer,
    ngx_http_kafka_stats_broker_t *broker)
{
    ngx_uint_t                     i;
    ngx_http_kafka_zone_broker_t  *b;

    for (i = 0; i < producer->nbrokers; i++) {
        b = &producer->brokers[i];

        if (b->name.len == broker->len
            && ngx_memcmp(b->name.data, broker->data, broker->len) == 0
            && (b->id == broker->id || b->id < 0 || broker->id < 0))
        {
            break;
        }
    }

    return i;
}


void
ngx_http_kafka_brokers_forget(ngx_http_kafka_metrics_t *metrics)
{
    ngx_uint_t                        i;
    ngx_http_kafka_metrics_broker_t  *broker;

    /*
     * The sums of the next client start at 0, but in its first statistics they
     * may already be larger than the last sums of this client.
     */

    if (metrics->seen) {
        ngx_free(metrics->seen);
        metrics->seen = NULL;
    }

    broker = metrics->cell->brokers;

    for (i = 0; broker && i < NGX_HTTP_KAFKA_METRICS_BROKERS; i++) {
        broker[i].state = NGX_HTTP_KAFKA_STATS_NONE;
    }
}


void
ngx_http_kafka_brokers_set_up(ngx_http_kafka_metrics_t *metrics)
{
    if (metrics->cell->producer) {
        metrics->cell->producer->up = ngx_current_msec;
    }
}


uint64_t
ngx_http_kafka_brokers_get_up(ngx_http_kafka_metrics_t *metrics)
{
    return metrics->cell->producer ? metrics->cell->producer->up : 0;
}
