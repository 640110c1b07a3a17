
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_READER_H_INCLUDED_
#define _NGX_HTTP_KAFKA_READER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http_kafka_lex.h>
#include <ngx_http_kafka_yajl.h>


/*
 * Reads JSON text that comes in pieces, none of which is kept: yajl behind a
 * stricter lexer.  The callbacks know what the tokens mean.  Event loop.
 */


#define NGX_HTTP_KAFKA_READER_ERROR  512


/* counts bytes that are held from now on, or no longer (negative) */
typedef void (*ngx_http_kafka_reader_hold_pt)(void *data, ssize_t size);


typedef struct {
    void                            *data;    /* of the callbacks */
    ngx_http_kafka_reader_hold_pt    hold;
    ngx_log_t                       *log;

    ngx_http_kafka_yajl_t           *yajl;
    ngx_http_kafka_lex_t             lex;
    off_t                            base;    /* of the piece yajl works on */

    ngx_str_t                        token;   /* not yet complete, a copy */
    size_t                           token_room;    /* bytes allocated */
    off_t                            token_offset;  /* where it began */
    ngx_str_t                        large;   /* yajl gets "" instead */

    ngx_uint_t                       depth;
    unsigned                         nomem:1; /* a callback found no memory */

    ngx_str_t                        error;   /* in text */
    u_char                           text[NGX_HTTP_KAFKA_READER_ERROR];
} ngx_http_kafka_reader_t;


/*
 * Expects a zeroed object with data, hold and log set.  The pool frees its
 * memory at the latest.  Returns NGX_OK, or NGX_ERROR when memory is out.
 */
ngx_int_t ngx_http_kafka_reader_open(ngx_http_kafka_reader_t *rd,
    ngx_pool_t *pool, yajl_callbacks *callbacks);

/* frees what is not in the pool; only rd->error may be used after that */
void ngx_http_kafka_reader_close(ngx_http_kafka_reader_t *rd);

/*
 * Feeds a piece of the text.  Returns NGX_OK, NGX_ERROR when memory is out, or
 * NGX_DECLINED if the text is refused for the reason in rd->error; nothing more
 * may be fed then.
 */
ngx_int_t ngx_http_kafka_reader_feed(ngx_http_kafka_reader_t *rd,
    u_char *data, size_t len);

/* ends the text; returns as above, or NGX_DONE if it was empty or blank */
ngx_int_t ngx_http_kafka_reader_end(ngx_http_kafka_reader_t *rd);


/* for callbacks */

/* sets rd->error, unless it is set already; returns NGX_DECLINED */
ngx_int_t ngx_http_kafka_reader_refuse(ngx_http_kafka_reader_t *rd,
    const char *fmt, ...);

/*
 * To be called when an object or an array opens.  Returns NGX_OK, or
 * NGX_DECLINED if it is nested too deep.  The caller decrements rd->depth when
 * it closes.
 */
ngx_int_t ngx_http_kafka_reader_nest(ngx_http_kafka_reader_t *rd);

/* sets data and len to the string, if yajl was given another one for it */
void ngx_http_kafka_reader_string(ngx_http_kafka_reader_t *rd,
    const u_char **data, size_t *len);

/*
 * If rd->large is set: gives that string to the pool instead of a copy.  It
 * stays counted.  Returns NGX_OK, or NGX_ERROR when memory is out.
 */
ngx_int_t ngx_http_kafka_reader_take(ngx_http_kafka_reader_t *rd,
    ngx_pool_t *pool, ngx_str_t *dst);


#endif /* _NGX_HTTP_KAFKA_READER_H_INCLUDED_ */
