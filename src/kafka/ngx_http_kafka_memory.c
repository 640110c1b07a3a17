
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_memory.h>


/* pools that are kept: as many as a busy worker has at a time */
#define NGX_HTTP_KAFKA_MEMORY_POOLS  512


static ngx_pool_t  *ngx_http_kafka_memory_pools[NGX_HTTP_KAFKA_MEMORY_POOLS];
static ngx_uint_t   ngx_http_kafka_memory_npools;


ngx_pool_t *
ngx_http_kafka_memory_create_pool(ngx_log_t *log)
{
    ngx_pool_t  *pool;

    if (ngx_http_kafka_memory_npools == 0) {
        return ngx_create_pool(NGX_HTTP_KAFKA_MEMORY_POOL, log);
    }

    pool = ngx_http_kafka_memory_pools[--ngx_http_kafka_memory_npools];
    pool->log = log;

    return pool;
}


/* a pool that has never grown is as good as new */

void
ngx_http_kafka_memory_free_pool(ngx_pool_t *pool)
{
    if (pool->d.next || pool->large || pool->cleanup
        || ngx_http_kafka_memory_npools == NGX_HTTP_KAFKA_MEMORY_POOLS)
    {
        ngx_destroy_pool(pool);
        return;
    }

    ngx_reset_pool(pool);

    ngx_http_kafka_memory_pools[ngx_http_kafka_memory_npools++] = pool;
}
