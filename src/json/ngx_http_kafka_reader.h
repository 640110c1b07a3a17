
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
 * A JSON reader for text that arrives in pieces: yajl behind a stricter lexer.
 * The reader keeps no pointer to a piece.  The callbacks interpret the tokens.
 * Event loop.
 */


#define NGX_HTTP_KAFKA_READER_ERROR  512


/* adds size, in bytes, to the memory in use; negative if memory was freed */
typedef void (*ngx_http_kafka_reader_hold_pt)(void *data, ssize_t size);


typedef struct {
    void                            *data;    /* for callbacks and hold */
    ngx_http_kafka_reader_hold_pt    hold;
    ngx_log_t                       *log;

    ngx_http_kafka_yajl_t           *yajl;
    ngx_http_kafka_lex_t             lex;
    off_t                            base;    /* offset of yajl's piece */

    ngx_str_t                        token;   /* incomplete, a copy */
    size_t                           token_room;    /* bytes allocated */
    off_t                            token_offset;  /* of its start */
    ngx_str_t                        large;   /* yajl gets "" for it */

    ngx_uint_t                       depth;
    unsigned                         nomem:1; /* no memory in a callback */

    ngx_str_t                        error;   /* points to text */
    u_char                           text[NGX_HTTP_KAFKA_READER_ERROR];
} ngx_http_kafka_reader_t;


/*
 * Opens a zeroed reader, in which the caller has set data, hold and log.  The
 * callbacks must live as long as the reader.  The pool's cleanup frees the
 * reader's memory, unless ngx_http_kafka_reader_close() has done so.  Returns
 * NGX_OK, or NGX_ERROR when memory is out.
 */
ngx_int_t ngx_http_kafka_reader_open(ngx_http_kafka_reader_t *rd,
    ngx_pool_t *pool, yajl_callbacks *callbacks);

/* frees the memory outside the pool; only rd->error may be used afterwards */
void ngx_http_kafka_reader_close(ngx_http_kafka_reader_t *rd);

/*
 * Parses a piece of the text, len bytes.  Returns NGX_OK, NGX_ERROR when memory
 * is out, or NGX_DECLINED if the text is refused, with the reason in rd->error.
 * Nothing may be fed after an error.
 */
ngx_int_t ngx_http_kafka_reader_feed(ngx_http_kafka_reader_t *rd,
    u_char *data, size_t len);

/* ends the text; returns as above, or NGX_DONE if the text is blank */
ngx_int_t ngx_http_kafka_reader_end(ngx_http_kafka_reader_t *rd);


/* The functions below are for the callbacks. */

/* formats rd->error as ngx_sprintf(), if it is empty; returns NGX_DECLINED */
ngx_int_t ngx_http_kafka_reader_refuse(ngx_http_kafka_reader_t *rd,
    const char *fmt, ...);

/*
 * Must be called when an object or an array opens.  The caller must decrement
 * rd->depth when the object or array closes.  Returns NGX_OK, or NGX_DECLINED
 * with rd->error set if the nesting is too deep.
 */
ngx_int_t ngx_http_kafka_reader_nest(ngx_http_kafka_reader_t *rd);

/* sets data and len to rd->large, if yajl got an empty string for it */
void ngx_http_kafka_reader_string(ngx_http_kafka_reader_t *rd,
    const u_char **data, size_t *len);

/*
 * Moves rd->large, which must be set, to the pool without a copy, and sets dst
 * to the string.  The caller's pool owns the string afterwards, and its bytes
 * stay counted.  Returns NGX_OK, or NGX_ERROR with rd->nomem set when memory is
 * out.
 */
ngx_int_t ngx_http_kafka_reader_take(ngx_http_kafka_reader_t *rd,
    ngx_pool_t *pool, ngx_str_t *dst);


#endif /* _NGX_HTTP_KAFKA_READER_H_INCLUDED_ */
