
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_client.h>
#include <ngx_http_kafka_task.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif


/* milliseconds to wait for a client's end: in a task; and, at least, at exit */
#define NGX_HTTP_KAFKA_CLIENT_TASK    1000
#define NGX_HTTP_KAFKA_CLIENT_MOMENT  200

/* number of requests whose send times are kept: more than can be in flight */
#define NGX_HTTP_KAFKA_CLIENT_TIMES   256

/* the API key of Produce in Kafka's protocol */
#define NGX_HTTP_KAFKA_CLIENT_PRODUCE  0


/* the opaque of a client, which owns it */

typedef struct {
    ngx_msec_t                   sent;      /* 0: never */
    uint32_t                     requests;  /* sent, with records */
    ngx_thread_mutex_t           lock;      /* of an isolated client */
    unsigned                     isolated:1;
    unsigned                     watched:1;
    unsigned                     large:1;

    /* a request of the current group was refused; protected by the lock */
    ngx_uint_t                   refused;

    /* the last broker that got records of the group, or -1 */
    int32_t                      broker;

    /* 1 if several brokers got records of the group */
    ngx_uint_t                   several;

    /* send times of the last requests, by request number modulo the size */
    ngx_msec_t                   times[NGX_HTTP_KAFKA_CLIENT_TIMES];
} ngx_http_kafka_client_state_t;


typedef struct {
    int                          error;
    const char                  *text;
} ngx_http_kafka_client_cert_t;


static ngx_http_kafka_client_state_t *ngx_http_kafka_client_state(
    ngx_uint_t isolated);
static void ngx_http_kafka_client_state_free(
    ngx_http_kafka_client_state_t *state);
static void ngx_http_kafka_client_no_log(const rd_kafka_t *rk, int level,
    const char *facility, const char *text);
static rd_kafka_resp_err_t ngx_http_kafka_client_watch(rd_kafka_t *rk,
    const rd_kafka_conf_t *conf, void *data, char *errstr, size_t size);
static rd_kafka_resp_err_t ngx_http_kafka_client_request_sent(rd_kafka_t *rk,
    int fd, const char *broker, int32_t id, int16_t key, int16_t version,
    int32_t correlation, size_t size, void *data);
static void ngx_http_kafka_client_sent_to(ngx_http_kafka_client_state_t *state,
    int32_t id);
static rd_kafka_resp_err_t ngx_http_kafka_client_answered(rd_kafka_t *rk,
    rd_kafka_message_t *msg, void *data);
static ngx_msec_t ngx_http_kafka_client_clock(void);
static void ngx_http_kafka_client_destroy_task(void *data, ngx_log_t *log);
static void ngx_http_kafka_client_destroyed(ngx_event_t *ev);
static ngx_int_t ngx_http_kafka_client_destroy(rd_kafka_t *rk,
    ngx_msec_t timeout, ngx_log_t *log);
static void ngx_http_kafka_client_exit_now(void);
static void *ngx_http_kafka_client_destroy_thread(void *data);
static void ngx_http_kafka_client_free(rd_kafka_t *rk);


/* whether the last attempt to make a client failed, in any thread */
static ngx_uint_t  ngx_http_kafka_client_failed;

/* clients not yet destroyed, whose threads may still run */
static ngx_uint_t  ngx_http_kafka_client_alive;


/* error numbers of openssl/x509_vfy.h, which is not needed to build */

static ngx_http_kafka_client_cert_t  ngx_http_kafka_client_certs[] = {
    { 9, "it is not yet valid" },
    { 10, "it has expired" },
    { 18, "it is signed by itself, and not trusted" },
    { 19, "a certificate of its chain is signed by itself, and not trusted" },
    { 20, "its issuer is not trusted" },
    { 21, "its issuer is not trusted" },
    { 23, "it was revoked" },
    { 62, "it is for another host name" },
    { 64, "it is for another IP address" },
    { 0, "OpenSSL refuses it" }
};


