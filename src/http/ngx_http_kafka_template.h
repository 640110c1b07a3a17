
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
 * The topic, key and partition that a location sets: kafka_topic, kafka_key and
 * kafka_partition.  Event loop.
 */


/*
 * Sets ctx->topic to the value of kafka_topic, which is a valid name and lives
 * as long as the request.  If ctx->topic is set before, it must have the same
 * name.  Without the directive, does nothing.  Returns NGX_OK, or an HTTP
 * status: one set by ngx_http_kafka_refuse(), or 500 when memory is out.
 */
ngx_int_t ngx_http_kafka_template_topic(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx);

/*
 * Sets the key and the partition of ctx->batch from kafka_key and
 * kafka_partition, before records are added.  The key is copied.  Returns the
 * codes of ngx_http_kafka_template_topic().
 */
ngx_int_t ngx_http_kafka_template_records(ngx_http_request_t *r,
    ngx_http_kafka_ctx_t *ctx);


#endif /* _NGX_HTTP_KAFKA_TEMPLATE_H_INCLUDED_ */
