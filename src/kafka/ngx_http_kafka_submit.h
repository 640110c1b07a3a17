
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_SUBMIT_H_INCLUDED_
#define _NGX_HTTP_KAFKA_SUBMIT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http_kafka_producer.h>


/* Records go to librdkafka's clients.  Event loop. */


/* records handed over before the loop's other events have their turn */
#define NGX_HTTP_KAFKA_SUBMIT_TURN  2000


/*
 * The batches' records go to their lanes, and the groups of lanes that are
 * ready to their clients, in this turn of the event loop or in several.
 */
void ngx_http_kafka_submit(ngx_http_kafka_producer_t *producer);


#endif /* _NGX_HTTP_KAFKA_SUBMIT_H_INCLUDED_ */
