
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_metrics.h>
#include <ngx_http_kafka_memory.h>


/* of the zone; the number is raised when the meaning of what is in it changes,
   the sum of the sizes that follows it tells of most other changes */
#define NGX_HTTP_KAFKA_METRICS_NAME      "kafka_status_1_"


typedef struct {
    ngx_str_t                        name;
    int64_t                          id;
    uint64_t                         sum[NGX_HTTP_KAFKA_STATS_SUMS];
} ngx_http_kafka_metrics_retired_t;


/* a producer, by its name: what is the same for all workers, and what those
   that ended have counted; never freed, nor are the names it has */

struct ngx_http_kafka_metrics_name_s {
    ngx_queue_t                        link;   /* of the zone's */
    ngx_str_t                          name;
    uint64_t                           up;     /* milliseconds, a broker was */
    ngx_uint_t                         ntopics;
    ngx_str_t                          topics[NGX_HTTP_KAFKA_METRICS_TOPICS];
    ngx_uint_t                         nbrokers;
    ngx_http_kafka_metrics_retired_t
                                   brokers[NGX_HTTP_KAFKA_METRICS_BROKERS];
    ngx_http_kafka_metrics_counters_t  retired;
};


typedef struct {
    ngx_queue_t                      link;     /* of the zone's */
    ngx_queue_t                      cells;
    ngx_pid_t                        pid;
    ngx_pid_t                        group;    /* of processes */
    size_t                           held;
} ngx_http_kafka_metrics_worker_t;


typedef struct {
    ngx_queue_t                      names;
    ngx_queue_t                      workers;
} ngx_http_kafka_metrics_zone_t;


/* the sums of this client so far, for statistics that come again and again */

struct ngx_http_kafka_metrics_seen_s {
    uint64_t                         last[NGX_HTTP_KAFKA_STATS_SUMS];
    uint64_t                         now[NGX_HTTP_KAFKA_STATS_SUMS];
    ngx_uint_t                       state;
    unsigned                         known:1;
};


static ngx_int_t ngx_http_kafka_metrics_init_zone(ngx_shm_zone_t *zone,
    void *data);
static ngx_http_kafka_metrics_cell_t *ngx_http_kafka_metrics_cell(
    ngx_shm_zone_t *zone, ngx_str_t *name);
static ngx_http_kafka_metrics_worker_t *ngx_http_kafka_metrics_worker(
    ngx_shm_zone_t *zone);
static ngx_http_kafka_metrics_name_t *ngx_http_kafka_metrics_name(
    ngx_shm_zone_t *zone, ngx_str_t *name);
static void ngx_http_kafka_metrics_bury(ngx_shm_zone_t *zone,
    ngx_uint_t starting);
static ngx_uint_t ngx_http_kafka_metrics_alive(
    ngx_http_kafka_metrics_worker_t *worker);
static void ngx_http_kafka_metrics_retire(ngx_slab_pool_t *shpool,
    ngx_http_kafka_metrics_worker_t *worker);
static void ngx_http_kafka_metrics_retire_cell(ngx_slab_pool_t *shpool,
    ngx_http_kafka_metrics_cell_t *cell);
static void ngx_http_kafka_metrics_add(
    ngx_http_kafka_metrics_counters_t *to,
    ngx_http_kafka_metrics_counters_t *from);
static void ngx_http_kafka_metrics_add_codes(
    ngx_http_kafka_metrics_code_t *to, ngx_http_kafka_metrics_code_t *from);
static void ngx_http_kafka_metrics_count(ngx_http_kafka_metrics_code_t *codes,
    int64_t code, uint64_t n);
static void ngx_http_kafka_metrics_full(ngx_shm_zone_t *zone);
static ngx_int_t ngx_http_kafka_metrics_read_names(
    ngx_http_kafka_metrics_zone_t *root, ngx_pool_t *pool,
    ngx_array_t *producers);
