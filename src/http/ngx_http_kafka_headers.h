
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_HEADERS_H_INCLUDED_
#define _NGX_HTTP_KAFKA_HEADERS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/* Finds, adds and sends headers of a request or a response.  Event loop. */


/*
 * Returns the next header with this name behind the header "after", or the
 * first one if "after" is NULL.  Ignores the case of names.  Returns NULL if
 * there is no such header.
 */
ngx_table_elt_t *ngx_http_kafka_headers_find(ngx_list_t *headers,
    const char *name, ngx_table_elt_t *after);

/*
 * Sets item to the first item of a list with commas, without the blanks around
 * it, and moves *pos behind it.
 */
void ngx_http_kafka_headers_item(u_char **pos, u_char *last, ngx_str_t *item);

/*
 * Returns 1 if the request has the preference name=value in a "Prefer" header
 * line.
 */
ngx_uint_t ngx_http_kafka_headers_prefer(ngx_http_request_t *r,
    const char *name, const char *value);

/*
 * Adds a header to the response.  Name and value must live as long as the
 * request.  Returns the header, or NULL when memory is out.
 */
ngx_table_elt_t *ngx_http_kafka_headers_add(ngx_http_request_t *r,
    const char *name, const char *value);

/*
 * Sends the header of a response whose body has length bytes of this type.
 * Returns the return code of ngx_http_send_header().
 */
ngx_int_t ngx_http_kafka_headers_send(ngx_http_request_t *r,
    ngx_uint_t status, ngx_str_t *type, off_t length);


#endif /* _NGX_HTTP_KAFKA_HEADERS_H_INCLUDED_ */
