
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_LEX_H_INCLUDED_
#define _NGX_HTTP_KAFKA_LEX_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * A filter before yajl.  The filter removes trailing commas, which the API
 * allows.  It refuses errors that yajl 2.1 accepts: invalid UTF-8, lone
 * surrogates, and \f and \v as white space.  It leaves all other errors to
 * yajl.  The filter keeps its state between buffers, which may split the text
 * anywhere.
 *
 * The filter also marks the parts of a string, number or literal that continues
 * in the next buffer.  yajl rescans a token with each of its parts, so the time
 * for many small parts would grow with the square of the token's length.
 *
 * Event loop.
 */


typedef struct {
    off_t                        offset;     /* of the next byte to look at */
    off_t                        comma;      /* offset of the held comma */
    const char                  *error;      /* static, set with NGX_ERROR */

    u_char                      *token;      /* start of the open token */
    ngx_str_t                    tail;       /* first part of a token */

    ngx_uint_t                   state;
    ngx_uint_t                   code;       /* of a \u escape, so far */
    ngx_uint_t                   digits;

    u_char                       previous;   /* last significant byte */
    u_char                       need;       /* UTF-8 bytes to come */
    u_char                       low;        /* bounds of the next one */
    u_char                       high;
    unsigned                     held:1;     /* a comma of an older buffer */
    unsigned                     open:1;     /* inside a token */
    unsigned                     continued:1; /* token of an older buffer */
    unsigned                     partial:1;  /* the piece is part of one */
    unsigned                     surrogate:1; /* a low one must follow */
} ngx_http_kafka_lex_t;


/*
 * Scans the buffer from *pos to last, and moves *pos.  Sets piece to the next
 * text for the parser, and offset to the offset of the piece in the body.  The
 * piece points into the buffer, or to a static comma.  If lex->partial is set,
 * the piece is part of a token, and the last part unless lex->open is set, too.
 * Returns NGX_OK with a piece, NGX_DONE at the end of the buffer, or NGX_ERROR
 * with the reason in lex->error and its place in lex->offset.
 */
ngx_int_t ngx_http_kafka_lex(ngx_http_kafka_lex_t *lex, u_char **pos,
    u_char *last, ngx_str_t *piece, off_t *offset);

/*
 * Ends the text.  Returns NGX_OK, or NGX_ERROR with lex->error set if the text
 * ends inside a string.  yajl would accept an unclosed string after the
 * document.
 */
ngx_int_t ngx_http_kafka_lex_end(ngx_http_kafka_lex_t *lex);


#endif /* _NGX_HTTP_KAFKA_LEX_H_INCLUDED_ */
