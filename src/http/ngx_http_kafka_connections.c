
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_location.h>


/*
 * Checks that there are enough worker_connections.  In each worker, every
 * producer uses a connection for its eventfd, before nginx takes one for the
 * channel to the master.  A worker without enough connections would exit at its
 * start, and the master would not start it again.  The check needs the complete
 * configuration, and at that point nginx calls only core modules.
 */


static char *ngx_http_kafka_connections_init_conf(ngx_cycle_t *cycle,
    void *conf);
static ngx_uint_t ngx_http_kafka_connections_listening(ngx_cycle_t *cycle);


static ngx_core_module_t  ngx_http_kafka_connections_module_ctx = {
    ngx_string("kafka_connections"),
    NULL,                                  /* create configuration */
    ngx_http_kafka_connections_init_conf   /* init configuration */
};


ngx_module_t  ngx_http_kafka_connections_module = {
    NGX_MODULE_V1,
    &ngx_http_kafka_connections_module_ctx, /* module context */
    NULL,                                  /* module directives */
    NGX_CORE_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static char *
ngx_http_kafka_connections_init_conf(ngx_cycle_t *cycle, void *conf)
{
    ngx_uint_t                   listening, needed;
    ngx_http_kafka_main_conf_t  *kmcf;

    kmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_kafka_module);

    if (kmcf == NULL || kmcf->producers.nelts == 0) {
        return NGX_CONF_OK;
    }

    listening = ngx_http_kafka_connections_listening(cycle);

    /* one for the channel to the master, and one for an HTTP client */

    needed = listening + kmcf->producers.nelts + 2;

    if (cycle->connection_n < needed) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "%ui worker_connections are not enough for %ui "
                      "listening sockets and %ui kafka producers: at least "
                      "%ui are needed",
                      cycle->connection_n, listening, kmcf->producers.nelts,
                      needed);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/*
 * Returns the number of listening sockets of one worker.  "reuseport" adds a
 * clone of the socket for each other worker.
 */

static ngx_uint_t
ngx_http_kafka_connections_listening(ngx_cycle_t *cycle)
{
    ngx_uint_t  n;

    n = cycle->listening.nelts;

#if (NGX_HAVE_REUSEPORT)
    {
    ngx_uint_t        i;
    ngx_listening_t  *ls;

    ls = cycle->listening.elts;

    for (i = 0; i < cycle->listening.nelts; i++) {
        if (ls[i].reuseport && ls[i].worker != 0) {
            n--;
        }
    }
    }
#endif

    return n;
}