rd_kafka_t *
ngx_http_kafka_client_new(const rd_kafka_conf_t *conf, ngx_uint_t isolated,
    char *errstr)
{
    rd_kafka_t                     *rk;
    rd_kafka_conf_t                *copy;
    ngx_http_kafka_client_state_t  *state;

    if (__atomic_load_n(&ngx_http_kafka_client_failed, __ATOMIC_RELAXED)
        && ngx_http_kafka_client_try(conf, errstr) != NGX_OK)
    {
        return NULL;
    }

    state = ngx_http_kafka_client_state(isolated);
    if (state == NULL) {
        (void) snprintf(errstr, NGX_HTTP_KAFKA_CLIENT_ERROR, "no memory");
        return NULL;
    }

    copy = rd_kafka_conf_dup(conf);

    rd_kafka_conf_set_opaque(copy, state);

    /* rd_kafka_conf_dup() does not copy interceptors */

    (void) rd_kafka_conf_interceptor_add_on_new(copy, "nginx",
                                                ngx_http_kafka_client_watch,
                                                state);

    rk = rd_kafka_new(RD_KAFKA_PRODUCER, copy, errstr,
                      NGX_HTTP_KAFKA_CLIENT_ERROR);

    __atomic_store_n(&ngx_http_kafka_client_failed, rk == NULL,
                     __ATOMIC_RELAXED);

    if (rk) {
        (void) __atomic_add_fetch(&ngx_http_kafka_client_alive, 1,
                                  __ATOMIC_RELAXED);
        return rk;
    }

    /*
     * If rd_kafka_new() fails after it has called the interceptor, it has freed
     * memory that the copy still points to, and the copy cannot be destroyed.
     * That leaks some 4 kB, but only once: after a failure, conf is checked by
     * ngx_http_kafka_client_try() first.
     */

    if (!state->watched) {
        rd_kafka_conf_destroy(copy);
    }

    ngx_http_kafka_client_state_free(state);

    return NULL;
}


static ngx_http_kafka_client_state_t *
ngx_http_kafka_client_state(ngx_uint_t isolated)
{
    ngx_http_kafka_client_state_t  *state;

    state = ngx_calloc(sizeof(ngx_http_kafka_client_state_t), ngx_cycle->log);
    if (state == NULL) {
        return NULL;
    }

    if (isolated
        && ngx_thread_mutex_create(&state->lock, ngx_cycle->log) != NGX_OK)
    {
        ngx_free(state);
        return NULL;
    }

    state->isolated = isolated ? 1 : 0;

    return state;
}


static void
ngx_http_kafka_client_state_free(ngx_http_kafka_client_state_t *state)
{
    if (state->isolated) {
        (void) ngx_thread_mutex_destroy(&state->lock, ngx_cycle->log);
    }

    ngx_free(state);
}


rd_kafka_t *
ngx_http_kafka_client_new_quiet(const rd_kafka_conf_t *conf, char *errstr)
{
    rd_kafka_t       *rk;
    rd_kafka_conf_t  *quiet;

    quiet = rd_kafka_conf_dup(conf);

    rd_kafka_conf_set_events(quiet, 0);
    rd_kafka_conf_set_log_cb(quiet, ngx_http_kafka_client_no_log);
    (void) rd_kafka_conf_set(quiet, "log.queue", "false", NULL, 0);
    (void) rd_kafka_conf_set(quiet, "statistics.interval.ms", "0", NULL, 0);

    rk = ngx_http_kafka_client_new(quiet, 0, errstr);

    rd_kafka_conf_destroy(quiet);

    return rk;
}


static void
ngx_http_kafka_client_no_log(const rd_kafka_t *rk, int level,
    const char *facility, const char *text)
{
}


