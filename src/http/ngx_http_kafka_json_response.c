
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_json_response.h>
#include <ngx_http_kafka_errors.h>
#include <ngx_http.h>


/* the maximum size of a record's result without its topic and error */
#define NGX_HTTP_KAFKA_JSON_RESPONSE_RESULT                                   \
    (sizeof("{\"topic\":\"\",\"partition\":,\"offset\":,\"timestamp\":},")    \
     + NGX_INT32_LEN + 2 * NGX_INT64_LEN)

#define NGX_HTTP_KAFKA_JSON_RESPONSE_FAILURE                                  \
    (sizeof("{\"topic\":\"\",\"error\":\"\",\"code\":\"\","                   \
            "\"retriable\":false,\"persisted\":\"maybe\"},"))

#define NGX_HTTP_KAFKA_JSON_RESPONSE_HEAD                                     \
    (sizeof("{\"error\":\"\",\"status\":") + NGX_INT_T_LEN)

#define NGX_HTTP_KAFKA_JSON_RESPONSE_RESULTS  (sizeof(",\"results\":[]}"))

/* the error text of every record when memory is out */
#define NGX_HTTP_KAFKA_JSON_RESPONSE_BRIEF    "not acknowledged"

/* the maximum size of the summary, and its size without the error text */
#define NGX_HTTP_KAFKA_JSON_RESPONSE_TEXT     512
#define NGX_HTTP_KAFKA_JSON_RESPONSE_SUMMARY                                  \
    (sizeof("message : ;  of  messages were not acknowledged")                \
     + 3 * NGX_INT_T_LEN)


static void ngx_http_kafka_json_response_metadata(
    ngx_http_kafka_batch_t *batch, ngx_uint_t object, ngx_str_t *room,
    ngx_str_t *body);
static ngx_uint_t ngx_http_kafka_json_response_results(ngx_pool_t *pool,
    ngx_http_kafka_batch_t *batch, ngx_str_t *room, ngx_str_t *text,
    ngx_str_t *body);
static size_t ngx_http_kafka_json_response_results_len(
    ngx_http_kafka_batch_t *batch);
static u_char *ngx_http_kafka_json_response_records(u_char *p,
    ngx_http_kafka_batch_t *batch, ngx_uint_t status, ngx_str_t *text,
    ngx_uint_t brief);
static size_t ngx_http_kafka_json_response_summary(u_char *buf, size_t size,
    ngx_http_kafka_batch_t *batch, ngx_uint_t brief, ngx_uint_t *status);
static size_t ngx_http_kafka_json_response_head_len(ngx_str_t *text);
static u_char *ngx_http_kafka_json_response_head(u_char *p, ngx_uint_t status,
    ngx_str_t *text);
static u_char *ngx_http_kafka_json_response_remedy(u_char *p, u_char *last,
    ngx_http_kafka_batch_t *batch, rd_kafka_resp_err_t err,
    rd_kafka_msg_status_t persisted);
static u_char *ngx_http_kafka_json_response_reason(u_char *p, u_char *last,
    ngx_http_kafka_batch_t *batch);
static u_char *ngx_http_kafka_json_response_record(u_char *p,
    ngx_http_kafka_record_t *record);
static u_char *ngx_http_kafka_json_response_number(u_char *p, int64_t n);
static u_char *ngx_http_kafka_json_response_failed(u_char *p,
    ngx_http_kafka_record_t *record, ngx_uint_t brief);
static size_t ngx_http_kafka_json_response_failed_len(
    ngx_http_kafka_record_t *record);
static rd_kafka_resp_err_t ngx_http_kafka_json_response_outcome(
    ngx_http_kafka_record_t *record, rd_kafka_msg_status_t *persisted);


/* in the order of rd_kafka_msg_status_t */
static const char  *ngx_http_kafka_json_response_persisted[] = {
    "no", "maybe", "yes"
};


size_t
ngx_http_kafka_json_response_room(ngx_http_kafka_batch_t *batch)
{
    size_t  code, result;

    code = ngx_http_kafka_error_longest_name();

    result = NGX_HTTP_KAFKA_JSON_RESPONSE_FAILURE + code
             + sizeof(NGX_HTTP_KAFKA_JSON_RESPONSE_BRIEF) - 1;
    result = ngx_max(result, NGX_HTTP_KAFKA_JSON_RESPONSE_RESULT);

    /*
     * This cannot overflow: each record has already used about 300 bytes of
     * kafka_max_memory.
     */

    return NGX_HTTP_KAFKA_JSON_RESPONSE_HEAD
           + NGX_HTTP_KAFKA_JSON_RESPONSE_SUMMARY + code
           + NGX_HTTP_KAFKA_JSON_RESPONSE_RESULTS
           + batch->nrecords * result + batch->names;
}


