
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_produce.h>
#include <ngx_http_kafka_client.h>


static rd_kafka_headers_t *ngx_http_kafka_produce_headers(
    ngx_http_kafka_header_t *header);


rd_kafka_resp_err_t
ngx_http_kafka_produce(ngx_http_kafka_record_t *record, rd_kafka_t *rk,
    rd_kafka_topic_t *rkt, int32_t partition)
{
    int64_t               timestamp;
    ngx_time_t           *now;
    rd_kafka_headers_t   *headers;
    rd_kafka_resp_err_t   err;

    headers = NULL;

    if (record->headers) {
        headers = ngx_http_kafka_produce_headers(record->headers);
        if (headers == NULL) {
            return RD_KAFKA_RESP_ERR__FAIL;
        }
    }

    /* nginx's cached time: librdkafka would read the clock for each record */

    timestamp = record->timestamp;

    if (timestamp == 0) {
        now = ngx_timeofday();
        timestamp = (int64_t) now->sec * 1000 + now->msec;
    }

    record->requests = ngx_http_kafka_client_requests(rk);

    err = rd_kafka_producev(rk,
                            RD_KAFKA_V_RKT(rkt),
                            RD_KAFKA_V_PARTITION(partition),
                            RD_KAFKA_V_MSGFLAGS(0),
                            RD_KAFKA_V_VALUE(record->value.data,
                                             record->value.len),
                            RD_KAFKA_V_KEY(record->key.data, record->key.len),
                            RD_KAFKA_V_TIMESTAMP(timestamp),
                            RD_KAFKA_V_HEADERS(headers),
                            RD_KAFKA_V_OPAQUE(record),
                            RD_KAFKA_V_END);

    if (err != RD_KAFKA_RESP_ERR_NO_ERROR && headers) {
        rd_kafka_headers_destroy(headers);
    }

    return err;
}


static rd_kafka_headers_t *
ngx_http_kafka_produce_headers(ngx_http_kafka_header_t *header)
{
    rd_kafka_resp_err_t   err;
    rd_kafka_headers_t   *headers;

    headers = rd_kafka_headers_new(8);

    for ( /* void */ ; header; header = header->next) {
        err = rd_kafka_header_add(headers, (char *) header->key.data,
                                  header->key.len, header->value.data,
                                  header->value.len);

        if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            rd_kafka_headers_destroy(headers);
            return NULL;
        }
    }

    return headers;
}
