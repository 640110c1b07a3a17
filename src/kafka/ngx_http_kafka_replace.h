
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
 * When a shard's client must not go on, and how it drains: all that it holds is
 * reported, now or soon, and then another one takes its place.  Nothing blocks.
 * Event loop.
 */


void ngx_http_kafka_replace_init(ngx_http_kafka_shard_t *shard);

/* fatal is the error that has ended the client, if any: what callers hear */
void ngx_http_kafka_replace_start(ngx_http_kafka_shard_t *shard,
    rd_kafka_resp_err_t fatal);

/* the same, for a client that would send records twice */
void ngx_http_kafka_replace_save(ngx_http_kafka_shard_t *shard,
    const char *why);

/*
 * A lane has a group with an idempotent client: if it is there for longer than
 * a message may take, the client is replaced.
 */
void ngx_http_kafka_replace_watch(ngx_http_kafka_shard_t *shard);

/* the client has ended: the next one may come */
void ngx_http_kafka_replace_done(ngx_http_kafka_shard_t *shard);

/* 1 if brokers ended the last client before it had delivered anything */
ngx_uint_t ngx_http_kafka_replace_refused(ngx_http_kafka_shard_t *shard);

/* the process exits: nothing is replaced from here on */
void ngx_http_kafka_replace_close(ngx_http_kafka_shard_t *shard);


#endif /* _NGX_HTTP_KAFKA_REPLACE_H_INCLUDED_ */
