
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_stats.h>
#include <ngx_http_kafka_yajl.h>


/*
 * The nesting levels of
 *
 *     {"brokers": {"host:port/1": {"state": "UP", "rtt": {"avg": 1}}}}
 */

#define NGX_HTTP_KAFKA_STATS_TOP      1
#define NGX_HTTP_KAFKA_STATS_BROKERS  2
#define NGX_HTTP_KAFKA_STATS_BROKER   3
#define NGX_HTTP_KAFKA_STATS_WINDOW   4


typedef enum {
    NGX_HTTP_KAFKA_STATS_SKIP = 0,
    NGX_HTTP_KAFKA_STATS_NUMBER,
    NGX_HTTP_KAFKA_STATS_ID,
    NGX_HTTP_KAFKA_STATS_NAME,
    NGX_HTTP_KAFKA_STATS_SOURCE,
    NGX_HTTP_KAFKA_STATS_STATE
} ngx_http_kafka_stats_kind_e;


typedef struct {
    ngx_str_t                        name;
    ngx_http_kafka_stats_kind_e      kind;
    size_t                           offset;  /* of the value */
} ngx_http_kafka_stats_field_t;


typedef struct {
    ngx_http_kafka_stats_broker_t    broker;
    ngx_http_kafka_stats_broker_pt   handler;
    void                            *data;
    ngx_http_kafka_stats_field_t    *field;   /* of the next value */
    ngx_uint_t                       depth;
    unsigned                         brokers:1;  /* inside "brokers" */
    unsigned                         rtt:1;      /* in or before "rtt" */
    unsigned                         done:1;     /* after "brokers" */
} ngx_http_kafka_stats_ctx_t;


static int ngx_http_kafka_stats_map_start(void *data);
static int ngx_http_kafka_stats_map_key(void *data, const u_char *key,
    size_t len);
static int ngx_http_kafka_stats_map_end(void *data);
static int ngx_http_kafka_stats_number(void *data, const char *text,
    size_t len);
static int ngx_http_kafka_stats_string(void *data, const u_char *text,
    size_t len);
static ngx_http_kafka_stats_field_t *ngx_http_kafka_stats_field(
    ngx_http_kafka_stats_field_t *field, const u_char *key, size_t len);
static ngx_uint_t ngx_http_kafka_stats_state(const u_char *name, size_t len);


static yajl_callbacks  ngx_http_kafka_stats_callbacks = {
    NULL,
    NULL,
    NULL,
    NULL,
    ngx_http_kafka_stats_number,
    ngx_http_kafka_stats_string,
    ngx_http_kafka_stats_map_start,
    ngx_http_kafka_stats_map_key,
    ngx_http_kafka_stats_map_end,
    NULL,
    NULL
};


#define ngx_http_kafka_stats_offset(member)                                   \
    NGX_HTTP_KAFKA_STATS_NUMBER,                                              \
    offsetof(ngx_http_kafka_stats_broker_t, member)

#define ngx_http_kafka_stats_offset_sum(which)                                \
    NGX_HTTP_KAFKA_STATS_NUMBER,                                              \
    offsetof(ngx_http_kafka_stats_broker_t, sum)                              \
    + NGX_HTTP_KAFKA_STATS_##which * sizeof(uint64_t)


