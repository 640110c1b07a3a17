
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_parse.h>
#include <ngx_http_kafka_lex.h>
#include <ngx_http_kafka_yajl.h>


#define NGX_HTTP_KAFKA_PARSE_DEPTH  64
#define NGX_HTTP_KAFKA_PARSE_ERROR  512

/* bytes from which on a string gathered from many buffers is not copied */
#define NGX_HTTP_KAFKA_PARSE_LARGE  65536


typedef enum {
    parse_body = 0,
    parse_list,
    parse_message,
    parse_headers,
    parse_header
} ngx_http_kafka_parse_where_e;


typedef enum {
    field_topic = 0,
    field_partition,
    field_timestamp,
    field_key,
    field_value,
    field_headers,
    field_unknown
} ngx_http_kafka_parse_field_e;


typedef enum {
    type_null,
    type_string,
    type_number,
    type_other
} ngx_http_kafka_parse_type_e;


struct ngx_http_kafka_parse_s {
    ngx_http_kafka_yajl_t         *yajl;
    ngx_http_kafka_lex_t           lex;
    off_t                          base;    /* of the piece yajl works on */
    ngx_str_t                      hold;    /* a token not yet complete */
    size_t                         room;    /* for it, on the heap, ours */
    off_t                          held;    /* where it began */
    ngx_str_t                      large;   /* what yajl has "" for */

    ngx_http_kafka_batch_t        *batch;
    ngx_http_kafka_target_t       *target;  /* given by the path, or NULL */

    ngx_uint_t                     depth;
    ngx_uint_t                     skip;    /* levels in what is not read */
    ngx_http_kafka_parse_where_e   where;
    ngx_http_kafka_parse_field_e   field;
    ngx_http_kafka_parse_field_e   header_field;

    ngx_http_kafka_record_t       *record;
    ngx_str_t                      topic;   /* of the record, if named */
    ngx_http_kafka_header_t      **header;  /* where the next one goes */
    ngx_uint_t                     nheaders;
    ngx_uint_t                     bad;     /* fields, a bit each */
    ngx_uint_t                     bad_headers;
    ngx_uint_t                     bad_header; /* the first of them */

    ngx_http_kafka_header_t       *current;
    ngx_uint_t                     given;   /* fields of the header, bits */

    unsigned                       nomem:1;

    ngx_str_t                      error;
    u_char                         text[NGX_HTTP_KAFKA_PARSE_ERROR];
};


typedef struct {
    ngx_str_t                      name;
    const char                    *expected;
} ngx_http_kafka_parse_rule_t;


static void ngx_http_kafka_parse_cleanup(void *data);
static ngx_int_t ngx_http_kafka_parse_hold(ngx_http_kafka_parse_t *ps,
    ngx_str_t *piece, off_t offset);
static ngx_int_t ngx_http_kafka_parse_held(ngx_http_kafka_parse_t *ps);
static ngx_int_t ngx_http_kafka_parse_keep(ngx_http_kafka_parse_t *ps,
    ngx_str_t *dst);
static ngx_int_t ngx_http_kafka_parse_feed(ngx_http_kafka_parse_t *ps,
    ngx_str_t *piece, off_t offset);
static ngx_int_t ngx_http_kafka_parse_invalid(ngx_http_kafka_parse_t *ps);
static ngx_int_t ngx_http_kafka_parse_status(ngx_http_kafka_parse_t *ps,
    ngx_int_t rc, ngx_str_t *piece);
static ngx_int_t ngx_http_kafka_parse_refuse(ngx_http_kafka_parse_t *ps,
    const char *fmt, ...);
static ngx_int_t ngx_http_kafka_parse_copy(ngx_http_kafka_parse_t *ps,
    ngx_str_t *dst, const u_char *data, size_t len);
static ngx_http_kafka_parse_field_e ngx_http_kafka_parse_field(
    const u_char *name, size_t len);

static int ngx_http_kafka_parse_null(void *ctx);
static int ngx_http_kafka_parse_boolean(void *ctx, int value);
static int ngx_http_kafka_parse_number(void *ctx, const char *data,
    size_t len);
