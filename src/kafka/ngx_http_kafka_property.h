
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_PROPERTY_H_INCLUDED_
#define _NGX_HTTP_KAFKA_PROPERTY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <librdkafka/rdkafka.h>


/* What librdkafka tells of its properties, as the configuration is read. */


/* "name | C | ...", a line each, which the caller frees; NULL: no memory */
char *ngx_http_kafka_property_table(void);

/*
 * 'C' for a consumer's property, which librdkafka takes for a producer without
 * a word, 'P' or '*' for others, 0 for an unknown one.  Nothing else of
 * librdkafka's has this but the table that it prints.
 */
char ngx_http_kafka_property_owner(const char *table, ngx_str_t *name);

/* its value; NGX_ERROR where librdkafka lacks it, or it is no number */
ngx_int_t ngx_http_kafka_property_number(rd_kafka_conf_t *conf,
    const char *name);

/* librdkafka takes the digits of "10s" for milliseconds and drops the rest */
ngx_uint_t ngx_http_kafka_property_cut(rd_kafka_conf_t *conf, ngx_str_t *name,
    ngx_str_t *value);

/* 0 where librdkafka lacks the property, too */
ngx_uint_t ngx_http_kafka_property_true(rd_kafka_conf_t *conf,
    const char *name);


#endif /* _NGX_HTTP_KAFKA_PROPERTY_H_INCLUDED_ */
