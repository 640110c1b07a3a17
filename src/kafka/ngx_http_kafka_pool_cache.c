
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_pool_cache.h>


/* maximum number of pools to keep: as many as a busy worker uses at a time */
#define NGX_HTTP_KAFKA_POOL_CACHE_MAX  512


static ngx_pool_t  *ngx_http_kafka_pool_cache[NGX_HTTP_KAFKA_POOL_CACHE_MAX];
static ngx_uint_t   ngx_http_kafka_pool_cache_n;


ngx_pool_t *
ngx_http_kafka_pool_cache_get(ngx_log_t *log)
{
    ngx_pool_t  *pool;

    if (ngx_http_kafka_pool_cache_n == 0) {
        return ngx_create_pool(NGX_HTTP_KAFKA_POOL_CACHE_BLOCK, log);
    }

    pool = ngx_http_kafka_pool_cache[--ngx_http_kafka_pool_cache_n];
    pool->log = log;

    return pool;
}


/*
 * only a pool that has not grown is kept, since ngx_reset_pool() makes it as
 * new
 */

void
ngx_http_kafka_pool_cache_put(ngx_pool_t *pool)
{
    if (pool->d.next || pool->large || pool->cleanup
        || ngx_http_kafka_pool_cache_n == NGX_HTTP_KAFKA_POOL_CACHE_MAX)
    {
        ngx_destroy_pool(pool);
        return;
    }

    ngx_reset_pool(pool);

    ngx_http_kafka_pool_cache[ngx_http_kafka_pool_cache_n++] = pool;
}
