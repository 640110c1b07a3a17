
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_variables.h>
#include <ngx_http_kafka_handler.h>


static ngx_http_kafka_ctx_t *ngx_http_kafka_variables_kept(
    ngx_http_request_t *r);
static ngx_int_t ngx_http_kafka_variables_topic(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_kafka_variables_number(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_kafka_variables_place(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_kafka_variables_time(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_kafka_variables_error(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static u_char ngx_http_kafka_variables_unescape(u_char **pos);
static ngx_int_t ngx_http_kafka_variables_text(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, const char *fmt, ...);
static ngx_int_t ngx_http_kafka_variables_set(ngx_http_variable_value_t *v,
    ngx_str_t *text);


static ngx_http_variable_t  ngx_http_kafka_variables[] = {

    { ngx_string("kafka_topic"), NULL, ngx_http_kafka_variables_topic, 0,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("kafka_messages"), NULL, ngx_http_kafka_variables_number,
      offsetof(ngx_http_kafka_facts_t, messages),
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("kafka_bytes"), NULL, ngx_http_kafka_variables_number,
      offsetof(ngx_http_kafka_facts_t, bytes), NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("kafka_partition"), NULL, ngx_http_kafka_variables_place,
      offsetof(ngx_http_kafka_facts_t, partition),
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("kafka_offset"), NULL, ngx_http_kafka_variables_place,
      offsetof(ngx_http_kafka_facts_t, offset), NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("kafka_parse_time"), NULL, ngx_http_kafka_variables_time,
      offsetof(ngx_http_kafka_facts_t, parse_time),
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("kafka_ack_time"), NULL, ngx_http_kafka_variables_time,
      offsetof(ngx_http_kafka_facts_t, ack_time),
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("kafka_error"), NULL, ngx_http_kafka_variables_error, 0,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

      ngx_http_null_variable
};


ngx_int_t
ngx_http_kafka_variables_add(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_http_kafka_variables; v->name.len; v++) {
        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


void
ngx_http_kafka_variables_keep(ngx_http_kafka_ctx_t *ctx)
{
    ngx_http_kafka_batch_t   *batch;
    ngx_http_kafka_facts_t   *facts;
    ngx_http_kafka_record_t  *record;

    batch = ctx->batch;
    facts = &ctx->facts;

    facts->kept = 1;
    facts->messages = batch->nrecords;
    facts->bytes = batch->bytes;
    facts->partition = -1;
    facts->offset = -1;

    if (batch->start) {
        facts->sent = 1;
        facts->parse_time = batch->start - ctx->start;
        facts->ack_time = ngx_current_msec - batch->start;
    }

    record = batch->records;

    if (batch->nrecords == 1 && record->state == NGX_HTTP_KAFKA_RECORD_ACKED) {
        facts->partition = record->partition;
        facts->offset = record->offset;
    }

    ngx_str_null(&facts->topic);

    /* the path's topic needs no copy */

    if (ctx->route.topic.len == 0 && batch->targets && !batch->targets->next) {
        facts->topic.data = ngx_pstrdup(ctx->request->pool,
                                        &batch->targets->name);
        if (facts->topic.data) {
            facts->topic.len = batch->targets->name.len;
        }
    }
}


/* a redirect forgets the context, but not what frees it at the end */

ngx_http_kafka_ctx_t *
ngx_http_kafka_variables_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t    *cln;
    ngx_http_kafka_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_kafka_module);

    if (ctx || !(r->internal || r->filter_finalize)) {
        return ctx;
    }

    for (cln = r->pool->cleanup; cln; cln = cln->next) {

        if (cln->handler != ngx_http_kafka_handler_cleanup) {
            continue;
        }

        ctx = cln->data;

        /* a subrequest has the same pool */

        if (ctx->request == r) {
            return ctx;
        }
    }

    return NULL;
}


static ngx_http_kafka_ctx_t *
ngx_http_kafka_variables_kept(ngx_http_request_t *r)
{
    ngx_http_kafka_ctx_t  *ctx;

    ctx = ngx_http_kafka_variables_ctx(r);

    if (ctx == NULL) {
        return NULL;
    }

    /* it is being answered no more: the client has gone, or it waits still */

    if (ctx->batch) {
        ngx_http_kafka_variables_keep(ctx);
    }

    return ctx->facts.kept ? ctx : NULL;
}


/* by the path, in all phases; by the messages, once they are read */

static ngx_int_t
ngx_http_kafka_variables_topic(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_kafka_ctx_t       *ctx;
    ngx_http_kafka_route_t      route;
    ngx_http_core_loc_conf_t   *clcf;
    ngx_http_kafka_loc_conf_t  *klcf;

    klcf = ngx_http_get_module_loc_conf(r, ngx_http_kafka_module);

    /* one of another produce location tells of that one's path */

    ctx = klcf->producer ? ngx_http_get_module_ctx(r, ngx_http_kafka_module)
                         : ngx_http_kafka_variables_ctx(r);

    if (ctx && ctx->request) {

        if (ctx->route.topic.len) {
            return ngx_http_kafka_variables_set(v, &ctx->route.topic);
        }

        ctx = ngx_http_kafka_variables_kept(r);

        return ngx_http_kafka_variables_set(v, ctx ? &ctx->facts.topic : NULL);
    }

    if (klcf->producer == NULL) {
        return ngx_http_kafka_variables_set(v, NULL);
    }

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    switch (ngx_http_kafka_route(r, r->pool, &clcf->name, &route)) {

    case NGX_OK:
        return ngx_http_kafka_variables_set(v, &route.topic);

    case NGX_ERROR:
        return NGX_ERROR;

    default:
        return ngx_http_kafka_variables_set(v, NULL);
    }
}


static ngx_int_t
ngx_http_kafka_variables_number(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_kafka_ctx_t  *ctx;

    ctx = ngx_http_kafka_variables_kept(r);

    if (ctx == NULL) {
        return ngx_http_kafka_variables_set(v, NULL);
    }

    return ngx_http_kafka_variables_text(r, v, "%uz",
                                 *(size_t *) ((u_char *) &ctx->facts + data));
}


static ngx_int_t
ngx_http_kafka_variables_place(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    int64_t                n;
    ngx_http_kafka_ctx_t  *ctx;

    ctx = ngx_http_kafka_variables_kept(r);

    if (ctx == NULL) {
        return ngx_http_kafka_variables_set(v, NULL);
    }

    n = *(int64_t *) ((u_char *) &ctx->facts + data);

    if (n < 0) {
        return ngx_http_kafka_variables_set(v, NULL);
    }

    return ngx_http_kafka_variables_text(r, v, "%L", n);
}


static ngx_int_t
ngx_http_kafka_variables_time(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_msec_t             ms;
    ngx_http_kafka_ctx_t  *ctx;

    ctx = ngx_http_kafka_variables_kept(r);

    if (ctx == NULL || !ctx->facts.sent) {
        return ngx_http_kafka_variables_set(v, NULL);
    }

    ms = *(ngx_msec_t *) ((u_char *) &ctx->facts + data);

    return ngx_http_kafka_variables_text(r, v, "%T.%03M", (time_t) ms / 1000,
                                         ms % 1000);
}


/* the text of {"error":"...", as it was before JSON's escapes */

static ngx_int_t
ngx_http_kafka_variables_error(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char                *p, *end;
    ngx_str_t              text;
    ngx_http_kafka_ctx_t  *ctx;

    ctx = ngx_http_kafka_variables_ctx(r);

    if (ctx == NULL || ctx->error.data == NULL) {
        return ngx_http_kafka_variables_set(v, NULL);
    }

    p = ctx->error.data + sizeof("{\"error\":\"") - 1;

    for (end = p; *end != '"'; end++) {
        if (*end == '\\') {
            end++;
        }
    }

    text.data = ngx_pnalloc(r->pool, ngx_max(end - p, 1));
    if (text.data == NULL) {
        return NGX_ERROR;
    }

    text.len = 0;

    while (p < end) {
        text.data[text.len++] = ngx_http_kafka_variables_unescape(&p);
    }

    return ngx_http_kafka_variables_set(v, &text);
}


/* one byte, as ngx_escape_json() has escaped it */

static u_char
ngx_http_kafka_variables_unescape(u_char **pos)
{
    u_char  *p;

    p = *pos;

    if (*p != '\\') {
        *pos = p + 1;
        return *p;
    }

    *pos = p + 2;

    switch (p[1]) {

    case 'n':
        return '\n';

    case 'r':
        return '\r';

    case 't':
        return '\t';

    case 'b':
        return '\b';

    case 'f':
        return '\f';

    case 'u':
        *pos = p + 6;
        return (u_char) ngx_hextoi(p + 4, 2);

    default:
        return p[1];
    }
}


static ngx_int_t
ngx_http_kafka_variables_text(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, const char *fmt, ...)
{
    va_list    args;
    ngx_str_t  text;

    text.data = ngx_pnalloc(r->pool, NGX_INT64_LEN + sizeof(".000"));
    if (text.data == NULL) {
        return NGX_ERROR;
    }

    va_start(args, fmt);
    text.len = ngx_vslprintf(text.data,
                             text.data + NGX_INT64_LEN + sizeof(".000"), fmt,
                             args)
               - text.data;
    va_end(args);

    return ngx_http_kafka_variables_set(v, &text);
}


/* without a text, or with an empty one: there is none */

static ngx_int_t
ngx_http_kafka_variables_set(ngx_http_variable_value_t *v, ngx_str_t *text)
{
    if (text == NULL || text->len == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    v->len = text->len;
    v->valid = 1;
    v->no_cacheable = 1;
    v->not_found = 0;
    v->data = text->data;

    return NGX_OK;
}
