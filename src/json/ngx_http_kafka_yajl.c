
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_yajl.h>


/* the header of each allocation; link is not used inside the arena */

typedef struct {
    ngx_queue_t                  link;
    size_t                       size;     /* with this header */
} ngx_http_kafka_yajl_block_t;


static ngx_int_t ngx_http_kafka_yajl_alloc(ngx_http_kafka_yajl_t *yajl,
    const yajl_callbacks *callbacks, void *data);
static ngx_int_t ngx_http_kafka_yajl_status(yajl_status status);
static void *ngx_http_kafka_yajl_malloc(void *ctx, size_t size);
static void *ngx_http_kafka_yajl_realloc(void *ctx, void *p, size_t size);
static void ngx_http_kafka_yajl_free(void *ctx, void *p);
static size_t ngx_http_kafka_yajl_size(ngx_http_kafka_yajl_t *yajl,
    size_t size);
static ngx_uint_t ngx_http_kafka_yajl_in_arena(ngx_http_kafka_yajl_t *yajl,
    void *p);


/*
 * A closed parser that is kept for reuse.  One is enough: most requests are
 * parsed in one turn of the event loop.
 */
static ngx_http_kafka_yajl_t  *ngx_http_kafka_yajl_spare;


ngx_http_kafka_yajl_t *
ngx_http_kafka_yajl_open(const yajl_callbacks *callbacks, void *data,
    ngx_log_t *log)
{
    ngx_http_kafka_yajl_t  *yajl;

    yajl = ngx_http_kafka_yajl_spare;
    ngx_http_kafka_yajl_spare = NULL;

    if (yajl == NULL) {
        yajl = ngx_alloc(sizeof(ngx_http_kafka_yajl_t), log);
        if (yajl == NULL) {
            return NULL;
        }
    }

    yajl->log = log;

#if (NGX_DEBUG_PALLOC)
    /* use malloc() for each allocation, as nginx's pools do, for sanitizers */
    yajl->free = yajl->arena + NGX_HTTP_KAFKA_YAJL_ARENA;
#else
    yajl->free = ngx_align_ptr(yajl->arena, NGX_ALIGNMENT);
#endif

    ngx_queue_init(&yajl->blocks);

    if (ngx_http_kafka_yajl_alloc(yajl, callbacks, data) != NGX_OK) {
        ngx_http_kafka_yajl_close(yajl);
        return NULL;
    }

    return yajl;
}


static ngx_int_t
ngx_http_kafka_yajl_alloc(ngx_http_kafka_yajl_t *yajl,
    const yajl_callbacks *callbacks, void *data)
{
    yajl_alloc_funcs  funcs;

    if (setjmp(yajl->nomem)) {
        return NGX_ERROR;
    }

    /* yajl copies funcs */

    funcs.malloc = ngx_http_kafka_yajl_malloc;
    funcs.realloc = ngx_http_kafka_yajl_realloc;
    funcs.free = ngx_http_kafka_yajl_free;
    funcs.ctx = yajl;

    yajl->handle = yajl_alloc(callbacks, &funcs, data);

    return NGX_OK;
}


ngx_int_t
ngx_http_kafka_yajl_parse(ngx_http_kafka_yajl_t *yajl, const u_char *data,
    size_t len)
{
    if (setjmp(yajl->nomem)) {
        return NGX_ERROR;
    }

    return ngx_http_kafka_yajl_status(yajl_parse(yajl->handle, data, len));
}


ngx_int_t
ngx_http_kafka_yajl_end(ngx_http_kafka_yajl_t *yajl)
{
    if (setjmp(yajl->nomem)) {
        return NGX_ERROR;
    }

    return ngx_http_kafka_yajl_status(yajl_complete_parse(yajl->handle));
}


static ngx_int_t
ngx_http_kafka_yajl_status(yajl_status status)
{
    switch (status) {

    case yajl_status_ok:
        return NGX_OK;

    case yajl_status_client_canceled:
        return NGX_ABORT;

    default: /* yajl_status_error */
        return NGX_DECLINED;
    }
}


u_char *
ngx_http_kafka_yajl_error(ngx_http_kafka_yajl_t *yajl)
{
    if (setjmp(yajl->nomem)) {
        return NULL;
    }

    return yajl_get_error(yajl->handle, 0, NULL, 0);
}