static ngx_http_kafka_stats_field_t  ngx_http_kafka_stats_fields[] = {
    { ngx_string("nodename"), NGX_HTTP_KAFKA_STATS_NAME, 0 },
    { ngx_string("nodeid"), NGX_HTTP_KAFKA_STATS_ID, 0 },
    { ngx_string("source"), NGX_HTTP_KAFKA_STATS_SOURCE, 0 },
    { ngx_string("state"), NGX_HTTP_KAFKA_STATS_STATE, 0 },
    { ngx_string("rx"), ngx_http_kafka_stats_offset(received) },
    { ngx_string("waitresp_cnt"), ngx_http_kafka_stats_offset(unanswered) },
    { ngx_string("txbytes"), ngx_http_kafka_stats_offset_sum(SENT) },
    { ngx_string("rxbytes"), ngx_http_kafka_stats_offset_sum(RECEIVED) },
    { ngx_string("txretries"), ngx_http_kafka_stats_offset_sum(RETRIES) },
    { ngx_string("req_timeouts"), ngx_http_kafka_stats_offset_sum(TIMEOUTS) },
    { ngx_string("connects"), ngx_http_kafka_stats_offset_sum(CONNECTS) },
    { ngx_string("disconnects"),
      ngx_http_kafka_stats_offset_sum(DISCONNECTS) },
    { ngx_null_string, NGX_HTTP_KAFKA_STATS_SKIP, 0 }
};


static ngx_http_kafka_stats_field_t  ngx_http_kafka_stats_window[] = {
    { ngx_string("avg"), ngx_http_kafka_stats_offset(average) },
    { ngx_string("p99"), ngx_http_kafka_stats_offset(p99) },
    { ngx_string("cnt"), ngx_http_kafka_stats_offset(measured) },
    { ngx_null_string, NGX_HTTP_KAFKA_STATS_SKIP, 0 }
};


const char  *ngx_http_kafka_stats_states[NGX_HTTP_KAFKA_STATS_STATES] = {
    "",
    "OTHER",
    "HANGS",
    "UP",
    "UPDATE",
    "REAUTH",
    "INIT",
    "DOWN",
    "TRY_CONNECT",
    "CONNECT",
    "SSL_HANDSHAKE",
    "AUTH_LEGACY",
    "APIVERSION_QUERY",
    "AUTH_HANDSHAKE",
    "AUTH_REQ",
    ""
};


ngx_int_t
ngx_http_kafka_stats_parse(const char *text, size_t len,
    ngx_http_kafka_stats_broker_pt handler, void *data)
{
    ngx_http_kafka_yajl_t      *yajl;
    ngx_http_kafka_stats_ctx_t  ctx;

    ngx_memzero(&ctx, sizeof(ngx_http_kafka_stats_ctx_t));

    ctx.handler = handler;
    ctx.data = data;

    yajl = ngx_http_kafka_yajl_open(&ngx_http_kafka_stats_callbacks, &ctx,
                                    ngx_cycle->log);
    if (yajl == NULL) {
        return NGX_ERROR;
    }

    /* parsing ends after the brokers: there may be thousands of partitions */

    (void) ngx_http_kafka_yajl_parse(yajl, (const u_char *) text, len);

    ngx_http_kafka_yajl_close(yajl);

    return ctx.done ? NGX_OK : NGX_ERROR;
}


ngx_uint_t
ngx_http_kafka_stats_is_up(ngx_uint_t state)
{
    return state == NGX_HTTP_KAFKA_STATS_UP
           || state == NGX_HTTP_KAFKA_STATS_UPDATE
           || state == NGX_HTTP_KAFKA_STATS_REAUTH;
}


static int
ngx_http_kafka_stats_map_start(void *data)
{
    ngx_http_kafka_stats_ctx_t *ctx = data;

    ctx->depth++;

    if (ctx->brokers && ctx->depth == NGX_HTTP_KAFKA_STATS_BROKER) {
        ngx_memzero(&ctx->broker, sizeof(ngx_http_kafka_stats_broker_t));
        ctx->broker.id = -1;
    }

    return 1;
}


