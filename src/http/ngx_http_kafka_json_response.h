
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_JSON_RESPONSE_H_INCLUDED_
#define _NGX_HTTP_KAFKA_JSON_RESPONSE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http_kafka_batch.h>


/*
 * Formats the JSON responses of the API.  An error without results is allocated
 * from the pool.  This can fail when memory is out, but then no record was
 * sent.  The results of sent records cannot fail: their buffer, room, is
 * allocated before the records are sent.  Event loop.
 */


/* returns the size of room, in bytes, which is enough for any outcome */
size_t ngx_http_kafka_json_response_room(ngx_http_kafka_batch_t *batch);

/*
 * Sets body to the response with the outcome of the batch's records.
 *
 * If all records are acknowledged, the body has their metadata, as an array, or
 * as the object of the only record if object is 1.  The body is in room.
 * Returns NGX_HTTP_OK.
 *
 * Otherwise the body is an error with the result of each record.  The body is
 * in room, or in the pool if room is too small.  If memory is out, the body has
 * no error texts of librdkafka and fits in room.  Sets text to the error's
 * text, allocated from the pool; text is empty when memory is out.  Returns the
 * HTTP status, which is that of the first record that was not acknowledged.
 */
ngx_uint_t ngx_http_kafka_json_response(ngx_pool_t *pool,
    ngx_http_kafka_batch_t *batch, ngx_uint_t object, ngx_str_t *room,
    ngx_str_t *text, ngx_str_t *body);

/*
 * Sets text to the reason why no record of the batch was sent, allocated from
 * the pool.  Returns the HTTP status, or NGX_HTTP_INTERNAL_SERVER_ERROR with an
 * empty text when memory is out.
 */
ngx_uint_t ngx_http_kafka_json_response_refusal(ngx_pool_t *pool,
    ngx_http_kafka_batch_t *batch, ngx_str_t *text);

/*
 * Sets body to the JSON object of an error, allocated from the pool.  Returns
 * NGX_OK, or NGX_ERROR when memory is out.
 */
ngx_int_t ngx_http_kafka_json_response_error(ngx_pool_t *pool,
    ngx_uint_t status, ngx_str_t *text, ngx_str_t *body);


#endif /* _NGX_HTTP_KAFKA_JSON_RESPONSE_H_INCLUDED_ */
