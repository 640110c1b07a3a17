
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_POOL_CACHE_H_INCLUDED_
#define _NGX_HTTP_KAFKA_POOL_CACHE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* Pools for batches.  Some are kept and used again.  Event loop. */


/* size of a pool's first block, in bytes */
#define NGX_HTTP_KAFKA_POOL_CACHE_BLOCK  2048


/* returns a pool for a batch, or NULL when out of memory */
ngx_pool_t *ngx_http_kafka_pool_cache_get(ngx_log_t *log);

/* keeps the pool for a later batch, or destroys it */
void ngx_http_kafka_pool_cache_put(ngx_pool_t *pool);


#endif /* _NGX_HTTP_KAFKA_POOL_CACHE_H_INCLUDED_ */