static int
ngx_http_kafka_stats_map_key(void *data, const u_char *key, size_t len)
{
    ngx_http_kafka_stats_ctx_t *ctx = data;

    ctx->field = NULL;

    if (ctx->depth == NGX_HTTP_KAFKA_STATS_TOP) {
        ctx->brokers = (len == sizeof("brokers") - 1
                        && ngx_memcmp(key, "brokers", len) == 0);
        return 1;
    }

    if (!ctx->brokers) {
        return 1;
    }

    if (ctx->depth == NGX_HTTP_KAFKA_STATS_BROKER) {
        ctx->rtt = (len == sizeof("rtt") - 1
                    && ngx_memcmp(key, "rtt", len) == 0);
        ctx->field = ngx_http_kafka_stats_field(ngx_http_kafka_stats_fields,
                                                key, len);

    } else if (ctx->depth == NGX_HTTP_KAFKA_STATS_WINDOW && ctx->rtt) {
        ctx->field = ngx_http_kafka_stats_field(ngx_http_kafka_stats_window,
                                                key, len);
    }

    return 1;
}


static int
ngx_http_kafka_stats_map_end(void *data)
{
    ngx_http_kafka_stats_ctx_t *ctx = data;

    if (ctx->brokers) {

        if (ctx->depth == NGX_HTTP_KAFKA_STATS_BROKER && ctx->broker.broker) {
            ctx->handler(ctx->data, &ctx->broker);
        }

        if (ctx->depth == NGX_HTTP_KAFKA_STATS_BROKERS) {
            ctx->done = 1;
            return 0;
        }
    }

    ctx->field = NULL;
    ctx->depth--;

    return 1;
}


static int
ngx_http_kafka_stats_number(void *data, const char *text, size_t len)
{
    ngx_http_kafka_stats_ctx_t *ctx = data;

    ngx_int_t   n;
    uint64_t   *value;

    if (ctx->field == NULL) {
        return 1;
    }

    n = ngx_atoi((u_char *) text, len);

    if (n == NGX_ERROR) {

        /* the id is -1 until librdkafka knows the broker's id */

        return 1;
    }

    if (ctx->field->kind == NGX_HTTP_KAFKA_STATS_ID) {
        ctx->broker.id = n;

    } else if (ctx->field->kind == NGX_HTTP_KAFKA_STATS_NUMBER) {
        value = (uint64_t *) ((u_char *) &ctx->broker + ctx->field->offset);
        *value = n;
    }

    return 1;
}


static int
ngx_http_kafka_stats_string(void *data, const u_char *text, size_t len)
{
    ngx_http_kafka_stats_ctx_t *ctx = data;

    if (ctx->field == NULL) {
        return 1;
    }

    switch (ctx->field->kind) {

    case NGX_HTTP_KAFKA_STATS_NAME:
        ctx->broker.len = ngx_min(len, sizeof(ctx->broker.data));
        ngx_memcpy(ctx->broker.data, text, ctx->broker.len);
        break;

    case NGX_HTTP_KAFKA_STATS_SOURCE:

        /* "internal" and "logical" brokers have no address */

        ctx->broker.broker = (len == sizeof("configured") - 1
                              && ngx_memcmp(text, "configured", len) == 0)
                             || (len == sizeof("learned") - 1
                                 && ngx_memcmp(text, "learned", len) == 0);
        break;

    case NGX_HTTP_KAFKA_STATS_STATE:
        ctx->broker.state = ngx_http_kafka_stats_state(text, len);
        break;

    default:
        break;
    }

    return 1;
}


static ngx_http_kafka_stats_field_t *
ngx_http_kafka_stats_field(ngx_http_kafka_stats_field_t *field,
    const u_char *key, size_t len)
{
    for ( /* void */ ; field->name.len; field++) {
        if (field->name.len == len
            && ngx_memcmp(field->name.data, key, len) == 0)
        {
            return field;
        }
    }

    return NULL;
}


static ngx_uint_t
ngx_http_kafka_stats_state(const u_char *name, size_t len)
{
    ngx_uint_t  i;

    for (i = NGX_HTTP_KAFKA_STATS_UP; i < NGX_HTTP_KAFKA_STATS_STATES; i++) {
        if (ngx_strlen(ngx_http_kafka_stats_states[i]) == len
            && ngx_memcmp(ngx_http_kafka_stats_states[i], name, len) == 0)
        {
            return i;
        }
    }

    return NGX_HTTP_KAFKA_STATS_OTHER;
}
