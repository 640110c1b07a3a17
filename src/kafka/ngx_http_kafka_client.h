
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_CLIENT_H_INCLUDED_
#define _NGX_HTTP_KAFKA_CLIENT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_thread_pool.h>
#include <librdkafka/rdkafka.h>


#define NGX_HTTP_KAFKA_CLIENT_ERROR  512


/*
 * Creates a producer client from a copy of conf.  Returns NULL on failure, with
 * the reason in errstr, which has NGX_HTTP_KAFKA_CLIENT_ERROR bytes.  An
 * isolated client gets one group of records at a time; see
 * ngx_http_kafka_client_hold().  Any thread.
 */
rd_kafka_t *ngx_http_kafka_client_new(const rd_kafka_conf_t *conf,
    ngx_uint_t isolated, char *errstr);

/*
 * The same for a client whose queues are not served: it has no events and no
 * log, because the producing client reports errors of the brokers.  Any thread.
 */
rd_kafka_t *ngx_http_kafka_client_new_quiet(const rd_kafka_conf_t *conf,
    char *errstr);

/*
 * Checks conf by creating and destroying a client.  The client has no broker
 * addresses, so it connects to none, and its threads end at once.  Returns
 * NGX_OK, or NGX_ERROR with the reason in errstr.  Any thread.
 */
ngx_int_t ngx_http_kafka_client_try(const rd_kafka_conf_t *conf,
    char *errstr);

/*
 * Called before records of a group are handed over to an isolated client; first
 * is 1 for the first records of the group.  librdkafka may send a group in
 * several requests.  When a broker refuses one of them, the client purges its
 * queue before it sends the next one, so that no record is stored before an
 * earlier one that has to be sent again.  Returns NGX_OK, or NGX_DECLINED after
 * such a refusal: the rest of the group has to wait until all its records have
 * their reports.
 *
 * After NGX_OK the client does not purge its queue until
 * ngx_http_kafka_client_release() is called.  Event loop.
 */
ngx_int_t ngx_http_kafka_client_hold(rd_kafka_t *rk, ngx_uint_t first);
void ngx_http_kafka_client_release(rd_kafka_t *rk);

/*
 * Returns 1 if all requests of the isolated client's group went to the same
 * broker.  Then no record behind a refused request was in a request: the
 * broker's thread sends one request at a time.  Event loop.
 */
ngx_uint_t ngx_http_kafka_client_one_broker(rd_kafka_t *rk);

/*
 * Returns the milliseconds since the client last sent records to a broker, at
 * most NGX_MAX_INT32_VALUE, which also means never.  Any thread.
 */
ngx_msec_t ngx_http_kafka_client_idle(rd_kafka_t *rk);

/*
 * Returns the number of requests with records that the client has sent
 * completely; it wraps.  Any thread.
 */
uint32_t ngx_http_kafka_client_requests(rd_kafka_t *rk);

/*
 * Returns the milliseconds from the sending of request number "requests" to the
 * sending of the last request; the result may be too large.  Requests with
 * records are counted from 0, and this one must have been sent.  Returns
 * NGX_MAX_INT32_VALUE if its time is no longer kept.  Any thread.
 */
ngx_msec_t ngx_http_kafka_client_sending(rd_kafka_t *rk, uint32_t requests);

/*
 * The callback for rd_kafka_conf_set_ssl_cert_verify_cb().  Accepts what
 * OpenSSL accepts, and otherwise writes a reason to errstr, which librdkafka
 * 2.0 does not do.  Runs in a thread of librdkafka.
 */
int ngx_http_kafka_client_verify(rd_kafka_t *rk, const char *broker,
    int32_t id, int *error, int depth, const char *cert, size_t size,
    char *errstr, size_t errsize, void *opaque);

/*
 * Notes that the client has had many topics: when it is destroyed, its memory
 * is returned to the system.  Event loop.
 */
void ngx_http_kafka_client_large(rd_kafka_t *rk);

/*
 * Destroys a client in a thread of nginx's pool, because that can take many
 * seconds.  Event loop.
 */
void ngx_http_kafka_client_destroy_later(ngx_thread_pool_t *tp,
    rd_kafka_t *rk);

/*
 * Destroys a client while the process exits.  Waits until the time "until" (of
 * ngx_current_msec), or for a moment if that has passed.  Returns NGX_OK, or
 * NGX_AGAIN if the client's threads have not ended by then.  They may run on.
 * Event loop.
 */
ngx_int_t ngx_http_kafka_client_destroy_until(rd_kafka_t *rk,
    ngx_msec_t until);

/*
 * The last call while the process exits.  If a client is still alive, exit()
 * will not free what the client's threads may use, such as OpenSSL's data.
 * Event loop.
 */
void ngx_http_kafka_client_exit(void);


#endif /* _NGX_HTTP_KAFKA_CLIENT_H_INCLUDED_ */
