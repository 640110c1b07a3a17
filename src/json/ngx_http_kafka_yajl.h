
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
 * yajl 2 does not check what malloc() returns.  Here it runs on memory that
 * is never missing: a function that calls yajl returns NGX_ERROR instead, and
 * nothing but ngx_http_kafka_yajl_close() may be called then.
 */


/* bytes for all that yajl needs, unless a string with escapes is over 2k */
#define NGX_HTTP_KAFKA_YAJL_ARENA  3072


typedef struct {
    yajl_handle                  handle;
    jmp_buf                      nomem;    /* in the function that called it */
    ngx_log_t                   *log;
    ngx_queue_t                  blocks;   /* that did not fit in the arena */
    u_char                      *free;     /* of the arena, up to its end */
    u_char                       arena[NGX_HTTP_KAFKA_YAJL_ARENA];
} ngx_http_kafka_yajl_t;


/* returns NULL when memory is out */
ngx_http_kafka_yajl_t *ngx_http_kafka_yajl_open(
    const yajl_callbacks *callbacks, void *data, ngx_log_t *log);

/*
 * Both return NGX_OK, NGX_ERROR when memory is out, NGX_ABORT when a callback
 * ended it, or NGX_DECLINED for text that is not JSON.
 */
ngx_int_t ngx_http_kafka_yajl_parse(ngx_http_kafka_yajl_t *yajl,
    const u_char *data, size_t len);
ngx_int_t ngx_http_kafka_yajl_end(ngx_http_kafka_yajl_t *yajl);

/* why text was declined; lasts until yajl is closed; NULL: memory is out */
u_char *ngx_http_kafka_yajl_error(ngx_http_kafka_yajl_t *yajl);

void ngx_http_kafka_yajl_close(ngx_http_kafka_yajl_t *yajl);


#endif /* _NGX_HTTP_KAFKA_YAJL_H_INCLUDED_ */