ngx_uint_t
ngx_http_kafka_json_response(ngx_pool_t *pool, ngx_http_kafka_batch_t *batch,
    ngx_uint_t object, ngx_str_t *room, ngx_str_t *text, ngx_str_t *body)
{
    if (batch->acked != batch->nrecords) {
        return ngx_http_kafka_json_response_results(pool, batch, room, text,
                                                    body);
    }

    ngx_http_kafka_json_response_metadata(batch, object, room, body);

    return NGX_HTTP_OK;
}


static void
ngx_http_kafka_json_response_metadata(ngx_http_kafka_batch_t *batch,
    ngx_uint_t object, ngx_str_t *room, ngx_str_t *body)
{
    u_char                   *p;
    ngx_http_kafka_record_t  *record;

    p = room->data;

    if (!object) {
        *p++ = '[';
    }

    for (record = batch->records; record; record = record->next) {
        p = ngx_http_kafka_json_response_record(p, record);

        if (record->next) {
            *p++ = ',';
        }
    }

    if (!object) {
        *p++ = ']';
    }

    body->data = room->data;
    body->len = p - body->data;
}


static ngx_uint_t
ngx_http_kafka_json_response_results(ngx_pool_t *pool,
    ngx_http_kafka_batch_t *batch, ngx_str_t *room, ngx_str_t *text,
    ngx_str_t *body)
{
    size_t      len;
    ngx_str_t   summary;
    ngx_uint_t  brief, status;
    u_char      buf[NGX_HTTP_KAFKA_JSON_RESPONSE_TEXT];

    summary.data = buf;
    summary.len = ngx_http_kafka_json_response_summary(buf, sizeof(buf), batch,
                                                       0, &status);

    len = ngx_http_kafka_json_response_head_len(&summary)
          + ngx_http_kafka_json_response_results_len(batch);

    brief = 0;
    body->data = (len > room->len) ? ngx_pnalloc(pool, len) : room->data;

    if (body->data == NULL) {

        /* use short texts that fit into room */

        brief = 1;
        body->data = room->data;
        summary.len = ngx_http_kafka_json_response_summary(buf, sizeof(buf),
                                                           batch, 1, &status);
    }

    body->len = ngx_http_kafka_json_response_records(body->data, batch, status,
                                                     &summary, brief)
                - body->data;

    text->data = ngx_pstrdup(pool, &summary);
    text->len = text->data ? summary.len : 0;

    return status;
}


static u_char *
ngx_http_kafka_json_response_records(u_char *p, ngx_http_kafka_batch_t *batch,
    ngx_uint_t status, ngx_str_t *text, ngx_uint_t brief)
{
    ngx_http_kafka_record_t  *record;

    p = ngx_http_kafka_json_response_head(p, status, text);
    p = ngx_cpymem(p, ",\"results\":[", sizeof(",\"results\":[") - 1);

    for (record = batch->records; record; record = record->next) {

        if (record->state == NGX_HTTP_KAFKA_RECORD_ACKED) {
            p = ngx_http_kafka_json_response_record(p, record);

        } else {
            p = ngx_http_kafka_json_response_failed(p, record, brief);
        }

        if (record->next) {
            *p++ = ',';
        }
    }

    *p++ = ']';
    *p++ = '}';

    return p;
}


/*
 * Writes the summary and sets the status, both from the first record that was
 * not acknowledged.  Returns the length of the summary.
 */

static size_t
ngx_http_kafka_json_response_summary(u_char *buf, size_t size,
    ngx_http_kafka_batch_t *batch, ngx_uint_t brief, ngx_uint_t *status)
{
    u_char                   *p;
    ngx_uint_t                first;
    rd_kafka_resp_err_t       err;
    rd_kafka_msg_status_t     persisted;
    ngx_http_kafka_record_t  *record;

    first = 0;

    for (record = batch->records;
         record->state == NGX_HTTP_KAFKA_RECORD_ACKED;
         record = record->next)
    {
        first++;
    }

    err = ngx_http_kafka_json_response_outcome(record, &persisted);
    *status = ngx_http_kafka_error_status(err, persisted);

    p = ngx_slprintf(buf, buf + size,
                     "message %ui: %s; %ui of %ui messages were not "
                     "acknowledged", first,
                     brief ? ngx_http_kafka_error_name(err)
                           : ngx_http_kafka_error_text(err),
                     batch->nrecords - batch->acked, batch->nrecords);

    if (!brief) {
        p = ngx_http_kafka_json_response_remedy(p, buf + size, batch, err,
                                                persisted);
    }

    return p - buf;
}


