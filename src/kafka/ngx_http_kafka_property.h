
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_PROPERTY_H_INCLUDED_
#define _NGX_HTTP_KAFKA_PROPERTY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <librdkafka/rdkafka.h>


/* Queries about librdkafka's properties, while the configuration is read. */


/*
 * Returns librdkafka's table of properties, which the caller frees by free(),
 * or NULL when out of memory.  Each line is "name | C | ...".
 */
char *ngx_http_kafka_property_table(void);

/*
 * Returns 'C' for a consumer's property, which librdkafka silently accepts for
 * a producer; 'P' or '*' for others; 0 for an unknown one.  Only the table that
 * librdkafka prints has this information.
 */
char ngx_http_kafka_property_owner(const char *table, ngx_str_t *name);

/* returns the value; NGX_ERROR if the property is unknown or not a number */
ngx_int_t ngx_http_kafka_property_number(rd_kafka_conf_t *conf,
    const char *name);

/*
 * Returns 1 if librdkafka has taken only the leading digits of the value: it
 * reads "10s" as 10 milliseconds.
 */
ngx_uint_t ngx_http_kafka_property_cut(rd_kafka_conf_t *conf, ngx_str_t *name,
    ngx_str_t *value);

/* returns 1 if the value is "true"; 0 if not, or if the property is unknown */
ngx_uint_t ngx_http_kafka_property_true(rd_kafka_conf_t *conf,
    const char *name);


#endif /* _NGX_HTTP_KAFKA_PROPERTY_H_INCLUDED_ */
