
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_WRITER_H_INCLUDED_
#define _NGX_HTTP_KAFKA_WRITER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* text whose length is not known before, in a chain of buffers */

typedef struct {
    ngx_pool_t                  *pool;
    ngx_chain_t                 *first;
    ngx_chain_t                **last;
    ngx_buf_t                   *buf;
    off_t                        size;
    unsigned                     failed:1;   /* memory is out */
} ngx_http_kafka_writer_t;


void ngx_http_kafka_writer_init(ngx_http_kafka_writer_t *out, ngx_pool_t *pool);

/* adds text as ngx_sprintf() makes it */
void ngx_http_kafka_write(ngx_http_kafka_writer_t *out, const char *fmt, ...);

/* adds a JSON string, in quotes, with what JSON cannot have escaped */
void ngx_http_kafka_write_string(ngx_http_kafka_writer_t *out, ngx_str_t *text);


#endif /* _NGX_HTTP_KAFKA_WRITER_H_INCLUDED_ */
