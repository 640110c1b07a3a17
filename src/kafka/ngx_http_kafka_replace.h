
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_REPLACE_H_INCLUDED_
#define _NGX_HTTP_KAFKA_REPLACE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_http_kafka_shard.h>


/*
 * Replaces a shard's client that must not go on.  The client drains first: all
 * its records are reported, now or soon.  Then another client takes its place.
 * Nothing blocks.  Event loop.
 */


void ngx_http_kafka_replace_init(ngx_http_kafka_shard_t *shard);

/*
 * Starts to replace the client.  fatal is the error that has ended the client,
 * or 0; records that fail with the client get this error.
 */
void ngx_http_kafka_replace_start(ngx_http_kafka_shard_t *shard,
    rd_kafka_resp_err_t fatal);

/* logs why, and replaces a client that would send records twice */
void ngx_http_kafka_replace_save(ngx_http_kafka_shard_t *shard,
    const char *why);

/*
 * A group was handed over to the client.  If the client is idempotent and has a
 * group for longer than message.timeout.ms, the client is replaced.
 */
void ngx_http_kafka_replace_watch(ngx_http_kafka_shard_t *shard);

/* the client has drained and ends: the next one may be created */
void ngx_http_kafka_replace_done(ngx_http_kafka_shard_t *shard);

/* returns 1 if brokers ended the last client before it delivered a record */
ngx_uint_t ngx_http_kafka_replace_refused(ngx_http_kafka_shard_t *shard);

/* the process exits: no client is replaced any more */
void ngx_http_kafka_replace_close(ngx_http_kafka_shard_t *shard);


#endif /* _NGX_HTTP_KAFKA_REPLACE_H_INCLUDED_ */
