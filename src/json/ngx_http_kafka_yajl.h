
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
 * yajl 2 does not check what malloc() returns.  Here its allocations never
 * return NULL: when memory is out the function that has called yajl returns an
 * error instead.  After that only ngx_http_kafka_yajl_close() may be called.
 * Event loop.
 */


/* bytes, enough for yajl unless a string with escapes is longer than 2k */
#define NGX_HTTP_KAFKA_YAJL_ARENA  3072


typedef struct {
    yajl_handle                  handle;
    jmp_buf                      nomem;    /* in the function that called it */
    ngx_log_t                   *log;
    ngx_queue_t                  blocks;   /* that did not fit in the arena */
    u_char                      *free;     /* of the arena, up to its end */
    u_char                       arena[NGX_HTTP_KAFKA_YAJL_ARENA];
} ngx_http_kafka_yajl_t;


/*
 * Returns a parser, which the caller closes, or NULL when memory is out.
 * callbacks must live as long; they are called with data.
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

/* ends the text, which must be complete; returns as above */
ngx_int_t ngx_http_kafka_yajl_end(ngx_http_kafka_yajl_t *yajl);

/*
 * Returns why the text was declined, as a string that is valid until yajl is
 * closed, or NULL when memory is out.
 */
u_char *ngx_http_kafka_yajl_error(ngx_http_kafka_yajl_t *yajl);

/* frees the parser and all of its memory */
void ngx_http_kafka_yajl_close(ngx_http_kafka_yajl_t *yajl);


#endif /* _NGX_HTTP_KAFKA_YAJL_H_INCLUDED_ */
