
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_writer.h>


#define NGX_HTTP_KAFKA_WRITER_BUFFER  8192


static ngx_int_t ngx_http_kafka_writer_buffer(ngx_http_kafka_writer_t *out,
    size_t size);


void
ngx_http_kafka_writer_init(ngx_http_kafka_writer_t *out, ngx_pool_t *pool)
{
    ngx_memzero(out, sizeof(ngx_http_kafka_writer_t));

    out->pool = pool;
    out->last = &out->first;
}


void
ngx_http_kafka_write(ngx_http_kafka_writer_t *out, const char *fmt, ...)
{
    size_t    size;
    u_char   *p;
    va_list   args;

    size = NGX_HTTP_KAFKA_WRITER_BUFFER;

    while (!out->failed) {

        if (out->buf) {
            va_start(args, fmt);
            p = ngx_vslprintf(out->buf->last, out->buf->end, fmt, args);
            va_end(args);

            if (p < out->buf->end) {
                out->size += p - out->buf->last;
                out->buf->last = p;
                return;
            }
        }

        /* the buffer is full, or it is empty and too small */

        if (ngx_http_kafka_writer_buffer(out, size) != NGX_OK) {
            out->failed = 1;
        }

        size *= 2;
    }
}


void
ngx_http_kafka_write_string(ngx_http_kafka_writer_t *out, ngx_str_t *text)
{
    size_t     escape;
    ngx_str_t  escaped;

    escape = ngx_escape_json(NULL, text->data, text->len);

    escaped.len = text->len + escape;
    escaped.data = ngx_pnalloc(out->pool, ngx_max(escaped.len, 1));

    if (escaped.data == NULL) {
        out->failed = 1;
        return;
    }

    (void) ngx_escape_json(escaped.data, text->data, text->len);

    ngx_http_kafka_write(out, "\"%V\"", &escaped);
}


static ngx_int_t
ngx_http_kafka_writer_buffer(ngx_http_kafka_writer_t *out, size_t size)
{
    ngx_chain_t  *cl;

    if (out->buf && out->buf->pos == out->buf->last) {

        /* the buffer is empty: replace its memory */

        out->buf->start = ngx_palloc(out->pool, size);
        if (out->buf->start == NULL) {
            return NGX_ERROR;
        }

        out->buf->pos = out->buf->start;
        out->buf->last = out->buf->start;
        out->buf->end = out->buf->start + size;

        return NGX_OK;
    }

    cl = ngx_alloc_chain_link(out->pool);
    if (cl == NULL) {
        return NGX_ERROR;
    }

    cl->buf = ngx_create_temp_buf(out->pool, size);
    if (cl->buf == NULL) {
        return NGX_ERROR;
    }

    cl->next = NULL;

    *out->last = cl;
    out->last = &cl->next;
    out->buf = cl->buf;

    return NGX_OK;
}
