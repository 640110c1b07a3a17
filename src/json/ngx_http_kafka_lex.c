
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_lex.h>


/* a 64-bit word with ch in each byte */
#define NGX_HTTP_KAFKA_LEX_EACH(ch)  (UINT64_C(0x0101010101010101) * (ch))


typedef enum {
    lex_outside = 0,
    lex_string,
    lex_utf8,
    lex_escape,
    lex_hex,
    lex_low_backslash,
    lex_low_u
} ngx_http_kafka_lex_state_e;


static void ngx_http_kafka_lex_cut(ngx_http_kafka_lex_t *lex, u_char *start,
    u_char **end);
static ngx_int_t ngx_http_kafka_lex_outside(ngx_http_kafka_lex_t *lex,
    u_char **pos, u_char *last, u_char **end);
static ngx_int_t ngx_http_kafka_lex_string(ngx_http_kafka_lex_t *lex,
    u_char **pos, u_char *last);
static u_char *ngx_http_kafka_lex_plain(u_char *p, u_char *last);
static ngx_int_t ngx_http_kafka_lex_byte(ngx_http_kafka_lex_t *lex,
    u_char ch);
static ngx_int_t ngx_http_kafka_lex_lead(ngx_http_kafka_lex_t *lex,
    u_char ch);
static ngx_int_t ngx_http_kafka_lex_hex(ngx_http_kafka_lex_t *lex,
    u_char ch);
static ngx_int_t ngx_http_kafka_lex_low(ngx_http_kafka_lex_t *lex,
    u_char ch, u_char expected, ngx_uint_t next);
static void ngx_http_kafka_lex_take_tail(ngx_http_kafka_lex_t *lex,
    ngx_str_t *piece, off_t *offset);
static void ngx_http_kafka_lex_pass_comma(ngx_http_kafka_lex_t *lex,
    ngx_str_t *piece, off_t *offset);
static ngx_uint_t ngx_http_kafka_lex_bare(u_char ch);
static ngx_uint_t ngx_http_kafka_lex_trailing(ngx_http_kafka_lex_t *lex,
    u_char ch);


static const char  ngx_http_kafka_lex_utf8[] = "invalid UTF-8 in a string";
static const char  ngx_http_kafka_lex_lone[] = "lone surrogate in a string";
static const char  ngx_http_kafka_lex_unfinished[] = "unfinished string";
static const char  ngx_http_kafka_lex_blank[] =
    "form feed or vertical tab outside a string";

static u_char  ngx_http_kafka_lex_comma[] = ",";


ngx_int_t
ngx_http_kafka_lex(ngx_http_kafka_lex_t *lex, u_char **pos, u_char *last,
    ngx_str_t *piece, off_t *offset)
{
    u_char     *p, *start, *end;
    off_t       base;
    ngx_int_t   rc;

    start = *pos;
    base = lex->offset;
    end = NULL;

    if (lex->tail.len) {
        ngx_http_kafka_lex_take_tail(lex, piece, offset);
        return NGX_OK;
    }

    lex->continued = lex->open;
    lex->partial = lex->open;
    lex->token = start;

    for (p = start; p < last && end == NULL; /* void */) {

        if (lex->state == lex_outside) {
            rc = ngx_http_kafka_lex_outside(lex, &p, last, &end);

        } else {
            rc = ngx_http_kafka_lex_string(lex, &p, last);
        }

        lex->offset = base + (p - start);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc == NGX_AGAIN) {
            ngx_http_kafka_lex_pass_comma(lex, piece, offset);
            *pos = p;
            return NGX_OK;
        }

        if (lex->continued && !lex->open) {
            end = p;
        }
    }

    if (end == NULL) {
        end = p;

        if (lex->open && !lex->continued) {
            ngx_http_kafka_lex_cut(lex, start, &end);
        }
    }

    *pos = p;

    piece->data = start;
    piece->len = end - start;
    *offset = base;

    return (start == last) ? NGX_DONE : NGX_OK;
}


/* sets piece to the first part of a token that the end of a buffer splits */

static void
ngx_http_kafka_lex_take_tail(ngx_http_kafka_lex_t *lex, ngx_str_t *piece,
    off_t *offset)
{
    *piece = lex->tail;
    *offset = lex->offset - lex->tail.len;

    lex->tail.len = 0;
    lex->partial = 1;
}


/* passes on the comma of an earlier buffer: it is not a trailing comma */

static void
ngx_http_kafka_lex_pass_comma(ngx_http_kafka_lex_t *lex, ngx_str_t *piece,
    off_t *offset)
{
    piece->data = ngx_http_kafka_lex_comma;
    piece->len = 1;
    *offset = lex->comma;
}