static ngx_int_t ngx_http_kafka_metrics_read_workers(
    ngx_http_kafka_metrics_zone_t *root,
    ngx_http_kafka_metrics_snapshot_t *snapshot);
static void ngx_http_kafka_metrics_read_cell(
    ngx_http_kafka_metrics_cell_t *cell,
    ngx_http_kafka_metrics_snapshot_t *snapshot);
static void ngx_http_kafka_metrics_read_brokers(
    ngx_http_kafka_metrics_broker_t *broker, ngx_array_t *sums);
static void ngx_http_kafka_metrics_link(ngx_queue_t *h, ngx_queue_t *x);
static ngx_int_t ngx_http_kafka_metrics_str(ngx_slab_pool_t *shpool,
    ngx_str_t *dst, u_char *data, size_t len);
static void ngx_http_kafka_metrics_broker_new(
    ngx_http_kafka_metrics_t *metrics, ngx_uint_t place);
static ngx_uint_t ngx_http_kafka_metrics_broker_place(
    ngx_http_kafka_metrics_t *metrics, ngx_http_kafka_stats_broker_t *broker);
static ngx_uint_t ngx_http_kafka_metrics_find_broker(
    ngx_http_kafka_metrics_name_t *name,
    ngx_http_kafka_stats_broker_t *broker);


const uint64_t  ngx_http_kafka_metrics_bounds[] = {
    500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000,
    1000000, 2500000, 5000000, 10000000
};


const char  *ngx_http_kafka_metrics_seconds[] = {
    "0.0005", "0.001", "0.0025", "0.005", "0.01", "0.025", "0.05", "0.1",
    "0.25", "0.5", "1", "2.5", "5", "10"
};


/* of this process, in the zone that it was taken from */

static ngx_http_kafka_metrics_worker_t  *ngx_http_kafka_metrics_own;
static ngx_shm_zone_t                   *ngx_http_kafka_metrics_own_zone;
static ngx_pid_t                         ngx_http_kafka_metrics_own_pid;

/* where there is no room: counted, and seen by nobody */

static ngx_http_kafka_metrics_cell_t     ngx_http_kafka_metrics_nowhere;


/*
 * nginx keeps a zone over a reload if its name, size and tag are the same.  The
 * module may have been loaded from another file by then: where that one has
 * another layout, the name is another one.
 */

ngx_shm_zone_t *
ngx_http_kafka_metrics_zone(ngx_conf_t *cf, size_t size, void *tag)
{
    u_char          *p;
    size_t           layout;
    ngx_str_t        name;
    ngx_shm_zone_t  *zone;

    layout = sizeof(ngx_http_kafka_metrics_zone_t)
             + sizeof(ngx_http_kafka_metrics_worker_t)
             + sizeof(ngx_http_kafka_metrics_name_t)
             + sizeof(ngx_http_kafka_metrics_cell_t)
             + NGX_HTTP_KAFKA_METRICS_BROKERS
               * sizeof(ngx_http_kafka_metrics_broker_t);

    p = ngx_pnalloc(cf->pool, sizeof(NGX_HTTP_KAFKA_METRICS_NAME)
                              + NGX_SIZE_T_LEN);
    if (p == NULL) {
        return NULL;
    }

    name.data = p;
    name.len = ngx_sprintf(p, NGX_HTTP_KAFKA_METRICS_NAME "%uz", layout) - p;

    zone = ngx_shared_memory_add(cf, &name, size, tag);

    if (zone) {
        zone->init = ngx_http_kafka_metrics_init_zone;
    }

    return zone;
}


static ngx_int_t
ngx_http_kafka_metrics_init_zone(ngx_shm_zone_t *zone, void *data)
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

    ngx_queue_init(&root->names);
    ngx_queue_init(&root->workers);

    shpool->data = root;
    shpool->log_nomem = 0;
    zone->data = root;

    return NGX_OK;
}