static int ngx_http_kafka_parse_string(void *ctx, const u_char *data,
    size_t len);
static int ngx_http_kafka_parse_map_key(void *ctx, const u_char *data,
    size_t len);
static int ngx_http_kafka_parse_start_map(void *ctx);
static int ngx_http_kafka_parse_end_map(void *ctx);
static int ngx_http_kafka_parse_start_array(void *ctx);
static int ngx_http_kafka_parse_end_array(void *ctx);

static ngx_int_t ngx_http_kafka_parse_open(ngx_http_kafka_parse_t *ps);
static ngx_int_t ngx_http_kafka_parse_skip(ngx_http_kafka_parse_t *ps);
static ngx_int_t ngx_http_kafka_parse_value(ngx_http_kafka_parse_t *ps,
    ngx_http_kafka_parse_type_e type, const u_char *data, size_t len);
static ngx_int_t ngx_http_kafka_parse_message_value(ngx_http_kafka_parse_t *ps,
    ngx_http_kafka_parse_type_e type, const u_char *data, size_t len);
static ngx_int_t ngx_http_kafka_parse_header_value(ngx_http_kafka_parse_t *ps,
    ngx_http_kafka_parse_type_e type, const u_char *data, size_t len);
static ngx_int_t ngx_http_kafka_parse_text(ngx_http_kafka_parse_t *ps,
    ngx_str_t *dst, ngx_http_kafka_parse_type_e type, const u_char *data,
    size_t len);
static ngx_int_t ngx_http_kafka_parse_integer(int64_t *dst,
    ngx_http_kafka_parse_type_e type, const u_char *data, size_t len);
static ngx_int_t ngx_http_kafka_parse_new_message(ngx_http_kafka_parse_t *ps);
static ngx_int_t ngx_http_kafka_parse_end_message(ngx_http_kafka_parse_t *ps);
static ngx_int_t ngx_http_kafka_parse_bad_field(ngx_http_kafka_parse_t *ps,
    ngx_uint_t field);
static ngx_int_t ngx_http_kafka_parse_end_topic(ngx_http_kafka_parse_t *ps);
static void ngx_http_kafka_parse_new_headers(ngx_http_kafka_parse_t *ps);
static ngx_int_t ngx_http_kafka_parse_new_header(ngx_http_kafka_parse_t *ps);
static void ngx_http_kafka_parse_end_header(ngx_http_kafka_parse_t *ps);
static void ngx_http_kafka_parse_bad_header(ngx_http_kafka_parse_t *ps);


static yajl_callbacks  ngx_http_kafka_parse_callbacks = {
    ngx_http_kafka_parse_null,
    ngx_http_kafka_parse_boolean,
    NULL,
    NULL,
    ngx_http_kafka_parse_number,
    ngx_http_kafka_parse_string,
    ngx_http_kafka_parse_start_map,
    ngx_http_kafka_parse_map_key,
    ngx_http_kafka_parse_end_map,
    ngx_http_kafka_parse_start_array,
    ngx_http_kafka_parse_end_array
};


/* in the order of ngx_http_kafka_parse_field_e */

static ngx_http_kafka_parse_rule_t  ngx_http_kafka_parse_rules[] = {
    { ngx_string("topic"), "a string" },
    { ngx_string("partition"), "an integer from 0 to 2147483647" },
    { ngx_string("timestamp"),
      "an integer from 1 up, in milliseconds since 1970" },
    { ngx_string("key"), "a string or null" },
    { ngx_string("value"), "a string" },
    { ngx_string("headers"),
      "an array of {\"key\": string, \"value\": string or null}" },
    { ngx_null_string, NULL }
};