ngx_int_t
ngx_http_kafka_client_try(const rd_kafka_conf_t *conf, char *errstr)
{
    rd_kafka_t       *rk;
    rd_kafka_conf_t  *copy;
    const char       *without[] = { "bootstrap.servers",
                                    "metadata.broker.list",
                                    "test.mock.num.brokers" };

    copy = rd_kafka_conf_dup_filter(conf, sizeof(without) / sizeof(char *),
                                    without);

    rk = rd_kafka_new(RD_KAFKA_PRODUCER, copy, errstr,
                      NGX_HTTP_KAFKA_CLIENT_ERROR);

    if (rk == NULL) {
        rd_kafka_conf_destroy(copy);
        return NGX_ERROR;
    }

    rd_kafka_destroy(rk);

    return NGX_OK;
}


static rd_kafka_resp_err_t
ngx_http_kafka_client_watch(rd_kafka_t *rk, const rd_kafka_conf_t *conf,
    void *data, char *errstr, size_t size)
{
    ngx_http_kafka_client_state_t *state = data;

    rd_kafka_resp_err_t  err;

    state->watched = 1;

    if (state->isolated) {
        err = rd_kafka_interceptor_add_on_acknowledgement(rk, "nginx",
                                             ngx_http_kafka_client_answered,
                                             data);
        if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            return err;
        }
    }

    return rd_kafka_interceptor_add_on_request_sent(rk, "nginx",
                                         ngx_http_kafka_client_request_sent,
                                         data);
}


/* runs in the broker's thread, after the last byte of a request is written */

static rd_kafka_resp_err_t
ngx_http_kafka_client_request_sent(rd_kafka_t *rk, int fd, const char *broker,
    int32_t id, int16_t key, int16_t version, int32_t correlation, size_t size,
    void *data)
{
    ngx_http_kafka_client_state_t *state = data;

    ngx_uint_t  n;
    ngx_msec_t  now, last;

    if (key != NGX_HTTP_KAFKA_CLIENT_PRODUCE) {
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    }

    if (state->isolated) {
        ngx_http_kafka_client_sent_to(state, id);
    }

    now = ngx_http_kafka_client_clock();

    /* count first: a thread that reads the new time must see the new count */

    n = __atomic_fetch_add(&state->requests, 1, __ATOMIC_RELAXED);

    __atomic_store_n(&state->times[n % NGX_HTTP_KAFKA_CLIENT_TIMES], now,
                     __ATOMIC_RELEASE);

    /* the thread of another broker may store an earlier time later */

    last = __atomic_load_n(&state->sent, __ATOMIC_RELAXED);

    while (now > last
           && !__atomic_compare_exchange_n(&state->sent, &last, now, 0,
                                           __ATOMIC_RELAXED,
                                           __ATOMIC_RELAXED))
    {
        /* void */
    }

    return RD_KAFKA_RESP_ERR_NO_ERROR;
}


static void
ngx_http_kafka_client_sent_to(ngx_http_kafka_client_state_t *state, int32_t id)
{
    int32_t  before;

    before = __atomic_exchange_n(&state->broker, id, __ATOMIC_ACQ_REL);

    if (before != -1 && before != id) {
        __atomic_store_n(&state->several, 1, __ATOMIC_RELEASE);
    }
}


/*
 * Called in the broker's thread, before that thread sends another request.  If
 * the record has a broker id, a broker has answered its request, and librdkafka
 * holds no lock.  At least one record of a refused request has the broker's
 * error here.
 */

static rd_kafka_resp_err_t
ngx_http_kafka_client_answered(rd_kafka_t *rk, rd_kafka_message_t *msg,
    void *data)
{
    ngx_http_kafka_client_state_t *state = data;

    if (msg->err <= RD_KAFKA_RESP_ERR_NO_ERROR
        || rd_kafka_message_broker_id(msg) < 0
        || rd_kafka_message_status(msg) != RD_KAFKA_MSG_STATUS_NOT_PERSISTED)
    {
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    }

    (void) ngx_thread_mutex_lock(&state->lock, ngx_cycle->log);

    if (!state->refused) {
        state->refused = 1;
        (void) rd_kafka_purge(rk, RD_KAFKA_PURGE_F_QUEUE
                                  |RD_KAFKA_PURGE_F_NON_BLOCKING);
    }

    (void) ngx_thread_mutex_unlock(&state->lock, ngx_cycle->log);

    return RD_KAFKA_RESP_ERR_NO_ERROR;
}


