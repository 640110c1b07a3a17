
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_RESPONSE_H_INCLUDED_
#define _NGX_HTTP_KAFKA_RESPONSE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http_kafka_batch.h>


/*
 * The JSON texts of the contract.  An error is allocated in the pool; NGX_ERROR
 * says that memory is out, which only a batch of which nothing was sent may
 * end with.  What became of records that were sent is always said: in room,
 * which is allocated before they are.
 */


/* bytes of room for any answer about the batch's records */
size_t ngx_http_kafka_response_room(ngx_http_kafka_batch_t *batch);

/* the records' metadata, all acknowledged: an array, or the object of one */
void ngx_http_kafka_response_metadata(ngx_http_kafka_batch_t *batch,
    ngx_uint_t object, ngx_str_t *room, ngx_str_t *body);

/*
 * An error with the result of each record, once some have failed or are
 * overdue.  Returns the HTTP status, that of the first of them.  Its text goes
 * to text, in the pool, empty when memory is out.  Where
 * librdkafka's texts need more than room, and memory is out, they are left out.
 */
ngx_uint_t ngx_http_kafka_response_results(ngx_pool_t *pool,
    ngx_http_kafka_batch_t *batch, ngx_str_t *room, ngx_str_t *text,
    ngx_str_t *body);

/*
 * The text for a batch of which nothing was sent, in the pool.  Returns the
 * HTTP status, or NGX_HTTP_INTERNAL_SERVER_ERROR without a text when memory is
 * out.
 */
ngx_uint_t ngx_http_kafka_response_refusal(ngx_pool_t *pool,
    ngx_http_kafka_batch_t *batch, ngx_str_t *text);

/* an error's object, in the pool */
ngx_int_t ngx_http_kafka_response_error(ngx_pool_t *pool, ngx_uint_t status,
    ngx_str_t *text, ngx_str_t *body);


#endif /* _NGX_HTTP_KAFKA_RESPONSE_H_INCLUDED_ */
