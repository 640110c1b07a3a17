
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


/* milliseconds after message.timeout.ms for the last reports */
#define NGX_HTTP_KAFKA_PRODUCER_GRACE  2000


/*
 * A producer in this worker, the facade of the parts below.  Each part owns its
 * member.  Everything runs in the event loop; librdkafka's threads do not use
 * this structure.
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

    ngx_queue_t                     batches;    /* not yet settled */
} ngx_http_kafka_producer_t;


/* returns a producer that is not started; NULL when out of memory */
ngx_http_kafka_producer_t *ngx_http_kafka_producer_create(ngx_pool_t *pool,
    ngx_http_kafka_conf_t *conf);

/*
 * Opens the first client if there is none.  Returns NGX_OK if it is there.
 * NGX_AGAIN if it is being created, or if the last client delivered nothing and
 * the next one is created within a second; batches may be sent meanwhile.
 * NGX_ERROR if it could not be created, or if the process exits.
 */
ngx_int_t ngx_http_kafka_producer_open(ngx_http_kafka_producer_t *producer);

/*
 * Takes a filled batch, in which the requester has set handler and data.
 * Returns NGX_OK if the handler will be called later, when all records have an
 * outcome or the deadline has passed.  NGX_DECLINED if nothing was sent and
 * nothing will be; batch->err and batch->refused say why.  NGX_ERROR when out
 * of memory.
 */
ngx_int_t ngx_http_kafka_producer_send(ngx_http_kafka_producer_t *producer,
    ngx_http_kafka_batch_t *batch);

/*
 * Tells whether the producer can reach Kafka.  Returns NGX_OK; NGX_AGAIN if
 * that is not known yet; NGX_DECLINED if no broker is up; NGX_ABORT if brokers
 * are up but end each client with a fatal error; NGX_ERROR if no client can be
 * created. *err is the reason, or 0.
 *
 * Creates a missing client: if the probe keeps requests away, no request will
 * do it.
 */
ngx_int_t ngx_http_kafka_producer_health(ngx_http_kafka_producer_t *producer,
    rd_kafka_resp_err_t *err);


#endif /* _NGX_HTTP_KAFKA_PRODUCER_H_INCLUDED_ */