void
ngx_http_kafka_metrics_open(ngx_http_kafka_metrics_t *metrics,
    ngx_str_t *name)
{
    ngx_slab_pool_t  *shpool;

    if (metrics->cell) {
        return;
    }

    shpool = (ngx_slab_pool_t *) metrics->zone->shm.addr;

    ngx_shmtx_lock(&shpool->mutex);

    metrics->cell = ngx_http_kafka_metrics_cell(metrics->zone, name);

    ngx_shmtx_unlock(&shpool->mutex);

    if (metrics->cell == NULL) {
        metrics->cell = &ngx_http_kafka_metrics_nowhere;
        ngx_http_kafka_metrics_full(metrics->zone);
    }

    /* no latency yet that the next one could be the same as */

    metrics->latency = 0;
    metrics->bucket = 0;

    ngx_http_kafka_metrics_tick(metrics);
}


static ngx_http_kafka_metrics_cell_t *
ngx_http_kafka_metrics_cell(ngx_shm_zone_t *zone, ngx_str_t *name)
{
    ngx_slab_pool_t                  *shpool;
    ngx_http_kafka_metrics_cell_t    *cell;
    ngx_http_kafka_metrics_name_t    *shared;
    ngx_http_kafka_metrics_worker_t  *worker;

    worker = ngx_http_kafka_metrics_worker(zone);
    if (worker == NULL) {
        return NULL;
    }

    shared = ngx_http_kafka_metrics_name(zone, name);
    if (shared == NULL) {
        return NULL;
    }

    shpool = (ngx_slab_pool_t *) zone->shm.addr;

    cell = ngx_slab_calloc_locked(shpool,
                                  sizeof(ngx_http_kafka_metrics_cell_t));
    if (cell == NULL) {
        return NULL;
    }

    cell->name = shared;

    ngx_http_kafka_metrics_link(&worker->cells, &cell->link);

    return cell;
}


static ngx_http_kafka_metrics_worker_t *
ngx_http_kafka_metrics_worker(ngx_shm_zone_t *zone)
{
    ngx_slab_pool_t                  *shpool;
    ngx_http_kafka_metrics_zone_t    *root;
    ngx_http_kafka_metrics_worker_t  *worker;

    if (ngx_http_kafka_metrics_own_pid == ngx_pid
        && ngx_http_kafka_metrics_own_zone == zone)
    {
        return ngx_http_kafka_metrics_own;
    }

    ngx_http_kafka_metrics_bury(zone,
                                ngx_http_kafka_metrics_own_pid != ngx_pid);

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
    ngx_http_kafka_metrics_link(&root->workers, &worker->link);

    ngx_http_kafka_metrics_own = worker;
    ngx_http_kafka_metrics_own_zone = zone;
    ngx_http_kafka_metrics_own_pid = ngx_pid;

    ngx_http_kafka_memory_share(&worker->held);

    return worker;
}


static ngx_http_kafka_metrics_name_t *
ngx_http_kafka_metrics_name(ngx_shm_zone_t *zone, ngx_str_t *name)
{
    ngx_queue_t                    *q;
    ngx_slab_pool_t                *shpool;
    ngx_http_kafka_metrics_name_t  *shared;
    ngx_http_kafka_metrics_zone_t  *root;

    root = zone->data;

    for (q = ngx_queue_head(&root->names);
         q != ngx_queue_sentinel(&root->names);
         q = ngx_queue_next(q))
    {
        shared = ngx_queue_data(q, ngx_http_kafka_metrics_name_t, link);

        if (shared->name.len == name->len
            && ngx_memcmp(shared->name.data, name->data, name->len) == 0)
        {
            return shared;
        }
    }

    shpool = (ngx_slab_pool_t *) zone->shm.addr;

    shared = ngx_slab_calloc_locked(shpool,
                                    sizeof(ngx_http_kafka_metrics_name_t));
    if (shared == NULL) {
        return NULL;
    }

    if (ngx_http_kafka_metrics_str(shpool, &shared->name, name->data,
                                   name->len)
        != NGX_OK)
    {
        ngx_slab_free_locked(shpool, shared);
        return NULL;
    }

    ngx_http_kafka_metrics_link(&root->names, &shared->link);

    return shared;
}


