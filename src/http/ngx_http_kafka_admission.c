
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_admission.h>
#include <ngx_http_kafka_headers.h>
#include <ngx_http_kafka_held.h>
#include <ngx_http_kafka_refusal.h>


static ngx_uint_t ngx_http_kafka_admission_identity(ngx_str_t *codings);


ngx_int_t
ngx_http_kafka_admission_encoding(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx)
{
    ngx_table_elt_t  *h;

    h = NULL;

    do {
        h = ngx_http_kafka_headers_find(&r->headers_in.headers,
                                        "Content-Encoding", h);
        if (h == NULL) {
            return NGX_OK;
        }

    } while (ngx_http_kafka_admission_identity(&h->value));

    if (ngx_http_kafka_headers_add(r, "Accept-Encoding", "identity") == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_kafka_refuse(ctx, NGX_HTTP_UNSUPPORTED_MEDIA_TYPE,
                     "the request body must not have a \"Content-Encoding\"");
}


/* returns 1 if all elements of the list are "identity" or empty */

static ngx_uint_t
ngx_http_kafka_admission_identity(ngx_str_t *codings)
{
    u_char     *p, *last;
    ngx_str_t   item;

    p = codings->data;
    last = p + codings->len;

    while (p < last) {
        ngx_http_kafka_headers_item(&p, last, &item);

        if (item.len
            && (item.len != sizeof("identity") - 1
                || ngx_strncasecmp(item.data, (u_char *) "identity", item.len)
                   != 0))
        {
            return 0;
        }
    }

    return 1;
}


ngx_int_t
ngx_http_kafka_admission_memory(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx, off_t more)
{
    off_t                        max;
    ngx_http_kafka_main_conf_t  *kmcf;

    kmcf = ngx_http_get_module_main_conf(r, ngx_http_kafka_module);

    max = kmcf->max_memory;
    more = ngx_max(more, 0);

    /* do not add anything to "more": Content-Length can be any number */

    if (more <= max - (off_t) ngx_http_kafka_held()) {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "kafka: all requests use %uz bytes, and this one needs %O "
                  "more: \"kafka_max_memory\" is %uz",
                  ngx_http_kafka_held(), more, kmcf->max_memory);

    if (more > max - (off_t) ctx->batch->size) {
        return ngx_http_kafka_refuse(ctx,
                            NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                            "this request needs more memory than the server "
                            "allows for all requests: nothing was sent");
    }

    return ngx_http_kafka_refuse(ctx, NGX_HTTP_SERVICE_UNAVAILABLE,
                       "too much is waiting for Kafka: nothing was sent, "
                       "try again later");
}
