
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_EVENTS_H_INCLUDED_
#define _NGX_HTTP_KAFKA_EVENTS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http_kafka_producer.h>


/*
 * librdkafka's events (delivery reports, errors, log lines) in nginx's event
 * loop: a thread of librdkafka writes to an eventfd when its queue is no
 * longer empty, and the loop then serves the queue.
 */


/*
 * Takes the producer's eventfd and its connection, for all clients that it has
 * in turn: when one is replaced, requests may have taken all other connections.
 */
ngx_int_t ngx_http_kafka_events_open(ngx_http_kafka_producer_t *producer);

void ngx_http_kafka_events_close(ngx_http_kafka_producer_t *producer);

/* has the eventfd wake up for this queue, or no longer */
void ngx_http_kafka_events_add(ngx_http_kafka_producer_t *producer,
    rd_kafka_queue_t *queue);
void ngx_http_kafka_events_remove(rd_kafka_queue_t *queue);

/* serves the queue until it is empty or the time, ngx_current_msec, is over */
void ngx_http_kafka_events_wait(ngx_http_kafka_producer_t *producer,
    ngx_msec_t until);


#endif /* _NGX_HTTP_KAFKA_EVENTS_H_INCLUDED_ */