/*
 * As ngx_queue_insert_tail(), but who goes forward finds the end at any moment:
 * a worker can be killed between two stores, and others go on with the list.
 */

static void
ngx_http_kafka_metrics_link(ngx_queue_t *h, ngx_queue_t *x)
{
    x->prev = h->prev;
    x->next = h;

    ngx_memory_barrier();

    x->prev->next = x;

    ngx_memory_barrier();

    h->prev = x;
}


static ngx_int_t
ngx_http_kafka_metrics_str(ngx_slab_pool_t *shpool, ngx_str_t *dst,
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


void
ngx_http_kafka_metrics_close(ngx_http_kafka_metrics_t *metrics)
{
    ngx_slab_pool_t                *shpool;
    ngx_http_kafka_metrics_cell_t  *cell;

    cell = metrics->cell;

    if (cell && cell != &ngx_http_kafka_metrics_nowhere) {
        shpool = (ngx_slab_pool_t *) metrics->zone->shm.addr;

        ngx_shmtx_lock(&shpool->mutex);

        ngx_http_kafka_metrics_retire_cell(shpool, cell);

        if (ngx_queue_empty(&ngx_http_kafka_metrics_own->cells)
            && ngx_http_kafka_metrics_own_zone == metrics->zone)
        {
            ngx_http_kafka_memory_share(NULL);
            ngx_http_kafka_metrics_retire(shpool, ngx_http_kafka_metrics_own);
            ngx_http_kafka_metrics_own_zone = NULL;
        }

        ngx_shmtx_unlock(&shpool->mutex);
    }

    metrics->cell = &ngx_http_kafka_metrics_nowhere;

    if (metrics->seen) {
        ngx_free(metrics->seen);
        metrics->seen = NULL;
    }
}


/*
 * Workers that were killed.  A process that has such a one's pid now is of
 * another group, or is about to take its own place (starting).
 */

static void
ngx_http_kafka_metrics_bury(ngx_shm_zone_t *zone, ngx_uint_t starting)
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

        } else if (ngx_http_kafka_metrics_alive(worker)) {
            continue;
        }

        ngx_http_kafka_metrics_retire((ngx_slab_pool_t *) zone->shm.addr,
                                      worker);
    }
}


static ngx_uint_t
ngx_http_kafka_metrics_alive(ngx_http_kafka_metrics_worker_t *worker)
{
    ngx_pid_t  group;

    group = getpgid(worker->pid);

    /* it still writes to its cells if that was only not allowed */

    return group == worker->group || (group == -1 && ngx_errno != ESRCH);
}


static void
ngx_http_kafka_metrics_retire(ngx_slab_pool_t *shpool,
    ngx_http_kafka_metrics_worker_t *worker)
{
    ngx_queue_t  *q;

    while (!ngx_queue_empty(&worker->cells)) {
        q = ngx_queue_head(&worker->cells);

        ngx_http_kafka_metrics_retire_cell(shpool,
                      ngx_queue_data(q, ngx_http_kafka_metrics_cell_t, link));
    }

    ngx_queue_remove(&worker->link);
    ngx_slab_free_locked(shpool, worker);
}


static void
ngx_http_kafka_metrics_retire_cell(ngx_slab_pool_t *shpool,
    ngx_http_kafka_metrics_cell_t *cell)
{
    ngx_uint_t                      i, k;
    ngx_http_kafka_metrics_name_t  *name;

    name = cell->name;

    ngx_queue_remove(&cell->link);

    ngx_http_kafka_metrics_add(&name->retired, &cell->counters);

    if (cell->brokers) {
        for (i = 0; i < name->nbrokers; i++) {
            for (k = 0; k < NGX_HTTP_KAFKA_STATS_SUMS; k++) {
                name->brokers[i].sum[k] += cell->brokers[i].sum[k];
            }
        }

        ngx_slab_free_locked(shpool, cell->brokers);
    }

    ngx_slab_free_locked(shpool, cell);
}


