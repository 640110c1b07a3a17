
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_CLIENTS_H_INCLUDED_
#define _NGX_HTTP_KAFKA_CLIENTS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http_kafka_client_task.h>
#include <ngx_http_kafka_conf.h>
#include <ngx_http_kafka_events.h>


/*
 * The clients of librdkafka that a producer has: the one that produces, which
 * others follow when it is replaced; an isolated one, which sends each record
 * in a batch of its own; and one that has librdkafka's mock cluster, where it
 * is configured.  Event loop.
 */


/* milliseconds from a client that could not serve to the next one */
#define NGX_HTTP_KAFKA_CLIENTS_REOPEN  1000


/*
 * A client that was not there at once has come (NGX_OK), or cannot be made
 * (NGX_ERROR), and the log says why.
 */
typedef void (*ngx_http_kafka_clients_handler_pt)(void *data, ngx_int_t rc);


typedef struct {
    ngx_http_kafka_conf_t       *conf;
    ngx_http_kafka_events_t     *events;     /* of both clients below */

    ngx_http_kafka_clients_handler_pt
                                 opened_handler;    /* for rk */
    ngx_http_kafka_clients_handler_pt
                                 isolated_handler;
    void                        *data;              /* of both */

    rd_kafka_t                  *rk;         /* produces; or NULL */
    rd_kafka_t                  *isolated;   /* or NULL */
    rd_kafka_t                  *mock;       /* or NULL */

    /* those that make rk and isolated, or NULL */
    ngx_http_kafka_client_task_t  *rk_task;
    ngx_http_kafka_client_task_t  *isolated_task;

    rd_kafka_conf_t             *rk_conf;
    rd_kafka_conf_t             *aux_conf;   /* for clients beside rk */
    rd_kafka_conf_t             *isolated_conf;

    ngx_uint_t                   generation; /* of rk, from 1 */
    ngx_msec_t                   opened;     /* when the last rk was made */
    ngx_msec_t                   failed;     /* when it could not be, or 0 */
    ngx_uint_t                   failures;   /* of attempts, in a row */
    unsigned                     served:1;   /* rk has delivered records */
    unsigned                     isolated_failed:1;  /* the last attempt */
} ngx_http_kafka_clients_t;


/*
 * Has the client that produces made.  The first time, as the process starts, it
 * is made at once, with all that the clients need; after that in nginx's thread
 * pool.  NGX_OK: it is there.  NGX_AGAIN: it is being made, its handler will
 * be called; or the last one ended before it had served, and it is too early
 * for the next one.  NGX_ERROR: it cannot be made, and the log says why.
 */
ngx_int_t ngx_http_kafka_clients_open(ngx_http_kafka_clients_t *clients);

/* milliseconds until the next try, where none is being made */
ngx_msec_t ngx_http_kafka_clients_reopen(ngx_http_kafka_clients_t *clients);

/*
 * Has the isolated client made.  NGX_OK: it is there.  NGX_AGAIN: its handler
 * will be called.  NGX_ERROR: the last attempt has failed, the next call makes
 * another one.
 */
ngx_int_t ngx_http_kafka_clients_isolate(ngx_http_kafka_clients_t *clients);

/* the error that has ended a client; its text goes to text, of size bytes */
rd_kafka_resp_err_t ngx_http_kafka_clients_fatal_error(
    ngx_http_kafka_clients_t *clients, char *text, size_t size);

/* has records reported as purged; what is of RD_KAFKA_PURGE_F_* */
void ngx_http_kafka_clients_purge(ngx_http_kafka_clients_t *clients, int what);

/* destroys both clients in nginx's thread pool; no handle may be left */
void ngx_http_kafka_clients_end(ngx_http_kafka_clients_t *clients);

/*
 * The same as the process exits, by the time until, as ngx_current_msec.
 * NGX_OK, or NGX_AGAIN if it takes longer: then their threads may still use
 * records.
 */
ngx_int_t ngx_http_kafka_clients_destroy(ngx_http_kafka_clients_t *clients,
    ngx_msec_t until);

/* frees the rest, after that */
void ngx_http_kafka_clients_close(ngx_http_kafka_clients_t *clients,
    ngx_msec_t until);


#endif /* _NGX_HTTP_KAFKA_CLIENTS_H_INCLUDED_ */
