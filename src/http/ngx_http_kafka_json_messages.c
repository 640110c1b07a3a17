
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_json_messages.h>
#include <ngx_http_kafka_reader.h>
#include <ngx_http_kafka_topic_name.h>


typedef enum {
    in_body = 0,
    in_list,
    in_message,
    in_headers,
    in_header
} ngx_http_kafka_json_messages_where_e;


typedef enum {
    field_topic = 0,
    field_partition,
    field_timestamp,
    field_key,
    field_value,
    field_headers,
    field_unknown
} ngx_http_kafka_json_messages_field_e;


typedef enum {
    type_null,
    type_string,
    type_number,
    type_other
} ngx_http_kafka_json_messages_type_e;


struct ngx_http_kafka_json_messages_s {
    ngx_http_kafka_reader_t               reader;

    ngx_http_kafka_batch_t               *batch;
    ngx_http_kafka_target_t              *target;   /* of the URI, or NULL */

    ngx_uint_t                            skip;     /* depth in ignored value */
    ngx_http_kafka_json_messages_where_e  where;
    ngx_http_kafka_json_messages_field_e  field;
    ngx_http_kafka_json_messages_field_e  header_field;

    ngx_http_kafka_record_t              *record;
    ngx_str_t                             topic;    /* named by the message */
    ngx_http_kafka_header_t             **header;   /* link to the next one */
    ngx_uint_t                            nheaders;
    ngx_uint_t                            bad;      /* mask of bad fields */
    ngx_uint_t                            bad_headers;
    ngx_uint_t                            bad_header;  /* index of first */

    ngx_http_kafka_header_t              *current;
    ngx_uint_t                            given;    /* mask of its fields */
};


typedef struct {
    ngx_str_t    name;
    const char  *expected;
} ngx_http_kafka_json_messages_rule_t;


static void ngx_http_kafka_json_messages_hold(void *data, ssize_t size);
static ngx_int_t ngx_http_kafka_json_messages_copy(
    ngx_http_kafka_json_messages_t *ps, ngx_str_t *dst, const u_char *data,
    size_t len);
static ngx_http_kafka_json_messages_field_e ngx_http_kafka_json_messages_field(
    const u_char *name, size_t len);

static int ngx_http_kafka_json_messages_null(void *ctx);
static int ngx_http_kafka_json_messages_boolean(void *ctx, int value);
static int ngx_http_kafka_json_messages_number(void *ctx, const char *data,
    size_t len);
static int ngx_http_kafka_json_messages_string(void *ctx, const u_char *data,
    size_t len);
static int ngx_http_kafka_json_messages_map_key(void *ctx, const u_char *data,
    size_t len);
static int ngx_http_kafka_json_messages_start_map(void *ctx);
static int ngx_http_kafka_json_messages_end_map(void *ctx);
static int ngx_http_kafka_json_messages_start_array(void *ctx);
static int ngx_http_kafka_json_messages_end_array(void *ctx);

static ngx_int_t ngx_http_kafka_json_messages_skip(
    ngx_http_kafka_json_messages_t *ps);
static ngx_int_t ngx_http_kafka_json_messages_value(
    ngx_http_kafka_json_messages_t *ps,
    ngx_http_kafka_json_messages_type_e type, const u_char *data, size_t len);
static ngx_int_t ngx_http_kafka_json_messages_field_value(
    ngx_http_kafka_json_messages_t *ps,
    ngx_http_kafka_json_messages_type_e type, const u_char *data, size_t len);
static ngx_int_t ngx_http_kafka_json_messages_header_value(
    ngx_http_kafka_json_messages_t *ps,
    ngx_http_kafka_json_messages_type_e type, const u_char *data, size_t len);
static ngx_int_t ngx_http_kafka_json_messages_text(
    ngx_http_kafka_json_messages_t *ps, ngx_str_t *dst,
    ngx_http_kafka_json_messages_type_e type, const u_char *data, size_t len);
static ngx_int_t ngx_http_kafka_json_messages_integer(int64_t *dst,
    ngx_http_kafka_json_messages_type_e type, const u_char *data, size_t len,
    int64_t min, int64_t max);
static ngx_int_t ngx_http_kafka_json_messages_new_message(
    ngx_http_kafka_json_messages_t *ps);
static ngx_int_t ngx_http_kafka_json_messages_end_message(
    ngx_http_kafka_json_messages_t *ps);
