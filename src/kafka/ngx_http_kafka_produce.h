
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_PRODUCE_H_INCLUDED_
#define _NGX_HTTP_KAFKA_PRODUCE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http_kafka_batch.h>


/*
 * Hands a record over to a client, for this partition; rkt is the client's
 * handle of the topic.  librdkafka does not copy the value, so the record must
 * live until its report, whose opaque is the record.  If an error is returned,
 * no report will come.  Event loop.
 */
rd_kafka_resp_err_t ngx_http_kafka_produce(ngx_http_kafka_record_t *record,
    rd_kafka_t *rk, rd_kafka_topic_t *rkt, int32_t partition);


#endif /* _NGX_HTTP_KAFKA_PRODUCE_H_INCLUDED_ */
