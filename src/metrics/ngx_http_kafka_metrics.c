
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_metrics.h>


void
ngx_http_kafka_metrics_open(ngx_http_kafka_metrics_t *metrics,
    ngx_str_t *name)
{
    if (metrics->cell) {
        return;
    }

    metrics->cell = ngx_http_kafka_zone_open(metrics->zone, name);

    /* a latency of 0 belongs to bucket 0 */

    metrics->latency = 0;
    metrics->bucket = 0;

    ngx_http_kafka_metrics_tick(metrics);
}


void
ngx_http_kafka_metrics_close(ngx_http_kafka_metrics_t *metrics)
{
    metrics->cell = ngx_http_kafka_zone_close(metrics->zone, metrics->cell);

    if (metrics->seen) {
        ngx_free(metrics->seen);
        metrics->seen = NULL;
    }
}


void
ngx_http_kafka_metrics_clients(ngx_http_kafka_metrics_t *metrics, ngx_int_t n)
{
    metrics->cell->clients += n;
}


void
ngx_http_kafka_metrics_rebuilt(ngx_http_kafka_metrics_t *metrics)
{
    metrics->cell->counters.rebuilt++;
}


void
ngx_http_kafka_metrics_request(ngx_http_kafka_metrics_t *metrics,
    ngx_uint_t status)
{
    ngx_http_kafka_counters_count(metrics->cell->counters.statuses,
                                 (int64_t) status, 1);
}


void
ngx_http_kafka_metrics_failed(ngx_http_kafka_metrics_t *metrics, int64_t err,
    ngx_uint_t *slot, ngx_str_t *topic)
{
    ngx_http_kafka_metrics_counters_t  *counters;

    counters = &metrics->cell->counters;

    ngx_http_kafka_counters_count(counters->errors, err, 1);

    if (*slot == 0) {
        *slot = ngx_http_kafka_metrics_slot(metrics, topic);
    }

    counters->topics[*slot - 1].failed++;
}


void
ngx_http_kafka_metrics_dropped(ngx_http_kafka_metrics_t *metrics, int64_t err,
    ngx_uint_t *slot, ngx_str_t *topic)
{
    metrics->cell->unsent--;

    ngx_http_kafka_metrics_failed(metrics, err, slot, topic);
}


/*
 * Returns the topic's slot, which is at least 2, or 1 if the topic is counted
 * together with others.
 */

ngx_uint_t
ngx_http_kafka_metrics_slot(ngx_http_kafka_metrics_t *metrics,
    ngx_str_t *topic)
{
    ngx_uint_t                       i;
    ngx_slab_pool_t                 *shpool;
    ngx_http_kafka_zone_producer_t  *producer;

    producer = metrics->cell->producer;

    if (producer == NULL) {
        return 1;
    }

    shpool = (ngx_slab_pool_t *) metrics->zone->shm.addr;

    ngx_shmtx_lock(&shpool->mutex);

    for (i = 0; i < producer->ntopics; i++) {
        if (producer->topics[i].len == topic->len
            && ngx_memcmp(producer->topics[i].data, topic->data, topic->len)
               == 0)
        {
            goto done;
        }
    }

    if (i == NGX_HTTP_KAFKA_METRICS_TOPICS) {
        ngx_shmtx_unlock(&shpool->mutex);
        return 1;
    }

    if (ngx_http_kafka_zone_str(shpool, &producer->topics[i], topic->data,
                                topic->len)
        != NGX_OK)
    {
        ngx_shmtx_unlock(&shpool->mutex);
        ngx_http_kafka_zone_full(metrics->zone);
        return 1;
    }

    producer->ntopics++;

done:

    ngx_shmtx_unlock(&shpool->mutex);

    return i + 2;
}
