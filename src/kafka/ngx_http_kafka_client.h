
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
 * Makes a producer client from a copy of conf; on failure returns NULL, the
 * reason in errstr of NGX_HTTP_KAFKA_CLIENT_ERROR bytes.  An isolated client
 * has one group of records at a time; see ngx_http_kafka_client_hold().  Any
 * thread.
 */
rd_kafka_t *ngx_http_kafka_client_new(const rd_kafka_conf_t *conf,
    ngx_uint_t isolated, char *errstr);

/*
 * As above, for a client whose queues are not served: it has no events and no
 * log, since the producing client reports on the brokers.  Any thread.
 */
rd_kafka_t *ngx_http_kafka_client_new_quiet(const rd_kafka_conf_t *conf,
    char *errstr);

/*
 * Checks conf: makes a client and destroys it.  The client gets no broker, so
 * it contacts none and its threads end at once.  Returns NGX_OK, or NGX_ERROR
 * with the reason in errstr.  Any thread.
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
 * Returns the milliseconds, or more, from request number "requests" of those
 * with records, counted from 0, to the last one.  That request must have been
 * sent.  Returns NGX_MAX_INT32_VALUE if its time is no longer kept.  Any
 * thread.
 */
ngx_msec_t ngx_http_kafka_client_sending(rd_kafka_t *rk, uint32_t requests);

/*
 * For rd_kafka_conf_set_ssl_cert_verify_cb(): accepts what OpenSSL does, and
 * says why not, which librdkafka 2.0 leaves out.  A thread of librdkafka.
 */
int ngx_http_kafka_client_verify(rd_kafka_t *rk, const char *broker,
    int32_t id, int *error, int depth, const char *cert, size_t size,
    char *errstr, size_t errsize, void *opaque);

/*
 * Notes that the client has had many topics: its memory goes back to the system
 * when it is destroyed.  Event loop.
 */
void ngx_http_kafka_client_large(rd_kafka_t *rk);

/*
 * Destroys a client, which can take many seconds, without holding the event
 * loop: in a thread of nginx's pool.  Event loop.
 */
void ngx_http_kafka_client_destroy_later(ngx_thread_pool_t *tp,
    rd_kafka_t *rk);

/*
 * Destroys a client as the process exits.  Waits until the time until (of
 * ngx_current_msec), and for a moment even if that is over.  Returns NGX_OK, or
 * NGX_AGAIN if it takes longer: the client is left alone.  Event loop.
 */
ngx_int_t ngx_http_kafka_client_destroy_until(rd_kafka_t *rk,
    ngx_msec_t until);

/*
 * As the process exits, after all else: if a client is left alone, exit() frees
 * nothing that its threads may use, such as what OpenSSL has.  Event loop.
 */
void ngx_http_kafka_client_exit(void);


#endif /* _NGX_HTTP_KAFKA_CLIENT_H_INCLUDED_ */
