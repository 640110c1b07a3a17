
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_PRODUCER_H_INCLUDED_
#define _NGX_HTTP_KAFKA_PRODUCER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_http_kafka_batch.h>
#include <ngx_http_kafka_clients.h>
#include <ngx_http_kafka_conf.h>
#include <ngx_http_kafka_connectivity.h>
#include <ngx_http_kafka_dispatch.h>
#include <ngx_http_kafka_events.h>
#include <ngx_http_kafka_health.h>
#include <ngx_http_kafka_metrics.h>
#include <ngx_http_kafka_topic.h>


/* milliseconds for the last reports, after message.timeout.ms */
#define NGX_HTTP_KAFKA_PRODUCER_GRACE  2000


/*
 * A producer as it runs in this worker: the facade of all that is behind it.
 * Each part owns what it has here.  Everything runs in the event loop;
 * librdkafka's own threads never see it.
 */

typedef struct {
    ngx_http_kafka_conf_t          *conf;
    ngx_http_kafka_metrics_t        metrics;

    unsigned                        started:1;  /* it was opened once */
    unsigned                        closing:1;  /* the process exits */

    ngx_http_kafka_events_t         events;
    ngx_http_kafka_clients_t        clients;
    ngx_http_kafka_connectivity_t   connectivity;
    ngx_http_kafka_health_t         health;
    ngx_http_kafka_topics_t         topics;
    ngx_http_kafka_dispatch_t       dispatch;

    ngx_queue_t                     batches;    /* all that are not done */
} ngx_http_kafka_producer_t;


/* a producer that is not started; NULL when memory is out */
ngx_http_kafka_producer_t *ngx_http_kafka_producer_create(ngx_pool_t *pool,
    ngx_http_kafka_conf_t *conf);

/*
 * Makes the client where there is none.  NGX_AGAIN: the last one failed as it
 * came, the next one is made within a second, batches may be sent meanwhile;
 * NGX_ERROR: it could not be made.
 */
ngx_int_t ngx_http_kafka_producer_open(ngx_http_kafka_producer_t *producer);

/*
 * Takes a filled batch, whose handler and data the requester has set.
 * NGX_OK: the handler will be called, later, once all records are reported
 * or their time is over.  NGX_DECLINED: nothing was sent and nothing will
 * be, batch->err and batch->refused tell why.  NGX_ERROR: memory is out.
 */
ngx_int_t ngx_http_kafka_producer_send(ngx_http_kafka_producer_t *producer,
    ngx_http_kafka_batch_t *batch);

/*
 * Whether the producer can reach Kafka.  NGX_OK; NGX_AGAIN: not known yet;
 * NGX_DECLINED: no broker is up; NGX_ABORT: brokers are, and end each client;
 * NGX_ERROR: there can be no client.  err says why, or is 0.  Has a client made
 * where there is none: no request may come to do it as long as a probe keeps
 * them away.
 */
ngx_int_t ngx_http_kafka_producer_health(ngx_http_kafka_producer_t *producer,
    rd_kafka_resp_err_t *err);


#endif /* _NGX_HTTP_KAFKA_PRODUCER_H_INCLUDED_ */
