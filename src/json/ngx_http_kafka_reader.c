
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_reader.h>


#define NGX_HTTP_KAFKA_READER_DEPTH  64

/* bytes; a string of several buffers is not copied if it is this large */
#define NGX_HTTP_KAFKA_READER_LARGE  65536


static void ngx_http_kafka_reader_cleanup(void *data);
static void ngx_http_kafka_reader_free_token(ngx_http_kafka_reader_t *rd);
static ngx_int_t ngx_http_kafka_reader_hold(ngx_http_kafka_reader_t *rd,
    ngx_str_t *piece, off_t offset);
static ngx_int_t ngx_http_kafka_reader_token(ngx_http_kafka_reader_t *rd);
static ngx_int_t ngx_http_kafka_reader_parse(ngx_http_kafka_reader_t *rd,
    ngx_str_t *piece, off_t offset);
static ngx_int_t ngx_http_kafka_reader_invalid(
    ngx_http_kafka_reader_t *rd);
static ngx_int_t ngx_http_kafka_reader_status(ngx_http_kafka_reader_t *rd,
    ngx_int_t rc, ngx_str_t *piece);


ngx_int_t
ngx_http_kafka_reader_open(ngx_http_kafka_reader_t *rd, ngx_pool_t *pool,
    yajl_callbacks *callbacks)
{
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    rd->yajl = ngx_http_kafka_yajl_open(callbacks, rd->data,
                                            rd->log);
    if (rd->yajl == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_kafka_reader_cleanup;
    cln->data = rd;

    /* ngx_http_kafka_lex() validates strings, and more strictly */
    (void) yajl_config(rd->yajl->handle, yajl_dont_validate_strings, 1);

    return NGX_OK;
}


void
ngx_http_kafka_reader_close(ngx_http_kafka_reader_t *rd)
{
    if (rd->yajl) {
        ngx_http_kafka_yajl_close(rd->yajl);
        rd->yajl = NULL;
    }

    ngx_http_kafka_reader_free_token(rd);
}


/* does not call rd->hold(): the object behind rd->data may be freed already */

static void
ngx_http_kafka_reader_cleanup(void *data)
{
    ngx_http_kafka_reader_t *rd = data;

    if (rd->yajl) {
        ngx_http_kafka_yajl_close(rd->yajl);
    }

    if (rd->token.data) {
        ngx_free(rd->token.data);
    }
}


static void
ngx_http_kafka_reader_free_token(ngx_http_kafka_reader_t *rd)
{
    if (rd->token.data) {
        rd->hold(rd->data, -(ssize_t) rd->token_room);
        ngx_free(rd->token.data);
    }

    ngx_str_null(&rd->token);
    rd->token_room = 0;
}


ngx_int_t
ngx_http_kafka_reader_feed(ngx_http_kafka_reader_t *rd, u_char *data,
    size_t len)
{
    off_t       offset;
    u_char     *p, *last;
    ngx_int_t   rc;
    ngx_str_t   piece;

    p = data;
    last = data + len;

    for ( ;; ) {
        rc = ngx_http_kafka_lex(&rd->lex, &p, last, &piece, &offset);

        if (rc == NGX_DONE) {
            return NGX_OK;
        }

        if (rc == NGX_ERROR) {
            return ngx_http_kafka_reader_invalid(rd);
        }

        if (rd->lex.partial) {
            rc = ngx_http_kafka_reader_hold(rd, &piece, offset);

        } else {
            rc = ngx_http_kafka_reader_parse(rd, &piece, offset);
        }

        if (rc != NGX_OK) {
            return rc;
        }
    }
}


/* keeps a part of a token: yajl gets the whole token at once */

static ngx_int_t
ngx_http_kafka_reader_hold(ngx_http_kafka_reader_t *rd, ngx_str_t *piece,
    off_t offset)
{
    u_char  *data;
    size_t   room;

    if (rd->token.len == 0) {
        rd->token_offset = offset;
    }

    if (rd->token.len + piece->len > rd->token_room) {
        room = ngx_max(2 * rd->token_room, rd->token.len + piece->len);

        /* the C library moves large ones without a copy */

        data = realloc(rd->token.data, room);
        if (data == NULL) {
            ngx_log_error(NGX_LOG_EMERG, rd->log, ngx_errno,
                          "realloc(%uz) failed", room);
            return NGX_ERROR;
        }

        rd->hold(rd->data, room - rd->token_room);

        rd->token.data = data;
        rd->token_room = room;
    }

    ngx_memcpy(rd->token.data + rd->token.len, piece->data, piece->len);
    rd->token.len += piece->len;

    return rd->lex.open ? NGX_OK : ngx_http_kafka_reader_token(rd);
}


static ngx_int_t
ngx_http_kafka_reader_token(ngx_http_kafka_reader_t *rd)
{
    ngx_int_t  rc;
    ngx_str_t  empty = ngx_string("\"\"");

    if (rd->token.len >= NGX_HTTP_KAFKA_READER_LARGE
        && rd->token.data[0] == '"'
        && ngx_strlchr(rd->token.data, rd->token.data + rd->token.len, '\\')
           == NULL)
    {
        /* yajl would copy the string: give yajl an empty string instead */

        rd->large.data = rd->token.data + 1;
        rd->large.len = rd->token.len - 2;

        rc = ngx_http_kafka_reader_parse(rd, &empty, rd->token_offset);

        ngx_str_null(&rd->large);

    } else {
        rc = ngx_http_kafka_reader_parse(rd, &rd->token, rd->token_offset);
    }

    ngx_http_kafka_reader_free_token(rd);

    return rc;
}


ngx_int_t
ngx_http_kafka_reader_end(ngx_http_kafka_reader_t *rd)
{
    ngx_int_t  rc;
    ngx_str_t  comma = ngx_string(",");

    if (ngx_http_kafka_lex_end(&rd->lex) != NGX_OK) {
        return ngx_http_kafka_reader_invalid(rd);
    }

    if (rd->token.len) {
        rc = ngx_http_kafka_reader_token(rd);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (rd->lex.held) {
        rc = ngx_http_kafka_reader_parse(rd, &comma, rd->lex.comma);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (rd->lex.previous == '\0') {
        return NGX_DONE;
    }

    rd->base = rd->lex.offset;

    rc = ngx_http_kafka_yajl_end(rd->yajl);

    return ngx_http_kafka_reader_status(rd, rc, NULL);
}


static ngx_int_t
ngx_http_kafka_reader_parse(ngx_http_kafka_reader_t *rd, ngx_str_t *piece,
    off_t offset)
{
    ngx_int_t  rc;

    if (piece->len == 0) {
        return NGX_OK;
    }

    rd->base = offset;

    rc = ngx_http_kafka_yajl_parse(rd->yajl, piece->data, piece->len);

    return ngx_http_kafka_reader_status(rd, rc, piece);
}


static ngx_int_t
ngx_http_kafka_reader_invalid(ngx_http_kafka_reader_t *rd)
{
    return ngx_http_kafka_reader_refuse(rd, "invalid JSON: %s, byte %O",
                                       rd->lex.error, rd->lex.offset);
}


static ngx_int_t
ngx_http_kafka_reader_status(ngx_http_kafka_reader_t *rd, ngx_int_t rc,
    ngx_str_t *piece)
{
    off_t    offset;
    u_char  *text, *p;

    switch (rc) {

    case NGX_DECLINED:
        break;

    case NGX_ABORT:
        return rd->nomem ? NGX_ERROR : NGX_DECLINED;

    default:
        return rc;
    }

    text = ngx_http_kafka_yajl_error(rd->yajl);
    if (text == NULL) {
        return NGX_ERROR;
    }

    /* take the first line without its full stop */

    for (p = text; *p && *p != LF; p++) { /* void */ }

    if (p > text && p[-1] == '.') {
        p--;
    }

    *p = '\0';

    offset = rd->base;

    if (piece) {
        offset += yajl_get_bytes_consumed(rd->yajl->handle);

        /* for these errors, yajl counts one byte too many */

        if ((ngx_strncmp(text, "parse error", 11) == 0
             && ngx_strstr(text, "after key and value") == NULL)
            || ngx_strstr(text, "invalid char in json") != NULL)
        {
            offset--;
        }
    }

    if (ngx_strstr(text, "trailing garbage") != NULL) {
        text = (u_char *) "data after the end of the document: send "
                          "newline-delimited JSON as one array";
    }

    return ngx_http_kafka_reader_refuse(rd, "invalid JSON: %s, byte %O", text,
                                       offset);
}


/* keeps the first error if there are several */

ngx_int_t
ngx_http_kafka_reader_refuse(ngx_http_kafka_reader_t *rd, const char *fmt, ...)
{
    u_char   *p;
    va_list   args;

    if (rd->error.len == 0) {
        va_start(args, fmt);
        p = ngx_vslprintf(rd->text, rd->text + NGX_HTTP_KAFKA_READER_ERROR,
                          fmt, args);
        va_end(args);

        rd->error.data = rd->text;
        rd->error.len = p - rd->text;
    }

    return NGX_DECLINED;
}


ngx_int_t
ngx_http_kafka_reader_nest(ngx_http_kafka_reader_t *rd)
{
    off_t  offset;

    if (++rd->depth <= NGX_HTTP_KAFKA_READER_DEPTH) {
        return NGX_OK;
    }

    offset = rd->base - 1 + (off_t) yajl_get_bytes_consumed(rd->yajl->handle);

    return ngx_http_kafka_reader_refuse(rd,
                              "JSON is nested deeper than %d levels, byte %O",
                              NGX_HTTP_KAFKA_READER_DEPTH, offset);
}


void
ngx_http_kafka_reader_string(ngx_http_kafka_reader_t *rd,
    const u_char **data, size_t *len)
{
    if (rd->large.data) {
        *data = rd->large.data;
        *len = rd->large.len;
    }
}


/* the pool gets the memory in which the parts were collected */

ngx_int_t
ngx_http_kafka_reader_take(ngx_http_kafka_reader_t *rd, ngx_pool_t *pool,
    ngx_str_t *dst)
{
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(pool, 0);
    if (cln == NULL) {
        rd->nomem = 1;
        return NGX_ERROR;
    }

    cln->handler = free;
    cln->data = rd->token.data;

    rd->token.data = NULL;

    *dst = rd->large;

    return NGX_OK;
}
