
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_record.h>


/* bytes that librdkafka adds to a record: lengths, timestamp, attributes */
#define NGX_HTTP_KAFKA_RECORD_OVERHEAD  36


static size_t ngx_http_kafka_record_varint(size_t len);


size_t
ngx_http_kafka_record_size(ngx_http_kafka_record_t *record)
{
    size_t                    size;
    ngx_http_kafka_header_t  *header;

    size = NGX_HTTP_KAFKA_RECORD_OVERHEAD + record->key.len + record->value.len;

    for (header = record->headers; header; header = header->next) {
        size += ngx_http_kafka_record_varint(header->key.len)
                + header->key.len
                + ngx_http_kafka_record_varint(header->value.len)
                + header->value.len;
    }

    return size;
}


/*
 * returns the size in bytes of a length in Kafka's record format, a signed
 * varint
 */

static size_t
ngx_http_kafka_record_varint(size_t len)
{
    size_t  n;

    /* the lowest bit of the first byte is the sign */

    for (n = 1, len >>= 6; len; len >>= 7) {
        n++;
    }

    return n;
}


void
ngx_http_kafka_record_fail(ngx_http_kafka_record_t *record,
    rd_kafka_resp_err_t err, rd_kafka_msg_status_t persisted)
{
    record->state = NGX_HTTP_KAFKA_RECORD_FAILED;
    record->err = err;
    record->persisted = persisted;

    if (record->uncertain && persisted == RD_KAFKA_MSG_STATUS_NOT_PERSISTED) {
        record->persisted = RD_KAFKA_MSG_STATUS_POSSIBLY_PERSISTED;
    }
}
