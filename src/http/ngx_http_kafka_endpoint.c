
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_endpoint.h>
#include <ngx_http_kafka_headers.h>


ngx_int_t
ngx_http_kafka_endpoint_begin(ngx_http_request_t *r)
{
    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {

        if (ngx_http_kafka_headers_add(r, "Allow", "GET, HEAD") == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return NGX_HTTP_NOT_ALLOWED;
    }

    return ngx_http_discard_request_body(r);
}


ngx_int_t
ngx_http_kafka_endpoint_send(ngx_http_request_t *r, ngx_uint_t status,
    ngx_str_t *type, ngx_http_kafka_writer_t *out)
{
    ngx_int_t  rc;

    if (out->failed) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_kafka_headers_send(r, status, type, out->size);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    out->buf->last_buf = (r == r->main);
    out->buf->last_in_chain = 1;

    return ngx_http_output_filter(r, out->first);
}