/* does not call yajl_free(): the handle may be incomplete */

void
ngx_http_kafka_yajl_close(ngx_http_kafka_yajl_t *yajl)
{
    ngx_queue_t  *q;

    while (!ngx_queue_empty(&yajl->blocks)) {
        q = ngx_queue_head(&yajl->blocks);
        ngx_queue_remove(q);
        ngx_free(ngx_queue_data(q, ngx_http_kafka_yajl_block_t, link));
    }

    if (ngx_http_kafka_yajl_spare) {
        ngx_free(yajl);
        return;
    }

    ngx_http_kafka_yajl_spare = yajl;
}


static void *
ngx_http_kafka_yajl_malloc(void *ctx, size_t size)
{
    ngx_http_kafka_yajl_t *yajl = ctx;

    ngx_http_kafka_yajl_block_t  *block;

    size = ngx_http_kafka_yajl_size(yajl, size);

    if (size <= (size_t) (yajl->arena + NGX_HTTP_KAFKA_YAJL_ARENA
                          - yajl->free))
    {
        block = (ngx_http_kafka_yajl_block_t *) yajl->free;
        yajl->free += size;

    } else {
        block = ngx_alloc(size, yajl->log);
        if (block == NULL) {
            longjmp(yajl->nomem, 1);
        }

        ngx_queue_insert_tail(&yajl->blocks, &block->link);
    }

    block->size = size;

    return block + 1;
}


static void *
ngx_http_kafka_yajl_realloc(void *ctx, void *p, size_t size)
{
    ngx_http_kafka_yajl_t *yajl = ctx;

    void                         *data;
    ngx_http_kafka_yajl_block_t  *block;

    if (p == NULL) {
        return ngx_http_kafka_yajl_malloc(yajl, size);
    }

    block = (ngx_http_kafka_yajl_block_t *) p - 1;

    if (ngx_http_kafka_yajl_in_arena(yajl, p)) {
        data = ngx_http_kafka_yajl_malloc(yajl, size);
        ngx_memcpy(data, p, ngx_min(size, block->size - sizeof(*block)));
        return data;
    }

    size = ngx_http_kafka_yajl_size(yajl, size);

    /* the C library moves large ones without a copy */

    block = realloc(block, size);
    if (block == NULL) {
        ngx_log_error(NGX_LOG_EMERG, yajl->log, ngx_errno,
                      "realloc(%uz) failed", size);
        longjmp(yajl->nomem, 1);
    }

    block->size = size;
    block->link.prev->next = &block->link;
    block->link.next->prev = &block->link;

    return block + 1;
}


static void
ngx_http_kafka_yajl_free(void *ctx, void *p)
{
    ngx_http_kafka_yajl_t *yajl = ctx;

    ngx_http_kafka_yajl_block_t  *block;

    if (p == NULL || ngx_http_kafka_yajl_in_arena(yajl, p)) {
        return;
    }

    block = (ngx_http_kafka_yajl_block_t *) p - 1;

    ngx_queue_remove(&block->link);
    ngx_free(block);
}


/*
 * Returns the size of a block for size bytes, with padding that aligns the next
 * block.  Does not return if the size is too large: jumps to yajl->nomem.
 */

static size_t
ngx_http_kafka_yajl_size(ngx_http_kafka_yajl_t *yajl, size_t size)
{
    if (size > NGX_MAX_SIZE_T_VALUE - sizeof(ngx_http_kafka_yajl_block_t)
               - NGX_ALIGNMENT)
    {
        ngx_log_error(NGX_LOG_EMERG, yajl->log, 0,
                      "yajl asks for %uz bytes", size);
        longjmp(yajl->nomem, 1);
    }

    return ngx_align(size + sizeof(ngx_http_kafka_yajl_block_t),
                     NGX_ALIGNMENT);
}


static ngx_uint_t
ngx_http_kafka_yajl_in_arena(ngx_http_kafka_yajl_t *yajl, void *p)
{
    u_char  *data = p;

    return data > yajl->arena && data < yajl->arena + NGX_HTTP_KAFKA_YAJL_ARENA;
}
