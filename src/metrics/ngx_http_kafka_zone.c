
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_zone.h>
#include <ngx_http_kafka_held.h>


/*
 * The prefix of the zone's name.  The number must be increased when the meaning
 * of the contents changes.  The sum of the structures' sizes follows the
 * prefix, and differs after most other changes.
 */
#define NGX_HTTP_KAFKA_ZONE_NAME         "kafka_status_1_"


static ngx_int_t ngx_http_kafka_zone_init(ngx_shm_zone_t *zone, void *data);
static ngx_http_kafka_metrics_cell_t *ngx_http_kafka_zone_cell(
    ngx_shm_zone_t *zone, ngx_str_t *name);
static ngx_http_kafka_metrics_worker_t *ngx_http_kafka_zone_worker(
    ngx_shm_zone_t *zone);
static ngx_http_kafka_zone_producer_t *ngx_http_kafka_zone_producer(
    ngx_shm_zone_t *zone, ngx_str_t *name);
static void ngx_http_kafka_zone_link(ngx_queue_t *h, ngx_queue_t *x);
static ngx_uint_t ngx_http_kafka_zone_alive(
    ngx_http_kafka_metrics_worker_t *worker);
static void ngx_http_kafka_zone_retire(ngx_slab_pool_t *shpool,
    ngx_http_kafka_metrics_worker_t *worker);
static void ngx_http_kafka_zone_retire_cell(ngx_slab_pool_t *shpool,
    ngx_http_kafka_metrics_cell_t *cell);


/* the entry of this process, its zone, and the pid that created it */

static ngx_http_kafka_metrics_worker_t  *ngx_http_kafka_zone_own;
static ngx_shm_zone_t                   *ngx_http_kafka_zone_own_zone;
static ngx_pid_t                         ngx_http_kafka_zone_own_pid;

/* the cell that is used when the zone is full; no process reads it */

static ngx_http_kafka_metrics_cell_t     ngx_http_kafka_zone_discard;


/*
 * nginx keeps a zone during a reload if its name, size and tag stay the same.
 * A reload may load the module from another file.  If the layout differs there,
 * the name of the zone differs, too, and nginx creates a new zone.
 */

ngx_shm_zone_t *
ngx_http_kafka_zone_create(ngx_conf_t *cf, size_t size, void *tag)
{
    u_char          *p;
    size_t           layout;
    ngx_str_t        name;
    ngx_shm_zone_t  *zone;

    layout = sizeof(ngx_http_kafka_metrics_zone_t)
             + sizeof(ngx_http_kafka_metrics_worker_t)
             + sizeof(ngx_http_kafka_zone_producer_t)
             + sizeof(ngx_http_kafka_metrics_cell_t)
             + NGX_HTTP_KAFKA_METRICS_BROKERS
               * sizeof(ngx_http_kafka_metrics_broker_t);

    p = ngx_pnalloc(cf->pool, sizeof(NGX_HTTP_KAFKA_ZONE_NAME)
                              + NGX_SIZE_T_LEN);
    if (p == NULL) {
        return NULL;
    }

    name.data = p;
    name.len = ngx_sprintf(p, NGX_HTTP_KAFKA_ZONE_NAME "%uz", layout) - p;

    zone = ngx_shared_memory_add(cf, &name, size, tag);

    if (zone) {
        zone->init = ngx_http_kafka_zone_init;
    }

    return zone;
}


static ngx_int_t
ngx_http_kafka_zone_init(ngx_shm_zone_t *zone, void *data)
{
    ngx_slab_pool_t                *shpool;
    ngx_http_kafka_metrics_zone_t  *root;

    if (data) {
        zone->data = data;
        return NGX_OK;
    }

    shpool = (ngx_slab_pool_t *) zone->shm.addr;

    if (zone->shm.exists) {
        zone->data = shpool->data;
        return NGX_OK;
    }

    root = ngx_slab_alloc(shpool, sizeof(ngx_http_kafka_metrics_zone_t));
    if (root == NULL) {
        return NGX_ERROR;
    }

    ngx_queue_init(&root->producers);
    ngx_queue_init(&root->workers);

    shpool->data = root;
    shpool->log_nomem = 0;
    zone->data = root;

    return NGX_OK;
}