ngx_http_kafka_parse_t *
ngx_http_kafka_parse_create(ngx_pool_t *pool, ngx_http_kafka_batch_t *batch,
    ngx_http_kafka_target_t *target)
{
    ngx_pool_cleanup_t      *cln;
    ngx_http_kafka_parse_t  *ps;

    ps = ngx_pcalloc(pool, sizeof(ngx_http_kafka_parse_t));
    if (ps == NULL) {
        return NULL;
    }

    ps->batch = batch;
    ps->target = target;

    cln = ngx_pool_cleanup_add(pool, 0);
    if (cln == NULL) {
        return NULL;
    }

    ps->yajl = ngx_http_kafka_yajl_open(&ngx_http_kafka_parse_callbacks, ps,
                                        batch->pool->log);
    if (ps->yajl == NULL) {
        return NULL;
    }

    cln->handler = ngx_http_kafka_parse_cleanup;
    cln->data = ps;

    /* ngx_http_kafka_lex() has done so, and more strictly */
    (void) yajl_config(ps->yajl->handle, yajl_dont_validate_strings, 1);

    return ps;
}


void
ngx_http_kafka_parse_done(ngx_http_kafka_parse_t *ps)
{
    if (ps->yajl) {
        ngx_http_kafka_yajl_close(ps->yajl);
        ps->yajl = NULL;
    }

    if (ps->hold.data) {
        ngx_free(ps->hold.data);
        ngx_str_null(&ps->hold);
    }
}


static void
ngx_http_kafka_parse_cleanup(void *data)
{
    ngx_http_kafka_parse_done(data);
}


ngx_int_t
ngx_http_kafka_parse(ngx_http_kafka_parse_t *ps, u_char *data, size_t len)
{
    off_t       offset;
    u_char     *p, *last;
    ngx_int_t   rc;
    ngx_str_t   piece;

    p = data;
    last = data + len;

    for ( ;; ) {
        rc = ngx_http_kafka_lex(&ps->lex, &p, last, &piece, &offset);

        if (rc == NGX_DONE) {
            return NGX_OK;
        }

        if (rc == NGX_ERROR) {
            return ngx_http_kafka_parse_invalid(ps);
        }

        if (ps->lex.partial) {
            rc = ngx_http_kafka_parse_hold(ps, &piece, offset);

        } else {
            rc = ngx_http_kafka_parse_feed(ps, &piece, offset);
        }

        if (rc != NGX_OK) {
            return rc;
        }
    }
}


/* keeps the part of a token; yajl gets it whole */

static ngx_int_t
ngx_http_kafka_parse_hold(ngx_http_kafka_parse_t *ps, ngx_str_t *piece,
    off_t offset)
{
    u_char  *data;
    size_t   room;

    if (ps->hold.len == 0) {
        ps->held = offset;
    }

    if (ps->hold.len + piece->len > ps->room) {
        room = ngx_max(2 * ps->room, ps->hold.len + piece->len);

        /* the C library moves large ones without a copy */

        data = realloc(ps->hold.data, room);
        if (data == NULL) {
            ngx_log_error(NGX_LOG_EMERG, ps->batch->pool->log, ngx_errno,
                          "realloc(%uz) failed", room);
            return NGX_ERROR;
        }

        ps->hold.data = data;
        ps->room = room;
    }

    ngx_memcpy(ps->hold.data + ps->hold.len, piece->data, piece->len);
    ps->hold.len += piece->len;

    ngx_http_kafka_batch_hold(ps->batch, piece->len);

    return ps->lex.open ? NGX_OK : ngx_http_kafka_parse_held(ps);
}


static ngx_int_t
ngx_http_kafka_parse_held(ngx_http_kafka_parse_t *ps)
{
    ngx_int_t  rc;
    ngx_str_t  empty = ngx_string("\"\"");

    if (ps->hold.len >= NGX_HTTP_KAFKA_PARSE_LARGE
        && ps->hold.data[0] == '"'
        && ngx_strlchr(ps->hold.data, ps->hold.data + ps->hold.len, '\\')
           == NULL)
    {
        /* yajl would copy it: the place of an empty one is enough for it */

        ps->large.data = ps->hold.data + 1;
        ps->large.len = ps->hold.len - 2;

        rc = ngx_http_kafka_parse_feed(ps, &empty, ps->held);

        ngx_str_null(&ps->large);

    } else {
        rc = ngx_http_kafka_parse_feed(ps, &ps->hold, ps->held);
    }

    if (ps->hold.data) {
        ngx_http_kafka_batch_hold(ps->batch, -(ssize_t) ps->hold.len);
        ngx_free(ps->hold.data);
    }

    ngx_str_null(&ps->hold);
    ps->room = 0;

    return rc;
}


