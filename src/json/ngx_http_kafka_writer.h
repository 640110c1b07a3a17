
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_WRITER_H_INCLUDED_
#define _NGX_HTTP_KAFKA_WRITER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* Writes text of unknown length into a chain of buffers.  Event loop. */


typedef struct {
    ngx_pool_t                  *pool;
    ngx_chain_t                 *first;      /* of the text; NULL if empty */
    ngx_chain_t                **last;
    ngx_buf_t                   *buf;
    off_t                        size;       /* of the text, bytes */
    unsigned                     failed:1;   /* memory is out */
} ngx_http_kafka_writer_t;


/*
 * Starts an empty text.  Its buffers are allocated from pool and freed with the
 * pool.
 */
void ngx_http_kafka_writer_init(ngx_http_kafka_writer_t *out, ngx_pool_t *pool);

/*
 * Appends text, formatted as by ngx_sprintf().  Sets out->failed when memory is
 * out; further calls then do nothing.
 */
void ngx_http_kafka_write(ngx_http_kafka_writer_t *out, const char *fmt, ...);

/* appends text as a JSON string, escaped and in quotes; fails as above */
void ngx_http_kafka_write_string(ngx_http_kafka_writer_t *out, ngx_str_t *text);


#endif /* _NGX_HTTP_KAFKA_WRITER_H_INCLUDED_ */