ngx_http_kafka_metrics_cell_t *
ngx_http_kafka_zone_open(ngx_shm_zone_t *zone, ngx_str_t *name)
{
    ngx_slab_pool_t                *shpool;
    ngx_http_kafka_metrics_cell_t  *cell;

    shpool = (ngx_slab_pool_t *) zone->shm.addr;

    ngx_shmtx_lock(&shpool->mutex);

    cell = ngx_http_kafka_zone_cell(zone, name);

    ngx_shmtx_unlock(&shpool->mutex);

    if (cell == NULL) {
        ngx_http_kafka_zone_full(zone);
        return &ngx_http_kafka_zone_discard;
    }

    return cell;
}


static ngx_http_kafka_metrics_cell_t *
ngx_http_kafka_zone_cell(ngx_shm_zone_t *zone, ngx_str_t *name)
{
    ngx_slab_pool_t                  *shpool;
    ngx_http_kafka_metrics_cell_t    *cell;
    ngx_http_kafka_zone_producer_t   *producer;
    ngx_http_kafka_metrics_worker_t  *worker;

    worker = ngx_http_kafka_zone_worker(zone);
    if (worker == NULL) {
        return NULL;
    }

    producer = ngx_http_kafka_zone_producer(zone, name);
    if (producer == NULL) {
        return NULL;
    }

    shpool = (ngx_slab_pool_t *) zone->shm.addr;

    cell = ngx_slab_calloc_locked(shpool,
                                  sizeof(ngx_http_kafka_metrics_cell_t));
    if (cell == NULL) {
        return NULL;
    }

    cell->producer = producer;

    ngx_http_kafka_zone_link(&worker->cells, &cell->link);

    return cell;
}


static ngx_http_kafka_metrics_worker_t *
ngx_http_kafka_zone_worker(ngx_shm_zone_t *zone)
{
    ngx_slab_pool_t                  *shpool;
    ngx_http_kafka_metrics_zone_t    *root;
    ngx_http_kafka_metrics_worker_t  *worker;

    if (ngx_http_kafka_zone_own_pid == ngx_pid
        && ngx_http_kafka_zone_own_zone == zone)
    {
        return ngx_http_kafka_zone_own;
    }

    ngx_http_kafka_zone_reap(zone,
                             ngx_http_kafka_zone_own_pid != ngx_pid);

    shpool = (ngx_slab_pool_t *) zone->shm.addr;

    worker = ngx_slab_calloc_locked(shpool,
                                    sizeof(ngx_http_kafka_metrics_worker_t));
    if (worker == NULL) {
        return NULL;
    }

    worker->pid = ngx_pid;
    worker->group = getpgid(ngx_pid);

    ngx_queue_init(&worker->cells);

    root = zone->data;
    ngx_http_kafka_zone_link(&root->workers, &worker->link);

    ngx_http_kafka_zone_own = worker;
    ngx_http_kafka_zone_own_zone = zone;
    ngx_http_kafka_zone_own_pid = ngx_pid;

    ngx_http_kafka_held_move(&worker->held);

    return worker;
}


static ngx_http_kafka_zone_producer_t *
ngx_http_kafka_zone_producer(ngx_shm_zone_t *zone, ngx_str_t *name)
{
    ngx_queue_t                     *q;
    ngx_slab_pool_t                 *shpool;
    ngx_http_kafka_metrics_zone_t   *root;
    ngx_http_kafka_zone_producer_t  *producer;

    root = zone->data;

    for (q = ngx_queue_head(&root->producers);
         q != ngx_queue_sentinel(&root->producers);
         q = ngx_queue_next(q))
    {
        producer = ngx_queue_data(q, ngx_http_kafka_zone_producer_t, link);

        if (producer->name.len == name->len
            && ngx_memcmp(producer->name.data, name->data, name->len) == 0)
        {
            return producer;
        }
    }

    shpool = (ngx_slab_pool_t *) zone->shm.addr;

    producer = ngx_slab_calloc_locked(shpool,
                                      sizeof(ngx_http_kafka_zone_producer_t));
    if (producer == NULL) {
        return NULL;
    }

    if (ngx_http_kafka_zone_str(shpool, &producer->name, name->data,
                                name->len)
        != NGX_OK)
    {
        ngx_slab_free_locked(shpool, producer);
        return NULL;
    }

    ngx_http_kafka_zone_link(&root->producers, &producer->link);

    return producer;
}


/*
 * Like ngx_queue_insert_tail(), but after each store the list can be walked
 * forward to its end.  A worker can be killed between two stores, and other
 * processes use the list afterwards.
 */

static void
ngx_http_kafka_zone_link(ngx_queue_t *h, ngx_queue_t *x)
{
    x->prev = h->prev;
    x->next = h;

    ngx_memory_barrier();

    x->prev->next = x;

    ngx_memory_barrier();

    h->prev = x;
}


