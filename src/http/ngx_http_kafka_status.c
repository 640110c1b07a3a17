
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_status.h>
#include <ngx_http_kafka_headers.h>
#include <ngx_http_kafka_metrics_json.h>
#include <ngx_http_kafka_request.h>
#include <ngx_http_kafka_prometheus.h>


static ngx_int_t ngx_http_kafka_status_begin(ngx_http_request_t *r);
static const char *ngx_http_kafka_status_reason(
    ngx_http_kafka_producer_t *producer, ngx_int_t rc);
static ngx_int_t ngx_http_kafka_status_send(ngx_http_request_t *r,
    ngx_uint_t status, ngx_str_t *type, ngx_http_kafka_writer_t *out);


static ngx_str_t  ngx_http_kafka_status_json = ngx_string("application/json");
static ngx_str_t  ngx_http_kafka_status_prometheus =
    ngx_string("text/plain; version=0.0.4; charset=utf-8");


ngx_int_t
ngx_http_kafka_status_handler(ngx_http_request_t *r)
{
    ngx_int_t                     rc;
    ngx_uint_t                    i;
    ngx_http_kafka_writer_t       out;
    ngx_http_kafka_loc_conf_t    *klcf;
    ngx_http_kafka_snapshot_t     snapshot;
    ngx_http_kafka_producer_t   **producer;
    ngx_http_kafka_main_conf_t   *kmcf;

    rc = ngx_http_kafka_status_begin(r);
    if (rc != NGX_OK) {
        return rc;
    }

    klcf = ngx_http_get_module_loc_conf(r, ngx_http_kafka_module);
    kmcf = ngx_http_get_module_main_conf(r, ngx_http_kafka_module);

    producer = kmcf->producers.elts;

    for (i = 0; i < kmcf->producers.nelts; i++) {
        ngx_http_kafka_metrics_open(&producer[i]->metrics,
                                    &producer[i]->conf->name);
    }

    if (ngx_http_kafka_snapshot(kmcf->zone, r->pool, &snapshot) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_kafka_writer_init(&out, r->pool);

    if (klcf->status == NGX_HTTP_KAFKA_STATUS_PROMETHEUS) {
        ngx_http_kafka_prometheus(&out, &snapshot, kmcf->max_memory);

        return ngx_http_kafka_status_send(r, NGX_HTTP_OK,
                                          &ngx_http_kafka_status_prometheus,
                                          &out);
    }

    ngx_http_kafka_metrics_json(&out, &snapshot, kmcf->max_memory);

    return ngx_http_kafka_status_send(r, NGX_HTTP_OK,
                                      &ngx_http_kafka_status_json, &out);
}


ngx_int_t
ngx_http_kafka_status_health_handler(ngx_http_request_t *r)
{
    ngx_int_t                   rc;
    ngx_uint_t                  status;
    rd_kafka_resp_err_t         err;
    ngx_http_kafka_writer_t     out;
    ngx_http_kafka_loc_conf_t  *klcf;
    ngx_http_kafka_producer_t  *producer;

    rc = ngx_http_kafka_status_begin(r);
    if (rc != NGX_OK) {
        return rc;
    }

    klcf = ngx_http_get_module_loc_conf(r, ngx_http_kafka_module);
    producer = klcf->health;

    rc = ngx_http_kafka_producer_health(producer, &err);

    ngx_http_kafka_writer_init(&out, r->pool);

    if (rc == NGX_OK) {
        status = NGX_HTTP_OK;
        ngx_http_kafka_write(&out, "{\"status\":\"up\",\"producer\":");
        ngx_http_kafka_write_string(&out, &producer->conf->name);

    } else {
        status = NGX_HTTP_SERVICE_UNAVAILABLE;
        ngx_http_kafka_write(&out, "{\"status\":\"down\",\"producer\":");
        ngx_http_kafka_write_string(&out, &producer->conf->name);
        ngx_http_kafka_write(&out, ",\"reason\":\"%s\"",
                             ngx_http_kafka_status_reason(producer, rc));

        if (err) {
            ngx_http_kafka_write(&out, ",\"code\":\"%s\"",
                                 rd_kafka_err2name(err));
        }
    }

    ngx_http_kafka_write(&out, "}");

    return ngx_http_kafka_status_send(r, status, &ngx_http_kafka_status_json,
                                      &out);
}


static const char *
ngx_http_kafka_status_reason(ngx_http_kafka_producer_t *producer, ngx_int_t rc)
{
    switch (rc) {

    case NGX_ERROR:
        return producer->closing ? "the worker process is going away"
                                 : "the client could not be made, the error "
                                   "log tells why";

    case NGX_AGAIN:
        return "no broker has been reached yet";

    case NGX_ABORT:
        return "the brokers refuse the client, the error log tells why";

    default:
        return "no broker is up, the error log tells why";
    }
}


static ngx_int_t
ngx_http_kafka_status_begin(ngx_http_request_t *r)
{
    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {

        if (ngx_http_kafka_headers_add(r, "Allow", "GET, HEAD") == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return NGX_HTTP_NOT_ALLOWED;
    }

    return ngx_http_discard_request_body(r);
}


static ngx_int_t
ngx_http_kafka_status_send(ngx_http_request_t *r, ngx_uint_t status,
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