/* makes a token that the end of the buffer splits a piece of its own */

static void
ngx_http_kafka_lex_cut(ngx_http_kafka_lex_t *lex, u_char *start, u_char **end)
{
    if (lex->token == start) {
        lex->partial = 1;
        return;
    }

    lex->tail.data = lex->token;
    lex->tail.len = *end - lex->token;
    *end = lex->token;
}


ngx_int_t
ngx_http_kafka_lex_end(ngx_http_kafka_lex_t *lex)
{
    if (lex->state == lex_outside) {
        return NGX_OK;
    }

    lex->error = ngx_http_kafka_lex_unfinished;

    return NGX_ERROR;
}


/*
 * Scans text outside strings.  Returns NGX_OK to continue at *pos, NGX_AGAIN to
 * pass on the held comma first, or NGX_ERROR.  If a comma is removed or held,
 * sets *end to the comma: the piece ends before it.
 */

static ngx_int_t
ngx_http_kafka_lex_outside(ngx_http_kafka_lex_t *lex, u_char **pos,
    u_char *last, u_char **end)
{
    u_char  *p, *comma, ch;

    comma = NULL;

    for (p = *pos; p < last; p++) {
        ch = *p;

        if (lex->open && !ngx_http_kafka_lex_bare(ch)) {
            lex->open = 0;

            if (lex->continued) {
                *pos = p;
                return NGX_OK;
            }
        }

        switch (ch) {

        case ' ':
        case '\t':
        case '\n':
        case '\r':
            continue;

        case '\f':
        case '\v':
            *pos = p;
            lex->error = ngx_http_kafka_lex_blank;
            return NGX_ERROR;
        }

        if (lex->held) {
            *pos = p;
            lex->held = 0;

            if (ngx_http_kafka_lex_trailing(lex, ch)) {
                return NGX_OK;
            }

            lex->previous = ',';
            return NGX_AGAIN;
        }

        if (comma) {
            if (ngx_http_kafka_lex_trailing(lex, ch)) {
                *pos = p;
                *end = comma;
                return NGX_OK;
            }

            lex->previous = ',';
            comma = NULL;
        }

        if (ch == ',') {
            comma = p;
            continue;
        }

        lex->previous = ch;

        if (!lex->open && (ch == '"' || ngx_http_kafka_lex_bare(ch))) {
            lex->open = 1;
            lex->token = p;
        }

        if (ch == '"') {
            lex->state = lex_string;
            *pos = p + 1;
            return NGX_OK;
        }
    }

    if (comma) {
        lex->held = 1;
        lex->comma = lex->offset + (comma - *pos);
        *end = comma;
    }

    *pos = p;

    return NGX_OK;
}


static ngx_int_t
ngx_http_kafka_lex_string(ngx_http_kafka_lex_t *lex, u_char **pos,
    u_char *last)
{
    u_char  *p, ch;

    p = *pos;

    while (p < last) {

        if (lex->state != lex_string) {

            if (ngx_http_kafka_lex_byte(lex, *p) != NGX_OK) {
                *pos = p;
                return NGX_ERROR;
            }

            p++;
            continue;
        }

        p = ngx_http_kafka_lex_plain(p, last);

        if (p == last) {
            break;
        }

        ch = *p;

        if (ch == '"') {
            lex->state = lex_outside;
            lex->open = 0;
            p++;
            break;
        }

        if (ch == '\\') {
            lex->state = lex_escape;

        } else if (ngx_http_kafka_lex_lead(lex, ch) != NGX_OK) {
            *pos = p;
            return NGX_ERROR;
        }

        p++;
    }

    *pos = p;

    return NGX_OK;
}


/*
 * Returns the first byte that is a quote, a backslash or not ASCII, or last.
 * Most bytes of a body are other bytes, so the function checks eight at a time.
 */

static u_char *
ngx_http_kafka_lex_plain(u_char *p, u_char *last)
{
    uint64_t  word, quote, slash;

    while (last - p >= (ptrdiff_t) sizeof(uint64_t)) {
        ngx_memcpy(&word, p, sizeof(uint64_t));

        /*
         * This sets the high bit of each byte that is zero.  The borrow may
         * also set the high bit of bytes above a zero byte.
         */

        quote = word ^ NGX_HTTP_KAFKA_LEX_EACH('"');
        slash = word ^ NGX_HTTP_KAFKA_LEX_EACH('\\');

        quote = (quote - NGX_HTTP_KAFKA_LEX_EACH(1)) & ~quote;
        slash = (slash - NGX_HTTP_KAFKA_LEX_EACH(1)) & ~slash;

        if ((word | quote | slash) & NGX_HTTP_KAFKA_LEX_EACH(0x80)) {
            break;
        }

        p += sizeof(uint64_t);
    }

    while (p < last && *p != '"' && *p != '\\' && *p < 0x80) {
        p++;
    }

    return p;
}