static ngx_int_t ngx_http_kafka_json_messages_bad_field(
    ngx_http_kafka_json_messages_t *ps, ngx_uint_t field);
static ngx_int_t ngx_http_kafka_json_messages_end_topic(
    ngx_http_kafka_json_messages_t *ps);
static void ngx_http_kafka_json_messages_new_headers(
    ngx_http_kafka_json_messages_t *ps);
static ngx_int_t ngx_http_kafka_json_messages_new_header(
    ngx_http_kafka_json_messages_t *ps);
static void ngx_http_kafka_json_messages_end_header(
    ngx_http_kafka_json_messages_t *ps);
static void ngx_http_kafka_json_messages_bad_header(
    ngx_http_kafka_json_messages_t *ps);


static yajl_callbacks  ngx_http_kafka_json_messages_callbacks = {
    ngx_http_kafka_json_messages_null,
    ngx_http_kafka_json_messages_boolean,
    NULL,
    NULL,
    ngx_http_kafka_json_messages_number,
    ngx_http_kafka_json_messages_string,
    ngx_http_kafka_json_messages_start_map,
    ngx_http_kafka_json_messages_map_key,
    ngx_http_kafka_json_messages_end_map,
    ngx_http_kafka_json_messages_start_array,
    ngx_http_kafka_json_messages_end_array
};


/* in the order of ngx_http_kafka_json_messages_field_e */