ngx_int_t
ngx_http_kafka_client_hold(rd_kafka_t *rk, ngx_uint_t first)
{
    ngx_http_kafka_client_state_t  *state;

    state = rd_kafka_opaque(rk);

    (void) ngx_thread_mutex_lock(&state->lock, ngx_cycle->log);

    if (first) {
        state->refused = 0;
        __atomic_store_n(&state->broker, -1, __ATOMIC_RELEASE);
        __atomic_store_n(&state->several, 0, __ATOMIC_RELEASE);
    }

    if (state->refused) {
        (void) ngx_thread_mutex_unlock(&state->lock, ngx_cycle->log);
        return NGX_DECLINED;
    }

    return NGX_OK;
}


void
ngx_http_kafka_client_release(rd_kafka_t *rk)
{
    ngx_http_kafka_client_state_t  *state;

    state = rd_kafka_opaque(rk);

    (void) ngx_thread_mutex_unlock(&state->lock, ngx_cycle->log);
}


ngx_uint_t
ngx_http_kafka_client_one_broker(rd_kafka_t *rk)
{
    ngx_http_kafka_client_state_t  *state;

    state = rd_kafka_opaque(rk);

    return !__atomic_load_n(&state->several, __ATOMIC_ACQUIRE);
}


static ngx_msec_t
ngx_http_kafka_client_clock(void)
{
    ngx_msec_t       now;
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    now = (ngx_msec_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;

    /* 0 stands for "never sent" */
    return ngx_max(now, 1);
}


ngx_msec_t
ngx_http_kafka_client_idle(rd_kafka_t *rk)
{
    ngx_msec_t                      sent;
    ngx_http_kafka_client_state_t  *state;

    state = rd_kafka_opaque(rk);
    sent = __atomic_load_n(&state->sent, __ATOMIC_RELAXED);

    if (sent == 0) {
        return NGX_MAX_INT32_VALUE;
    }

    return ngx_min(ngx_http_kafka_client_clock() - sent, NGX_MAX_INT32_VALUE);
}


uint32_t
ngx_http_kafka_client_requests(rd_kafka_t *rk)
{
    ngx_http_kafka_client_state_t  *state;

    state = rd_kafka_opaque(rk);

    return __atomic_load_n(&state->requests, __ATOMIC_RELAXED);
}


ngx_msec_t
ngx_http_kafka_client_sending(rd_kafka_t *rk, uint32_t requests)
{
    ngx_uint_t                      n;
    ngx_msec_t                      first, last;
    ngx_http_kafka_client_state_t  *state;

    state = rd_kafka_opaque(rk);

    n = requests % NGX_HTTP_KAFKA_CLIENT_TIMES;

    first = __atomic_load_n(&state->times[n], __ATOMIC_ACQUIRE);
    last = __atomic_load_n(&state->sent, __ATOMIC_RELAXED);

    if (ngx_http_kafka_client_requests(rk) - requests
        > NGX_HTTP_KAFKA_CLIENT_TIMES)
    {
        return NGX_MAX_INT32_VALUE;
    }

    return ngx_min(last - first, NGX_MAX_INT32_VALUE);
}


int
ngx_http_kafka_client_verify(rd_kafka_t *rk, const char *broker, int32_t id,
    int *error, int depth, const char *cert, size_t size, char *errstr,
    size_t errsize, void *opaque)
{
    ngx_http_kafka_client_cert_t  *c;

    if (*error == 0) {
        return 1;
    }

    for (c = ngx_http_kafka_client_certs; c->error; c++) {
        if (c->error == *error) {
            break;
        }
    }

    (void) snprintf(errstr, errsize, "%s (X.509 error %d)", c->text, *error);

    return 0;
}


void
ngx_http_kafka_client_large(rd_kafka_t *rk)
{
    ngx_http_kafka_client_state_t  *state;

    state = rd_kafka_opaque(rk);
    state->large = 1;
}


static void
ngx_http_kafka_client_free(rd_kafka_t *rk)
{
    ngx_http_kafka_client_state_t  *state;

    state = rd_kafka_opaque(rk);

    rd_kafka_destroy(rk);

    (void) __atomic_sub_fetch(&ngx_http_kafka_client_alive, 1,
                              __ATOMIC_RELEASE);

#ifdef __GLIBC__

    /*
     * The memory of a client with many topics is spread over the arenas of its
     * threads.  glibc would keep it: tens of megabytes for each client.  The
     * trim may make the event loop wait for some milliseconds.
     */

    if (state->large) {
        (void) malloc_trim(0);
    }

#endif

    ngx_http_kafka_client_state_free(state);
}


void
ngx_http_kafka_client_destroy_later(ngx_thread_pool_t *tp, rd_kafka_t *rk)
{
    ngx_thread_task_t  *task;

    task = ngx_http_kafka_task_create(0, ngx_http_kafka_client_destroy_task,
                                      ngx_http_kafka_client_destroyed);

    if (task) {
        task->ctx = rk;

        if (ngx_thread_task_post(tp, task) == NGX_OK) {
            return;
        }

        ngx_free(task);
    }

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "kafka: no thread is available to destroy a client, it is "
                  "left idle");
}


