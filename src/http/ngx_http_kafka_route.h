
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_ROUTE_H_INCLUDED_
#define _NGX_HTTP_KAFKA_ROUTE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


typedef enum {
    NGX_HTTP_KAFKA_ROUTE_ANY = 0,    /* each message names its topic */
    NGX_HTTP_KAFKA_ROUTE_TOPIC,
    NGX_HTTP_KAFKA_ROUTE_MESSAGE
} ngx_http_kafka_route_e;


typedef struct {
    ngx_http_kafka_route_e       form;
    ngx_str_t                    topic;     /* part of r->uri */
    ngx_str_t                    message;   /* decoded, in the pool */
    ngx_str_t                    key;       /* the same; data is NULL: none */
    const char                  *error;     /* static, with NGX_HTTP_* */
} ngx_http_kafka_route_t;


/*
 * Parses the part of the request's URI behind the location's name into route.
 * Message and key are allocated from pool, with exactly their lengths in bytes.
 * Returns NGX_OK, NGX_ERROR when memory is out, or NGX_HTTP_NOT_FOUND or
 * NGX_HTTP_BAD_REQUEST with route->error set.  Event loop.
 */
ngx_int_t ngx_http_kafka_route(ngx_http_request_t *r, ngx_pool_t *pool,
    ngx_http_kafka_route_t *route);

/*
 * Sets topic to the one in the request's path.  Returns NGX_OK, NGX_DECLINED if
 * there is none, or NGX_ERROR when memory is out.  Event loop.
 */
ngx_int_t ngx_http_kafka_route_topic(ngx_http_request_t *r, ngx_str_t *topic);

/*
 * Sets value to the decoded first argument with this name, allocated from pool;
 * an argument without "=" is empty.  value->data is NULL if there is none.
 * Returns NGX_OK, NGX_ERROR when memory is out, or NGX_HTTP_BAD_REQUEST if the
 * argument has a "%" without two hexadecimal digits.  Event loop.
 */
ngx_int_t ngx_http_kafka_route_argument(ngx_http_request_t *r,
    ngx_pool_t *pool, const char *name, ngx_str_t *value);


#endif /* _NGX_HTTP_KAFKA_ROUTE_H_INCLUDED_ */
