
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_SHUTDOWN_H_INCLUDED_
#define _NGX_HTTP_KAFKA_SHUTDOWN_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http_kafka_producer.h>


/* Ends a producer while the process exits.  Event loop. */


/*
 * Delivers what can be delivered before the time "until" (of ngx_current_msec),
 * answers all waiting requests, and destroys the clients.
 */
void ngx_http_kafka_shutdown(ngx_http_kafka_producer_t *producer,
    ngx_msec_t until);

/*
 * Answers all waiting requests, because nginx closes their connections now.
 * data is the producer.
 */
void ngx_http_kafka_shutdown_abort(void *data);


#endif /* _NGX_HTTP_KAFKA_SHUTDOWN_H_INCLUDED_ */