static void
ngx_http_kafka_client_destroy_task(void *data, ngx_log_t *log)
{
    ngx_log_debug0(NGX_LOG_DEBUG_CORE, log, 0, "kafka destroy client");

    /*
     * While a broker's name cannot be resolved, destroying a client takes many
     * seconds.  nginx joins the threads of its pools before it exits, so the
     * task must end sooner.
     */

    (void) ngx_http_kafka_client_destroy(data, NGX_HTTP_KAFKA_CLIENT_TASK,
                                         log);
}


static void
ngx_http_kafka_client_destroyed(ngx_event_t *ev)
{
    ngx_free(ev->data);
}


ngx_int_t
ngx_http_kafka_client_destroy_until(rd_kafka_t *rk, ngx_msec_t until)
{
    ngx_msec_int_t  left;

    ngx_time_update();
    left = (ngx_msec_int_t) (until - ngx_current_msec);

    return ngx_http_kafka_client_destroy(rk,
                                 ngx_max(left, NGX_HTTP_KAFKA_CLIENT_MOMENT),
                                 ngx_cycle->log);
}


/*
 * Destroys the client in a new thread, and waits for it for timeout
 * milliseconds.  Returns NGX_OK, or NGX_AGAIN if the thread still runs or could
 * not be created.  Any thread.
 */

static ngx_int_t
ngx_http_kafka_client_destroy(rd_kafka_t *rk, ngx_msec_t timeout,
    ngx_log_t *log)
{
    int              err;
    pthread_t        tid;
    struct timespec  until;

    err = pthread_create(&tid, NULL, ngx_http_kafka_client_destroy_thread, rk);
    if (err) {
        ngx_log_error(NGX_LOG_ERR, log, err, "pthread_create() failed");
        return NGX_AGAIN;
    }

    (void) clock_gettime(CLOCK_REALTIME, &until);

    until.tv_sec += timeout / 1000;
    until.tv_nsec += (timeout % 1000) * 1000000;

    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }

    if (pthread_timedjoin_np(tid, NULL, &until) != 0) {
        (void) pthread_detach(tid);
        return NGX_AGAIN;
    }

    return NGX_OK;
}


void
ngx_http_kafka_client_exit(void)
{
    if (__atomic_load_n(&ngx_http_kafka_client_alive, __ATOMIC_ACQUIRE) == 0) {
        return;
    }

    if (atexit(ngx_http_kafka_client_exit_now) != 0) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0, "atexit() failed");
    }
}


/* skips the functions registered by atexit() before; a worker's status is 0 */

static void
ngx_http_kafka_client_exit_now(void)
{
    _exit(0);
}


static void *
ngx_http_kafka_client_destroy_thread(void *data)
{
    ngx_http_kafka_client_free(data);

    return NULL;
}