static size_t
ngx_http_kafka_json_response_results_len(ngx_http_kafka_batch_t *batch)
{
    size_t                    len;
    ngx_http_kafka_record_t  *record;

    len = NGX_HTTP_KAFKA_JSON_RESPONSE_RESULTS;

    for (record = batch->records; record; record = record->next) {

        if (record->state == NGX_HTTP_KAFKA_RECORD_ACKED) {
            len += NGX_HTTP_KAFKA_JSON_RESPONSE_RESULT
                   + record->target->name.len;

        } else {
            len += ngx_http_kafka_json_response_failed_len(record);
        }
    }

    return len;
}


/*
 * Appends what the client or the operator can do about the error, if this is
 * known, and whether the record is in Kafka.  Returns the end of the text.
 */

static u_char *
ngx_http_kafka_json_response_remedy(u_char *p, u_char *last,
    ngx_http_kafka_batch_t *batch, rd_kafka_resp_err_t err,
    rd_kafka_msg_status_t persisted)
{
    const char  *text;

    text = ngx_http_kafka_error(err)->remedy;

    if (err == RD_KAFKA_RESP_ERR__MSG_TIMED_OUT) {
        text = batch->connectivity;
    }

    if (text) {
        p = ngx_slprintf(p, last, "; %s", text);
    }

    /* tell the client whether a retry is safe */

    switch (persisted) {

    case RD_KAFKA_MSG_STATUS_NOT_PERSISTED:
        return ngx_slprintf(p, last, "; it is not in Kafka");

    case RD_KAFKA_MSG_STATUS_POSSIBLY_PERSISTED:
        return ngx_slprintf(p, last, "; it may be in Kafka, and a second try "
                            "can duplicate it");

    default:
        return ngx_slprintf(p, last, "; it is in Kafka");
    }
}


