
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_SUBMIT_H_INCLUDED_
#define _NGX_HTTP_KAFKA_SUBMIT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http_kafka_producer.h>


/* Hands records over to librdkafka's clients.  Event loop. */


/* number of records to hand over before the event loop handles other events */
#define NGX_HTTP_KAFKA_SUBMIT_TURN  2000


/*
 * Puts the records of batches into their lanes, and hands the groups of ready
 * lanes over to their clients, in this turn of the event loop or in several.
 */
void ngx_http_kafka_submit(ngx_http_kafka_producer_t *producer);


#endif /* _NGX_HTTP_KAFKA_SUBMIT_H_INCLUDED_ */