static void
ngx_http_kafka_metrics_add(ngx_http_kafka_metrics_counters_t *to,
    ngx_http_kafka_metrics_counters_t *from)
{
    ngx_uint_t  i;

    to->bytes += from->bytes;
    to->rebuilt += from->rebuilt;
    to->latency_sum += from->latency_sum;

    for (i = 0; i < NGX_HTTP_KAFKA_METRICS_BUCKETS + 1; i++) {
        to->latency[i] += from->latency[i];
    }

    ngx_http_kafka_metrics_add_codes(to->statuses, from->statuses);
    ngx_http_kafka_metrics_add_codes(to->errors, from->errors);

    for (i = 0; i < NGX_HTTP_KAFKA_METRICS_TOPICS + 1; i++) {
        to->topics[i].acked += from->topics[i].acked;
        to->topics[i].failed += from->topics[i].failed;
    }
}


static void
ngx_http_kafka_metrics_add_codes(ngx_http_kafka_metrics_code_t *to,
    ngx_http_kafka_metrics_code_t *from)
{
    uint64_t    n;
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_KAFKA_METRICS_CODES - 1; i++) {

        /* with the code that was written before it, see metrics_count() */

        n = __atomic_load_n(&from[i].n, __ATOMIC_ACQUIRE);

        if (n == 0) {
            break;
        }

        ngx_http_kafka_metrics_count(to, from[i].code, n);
    }

    to[NGX_HTTP_KAFKA_METRICS_CODES - 1].n +=
                                      from[NGX_HTTP_KAFKA_METRICS_CODES - 1].n;
}


static void
ngx_http_kafka_metrics_count(ngx_http_kafka_metrics_code_t *codes,
    int64_t code, uint64_t n)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_KAFKA_METRICS_CODES - 1; i++) {

        if (codes[i].n == 0) {
            codes[i].code = code;
            break;
        }

        if (codes[i].code == code) {
            break;
        }
    }

    /* another process that reads this count has the code, too */

    __atomic_store_n(&codes[i].n, codes[i].n + n, __ATOMIC_RELEASE);
}


static void
ngx_http_kafka_metrics_full(ngx_shm_zone_t *zone)
{
    static ngx_shm_zone_t  *told;

    if (told == zone) {
        return;
    }

    told = zone;

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "kafka: the shared memory of %uz bytes is full, not all is "
                  "counted: raise \"kafka_status_zone\"", zone->shm.size);
}


void
ngx_http_kafka_metrics_rebuilt(ngx_http_kafka_metrics_t *metrics)
{
    metrics->cell->counters.rebuilt++;
}