ngx_int_t
ngx_http_kafka_zone_str(ngx_slab_pool_t *shpool, ngx_str_t *dst,
    u_char *data, size_t len)
{
    dst->data = ngx_slab_alloc_locked(shpool, ngx_max(len, 1));
    if (dst->data == NULL) {
        return NGX_ERROR;
    }

    dst->len = len;
    ngx_memcpy(dst->data, data, len);

    return NGX_OK;
}


ngx_http_kafka_metrics_cell_t *
ngx_http_kafka_zone_close(ngx_shm_zone_t *zone,
    ngx_http_kafka_metrics_cell_t *cell)
{
    ngx_slab_pool_t  *shpool;

    if (cell && cell != &ngx_http_kafka_zone_discard) {
        shpool = (ngx_slab_pool_t *) zone->shm.addr;

        ngx_shmtx_lock(&shpool->mutex);

        ngx_http_kafka_zone_retire_cell(shpool, cell);

        if (ngx_queue_empty(&ngx_http_kafka_zone_own->cells)
            && ngx_http_kafka_zone_own_zone == zone)
        {
            ngx_http_kafka_held_move(NULL);
            ngx_http_kafka_zone_retire(shpool, ngx_http_kafka_zone_own);
            ngx_http_kafka_zone_own_zone = NULL;
        }

        ngx_shmtx_unlock(&shpool->mutex);
    }

    return &ngx_http_kafka_zone_discard;
}


/*
 * A new process may have the pid of a worker that was killed.  The new process
 * is in another process group, or it is the caller, which has no entry in the
 * zone yet (starting is 1).
 */

void
ngx_http_kafka_zone_reap(ngx_shm_zone_t *zone, ngx_uint_t starting)
{
    ngx_queue_t                      *q, *next;
    ngx_http_kafka_metrics_zone_t    *root;
    ngx_http_kafka_metrics_worker_t  *worker;

    root = zone->data;

    for (q = ngx_queue_head(&root->workers);
         q != ngx_queue_sentinel(&root->workers);
         q = next)
    {
        next = ngx_queue_next(q);
        worker = ngx_queue_data(q, ngx_http_kafka_metrics_worker_t, link);

        if (worker->pid == ngx_pid) {
            if (!starting) {
                continue;
            }

        } else if (ngx_http_kafka_zone_alive(worker)) {
            continue;
        }

        ngx_http_kafka_zone_retire((ngx_slab_pool_t *) zone->shm.addr,
                                   worker);
    }
}


static ngx_uint_t
ngx_http_kafka_zone_alive(ngx_http_kafka_metrics_worker_t *worker)
{
    ngx_pid_t  group;

    group = getpgid(worker->pid);

    /* after other errors the worker may live, and may write to its cells */

    return group == worker->group || (group == -1 && ngx_errno != ESRCH);
}


static void
ngx_http_kafka_zone_retire(ngx_slab_pool_t *shpool,
    ngx_http_kafka_metrics_worker_t *worker)
{
    ngx_queue_t  *q;

    while (!ngx_queue_empty(&worker->cells)) {
        q = ngx_queue_head(&worker->cells);

        ngx_http_kafka_zone_retire_cell(shpool,
                      ngx_queue_data(q, ngx_http_kafka_metrics_cell_t, link));
    }

    ngx_queue_remove(&worker->link);
    ngx_slab_free_locked(shpool, worker);
}


static void
ngx_http_kafka_zone_retire_cell(ngx_slab_pool_t *shpool,
    ngx_http_kafka_metrics_cell_t *cell)
{
    ngx_uint_t                       i, k;
    ngx_http_kafka_zone_producer_t  *producer;

    producer = cell->producer;

    ngx_queue_remove(&cell->link);

    ngx_http_kafka_counters_add(&producer->retired, &cell->counters);

    if (cell->brokers) {
        for (i = 0; i < producer->nbrokers; i++) {
            for (k = 0; k < NGX_HTTP_KAFKA_STATS_SUMS; k++) {
                producer->brokers[i].sum[k] += cell->brokers[i].sum[k];
            }
        }

        ngx_slab_free_locked(shpool, cell->brokers);
    }

    ngx_slab_free_locked(shpool, cell);
}


void
ngx_http_kafka_zone_full(ngx_shm_zone_t *zone)
{
    static ngx_shm_zone_t  *logged;

    if (logged == zone) {
        return;
    }

    logged = zone;

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "kafka: the shared memory of %uz bytes is full, not all is "
                  "counted: raise \"kafka_status_zone\"", zone->shm.size);
}
