
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_retry.h>
#include <ngx_http_kafka_errors.h>


void
ngx_http_kafka_retry_init(ngx_http_kafka_retry_t *retry)
{
    ngx_queue_init(&retry->records);
}


void
ngx_http_kafka_retry_add(ngx_http_kafka_retry_t *retry,
    ngx_http_kafka_record_t *record)
{
    ngx_queue_insert_tail(&retry->records, &record->queue);
}


ngx_int_t
ngx_http_kafka_retry_isolate(ngx_http_kafka_retry_t *retry,
    const rd_kafka_message_t *msg, rd_kafka_msg_status_t persisted)
{
    ngx_http_kafka_record_t  *record;

    record = msg->_private;

    if (record->isolated
        || !(ngx_http_kafka_error(msg->err)->flags
             & NGX_HTTP_KAFKA_ERROR_BATCH))
    {
        return NGX_DECLINED;
    }

    /* its last attempt was refused, an earlier one need not have been */

    record->isolated = 1;
    record->uncertain = (persisted != RD_KAFKA_MSG_STATUS_NOT_PERSISTED);
    record->partition = msg->partition;

    ngx_http_kafka_retry_add(retry, record);

    return NGX_OK;
}


ngx_http_kafka_record_t *
ngx_http_kafka_retry_first(ngx_http_kafka_retry_t *retry)
{
    if (ngx_queue_empty(&retry->records)) {
        return NULL;
    }

    return ngx_queue_data(ngx_queue_head(&retry->records),
                          ngx_http_kafka_record_t, queue);
}
