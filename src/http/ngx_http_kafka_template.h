
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_TEMPLATE_H_INCLUDED_
#define _NGX_HTTP_KAFKA_TEMPLATE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_http_kafka_request.h>


/*
 * What a location says about its records: kafka_topic, kafka_key and
 * kafka_partition.  Event loop.
 */


/*
 * Sets topic to the value of kafka_topic.  A topic that is not empty must be
 * the same.  Returns NGX_OK, also without the directive; or an HTTP status:
 * that of ngx_http_kafka_refuse(), or 500 when memory is out.
 */
ngx_int_t ngx_http_kafka_template_topic(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx, ngx_str_t *topic);

/*
 * Sets the key and the partition of the batch's records from kafka_key and
 * kafka_partition.  Returns the codes of ngx_http_kafka_template_topic().
 */
ngx_int_t ngx_http_kafka_template_records(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx);


#endif /* _NGX_HTTP_KAFKA_TEMPLATE_H_INCLUDED_ */
