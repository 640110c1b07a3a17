
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_status.h>
#include <ngx_http_kafka_endpoint.h>
#include <ngx_http_kafka_location.h>
#include <ngx_http_kafka_metrics_json.h>
#include <ngx_http_kafka_prometheus.h>


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

    rc = ngx_http_kafka_endpoint_begin(r);
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

        return ngx_http_kafka_endpoint_send(r, NGX_HTTP_OK,
                                            &ngx_http_kafka_status_prometheus,
                                            &out);
    }

    ngx_http_kafka_metrics_json(&out, &snapshot, kmcf->max_memory);

    return ngx_http_kafka_endpoint_send(r, NGX_HTTP_OK,
                                        &ngx_http_kafka_status_json, &out);
}
