
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_template.h>
#include <ngx_http_kafka_partition.h>
#include <ngx_http_kafka_refusal.h>
#include <ngx_http_kafka_topic_name.h>


static ngx_int_t ngx_http_kafka_template_key(ngx_http_request_t *r,
    ngx_http_kafka_batch_t *batch, ngx_http_complex_value_t *cv);
static ngx_int_t ngx_http_kafka_template_partition(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx, ngx_http_complex_value_t *cv);


ngx_int_t
ngx_http_kafka_template_topic(ngx_http_request_t *r, ngx_http_kafka_ctx_t *ctx)
{
    ngx_str_t                   name, *topic;
    ngx_http_kafka_loc_conf_t  *klcf;

    klcf = ngx_http_get_module_loc_conf(r, ngx_http_kafka_module);

    if (klcf->topic == NULL) {
        return NGX_OK;
    }

    if (ngx_http_complex_value(r, klcf->topic, &name) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (!ngx_http_kafka_topic_name_valid(&name)) {
        return ngx_http_kafka_refuse(ctx, NGX_HTTP_BAD_REQUEST,
                           "the server's \"kafka_topic\" gives no valid topic "
                           "for this request: nothing was sent");
    }

    topic = &ctx->topic;

    if (topic->len
        && (topic->len != name.len
            || ngx_memcmp(topic->data, name.data, name.len) != 0))
    {
        return ngx_http_kafka_refuse(ctx, NGX_HTTP_BAD_REQUEST,
                           "the topic in the path is not the only topic of "
                           "this location: leave it out");
    }

    *topic = name;

    return NGX_OK;
}


ngx_int_t
ngx_http_kafka_template_records(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx)
{
    ngx_int_t                   rc;
    ngx_http_kafka_batch_t     *batch;
    ngx_http_kafka_loc_conf_t  *klcf;

    klcf = ngx_http_get_module_loc_conf(r, ngx_http_kafka_module);
    batch = ctx->batch;

    if (klcf->key) {
        rc = ngx_http_kafka_template_key(r, batch, klcf->key);
        if (rc != NGX_OK) {
            return rc;
        }

        batch->force_key = klcf->force_key;
    }

    if (klcf->partition) {
        rc = ngx_http_kafka_template_partition(r, ctx, klcf->partition);
        if (rc != NGX_OK) {
            return rc;
        }

        batch->force_partition = klcf->force_partition;
    }

    return NGX_OK;
}


/* if the value is empty, the location sets no key */

static ngx_int_t
ngx_http_kafka_template_key(ngx_http_request_t *r,
    ngx_http_kafka_batch_t *batch, ngx_http_complex_value_t *cv)
{
    ngx_str_t  value;

    if (ngx_http_complex_value(r, cv, &value) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (value.len
        && ngx_http_kafka_batch_copy(batch, &batch->key, value.data, value.len)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_OK;
}


/* if the value is empty, the partitioner chooses */

static ngx_int_t
ngx_http_kafka_template_partition(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx, ngx_http_complex_value_t *cv)
{
    ngx_int_t  n;
    ngx_str_t  value;

    if (ngx_http_complex_value(r, cv, &value) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (value.len == 0) {
        return NGX_OK;
    }

    n = ngx_http_kafka_partition_number(&value);

    if (n == NGX_ERROR) {
        return ngx_http_kafka_refuse(ctx, NGX_HTTP_BAD_REQUEST,
                           "the server's \"kafka_partition\" gives no integer "
                           "from 0 to 2147483647 for this request: nothing "
                           "was sent");
    }

    ctx->batch->partition = (int32_t) n;

    return NGX_OK;
}
