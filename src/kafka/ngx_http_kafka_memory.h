
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_MEMORY_H_INCLUDED_
#define _NGX_HTTP_KAFKA_MEMORY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * The pools of batches, some of which are kept for the next ones.  Event loop.
 */


/* the size of a pool's first block */
#define NGX_HTTP_KAFKA_MEMORY_POOL  2048


/* a pool for a batch; NULL when memory is out */
ngx_pool_t *ngx_http_kafka_memory_create_pool(ngx_log_t *log);

/* frees it, or keeps it for the next batch */
void ngx_http_kafka_memory_free_pool(ngx_pool_t *pool);


#endif /* _NGX_HTTP_KAFKA_MEMORY_H_INCLUDED_ */