/* a large value stays where it was gathered, which the batch owns then */

static ngx_int_t
ngx_http_kafka_parse_keep(ngx_http_kafka_parse_t *ps, ngx_str_t *dst)
{
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(ps->batch->pool, 0);
    if (cln == NULL) {
        ps->nomem = 1;
        return NGX_ERROR;
    }

    cln->handler = free;
    cln->data = ps->hold.data;

    ps->hold.data = NULL;

    *dst = ps->large;

    return NGX_OK;
}


ngx_int_t
ngx_http_kafka_parse_end(ngx_http_kafka_parse_t *ps)
{
    ngx_int_t  rc;
    ngx_str_t  comma = ngx_string(",");

    if (ngx_http_kafka_lex_end(&ps->lex) != NGX_OK) {
        return ngx_http_kafka_parse_invalid(ps);
    }

    if (ps->hold.len) {
        rc = ngx_http_kafka_parse_held(ps);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (ps->lex.held) {
        rc = ngx_http_kafka_parse_feed(ps, &comma, ps->lex.comma);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (ps->lex.previous == '\0') {
        return ngx_http_kafka_parse_refuse(ps, "the request body is empty: "
                               "expected a message object or an array of them");
    }

    ps->base = ps->lex.offset;

    rc = ngx_http_kafka_yajl_end(ps->yajl);

    return ngx_http_kafka_parse_status(ps, rc, NULL);
}


ngx_str_t *
ngx_http_kafka_parse_error(ngx_http_kafka_parse_t *ps)
{
    return &ps->error;
}


ngx_uint_t
ngx_http_kafka_topic_name_valid(ngx_str_t *name)
{
    size_t  i;
    u_char  ch;

    if (name->len == 0 || name->len > NGX_HTTP_KAFKA_TOPIC_MAX) {
        return 0;
    }

    for (i = 0; i < name->len; i++) {
        ch = name->data[i];

        if ((ch < 'a' || ch > 'z') && (ch < 'A' || ch > 'Z')
            && (ch < '0' || ch > '9') && ch != '.' && ch != '_' && ch != '-')
        {
            return 0;
        }
    }

    if (name->data[0] != '.') {
        return 1;
    }

    return name->len > 2 || (name->len == 2 && name->data[1] != '.');
}


static ngx_int_t
ngx_http_kafka_parse_feed(ngx_http_kafka_parse_t *ps, ngx_str_t *piece,
    off_t offset)
{
    ngx_int_t  rc;

    if (piece->len == 0) {
        return NGX_OK;
    }

    ps->base = offset;

    rc = ngx_http_kafka_yajl_parse(ps->yajl, piece->data, piece->len);

    return ngx_http_kafka_parse_status(ps, rc, piece);
}


static ngx_int_t
ngx_http_kafka_parse_invalid(ngx_http_kafka_parse_t *ps)
{
    return ngx_http_kafka_parse_refuse(ps, "invalid JSON: %s, byte %O",
                                       ps->lex.error, ps->lex.offset);
}


static ngx_int_t
ngx_http_kafka_parse_status(ngx_http_kafka_parse_t *ps, ngx_int_t rc,
    ngx_str_t *piece)
{
    off_t    offset;
    u_char  *text, *p;

    switch (rc) {

    case NGX_DECLINED:
        break;

    case NGX_ABORT:
        return ps->nomem ? NGX_ERROR : NGX_DECLINED;

    default:
        return rc;
    }

    text = ngx_http_kafka_yajl_error(ps->yajl);
    if (text == NULL) {
        return NGX_ERROR;
    }

    /* its first line, and no full stop: more is to be said */

    for (p = text; *p && *p != LF; p++) { /* void */ }

    if (p > text && p[-1] == '.') {
        p--;
    }

    *p = '\0';

    offset = ps->base;

    if (piece) {
        offset += yajl_get_bytes_consumed(ps->yajl->handle);

        /* yajl counts what it understood, and here what it did not, too */

        if ((ngx_strncmp(text, "parse error", 11) == 0
             && ngx_strstr(text, "after key and value") == NULL)
            || ngx_strstr(text, "invalid char in json") != NULL)
        {
            offset--;
        }
    }

    return ngx_http_kafka_parse_refuse(ps, "invalid JSON: %s, byte %O", text,
                                       offset);
}


/* the first refusal stands */

static ngx_int_t
ngx_http_kafka_parse_refuse(ngx_http_kafka_parse_t *ps, const char *fmt, ...)
{
    u_char   *p;
    va_list   args;

    if (ps->error.len == 0) {
        va_start(args, fmt);
        p = ngx_vslprintf(ps->text, ps->text + NGX_HTTP_KAFKA_PARSE_ERROR,
                          fmt, args);
        va_end(args);

        ps->error.data = ps->text;
        ps->error.len = p - ps->text;
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_kafka_parse_copy(ngx_http_kafka_parse_t *ps, ngx_str_t *dst,
    const u_char *data, size_t len)
{
    if (ps->large.data) {
        return ngx_http_kafka_parse_keep(ps, dst);
    }

    dst->data = ngx_pnalloc(ps->batch->pool, ngx_max(len, 1));
    if (dst->data == NULL) {
        ps->nomem = 1;
        return NGX_ERROR;
    }

    ngx_memcpy(dst->data, data, len);
    dst->len = len;

    ngx_http_kafka_batch_hold(ps->batch, len);

    return NGX_OK;
}


static ngx_http_kafka_parse_field_e
ngx_http_kafka_parse_field(const u_char *name, size_t len)
{
    ngx_uint_t                    i;
    ngx_http_kafka_parse_rule_t  *rule;

    rule = ngx_http_kafka_parse_rules;

    for (i = 0; rule[i].name.len; i++) {
        if (rule[i].name.len == len
            && ngx_memcmp(rule[i].name.data, name, len) == 0)
        {
            break;
        }
    }

    return i;
}


static int
ngx_http_kafka_parse_null(void *ctx)
{
    return ngx_http_kafka_parse_value(ctx, type_null, NULL, 0) == NGX_OK;
}


static int
ngx_http_kafka_parse_boolean(void *ctx, int value)
{
    return ngx_http_kafka_parse_value(ctx, type_other, NULL, 0) == NGX_OK;
}


static int
ngx_http_kafka_parse_number(void *ctx, const char *data, size_t len)
{
    return ngx_http_kafka_parse_value(ctx, type_number, (u_char *) data, len)
           == NGX_OK;
}


static int
ngx_http_kafka_parse_string(void *ctx, const u_char *data, size_t len)
{
    ngx_http_kafka_parse_t  *ps = ctx;

    if (ps->large.data) {
        data = ps->large.data;
        len = ps->large.len;
    }

    return ngx_http_kafka_parse_value(ctx, type_string, data, len) == NGX_OK;
}


static int
ngx_http_kafka_parse_map_key(void *ctx, const u_char *data, size_t len)
{
    ngx_http_kafka_parse_t  *ps = ctx;

    if (ps->skip) {
        return 1;
    }

    if (ps->where == parse_message) {
        ps->field = ngx_http_kafka_parse_field(data, len);

    } else {
        ps->header_field = ngx_http_kafka_parse_field(data, len);
    }

    return 1;
}


static int
ngx_http_kafka_parse_start_map(void *ctx)
{
    ngx_http_kafka_parse_t  *ps = ctx;

    if (ngx_http_kafka_parse_open(ps) != NGX_OK) {
        return 0;
    }

    if (ps->skip) {
        ps->skip++;
        return 1;
    }

    switch (ps->where) {

    case parse_body:
    case parse_list:
        return ngx_http_kafka_parse_new_message(ps) == NGX_OK;

    case parse_headers:
        return ngx_http_kafka_parse_new_header(ps) == NGX_OK;

    default:
        return ngx_http_kafka_parse_skip(ps) == NGX_OK;
    }
}


static int
ngx_http_kafka_parse_end_map(void *ctx)
{
    ngx_http_kafka_parse_t  *ps = ctx;

    ps->depth--;

    if (ps->skip) {
        ps->skip--;
        return 1;
    }

    if (ps->where == parse_header) {
        ngx_http_kafka_parse_end_header(ps);
        return 1;
    }

    return ngx_http_kafka_parse_end_message(ps) == NGX_OK;
}


static int
ngx_http_kafka_parse_start_array(void *ctx)
{
    ngx_http_kafka_parse_t  *ps = ctx;

    if (ngx_http_kafka_parse_open(ps) != NGX_OK) {
        return 0;
    }

    if (ps->skip) {
        ps->skip++;
        return 1;
    }

    if (ps->where == parse_body) {
        ps->where = parse_list;
        return 1;
    }

    if (ps->where == parse_message && ps->field == field_headers) {
        ngx_http_kafka_parse_new_headers(ps);
        return 1;
    }

    return ngx_http_kafka_parse_skip(ps) == NGX_OK;
}


static int
ngx_http_kafka_parse_end_array(void *ctx)
{
    ngx_http_kafka_parse_t  *ps = ctx;

    ps->depth--;

    if (ps->skip) {
        ps->skip--;
        return 1;
    }

    ps->where = (ps->where == parse_headers) ? parse_message : parse_body;

    return 1;
}


static ngx_int_t
ngx_http_kafka_parse_open(ngx_http_kafka_parse_t *ps)
{
    off_t  offset;

    if (++ps->depth <= NGX_HTTP_KAFKA_PARSE_DEPTH) {
        return NGX_OK;
    }

    offset = ps->base - 1 + (off_t) yajl_get_bytes_consumed(ps->yajl->handle);

    return ngx_http_kafka_parse_refuse(ps,
                              "JSON is nested deeper than %d levels, byte %O",
                              NGX_HTTP_KAFKA_PARSE_DEPTH, offset);
}


/* what opens here is no part of a message: read past its end */

static ngx_int_t
ngx_http_kafka_parse_skip(ngx_http_kafka_parse_t *ps)
{
    ngx_int_t  rc;

    rc = ngx_http_kafka_parse_value(ps, type_other, NULL, 0);

    ps->skip = 1;

    return rc;
}


static ngx_int_t
ngx_http_kafka_parse_value(ngx_http_kafka_parse_t *ps,
    ngx_http_kafka_parse_type_e type, const u_char *data, size_t len)
{
    if (ps->skip) {
        return NGX_OK;
    }

    switch (ps->where) {

    case parse_body:
        return ngx_http_kafka_parse_refuse(ps,
              "the request body must be a message object or an array of them");

    case parse_list:
        return ngx_http_kafka_parse_refuse(ps, "message %ui must be an object",
                                           ps->batch->nrecords);

    case parse_message:
        return ngx_http_kafka_parse_message_value(ps, type, data, len);

    case parse_headers:
        ngx_http_kafka_parse_bad_header(ps);
        ps->nheaders++;
        return NGX_OK;

    default: /* parse_header */
        return ngx_http_kafka_parse_header_value(ps, type, data, len);
    }
}


/* a field that is given twice is judged by its last value, at the end */

static ngx_int_t
ngx_http_kafka_parse_message_value(ngx_http_kafka_parse_t *ps,
    ngx_http_kafka_parse_type_e type, const u_char *data, size_t len)
{
    int64_t                   n;
    ngx_int_t                 rc;
    ngx_http_kafka_record_t  *record;

    record = ps->record;

    switch (ps->field) {

    case field_topic:
        rc = ngx_http_kafka_parse_text(ps, &ps->topic, type, data, len);
        break;

    case field_key:
        rc = ngx_http_kafka_parse_text(ps, &record->key, type, data, len);
        break;

    case field_value:
        rc = ngx_http_kafka_parse_text(ps, &record->value, type, data, len);
        break;

    case field_partition:
        n = RD_KAFKA_PARTITION_UA;
        rc = ngx_http_kafka_parse_integer(&n, type, data, len);

        if (n > NGX_MAX_INT32_VALUE) {
            rc = NGX_DECLINED;
        }

        record->partition = (int32_t) n;
        break;

    case field_timestamp:
        n = 0;
        rc = ngx_http_kafka_parse_integer(&n, type, data, len);

        if (type == type_number && n == 0) {
            rc = NGX_DECLINED;
        }

        record->timestamp = n;
        break;

    case field_headers:
        ngx_http_kafka_parse_new_headers(ps);
        ps->where = parse_message;
        rc = (type == type_null) ? NGX_OK : NGX_DECLINED;
        break;

    default: /* field_unknown */
        return NGX_OK;
    }

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    ps->bad &= ~(1 << ps->field);

    if (rc == NGX_DECLINED) {
        ps->bad |= 1 << ps->field;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_kafka_parse_header_value(ngx_http_kafka_parse_t *ps,
    ngx_http_kafka_parse_type_e type, const u_char *data, size_t len)
{
    ngx_int_t   rc;
    ngx_str_t  *dst;

    switch (ps->header_field) {

    case field_key:
        dst = &ps->current->key;
        break;

    case field_value:
        dst = &ps->current->value;
        break;

    default:
        return NGX_OK;
    }

    rc = ngx_http_kafka_parse_text(ps, dst, type, data, len);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc == NGX_OK) {
        ps->given |= 1 << ps->header_field;

    } else {
        ps->given &= ~(1 << ps->header_field);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_kafka_parse_text(ngx_http_kafka_parse_t *ps, ngx_str_t *dst,
    ngx_http_kafka_parse_type_e type, const u_char *data, size_t len)
{
    switch (type) {

    case type_null:
        ngx_str_null(dst);
        return NGX_OK;

    case type_string:
        return ngx_http_kafka_parse_copy(ps, dst, data, len);

    default:
        return NGX_DECLINED;
    }
}


/* digits only: JSON's 1.0 and 1e3 are no integers here; null changes nothing */

static ngx_int_t
ngx_http_kafka_parse_integer(int64_t *dst, ngx_http_kafka_parse_type_e type,
    const u_char *data, size_t len)
{
    off_t  n;

    if (type == type_null) {
        return NGX_OK;
    }

    if (type != type_number) {
        return NGX_DECLINED;
    }

    n = ngx_atoof((u_char *) data, len);
    if (n == NGX_ERROR) {
        return NGX_DECLINED;
    }

    *dst = n;

    return NGX_OK;
}


static ngx_int_t
ngx_http_kafka_parse_new_message(ngx_http_kafka_parse_t *ps)
{
    ngx_http_kafka_record_t  *record;

    record = ngx_pcalloc(ps->batch->pool, sizeof(ngx_http_kafka_record_t));
    if (record == NULL) {
        ps->nomem = 1;
        return NGX_ERROR;
    }

    record->partition = RD_KAFKA_PARTITION_UA;

    ps->record = record;
    ps->bad = 0;
    ngx_str_null(&ps->topic);

    ps->where = parse_message;

    return NGX_OK;
}


static ngx_int_t
ngx_http_kafka_parse_end_message(ngx_http_kafka_parse_t *ps)
{
    ngx_uint_t  field;

    for (field = 0; field < field_unknown; field++) {
        if (ps->bad & (1 << field)) {
            return ngx_http_kafka_parse_bad_field(ps, field);
        }
    }

    if (ps->record->value.data == NULL) {
        return ngx_http_kafka_parse_bad_field(ps, field_value);
    }

    if (ngx_http_kafka_parse_end_topic(ps) != NGX_OK) {
        return NGX_DECLINED;
    }

    ngx_http_kafka_batch_add(ps->batch, ps->record);

    ps->where = ps->depth ? parse_list : parse_body;

    return NGX_OK;
}


static ngx_int_t
ngx_http_kafka_parse_bad_field(ngx_http_kafka_parse_t *ps, ngx_uint_t field)
{
    ngx_http_kafka_parse_rule_t  *rule;

    rule = &ngx_http_kafka_parse_rules[field];

    if (field == field_headers && ps->bad_headers) {
        return ngx_http_kafka_parse_refuse(ps,
                      "message %ui: field \"%V\" must be %s: header %ui is not",
                      ps->batch->nrecords, &rule->name, rule->expected,
                      ps->bad_header);
    }

    return ngx_http_kafka_parse_refuse(ps,
                                       "message %ui: field \"%V\" must be %s",
                                       ps->batch->nrecords, &rule->name,
                                       rule->expected);
}


static ngx_int_t
ngx_http_kafka_parse_end_topic(ngx_http_kafka_parse_t *ps)
{
    ngx_str_t  *path;

    if (ps->target) {
        path = &ps->target->name;

        if (ps->topic.data
            && (ps->topic.len != path->len
                || ngx_memcmp(ps->topic.data, path->data, path->len) != 0))
        {
            return ngx_http_kafka_parse_refuse(ps,
                "message %ui: field \"topic\" must equal the path's \"%V\"",
                ps->batch->nrecords, path);
        }

        ps->record->target = ps->target;

        return NGX_OK;
    }

    if (ps->topic.data == NULL) {
        return ngx_http_kafka_parse_refuse(ps,
                "message %ui: field \"topic\" is missing, the path names none",
                ps->batch->nrecords);
    }

    if (!ngx_http_kafka_topic_name_valid(&ps->topic)) {
        return ngx_http_kafka_parse_refuse(ps,
                      "message %ui: field \"topic\" must be a topic's name: "
                      "1 to %d of A-Z a-z 0-9 . _ -, not \".\" or \"..\"",
                      ps->batch->nrecords, NGX_HTTP_KAFKA_TOPIC_MAX);
    }

    ps->record->target = ngx_http_kafka_batch_target(ps->batch, &ps->topic);

    if (ps->record->target == NULL) {
        ps->nomem = 1;
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_http_kafka_parse_new_headers(ngx_http_kafka_parse_t *ps)
{
    ps->record->headers = NULL;
    ps->header = &ps->record->headers;
    ps->nheaders = 0;
    ps->bad_headers = 0;
    ps->bad &= ~(1 << field_headers);
    ps->where = parse_headers;
}


static ngx_int_t
ngx_http_kafka_parse_new_header(ngx_http_kafka_parse_t *ps)
{
    ps->current = ngx_pcalloc(ps->batch->pool,
                              sizeof(ngx_http_kafka_header_t));
    if (ps->current == NULL) {
        ps->nomem = 1;
        return NGX_ERROR;
    }

    /* and once more, in librdkafka */

    ngx_http_kafka_batch_hold(ps->batch, 2 * sizeof(ngx_http_kafka_header_t));

    ps->given = 0;
    ps->where = parse_header;

    return NGX_OK;
}


static void
ngx_http_kafka_parse_end_header(ngx_http_kafka_parse_t *ps)
{
    if (ps->current->key.data == NULL
        || ps->given != (1 << field_key | 1 << field_value))
    {
        ngx_http_kafka_parse_bad_header(ps);
    }

    *ps->header = ps->current;
    ps->header = &ps->current->next;
    ps->nheaders++;
    ps->where = parse_headers;
}


static void
ngx_http_kafka_parse_bad_header(ngx_http_kafka_parse_t *ps)
{
    if (ps->bad_headers++ == 0) {
        ps->bad_header = ps->nheaders;
    }

    ps->bad |= 1 << field_headers;
}
