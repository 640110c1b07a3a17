
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_variables.h>
#include <ngx_http_kafka_request.h>


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


/*
 * The topic of kafka_topic or of the path is known in all phases, a topic in
 * the messages only after the body was read.
 */

static ngx_int_t
ngx_http_kafka_variables_topic(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t                   topic;
    ngx_http_kafka_ctx_t       *ctx;
    ngx_http_kafka_facts_t     *facts;
    ngx_http_kafka_loc_conf_t  *klcf;

    klcf = ngx_http_get_module_loc_conf(r, ngx_http_kafka_module);

    /*
     * In a produce location, ignore the context of an earlier produce location:
     * its path may have another topic.
     */

    ctx = klcf->producer ? ngx_http_get_module_ctx(r, ngx_http_kafka_module)
                         : ngx_http_kafka_request_ctx(r);

    if (ctx && ctx->request) {

        if (ctx->topic.len) {
            return ngx_http_kafka_variables_set(v, &ctx->topic);
        }

        facts = ngx_http_kafka_request_facts(r);

        return ngx_http_kafka_variables_set(v, facts ? &facts->topic : NULL);
    }

    if (klcf->producer == NULL) {
        return ngx_http_kafka_variables_set(v, NULL);
    }

    if (klcf->topic) {
        if (ngx_http_complex_value(r, klcf->topic, &topic) != NGX_OK) {
            return NGX_ERROR;
        }

        return ngx_http_kafka_variables_set(v, &topic);
    }

    switch (klcf->protocol->topic(r, &topic)) {

    case NGX_OK:
        return ngx_http_kafka_variables_set(v, &topic);

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
    ngx_http_kafka_facts_t  *facts;

    facts = ngx_http_kafka_request_facts(r);

    if (facts == NULL) {
        return ngx_http_kafka_variables_set(v, NULL);
    }

    return ngx_http_kafka_variables_text(r, v, "%uz",
                                 *(size_t *) ((u_char *) facts + data));
}


static ngx_int_t
ngx_http_kafka_variables_place(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    int64_t                n;
    ngx_http_kafka_facts_t  *facts;

    facts = ngx_http_kafka_request_facts(r);

    if (facts == NULL) {
        return ngx_http_kafka_variables_set(v, NULL);
    }

    n = *(int64_t *) ((u_char *) facts + data);

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
    ngx_http_kafka_facts_t  *facts;

    facts = ngx_http_kafka_request_facts(r);

    if (facts == NULL || !facts->sent) {
        return ngx_http_kafka_variables_set(v, NULL);
    }

    ms = *(ngx_msec_t *) ((u_char *) facts + data);

    return ngx_http_kafka_variables_text(r, v, "%T.%03M", (time_t) ms / 1000,
                                         ms % 1000);
}


static ngx_int_t
ngx_http_kafka_variables_error(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_kafka_ctx_t  *ctx;

    ctx = ngx_http_kafka_request_ctx(r);

    return ngx_http_kafka_variables_set(v, ctx && ctx->status ? &ctx->text
                                                              : NULL);
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


/* sets the variable to text, or to "not found" if text is NULL or empty */

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