ngx_uint_t
ngx_http_kafka_json_response_refusal(ngx_pool_t *pool,
    ngx_http_kafka_batch_t *batch, ngx_str_t *text)
{
    u_char  *last;

    text->data = ngx_pnalloc(pool, NGX_HTTP_KAFKA_JSON_RESPONSE_TEXT);
    if (text->data == NULL) {
        text->len = 0;
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    last = ngx_http_kafka_json_response_reason(text->data,
                             text->data + NGX_HTTP_KAFKA_JSON_RESPONSE_TEXT,
                             batch);
    text->len = last - text->data;

    return ngx_http_kafka_error_unsent_status(batch->err);
}


static u_char *
ngx_http_kafka_json_response_reason(u_char *p, u_char *last,
    ngx_http_kafka_batch_t *batch)
{
    ngx_uint_t                index;
    ngx_http_kafka_record_t  *record;

    record = ngx_http_kafka_batch_offending(batch, &index);

    if (record == NULL) {
        return ngx_slprintf(p, last, "%s: nothing was sent",
                            ngx_http_kafka_error_unsent(batch->err));
    }

    p = ngx_slprintf(p, last, "message %ui: ", index);

    return ngx_http_kafka_error_refusal(p, last, batch->err,
                                        &record->target->name,
                                        record->partition);
}


ngx_int_t
ngx_http_kafka_json_response_error(ngx_pool_t *pool, ngx_uint_t status,
    ngx_str_t *text, ngx_str_t *body)
{
    u_char  *p;

    p = ngx_pnalloc(pool, ngx_http_kafka_json_response_head_len(text) + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    body->data = p;

    p = ngx_http_kafka_json_response_head(p, status, text);
    *p++ = '}';

    body->len = p - body->data;

    return NGX_OK;
}


static size_t
ngx_http_kafka_json_response_head_len(ngx_str_t *text)
{
    return NGX_HTTP_KAFKA_JSON_RESPONSE_HEAD + text->len
           + ngx_escape_json(NULL, text->data, text->len);
}


/* writes the start of an error object, without the closing brace */

static u_char *
ngx_http_kafka_json_response_head(u_char *p, ngx_uint_t status, ngx_str_t *text)
{
    p = ngx_cpymem(p, "{\"error\":\"", sizeof("{\"error\":\"") - 1);
    p = (u_char *) ngx_escape_json(p, text->data, text->len);

    return ngx_sprintf(p, "\",\"status\":%ui", status);
}


/* a valid topic name needs no escaping */

static u_char *
ngx_http_kafka_json_response_record(u_char *p, ngx_http_kafka_record_t *record)
{
    p = ngx_cpymem(p, "{\"topic\":\"", sizeof("{\"topic\":\"") - 1);
    p = ngx_cpymem(p, record->target->name.data, record->target->name.len);
    p = ngx_cpymem(p, "\",\"partition\":", sizeof("\",\"partition\":") - 1);
    p = ngx_http_kafka_json_response_number(p, record->partition);
    p = ngx_cpymem(p, ",\"offset\":", sizeof(",\"offset\":") - 1);

    if (record->offset < 0) {
        p = ngx_cpymem(p, "null", 4);

    } else {
        p = ngx_http_kafka_json_response_number(p, record->offset);
    }

    p = ngx_cpymem(p, ",\"timestamp\":", sizeof(",\"timestamp\":") - 1);
    p = ngx_http_kafka_json_response_number(p, record->timestamp);

    *p++ = '}';

    return p;
}


/*
 * Writes two digits at a time, which is faster than ngx_sprintf().  Even so, a
 * response with 100,000 records blocks the event loop for several milliseconds.
 */

static u_char *
ngx_http_kafka_json_response_number(u_char *p, int64_t n)
{
    u_char                digits[NGX_INT64_LEN + 1], *d;
    uint64_t              u;
    static const u_char   pairs[] =
        "00010203040506070809101112131415161718192021222324252627282930313233"
        "34353637383940414243444546474849505152535455565758596061626364656667"
        "6869707172737475767778798081828384858687888990919293949596979899";

    d = digits + sizeof(digits);
    u = (uint64_t) n;

    if (n < 0) {
        *p++ = '-';
        u = 0 - u;
    }

    do {
        d -= 2;
        ngx_memcpy(d, &pairs[u % 100 * 2], 2);
        u /= 100;
    } while (u);

    if (*d == '0') {
        d++;
    }

    return ngx_cpymem(p, d, digits + sizeof(digits) - d);
}


static size_t
ngx_http_kafka_json_response_failed_len(ngx_http_kafka_record_t *record)
{
    const char             *text;
    rd_kafka_resp_err_t     err;
    rd_kafka_msg_status_t   persisted;

    err = ngx_http_kafka_json_response_outcome(record, &persisted);
    text = ngx_http_kafka_error_text(err);

    return NGX_HTTP_KAFKA_JSON_RESPONSE_FAILURE + record->target->name.len
           + ngx_strlen(ngx_http_kafka_error_name(err)) + ngx_strlen(text)
           + ngx_escape_json(NULL, (u_char *) text, ngx_strlen(text));
}


static u_char *
ngx_http_kafka_json_response_failed(u_char *p, ngx_http_kafka_record_t *record,
    ngx_uint_t brief)
{
    const char                     *text;
    rd_kafka_resp_err_t             err;
    rd_kafka_msg_status_t           persisted;
    const ngx_http_kafka_error_t   *e;

    err = ngx_http_kafka_json_response_outcome(record, &persisted);
    text = brief ? NGX_HTTP_KAFKA_JSON_RESPONSE_BRIEF
                 : ngx_http_kafka_error_text(err);
    e = ngx_http_kafka_error(err);

    p = ngx_sprintf(p, "{\"topic\":\"%V\",\"error\":\"",
                    &record->target->name);
    p = (u_char *) ngx_escape_json(p, (u_char *) text, ngx_strlen(text));

    return ngx_sprintf(p, "\",\"code\":\"%s\",\"retriable\":%s,"
                          "\"persisted\":\"%s\"}",
                       ngx_http_kafka_error_name(err),
                       (e->flags & NGX_HTTP_KAFKA_ERROR_RETRIABLE) ? "true"
                                                                  : "false",
                       ngx_http_kafka_json_response_persisted[persisted]);
}


/*
 * Returns the error of a record that was not acknowledged, and sets *persisted.
 * A record whose delivery report is overdue may be in Kafka.
 */

static rd_kafka_resp_err_t
ngx_http_kafka_json_response_outcome(ngx_http_kafka_record_t *record,
    rd_kafka_msg_status_t *persisted)
{
    if (record->state == NGX_HTTP_KAFKA_RECORD_FAILED) {
        *persisted = record->persisted;
        return record->err;
    }

    *persisted = RD_KAFKA_MSG_STATUS_POSSIBLY_PERSISTED;

    return RD_KAFKA_RESP_ERR__MSG_TIMED_OUT;
}