void
ngx_http_kafka_metrics_ended(ngx_http_kafka_metrics_t *metrics)
{
    ngx_uint_t                        i;
    ngx_http_kafka_metrics_broker_t  *broker;

    /*
     * the next one's sums begin at 0, and may be larger already when they
     * first come
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
ngx_http_kafka_metrics_request(ngx_http_kafka_metrics_t *metrics,
    ngx_uint_t status)
{
    ngx_http_kafka_metrics_count(metrics->cell->counters.statuses,
                                 (int64_t) status, 1);
}


void
ngx_http_kafka_metrics_failed(ngx_http_kafka_metrics_t *metrics,
    ngx_http_kafka_record_t *record)
{
    ngx_http_kafka_topic_t             *topic;
    ngx_http_kafka_metrics_counters_t  *counters;

    counters = &metrics->cell->counters;

    ngx_http_kafka_metrics_count(counters->errors, record->err, 1);

    topic = record->target->topic;

    if (topic->place == 0) {
        topic->place = ngx_http_kafka_metrics_place(metrics, topic);
    }

    counters->topics[topic->place - 1].failed++;
}


void
ngx_http_kafka_metrics_dropped(ngx_http_kafka_metrics_t *metrics,
    ngx_http_kafka_record_t *record)
{
    metrics->cell->unsent--;

    ngx_http_kafka_metrics_failed(metrics, record);
}


ngx_uint_t
ngx_http_kafka_metrics_bucket(uint64_t latency)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_KAFKA_METRICS_BUCKETS; i++) {
        if (latency <= ngx_http_kafka_metrics_bounds[i]) {
            break;
        }
    }

    return i;
}


/* 1: among all others; then those that have a place of their own */

ngx_uint_t
ngx_http_kafka_metrics_place(ngx_http_kafka_metrics_t *metrics,
    ngx_http_kafka_topic_t *topic)
{
    ngx_str_t                      *name;
    ngx_uint_t                      i;
    ngx_slab_pool_t                *shpool;
    ngx_http_kafka_metrics_name_t  *shared;

    name = &topic->sn.str;
    shared = metrics->cell->name;

    if (shared == NULL) {
        return 1;
    }

    shpool = (ngx_slab_pool_t *) metrics->zone->shm.addr;

    ngx_shmtx_lock(&shpool->mutex);

    for (i = 0; i < shared->ntopics; i++) {
        if (shared->topics[i].len == name->len
            && ngx_memcmp(shared->topics[i].data, name->data, name->len) == 0)
        {
            goto done;
        }
    }

    if (i == NGX_HTTP_KAFKA_METRICS_TOPICS) {
        ngx_shmtx_unlock(&shpool->mutex);
        return 1;
    }

    if (ngx_http_kafka_metrics_str(shpool, &shared->topics[i], name->data,
                                   name->len)
        != NGX_OK)
    {
        ngx_shmtx_unlock(&shpool->mutex);
        ngx_http_kafka_metrics_full(metrics->zone);
        return 1;
    }

    shared->ntopics++;

done:

    ngx_shmtx_unlock(&shpool->mutex);

    return i + 2;
}


void
ngx_http_kafka_metrics_set_up(ngx_http_kafka_metrics_t *metrics)
{
    if (metrics->cell->name) {
        metrics->cell->name->up = ngx_current_msec;
    }
}


uint64_t
ngx_http_kafka_metrics_get_up(ngx_http_kafka_metrics_t *metrics)
{
    return metrics->cell->name ? metrics->cell->name->up : 0;
}


void
ngx_http_kafka_metrics_brokers_begin(ngx_http_kafka_metrics_t *metrics)
{
    ngx_uint_t                      i;
    ngx_slab_pool_t                *shpool;
    ngx_http_kafka_metrics_cell_t  *cell;

    cell = metrics->cell;

    if (cell->brokers == NULL && cell->name) {
        shpool = (ngx_slab_pool_t *) metrics->zone->shm.addr;

        cell->brokers = ngx_slab_calloc(shpool,
                                    sizeof(ngx_http_kafka_metrics_broker_t)
                                    * NGX_HTTP_KAFKA_METRICS_BROKERS);
        if (cell->brokers == NULL) {
            ngx_http_kafka_metrics_full(metrics->zone);
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


/* two of one name are one here: librdkafka has not yet found out itself */

void
ngx_http_kafka_metrics_broker(ngx_http_kafka_metrics_t *metrics,
    ngx_http_kafka_stats_broker_t *broker)
{
    ngx_uint_t                        i, k;
    ngx_http_kafka_metrics_seen_t    *seen;
    ngx_http_kafka_metrics_broker_t  *shared;

    if (metrics->cell->brokers == NULL || metrics->seen == NULL) {
        return;
    }

    i = ngx_http_kafka_metrics_broker_place(metrics, broker);

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
ngx_http_kafka_metrics_brokers_end(ngx_http_kafka_metrics_t *metrics)
{
    ngx_uint_t                        i, k;
    ngx_http_kafka_metrics_seen_t    *seen;
    ngx_http_kafka_metrics_broker_t  *broker;

    if (metrics->cell->brokers == NULL || metrics->seen == NULL) {
        return;
    }

    for (i = 0; i < metrics->cell->name->nbrokers; i++) {
        seen = &metrics->seen[i];
        broker = &metrics->cell->brokers[i];

        broker->state = seen->state;

        if (seen->state == NGX_HTTP_KAFKA_STATS_NONE) {

            /* it may come back with the sums that it had */

            continue;
        }

        if (!seen->known) {
            ngx_http_kafka_metrics_broker_new(metrics, i);
        }

        for (k = 0; k < NGX_HTTP_KAFKA_STATS_SUMS; k++) {

            /*
             * less than before: librdkafka has made it anew, or there were two
             * of its name; rather too few than twice
             */

            if (seen->now[k] > seen->last[k]) {
                broker->sum[k] += seen->now[k] - seen->last[k];
            }

            seen->last[k] = seen->now[k];
        }
    }
}


/* to this client, or another name of one that it knows: the sums go with it */

static void
ngx_http_kafka_metrics_broker_new(ngx_http_kafka_metrics_t *metrics,
    ngx_uint_t place)
{
    ngx_uint_t                      i;
    ngx_http_kafka_metrics_name_t  *name;
    ngx_http_kafka_metrics_seen_t  *seen;

    name = metrics->cell->name;
    seen = metrics->seen;

    seen[place].known = 1;

    if (name->brokers[place].id < 0) {
        return;
    }

    for (i = 0; i < name->nbrokers; i++) {

        if (seen[i].known
            && seen[i].state == NGX_HTTP_KAFKA_STATS_NONE
            && name->brokers[i].id == name->brokers[place].id)
        {
            ngx_memcpy(seen[place].last, seen[i].last, sizeof(seen[i].last));
            ngx_memzero(seen[i].last, sizeof(seen[i].last));
            seen[i].known = 0;
            return;
        }
    }
}


static ngx_uint_t
ngx_http_kafka_metrics_broker_place(ngx_http_kafka_metrics_t *metrics,
    ngx_http_kafka_stats_broker_t *broker)
{
    ngx_uint_t                         i;
    ngx_slab_pool_t                   *shpool;
    ngx_http_kafka_metrics_name_t     *name;
    ngx_http_kafka_metrics_retired_t  *b;

    name = metrics->cell->name;
    shpool = (ngx_slab_pool_t *) metrics->zone->shm.addr;

    ngx_shmtx_lock(&shpool->mutex);

    i = ngx_http_kafka_metrics_find_broker(name, broker);

    if (i < NGX_HTTP_KAFKA_METRICS_BROKERS) {
        b = &name->brokers[i];

        if (i == name->nbrokers) {
            b->id = -1;

            if (ngx_http_kafka_metrics_str(shpool, &b->name, broker->data,
                                           broker->len)
                != NGX_OK)
            {
                ngx_shmtx_unlock(&shpool->mutex);
                ngx_http_kafka_metrics_full(metrics->zone);
                return NGX_HTTP_KAFKA_METRICS_BROKERS;
            }

            name->nbrokers++;
        }

        if (broker->id >= 0) {
            b->id = broker->id;
        }
    }

    ngx_shmtx_unlock(&shpool->mutex);

    return i;
}


/* one of bootstrap.servers has no id before librdkafka has asked it */

static ngx_uint_t
ngx_http_kafka_metrics_find_broker(ngx_http_kafka_metrics_name_t *name,
    ngx_http_kafka_stats_broker_t *broker)
{
    ngx_uint_t                         i;
    ngx_http_kafka_metrics_retired_t  *b;

    for (i = 0; i < name->nbrokers; i++) {
        b = &name->brokers[i];

        if (b->name.len == broker->len
            && ngx_memcmp(b->name.data, broker->data, broker->len) == 0
            && (b->id == broker->id || b->id < 0 || broker->id < 0))
        {
            break;
        }
    }

    return i;
}


ngx_int_t
ngx_http_kafka_metrics_read(ngx_shm_zone_t *zone, ngx_pool_t *pool,
    ngx_http_kafka_metrics_snapshot_t *snapshot)
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

    ngx_http_kafka_metrics_bury(zone, 0);

    rc = ngx_http_kafka_metrics_read_names(root, pool, &snapshot->producers);

    if (rc == NGX_OK) {
        rc = ngx_http_kafka_metrics_read_workers(root, snapshot);
    }

    ngx_shmtx_unlock(&shpool->mutex);

    /* of what was read, not read by itself: it fits the buckets */

    sum = snapshot->producers.elts;

    for (i = 0; i < snapshot->producers.nelts; i++) {
        for (k = 0; k < NGX_HTTP_KAFKA_METRICS_BUCKETS + 1; k++) {
            sum[i].acked += sum[i].counters.latency[k];
        }
    }

    return rc;
}


static ngx_int_t
ngx_http_kafka_metrics_read_names(ngx_http_kafka_metrics_zone_t *root,
    ngx_pool_t *pool, ngx_array_t *producers)
{
    ngx_uint_t                            i, k;
    ngx_queue_t                          *q;
    ngx_http_kafka_metrics_sum_t         *sum;
    ngx_http_kafka_metrics_name_t        *name;
    ngx_http_kafka_metrics_broker_sum_t  *broker;

    for (q = ngx_queue_head(&root->names);
         q != ngx_queue_sentinel(&root->names);
         q = ngx_queue_next(q))
    {
        name = ngx_queue_data(q, ngx_http_kafka_metrics_name_t, link);

        sum = ngx_array_push(producers);
        if (sum == NULL) {
            return NGX_ERROR;
        }

        ngx_memzero(sum, sizeof(ngx_http_kafka_metrics_sum_t));

        /* names are never freed */

        sum->name = name->name;
        sum->topics = name->topics;
        sum->ntopics = name->ntopics;
        sum->counters = name->retired;

        if (ngx_array_init(&sum->brokers, pool, ngx_max(name->nbrokers, 1),
                           sizeof(ngx_http_kafka_metrics_broker_sum_t))
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        for (i = 0; i < name->nbrokers; i++) {
            broker = ngx_array_push(&sum->brokers);
            if (broker == NULL) {
                return NGX_ERROR;
            }

            ngx_memzero(broker, sizeof(ngx_http_kafka_metrics_broker_sum_t));

            broker->name = name->brokers[i].name;
            broker->id = name->brokers[i].id;

            for (k = 0; k < NGX_HTTP_KAFKA_STATS_SUMS; k++) {
                broker->sum[k] = name->brokers[i].sum[k];
            }
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_kafka_metrics_read_workers(ngx_http_kafka_metrics_zone_t *root,
    ngx_http_kafka_metrics_snapshot_t *snapshot)
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

            ngx_http_kafka_metrics_read_cell(cell, snapshot);
        }
    }

    return NGX_OK;
}


static void
ngx_http_kafka_metrics_read_cell(ngx_http_kafka_metrics_cell_t *cell,
    ngx_http_kafka_metrics_snapshot_t *snapshot)
{
    ngx_uint_t                     i;
    ngx_http_kafka_metrics_sum_t  *sum;

    sum = snapshot->producers.elts;

    for (i = 0; i < snapshot->producers.nelts; i++) {
        if (sum[i].name.data == cell->name->name.data) {
            break;
        }
    }

    sum += i;

    sum->workers++;
    sum->waiting += cell->waiting;
    sum->unsent += cell->unsent;
    sum->pending += cell->pending;

    ngx_http_kafka_metrics_add(&sum->counters, &cell->counters);

    if (cell->brokers) {
        ngx_http_kafka_metrics_read_brokers(cell->brokers, &sum->brokers);
    }
}


static void
ngx_http_kafka_metrics_read_brokers(ngx_http_kafka_metrics_broker_t *broker,
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

        sum[i].told++;
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
