
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_DELIVERY_H_INCLUDED_
#define _NGX_HTTP_KAFKA_DELIVERY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http_kafka_producer.h>


/*
 * A delivery report: the record's outcome, or another try.  msg is
 * librdkafka's; offset_known is 0 where its offset means nothing; first is 1
 * for the first report of an event; owner is the shard.  Event loop.
 */
void ngx_http_kafka_delivery_report(void *owner, const rd_kafka_message_t *msg,
    ngx_uint_t offset_known, ngx_uint_t first);

/*
 * The shard has nothing pending: records that were purged go back to their
 * lanes if they were not sent, otherwise they have failed.  Event loop.
 */
void ngx_http_kafka_delivery_drained(ngx_http_kafka_shard_t *shard);


#endif /* _NGX_HTTP_KAFKA_DELIVERY_H_INCLUDED_ */
