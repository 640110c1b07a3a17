
/*
 * Copyright (C) The ngx_http_kafka authors
 */


/*
 * A library to preload that implements C11 threads with POSIX threads.
 * librdkafka uses C11 threads.  ThreadSanitizer intercepts only POSIX threads,
 * so it would see neither the threads nor the locks of librdkafka.  In glibc,
 * both have the same types.
 */


#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <threads.h>


typedef struct {
    thrd_start_t  start;
    void         *data;
} thread_t;


static int result(int err);
static void *run(void *data);


static int
result(int err)
{
    switch (err) {
    case 0:
        return thrd_success;
    case EBUSY:
        return thrd_busy;
    case ETIMEDOUT:
        return thrd_timedout;
    case ENOMEM:
        return thrd_nomem;
    default:
        return thrd_error;
    }
}


static void *
run(void *data)
{
    thread_t  thread;

    thread = *(thread_t *) data;
    free(data);

    return (void *) (intptr_t) thread.start(thread.data);
}


int
thrd_create(thrd_t *tid, thrd_start_t start, void *data)
{
    int        rc;
    thread_t  *thread;

    thread = malloc(sizeof(thread_t));

    if (thread == NULL) {
        return thrd_nomem;
    }

    thread->start = start;
    thread->data = data;

    rc = pthread_create(tid, NULL, run, thread);

    if (rc != 0) {
        free(thread);
    }

    return result(rc);
}


int
thrd_join(thrd_t tid, int *status)
{
    int    rc;
    void  *value;

    rc = pthread_join(tid, &value);

    if (rc == 0 && status) {
        *status = (int) (intptr_t) value;
    }

    return result(rc);
}


int
mtx_init(mtx_t *mutex, int type)
{
    int                  rc;
    pthread_mutexattr_t  attr;

    pthread_mutexattr_init(&attr);

    if (type & mtx_recursive) {
        pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
    }

    rc = pthread_mutex_init((pthread_mutex_t *) mutex, &attr);

    pthread_mutexattr_destroy(&attr);

    return result(rc);
}


int
mtx_lock(mtx_t *mutex)
{
    return result(pthread_mutex_lock((pthread_mutex_t *) mutex));
}


int
mtx_unlock(mtx_t *mutex)
{
    return result(pthread_mutex_unlock((pthread_mutex_t *) mutex));
}


void
mtx_destroy(mtx_t *mutex)
{
    pthread_mutex_destroy((pthread_mutex_t *) mutex);
}


int
cnd_init(cnd_t *cond)
{
    return result(pthread_cond_init((pthread_cond_t *) cond, NULL));
}


int
cnd_signal(cnd_t *cond)
{
    return result(pthread_cond_signal((pthread_cond_t *) cond));
}


int
cnd_broadcast(cnd_t *cond)
{
    return result(pthread_cond_broadcast((pthread_cond_t *) cond));
}


int
cnd_wait(cnd_t *cond, mtx_t *mutex)
{
    return result(pthread_cond_wait((pthread_cond_t *) cond,
                                    (pthread_mutex_t *) mutex));
}


int
cnd_timedwait(cnd_t *restrict cond, mtx_t *restrict mutex,
    const struct timespec *restrict until)
{
    return result(pthread_cond_timedwait((pthread_cond_t *) cond,
                                         (pthread_mutex_t *) mutex, until));
}


void
cnd_destroy(cnd_t *cond)
{
    pthread_cond_destroy((pthread_cond_t *) cond);
}
