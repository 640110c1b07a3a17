
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_DELIVERY_H_INCLUDED_
#define _NGX_HTTP_KAFKA_DELIVERY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http_kafka_producer.h>


/*
 * Handles a delivery report: settles the record, or lets it be produced again.
 * owner is the shard.  msg belongs to librdkafka.  offset_known is 0 if the
 * offset is not valid.  first is 1 for the first report of an event.  Event
 * loop.
 */
void ngx_http_kafka_delivery_report(void *owner, const rd_kafka_message_t *msg,
    ngx_uint_t offset_known, ngx_uint_t first);

/*
 * Called when the shard has no pending records.  Its purged records go back to
 * their lanes if it is certain that they were not sent, and fail otherwise.
 * Event loop.
 */
void ngx_http_kafka_delivery_drained(ngx_http_kafka_shard_t *shard);


#endif /* _NGX_HTTP_KAFKA_DELIVERY_H_INCLUDED_ */
