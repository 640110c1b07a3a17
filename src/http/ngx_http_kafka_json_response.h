
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_JSON_RESPONSE_H_INCLUDED_
#define _NGX_HTTP_KAFKA_JSON_RESPONSE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http_kafka_batch.h>


/*
 * The JSON texts of the contract.  Errors are allocated in the pool, and may
 * fail when memory is out: nothing was sent then.  The results of records that
 * were sent never fail: their room is allocated before they are sent.  Event
 * loop.
 */


/* returns the bytes of room that are enough for any answer about the records */
size_t ngx_http_kafka_json_response_room(ngx_http_kafka_batch_t *batch);

/*
 * Writes the metadata of records, which all were acknowledged, into room, and
 * sets body to it: an array, or the object of a single record.
 */
void ngx_http_kafka_json_response_metadata(ngx_http_kafka_batch_t *batch,
    ngx_uint_t object, ngx_str_t *room, ngx_str_t *body);

/*
 * Sets body to an error with the result of each record, if some have failed or
 * are overdue, and text to its text, in the pool; text is empty when memory is
 * out.  The body is in room, or in the pool if it needs more; if memory is out
 * then, librdkafka's texts are left out.  Returns the HTTP status, that of the
 * first record without success.
 */
ngx_uint_t ngx_http_kafka_json_response_results(ngx_pool_t *pool,
    ngx_http_kafka_batch_t *batch, ngx_str_t *room, ngx_str_t *text,
    ngx_str_t *body);

/*
 * Sets text to the reason why nothing of the batch was sent, in the pool.
 * Returns the HTTP status, or NGX_HTTP_INTERNAL_SERVER_ERROR without a text
 * when memory is out.
 */
ngx_uint_t ngx_http_kafka_json_response_refusal(ngx_pool_t *pool,
    ngx_http_kafka_batch_t *batch, ngx_str_t *text);

/*
 * Sets body to an error's object, in the pool.  Returns NGX_OK, or NGX_ERROR
 * when memory is out.
 */
ngx_int_t ngx_http_kafka_json_response_error(ngx_pool_t *pool,
    ngx_uint_t status, ngx_str_t *text, ngx_str_t *body);


#endif /* _NGX_HTTP_KAFKA_JSON_RESPONSE_H_INCLUDED_ */
