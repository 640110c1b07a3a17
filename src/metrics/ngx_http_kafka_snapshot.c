
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_snapshot.h>


static ngx_int_t ngx_http_kafka_snapshot_producers(
    ngx_http_kafka_metrics_zone_t *root, ngx_pool_t *pool,
    ngx_array_t *producers);
static ngx_int_t ngx_http_kafka_snapshot_workers(
    ngx_http_kafka_metrics_zone_t *root, ngx_http_kafka_snapshot_t *snapshot);
static void ngx_http_kafka_snapshot_cell(ngx_http_kafka_metrics_cell_t *cell,
    ngx_http_kafka_snapshot_t *snapshot);
static void ngx_http_kafka_snapshot_brokers(
    ngx_http_kafka_metrics_broker_t *broker, ngx_array_t *sums);


ngx_int_t
ngx_http_kafka_snapshot(ngx_shm_zone_t *zone, ngx_pool_t *pool,
    ngx_http_kafka_snapshot_t *snapshot)
{
    ngx_int_t                       rc;
    ngx_uint_t                      i, k;
    ngx_slab_pool_t                *shpool;
    ngx_http_kafka_metrics_sum_t   *sum;
    ngx_http_kafka_metrics_zone_t  *root;

    if (ngx_array_init(&snapshot->workers, pool, 16,
                       sizeof(ngx_http_kafka_metrics_worker_sum_t))
        != NGX_OK
        || ngx_array_init(&snapshot->producers, pool, 4,
                          sizeof(ngx_http_kafka_metrics_sum_t))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (zone == NULL) {
        return NGX_OK;
    }

    root = zone->data;
    shpool = (ngx_slab_pool_t *) zone->shm.addr;

    ngx_shmtx_lock(&shpool->mutex);

    ngx_http_kafka_zone_reap(zone, 0);

    rc = ngx_http_kafka_snapshot_producers(root, pool, &snapshot->producers);

    if (rc == NGX_OK) {
        rc = ngx_http_kafka_snapshot_workers(root, snapshot);
    }

    ngx_shmtx_unlock(&shpool->mutex);

    /* the sum of the buckets as read, so that both are consistent */

    sum = snapshot->producers.elts;

    for (i = 0; i < snapshot->producers.nelts; i++) {
        for (k = 0; k < NGX_HTTP_KAFKA_METRICS_BUCKETS + 1; k++) {
            sum[i].acked += sum[i].counters.latency[k];
        }
    }

    return rc;
}


static ngx_int_t
ngx_http_kafka_snapshot_producers(ngx_http_kafka_metrics_zone_t *root,
    ngx_pool_t *pool, ngx_array_t *producers)
{
    ngx_uint_t                            i, k;
    ngx_queue_t                          *q;
    ngx_http_kafka_metrics_sum_t         *sum;
    ngx_http_kafka_zone_producer_t       *producer;
    ngx_http_kafka_metrics_broker_sum_t  *broker;

    for (q = ngx_queue_head(&root->producers);
         q != ngx_queue_sentinel(&root->producers);
         q = ngx_queue_next(q))
    {
        producer = ngx_queue_data(q, ngx_http_kafka_zone_producer_t, link);

        sum = ngx_array_push(producers);
        if (sum == NULL) {
            return NGX_ERROR;
        }

        ngx_memzero(sum, sizeof(ngx_http_kafka_metrics_sum_t));

        /* the zone never frees names */

        sum->name = producer->name;
        sum->topics = producer->topics;
        sum->ntopics = producer->ntopics;
        sum->counters = producer->retired;

        if (ngx_array_init(&sum->brokers, pool, ngx_max(producer->nbrokers, 1),
                           sizeof(ngx_http_kafka_metrics_broker_sum_t))
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        for (i = 0; i < producer->nbrokers; i++) {
            broker = ngx_array_push(&sum->brokers);
            if (broker == NULL) {
                return NGX_ERROR;
            }

            ngx_memzero(broker, sizeof(ngx_http_kafka_metrics_broker_sum_t));

            broker->name = producer->brokers[i].name;
            broker->id = producer->brokers[i].id;

            for (k = 0; k < NGX_HTTP_KAFKA_STATS_SUMS; k++) {
                broker->sum[k] = producer->brokers[i].sum[k];
            }
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_kafka_snapshot_workers(ngx_http_kafka_metrics_zone_t *root,
    ngx_http_kafka_snapshot_t *snapshot)
{
    ngx_queue_t                          *q, *c;
    ngx_http_kafka_metrics_cell_t        *cell;
    ngx_http_kafka_metrics_worker_t      *worker;
    ngx_http_kafka_metrics_worker_sum_t  *sum;

    for (q = ngx_queue_head(&root->workers);
         q != ngx_queue_sentinel(&root->workers);
         q = ngx_queue_next(q))
    {
        worker = ngx_queue_data(q, ngx_http_kafka_metrics_worker_t, link);

        sum = ngx_array_push(&snapshot->workers);
        if (sum == NULL) {
            return NGX_ERROR;
        }

        ngx_memzero(sum, sizeof(ngx_http_kafka_metrics_worker_sum_t));

        sum->pid = worker->pid;
        sum->held = worker->held;

        for (c = ngx_queue_head(&worker->cells);
             c != ngx_queue_sentinel(&worker->cells);
             c = ngx_queue_next(c))
        {
            cell = ngx_queue_data(c, ngx_http_kafka_metrics_cell_t, link);

            sum->waiting += cell->waiting;
            sum->unsent += cell->unsent;
            sum->pending += cell->pending;

            ngx_http_kafka_snapshot_cell(cell, snapshot);
        }
    }

    return NGX_OK;
}


static void
ngx_http_kafka_snapshot_cell(ngx_http_kafka_metrics_cell_t *cell,
    ngx_http_kafka_snapshot_t *snapshot)
{
    ngx_uint_t                     i;
    ngx_http_kafka_metrics_sum_t  *sum;

    sum = snapshot->producers.elts;

    for (i = 0; i < snapshot->producers.nelts; i++) {
        if (sum[i].name.data == cell->producer->name.data) {
            break;
        }
    }

    sum += i;

    sum->workers++;
    sum->waiting += cell->waiting;
    sum->unsent += cell->unsent;
    sum->pending += cell->pending;
    sum->clients += cell->clients;

    ngx_http_kafka_counters_add(&sum->counters, &cell->counters);

    if (cell->brokers) {
        ngx_http_kafka_snapshot_brokers(cell->brokers, &sum->brokers);
    }
}


static void
ngx_http_kafka_snapshot_brokers(ngx_http_kafka_metrics_broker_t *broker,
    ngx_array_t *sums)
{
    ngx_uint_t                            i, k, state;
    ngx_http_kafka_metrics_broker_sum_t  *sum;

    sum = sums->elts;

    for (i = 0; i < sums->nelts; i++) {

        for (k = 0; k < NGX_HTTP_KAFKA_STATS_SUMS; k++) {
            sum[i].sum[k] += broker[i].sum[k];
        }

        state = broker[i].state;

        if (state == NGX_HTTP_KAFKA_STATS_NONE) {
            continue;
        }

        sum[i].known++;
        sum[i].states[state]++;

        if (ngx_http_kafka_stats_is_up(state)) {
            sum[i].up++;
        }

        if (broker[i].average) {
            sum[i].average = (sum[i].average * sum[i].measured
                              + broker[i].average)
                             / (sum[i].measured + 1);
            sum[i].measured++;
            sum[i].p99 = ngx_max(sum[i].p99, broker[i].p99);
        }
    }
}
