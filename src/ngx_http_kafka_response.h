
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_RESPONSE_H_INCLUDED_
#define _NGX_HTTP_KAFKA_RESPONSE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http_kafka_batch.h>


/*
 * The JSON texts of the contract.  Each function allocates its text in the
 * pool and returns NGX_OK, or NGX_ERROR when memory is out.
 */


/* the records' metadata, all acknowledged: an array, or the object of one */
ngx_int_t ngx_http_kafka_response_metadata(ngx_pool_t *pool,
    ngx_http_kafka_batch_t *batch, ngx_uint_t object, ngx_str_t *body);

/*
 * An error with the result of each record, once some have failed or are
 * overdue; *status is the HTTP status, that of the first of them.
 */
ngx_int_t ngx_http_kafka_response_results(ngx_pool_t *pool,
    ngx_http_kafka_batch_t *batch, ngx_uint_t *status, ngx_str_t *body);

/* an error for a batch of which nothing was sent; *status likewise */
ngx_int_t ngx_http_kafka_response_refusal(ngx_pool_t *pool,
    ngx_http_kafka_batch_t *batch, ngx_uint_t *status, ngx_str_t *body);

ngx_int_t ngx_http_kafka_response_error(ngx_pool_t *pool, ngx_uint_t status,
    ngx_str_t *text, ngx_str_t *body);


#endif /* _NGX_HTTP_KAFKA_RESPONSE_H_INCLUDED_ */
