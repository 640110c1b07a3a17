
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_health_check.h>
#include <ngx_http_kafka_endpoint.h>
#include <ngx_http_kafka_errors.h>
#include <ngx_http_kafka_location.h>


static const char *ngx_http_kafka_health_check_reason(
    ngx_http_kafka_producer_t *producer, ngx_int_t rc);


static ngx_str_t  ngx_http_kafka_health_check_type =
    ngx_string("application/json");


ngx_int_t
ngx_http_kafka_health_check_handler(ngx_http_request_t *r)
{
    ngx_int_t                   rc;
    ngx_uint_t                  status;
    rd_kafka_resp_err_t         err;
    ngx_http_kafka_writer_t     out;
    ngx_http_kafka_loc_conf_t  *klcf;
    ngx_http_kafka_producer_t  *producer;

    rc = ngx_http_kafka_endpoint_begin(r);
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
                             ngx_http_kafka_health_check_reason(producer, rc));

        if (err) {
            ngx_http_kafka_write(&out, ",\"code\":\"%s\"",
                                 ngx_http_kafka_error_name(err));
        }
    }

    ngx_http_kafka_write(&out, "}");

    return ngx_http_kafka_endpoint_send(r, status,
                                        &ngx_http_kafka_health_check_type,
                                        &out);
}


static const char *
ngx_http_kafka_health_check_reason(ngx_http_kafka_producer_t *producer,
    ngx_int_t rc)
{
    switch (rc) {

    case NGX_ERROR:
        return producer->closing ? "the worker process is going away"
                                 : "the client could not be made, see the "
                                   "error log";

    case NGX_AGAIN:
        return "no broker has been reached yet";

    case NGX_ABORT:
        return "the brokers refuse the client, see the error log";

    default:
        return "no broker is up, see the error log";
    }
}
