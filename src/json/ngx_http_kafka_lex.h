
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_LEX_H_INCLUDED_
#define _NGX_HTTP_KAFKA_LEX_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * A filter before yajl.  It removes the trailing commas that the contract
 * allows, and refuses what yajl 2.1 lets through: invalid UTF-8, lone
 * surrogates, \f and \v as white space.  It keeps its state between buffers,
 * which may split the text anywhere.  It leaves all other errors to yajl.
 *
 * It also marks parts of strings, numbers and words that continue in the next
 * buffer: yajl rescans the token with each piece, so many small pieces would
 * cost the square of its length.
 */


typedef struct {
    off_t                        offset;     /* of the next byte to look at */
    off_t                        comma;      /* where the held comma was */
    const char                  *error;      /* static, set with NGX_ERROR */

    u_char                      *token;      /* where the open one began */
    ngx_str_t                    tail;       /* it, up to the buffer's end */

    ngx_uint_t                   state;
    ngx_uint_t                   code;       /* of a \u escape, so far */
    ngx_uint_t                   digits;

    u_char                       previous;   /* significant byte, not held */
    u_char                       need;       /* UTF-8 continuation bytes */
    u_char                       low;        /* bounds of the next of them */
    u_char                       high;
    unsigned                     held:1;     /* a comma, by another buffer */
    unsigned                     open:1;     /* inside a token */
    unsigned                     continued:1; /* of another buffer */
    unsigned                     partial:1;  /* the piece is part of one */
    unsigned                     surrogate:1;
} ngx_http_kafka_lex_t;


/*
 * Takes bytes from *pos, and sets piece to the next text for the parser and
 * offset to its offset in the body.  The piece points into the buffer, or is a
 * comma.  If lex->partial is set it is part of a token, the last part unless
 * lex->open is set.  Returns NGX_OK with a piece, NGX_DONE when the buffer is
 * used up, or NGX_ERROR: lex->error says what is wrong at lex->offset.
 */
ngx_int_t ngx_http_kafka_lex(ngx_http_kafka_lex_t *lex, u_char **pos,
    u_char *last, ngx_str_t *piece, off_t *offset);

/*
 * Ends the text.  Returns NGX_OK, or NGX_ERROR if it ends inside a string: yajl
 * accepts an unclosed string after the document.
 */
ngx_int_t ngx_http_kafka_lex_end(ngx_http_kafka_lex_t *lex);


#endif /* _NGX_HTTP_KAFKA_LEX_H_INCLUDED_ */
