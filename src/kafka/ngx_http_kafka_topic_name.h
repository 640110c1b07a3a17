
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_TOPIC_NAME_H_INCLUDED_
#define _NGX_HTTP_KAFKA_TOPIC_NAME_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_HTTP_KAFKA_TOPIC_MAX  249


/* returns 1 if Kafka accepts the name for a topic */
ngx_uint_t ngx_http_kafka_topic_name_valid(ngx_str_t *name);


#endif /* _NGX_HTTP_KAFKA_TOPIC_NAME_H_INCLUDED_ */
