
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_PRODUCE_H_INCLUDED_
#define _NGX_HTTP_KAFKA_PRODUCE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http_kafka_batch.h>


/*
 * Gives a record for this partition of its topic to a client, whose handle of
 * the topic is rkt.  The value stays ours: the record must live until its
 * report has come, which has it as its opaque.  No report comes after an error.
 * Event loop.
 */
rd_kafka_resp_err_t ngx_http_kafka_produce(ngx_http_kafka_record_t *record,
    rd_kafka_t *rk, rd_kafka_topic_t *rkt, int32_t partition);


#endif /* _NGX_HTTP_KAFKA_PRODUCE_H_INCLUDED_ */