/* handles a byte inside an escape or a multibyte character */

static ngx_int_t
ngx_http_kafka_lex_byte(ngx_http_kafka_lex_t *lex, u_char ch)
{
    switch (lex->state) {

    case lex_utf8:
        if (ch < lex->low || ch > lex->high) {
            lex->error = ngx_http_kafka_lex_utf8;
            return NGX_ERROR;
        }

        lex->low = 0x80;
        lex->high = 0xbf;

        if (--lex->need == 0) {
            lex->state = lex_string;
        }

        return NGX_OK;

    case lex_escape:
        lex->state = (ch == 'u') ? lex_hex : lex_string;
        lex->code = 0;
        lex->digits = 0;
        return NGX_OK;

    case lex_hex:
        return ngx_http_kafka_lex_hex(lex, ch);

    case lex_low_backslash:
        return ngx_http_kafka_lex_low(lex, ch, '\\', lex_low_u);

    default: /* lex_low_u */
        return ngx_http_kafka_lex_low(lex, ch, 'u', lex_hex);
    }
}


static ngx_int_t
ngx_http_kafka_lex_lead(ngx_http_kafka_lex_t *lex, u_char ch)
{
    lex->low = 0x80;
    lex->high = 0xbf;

    if (ch >= 0xc2 && ch <= 0xdf) {
        lex->need = 1;

    } else if (ch >= 0xe0 && ch <= 0xef) {
        lex->need = 2;

        if (ch == 0xe0) {
            lex->low = 0xa0;

        } else if (ch == 0xed) {
            lex->high = 0x9f;
        }

    } else if (ch >= 0xf0 && ch <= 0xf4) {
        lex->need = 3;

        if (ch == 0xf0) {
            lex->low = 0x90;

        } else if (ch == 0xf4) {
            lex->high = 0x8f;
        }

    } else {
        lex->error = ngx_http_kafka_lex_utf8;
        return NGX_ERROR;
    }

    lex->state = lex_utf8;

    return NGX_OK;
}


static ngx_int_t
ngx_http_kafka_lex_hex(ngx_http_kafka_lex_t *lex, u_char ch)
{
    ngx_int_t  digit;

    digit = ngx_hextoi(&ch, 1);

    if (digit == NGX_ERROR) {

        /* yajl reports the invalid escape */

        lex->state = lex_string;
        lex->surrogate = 0;
        return NGX_OK;
    }

    lex->code = lex->code * 16 + digit;

    if (++lex->digits < 4) {
        return NGX_OK;
    }

    if (lex->code >= 0xdc00 && lex->code <= 0xdfff) {

        if (!lex->surrogate) {
            lex->error = ngx_http_kafka_lex_lone;
            return NGX_ERROR;
        }

        lex->surrogate = 0;
        lex->state = lex_string;
        return NGX_OK;
    }

    if (lex->surrogate) {
        lex->error = ngx_http_kafka_lex_lone;
        return NGX_ERROR;
    }

    if (lex->code >= 0xd800 && lex->code <= 0xdbff) {
        lex->surrogate = 1;
        lex->state = lex_low_backslash;
        return NGX_OK;
    }

    lex->state = lex_string;

    return NGX_OK;
}


static ngx_int_t
ngx_http_kafka_lex_low(ngx_http_kafka_lex_t *lex, u_char ch, u_char expected,
    ngx_uint_t next)
{
    if (ch != expected) {
        lex->error = ngx_http_kafka_lex_lone;
        return NGX_ERROR;
    }

    lex->state = next;
    lex->code = 0;
    lex->digits = 0;

    return NGX_OK;
}


/* returns 1 for a byte of a number or a literal, or for an invalid byte */

static ngx_uint_t
ngx_http_kafka_lex_bare(u_char ch)
{
    switch (ch) {

    case ' ':
    case '\t':
    case '\n':
    case '\r':
    case '\f':
    case '\v':
    case '"':
    case ',':
    case ':':
    case '[':
    case ']':
    case '{':
    case '}':
        return 0;
    }

    return 1;
}


/* returns 1 if a comma before ch is a trailing comma after a value */

static ngx_uint_t
ngx_http_kafka_lex_trailing(ngx_http_kafka_lex_t *lex, u_char ch)
{
    if (ch != ']' && ch != '}') {
        return 0;
    }

    switch (lex->previous) {

    case '\0':
    case '[':
    case '{':
    case ',':
    case ':':
        return 0;
    }

    return 1;
}
