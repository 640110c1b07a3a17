
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_YAJL_H_INCLUDED_
#define _NGX_HTTP_KAFKA_YAJL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <setjmp.h>
#include <yajl/yajl_parse.h>


/*
 * yajl 2 does not check malloc() for NULL, so its allocations must not fail.
 * When memory is out, the allocator jumps back to the function below that has
 * called yajl, and that function returns an error.  After such an error only
 * ngx_http_kafka_yajl_close() may be called.  Event loop.
 */


/* bytes; enough for yajl unless a string with escapes is longer than 2k */
#define NGX_HTTP_KAFKA_YAJL_ARENA  3072


typedef struct {
    yajl_handle                  handle;
    jmp_buf                      nomem;    /* in the caller of yajl */
    ngx_log_t                   *log;
    ngx_queue_t                  blocks;   /* outside the arena */
    u_char                      *free;     /* the rest of the arena */
    u_char                       arena[NGX_HTTP_KAFKA_YAJL_ARENA];
} ngx_http_kafka_yajl_t;


/*
 * Returns a parser, or NULL when memory is out.  The caller must close the
 * parser.  The callbacks are called with data, and must live until then.
 */
ngx_http_kafka_yajl_t *ngx_http_kafka_yajl_open(
    const yajl_callbacks *callbacks, void *data, ngx_log_t *log);

/*
 * Parses a piece of the text, of len bytes.  Returns NGX_OK, NGX_ERROR when
 * memory is out, NGX_ABORT if a callback has returned 0, or NGX_DECLINED if the
 * text is not JSON.
 */
ngx_int_t ngx_http_kafka_yajl_parse(ngx_http_kafka_yajl_t *yajl,
    const u_char *data, size_t len);

/* ends the text; returns as above, and NGX_DECLINED for incomplete text */
ngx_int_t ngx_http_kafka_yajl_end(ngx_http_kafka_yajl_t *yajl);

/*
 * Returns the error message after NGX_DECLINED, or NULL when memory is out.
 * The string is valid until the parser is closed.
 */
u_char *ngx_http_kafka_yajl_error(ngx_http_kafka_yajl_t *yajl);

/* frees the parser and all of its memory */
void ngx_http_kafka_yajl_close(ngx_http_kafka_yajl_t *yajl);


#endif /* _NGX_HTTP_KAFKA_YAJL_H_INCLUDED_ */