static ngx_http_kafka_json_messages_rule_t
    ngx_http_kafka_json_messages_rules[] = {
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


ngx_http_kafka_json_messages_t *
ngx_http_kafka_json_messages_create(ngx_pool_t *pool,
    ngx_http_kafka_batch_t *batch, ngx_http_kafka_target_t *target)
{
    ngx_http_kafka_json_messages_t  *ps;

    ps = ngx_pcalloc(pool, sizeof(ngx_http_kafka_json_messages_t));
    if (ps == NULL) {
        return NULL;
    }

    ps->batch = batch;
    ps->target = target;

    ps->reader.data = ps;
    ps->reader.hold = ngx_http_kafka_json_messages_hold;
    ps->reader.log = batch->pool->log;

    if (ngx_http_kafka_reader_open(&ps->reader, pool,
                                   &ngx_http_kafka_json_messages_callbacks)
        != NGX_OK)
    {
        return NULL;
    }

    return ps;
}


static void
ngx_http_kafka_json_messages_hold(void *data, ssize_t size)
{
    ngx_http_kafka_json_messages_t *ps = data;

    ngx_http_kafka_batch_hold(ps->batch, size);
}


ngx_int_t
ngx_http_kafka_json_messages_feed(ngx_http_kafka_json_messages_t *ps,
    u_char *data, size_t len)
{
    return ngx_http_kafka_reader_feed(&ps->reader, data, len);
}


ngx_int_t
ngx_http_kafka_json_messages_end(ngx_http_kafka_json_messages_t *ps)
{
    ngx_int_t  rc;

    rc = ngx_http_kafka_reader_end(&ps->reader);

    if (rc == NGX_DONE) {
        return ngx_http_kafka_reader_refuse(&ps->reader,
                              "the request body is empty: expected a message "
                              "object or an array of them");
    }

    return rc;
}


void
ngx_http_kafka_json_messages_done(ngx_http_kafka_json_messages_t *ps)
{
    ngx_http_kafka_reader_close(&ps->reader);
}


ngx_str_t *
ngx_http_kafka_json_messages_error(ngx_http_kafka_json_messages_t *ps)
{
    return &ps->reader.error;
}


static ngx_int_t
ngx_http_kafka_json_messages_copy(ngx_http_kafka_json_messages_t *ps,
    ngx_str_t *dst, const u_char *data, size_t len)
{
    if (ps->reader.large.data) {
        return ngx_http_kafka_reader_take(&ps->reader, ps->batch->pool, dst);
    }

    if (ngx_http_kafka_batch_copy(ps->batch, dst, data, len) != NGX_OK) {
        ps->reader.nomem = 1;
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_http_kafka_json_messages_field_e
ngx_http_kafka_json_messages_field(const u_char *name, size_t len)
{
    ngx_uint_t                            i;
    ngx_http_kafka_json_messages_rule_t  *rule;

    rule = ngx_http_kafka_json_messages_rules;

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
ngx_http_kafka_json_messages_null(void *ctx)
{
    return ngx_http_kafka_json_messages_value(ctx, type_null, NULL, 0)
           == NGX_OK;
}


static int
ngx_http_kafka_json_messages_boolean(void *ctx, int value)
{
    return ngx_http_kafka_json_messages_value(ctx, type_other, NULL, 0)
           == NGX_OK;
}


static int
ngx_http_kafka_json_messages_number(void *ctx, const char *data, size_t len)
{
    return ngx_http_kafka_json_messages_value(ctx, type_number, (u_char *) data,
                                              len)
           == NGX_OK;
}


static int
ngx_http_kafka_json_messages_string(void *ctx, const u_char *data, size_t len)
{
    ngx_http_kafka_json_messages_t  *ps = ctx;

    ngx_http_kafka_reader_string(&ps->reader, &data, &len);

    return ngx_http_kafka_json_messages_value(ctx, type_string, data, len)
           == NGX_OK;
}


static int
ngx_http_kafka_json_messages_map_key(void *ctx, const u_char *data, size_t len)
{
    ngx_http_kafka_json_messages_t  *ps = ctx;

    if (ps->skip) {
        return 1;
    }

    if (ps->where == in_message) {
        ps->field = ngx_http_kafka_json_messages_field(data, len);

    } else {
        ps->header_field = ngx_http_kafka_json_messages_field(data, len);
    }

    return 1;
}


static int
ngx_http_kafka_json_messages_start_map(void *ctx)
{
    ngx_http_kafka_json_messages_t  *ps = ctx;

    if (ngx_http_kafka_reader_nest(&ps->reader) != NGX_OK) {
        return 0;
    }

    if (ps->skip) {
        ps->skip++;
        return 1;
    }

    switch (ps->where) {

    case in_body:
    case in_list:
        return ngx_http_kafka_json_messages_new_message(ps) == NGX_OK;

    case in_headers:
        return ngx_http_kafka_json_messages_new_header(ps) == NGX_OK;

    default:
        return ngx_http_kafka_json_messages_skip(ps) == NGX_OK;
    }
}


static int
ngx_http_kafka_json_messages_end_map(void *ctx)
{
    ngx_http_kafka_json_messages_t  *ps = ctx;

    ps->reader.depth--;

    if (ps->skip) {
        ps->skip--;
        return 1;
    }

    if (ps->where == in_header) {
        ngx_http_kafka_json_messages_end_header(ps);
        return 1;
    }

    return ngx_http_kafka_json_messages_end_message(ps) == NGX_OK;
}


static int
ngx_http_kafka_json_messages_start_array(void *ctx)
{
    ngx_http_kafka_json_messages_t  *ps = ctx;

    if (ngx_http_kafka_reader_nest(&ps->reader) != NGX_OK) {
        return 0;
    }

    if (ps->skip) {
        ps->skip++;
        return 1;
    }

    if (ps->where == in_body) {
        ps->where = in_list;
        return 1;
    }

    if (ps->where == in_message && ps->field == field_headers) {
        ngx_http_kafka_json_messages_new_headers(ps);
        return 1;
    }

    return ngx_http_kafka_json_messages_skip(ps) == NGX_OK;
}


static int
ngx_http_kafka_json_messages_end_array(void *ctx)
{
    ngx_http_kafka_json_messages_t  *ps = ctx;

    ps->reader.depth--;

    if (ps->skip) {
        ps->skip--;
        return 1;
    }

    ps->where = (ps->where == in_headers) ? in_message : in_body;

    return 1;
}


/* handles an object or array that no field expects, and skips its contents */

static ngx_int_t
ngx_http_kafka_json_messages_skip(ngx_http_kafka_json_messages_t *ps)
{
    ngx_int_t  rc;

    rc = ngx_http_kafka_json_messages_value(ps, type_other, NULL, 0);

    ps->skip = 1;

    return rc;
}


static ngx_int_t
ngx_http_kafka_json_messages_value(ngx_http_kafka_json_messages_t *ps,
    ngx_http_kafka_json_messages_type_e type, const u_char *data, size_t len)
{
    if (ps->skip) {
        return NGX_OK;
    }

    switch (ps->where) {

    case in_body:
        return ngx_http_kafka_reader_refuse(&ps->reader,
              "the request body must be a message object or an array of them");

    case in_list:
        return ngx_http_kafka_reader_refuse(&ps->reader,
                                            "message %ui must be an object",
                                            ps->batch->nrecords);

    case in_message:
        return ngx_http_kafka_json_messages_field_value(ps, type, data, len);

    case in_headers:
        ngx_http_kafka_json_messages_bad_header(ps);
        ps->nheaders++;
        return NGX_OK;

    default: /* in_header */
        return ngx_http_kafka_json_messages_header_value(ps, type, data, len);
    }
}


/* if a message has a field twice, the last value is used */

static ngx_int_t
ngx_http_kafka_json_messages_field_value(ngx_http_kafka_json_messages_t *ps,
    ngx_http_kafka_json_messages_type_e type, const u_char *data, size_t len)
{
    int64_t                   n;
    ngx_int_t                 rc;
    ngx_http_kafka_record_t  *record;

    record = ps->record;

    switch (ps->field) {

    case field_topic:
        rc = ngx_http_kafka_json_messages_text(ps, &ps->topic, type, data, len);
        break;

    case field_key:
        rc = ngx_http_kafka_json_messages_text(ps, &record->key, type, data,
                                               len);
        break;

    case field_value:
        rc = (type == type_null) ? NGX_DECLINED
             : ngx_http_kafka_json_messages_text(ps, &record->value, type, data,
                                                 len);
        break;

    case field_partition:
        n = RD_KAFKA_PARTITION_UA;
        rc = ngx_http_kafka_json_messages_integer(&n, type, data, len, 0,
                                                  NGX_MAX_INT32_VALUE);
        record->partition = (int32_t) n;
        break;

    case field_timestamp:
        n = 0;
        rc = ngx_http_kafka_json_messages_integer(&n, type, data, len, 1,
                                                  NGX_MAX_OFF_T_VALUE);
        record->timestamp = n;
        break;

    case field_headers:
        ngx_http_kafka_json_messages_new_headers(ps);
        ps->where = in_message;
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
ngx_http_kafka_json_messages_header_value(ngx_http_kafka_json_messages_t *ps,
    ngx_http_kafka_json_messages_type_e type, const u_char *data, size_t len)
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

    rc = ngx_http_kafka_json_messages_text(ps, dst, type, data, len);

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
ngx_http_kafka_json_messages_text(ngx_http_kafka_json_messages_t *ps,
    ngx_str_t *dst, ngx_http_kafka_json_messages_type_e type,
    const u_char *data, size_t len)
{
    switch (type) {

    case type_null:
        ngx_str_null(dst);
        return NGX_OK;

    case type_string:
        return ngx_http_kafka_json_messages_copy(ps, dst, data, len);

    default:
        return NGX_DECLINED;
    }
}


/* accepts digits only, no 1.0 or 1e3; null leaves *dst unchanged */

static ngx_int_t
ngx_http_kafka_json_messages_integer(int64_t *dst,
    ngx_http_kafka_json_messages_type_e type, const u_char *data, size_t len,
    int64_t min, int64_t max)
{
    off_t  n;

    if (type == type_null) {
        return NGX_OK;
    }

    if (type != type_number) {
        return NGX_DECLINED;
    }

    n = ngx_atoof((u_char *) data, len);

    if (n == NGX_ERROR || n < min || n > max) {
        return NGX_DECLINED;
    }

    *dst = n;

    return NGX_OK;
}


static ngx_int_t
ngx_http_kafka_json_messages_new_message(ngx_http_kafka_json_messages_t *ps)
{
    ngx_http_kafka_record_t  *record;

    record = ngx_http_kafka_batch_record(ps->batch);
    if (record == NULL) {
        ps->reader.nomem = 1;
        return NGX_ERROR;
    }

    ps->record = record;
    ps->bad = 0;
    ngx_str_null(&ps->topic);

    ps->where = in_message;

    return NGX_OK;
}


static ngx_int_t
ngx_http_kafka_json_messages_end_message(ngx_http_kafka_json_messages_t *ps)
{
    ngx_uint_t  field;

    for (field = 0; field < field_unknown; field++) {
        if (ps->bad & (1 << field)) {
            return ngx_http_kafka_json_messages_bad_field(ps, field);
        }
    }

    if (ps->record->value.data == NULL) {
        return ngx_http_kafka_reader_refuse(&ps->reader,
                                     "message %ui: field \"value\" is missing",
                                     ps->batch->nrecords);
    }

    if (ngx_http_kafka_json_messages_end_topic(ps) != NGX_OK) {
        return NGX_DECLINED;
    }

    ngx_http_kafka_batch_add(ps->batch, ps->record);

    ps->where = ps->reader.depth ? in_list : in_body;

    return NGX_OK;
}


static ngx_int_t
ngx_http_kafka_json_messages_bad_field(ngx_http_kafka_json_messages_t *ps,
    ngx_uint_t field)
{
    ngx_http_kafka_json_messages_rule_t  *rule;

    rule = &ngx_http_kafka_json_messages_rules[field];

    if (field == field_headers && ps->bad_headers) {
        return ngx_http_kafka_reader_refuse(&ps->reader,
                      "message %ui: field \"%V\" must be %s: header %ui is not",
                      ps->batch->nrecords, &rule->name, rule->expected,
                      ps->bad_header);
    }

    return ngx_http_kafka_reader_refuse(&ps->reader,
                                       "message %ui: field \"%V\" must be %s",
                                       ps->batch->nrecords, &rule->name,
                                       rule->expected);
}


static ngx_int_t
ngx_http_kafka_json_messages_end_topic(ngx_http_kafka_json_messages_t *ps)
{
    ngx_int_t   rc;
    ngx_str_t  *path;

    if (ps->target) {
        path = &ps->target->name;

        if (ps->topic.data
            && (ps->topic.len != path->len
                || ngx_memcmp(ps->topic.data, path->data, path->len) != 0))
        {
            return ngx_http_kafka_reader_refuse(&ps->reader,
                "message %ui: field \"topic\" must equal this URL's \"%V\"",
                ps->batch->nrecords, path);
        }

        ps->record->target = ps->target;
        return NGX_OK;
    }

    if (ps->topic.data == NULL) {
        return ngx_http_kafka_reader_refuse(&ps->reader,
                "message %ui: field \"topic\" is missing, the path names none",
                ps->batch->nrecords);
    }

    rc = ngx_http_kafka_batch_target(ps->batch, &ps->topic,
                                     &ps->record->target);

    if (rc == NGX_DECLINED) {
        return ngx_http_kafka_reader_refuse(&ps->reader,
                      "message %ui: field \"topic\" must be a topic's name: "
                      "1 to %d of A-Z a-z 0-9 . _ -, not \".\" or \"..\"",
                      ps->batch->nrecords, NGX_HTTP_KAFKA_TOPIC_MAX);
    }

    if (rc == NGX_BUSY) {
        return ngx_http_kafka_reader_refuse(&ps->reader,
                      "message %ui: a request may name at most %d topics, "
                      "divide its messages among several requests",
                      ps->batch->nrecords, NGX_HTTP_KAFKA_BATCH_TOPICS);
    }

    ps->reader.nomem |= (rc == NGX_ERROR);

    return rc;
}


static void
ngx_http_kafka_json_messages_new_headers(ngx_http_kafka_json_messages_t *ps)
{
    ps->record->headers = NULL;
    ps->header = &ps->record->headers;
    ps->nheaders = 0;
    ps->bad_headers = 0;
    ps->bad &= ~(1 << field_headers);
    ps->where = in_headers;
}


static ngx_int_t
ngx_http_kafka_json_messages_new_header(ngx_http_kafka_json_messages_t *ps)
{
    ps->current = ngx_http_kafka_batch_header(ps->batch);
    if (ps->current == NULL) {
        ps->reader.nomem = 1;
        return NGX_ERROR;
    }

    ps->given = 0;
    ps->where = in_header;

    return NGX_OK;
}


static void
ngx_http_kafka_json_messages_end_header(ngx_http_kafka_json_messages_t *ps)
{
    if (ps->current->key.data == NULL
        || ps->given != (1 << field_key | 1 << field_value))
    {
        ngx_http_kafka_json_messages_bad_header(ps);
    }

    *ps->header = ps->current;
    ps->header = &ps->current->next;
    ps->nheaders++;
    ps->where = in_headers;
}


static void
ngx_http_kafka_json_messages_bad_header(ngx_http_kafka_json_messages_t *ps)
{
    if (ps->bad_headers++ == 0) {
        ps->bad_header = ps->nheaders;
    }

    ps->bad |= 1 << field_headers;
}
