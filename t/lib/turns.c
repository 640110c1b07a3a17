/*
 * Preloaded into nginx, and compiled with FOLDER defined.  This folder has the
 * files:
 *
 *     turns        a line for each turn of the event loop with messages: how
 *                  many were handed to librdkafka, and how many were reported
 *     hold-loop    the event loop stops while this file exists
 *     held-loop    is created when the event loop has stopped
 */

#define _GNU_SOURCE

#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
#include <sys/epoll.h>
#include <librdkafka/rdkafka.h>


static __thread unsigned  sent;
static __thread unsigned  reported;


/* librdkafka calls this for each message, in the thread that produces it */

static rd_kafka_resp_err_t
on_send(rd_kafka_t *rk, rd_kafka_message_t *msg, void *data)
{
    (void) rk;
    (void) msg;
    (void) data;

    sent++;

    return RD_KAFKA_RESP_ERR_NO_ERROR;
}


static rd_kafka_resp_err_t
on_new(rd_kafka_t *rk, const rd_kafka_conf_t *conf, void *data, char *errstr,
    size_t size)
{
    (void) conf;
    (void) data;
    (void) errstr;
    (void) size;

    return rd_kafka_interceptor_add_on_send(rk, "turns", on_send, NULL);
}


rd_kafka_t *
rd_kafka_new(rd_kafka_type_t type, rd_kafka_conf_t *conf, char *errstr,
    size_t size)
{
    rd_kafka_t  *(*next)(rd_kafka_type_t, rd_kafka_conf_t *, char *, size_t);

    (void) rd_kafka_conf_interceptor_add_on_new(conf, "turns", on_new, NULL);

    *(void **) &next = dlsym(RTLD_NEXT, "rd_kafka_new");

    return next(type, conf, errstr, size);
}


const rd_kafka_message_t *
rd_kafka_event_message_next(rd_kafka_event_t *event)
{
    const rd_kafka_message_t  *msg;
    const rd_kafka_message_t  *(*next)(rd_kafka_event_t *);

    *(void **) &next = dlsym(RTLD_NEXT, "rd_kafka_event_message_next");

    msg = next(event);

    if (msg) {
        reported++;
    }

    return msg;
}


static void
end_turn(void)
{
    FILE  *f;

    if (sent == 0 && reported == 0) {
        return;
    }

    f = fopen(FOLDER "/turns", "a");

    if (f) {
        fprintf(f, "%u %u\n", sent, reported);
        fclose(f);
    }

    sent = 0;
    reported = 0;
}


int
epoll_wait(int fd, struct epoll_event *events, int max, int timeout)
{
    int  (*next)(int, struct epoll_event *, int, int);

    end_turn();

    while (access(FOLDER "/hold-loop", F_OK) == 0) {
        (void) close(open(FOLDER "/held-loop", O_WRONLY|O_CREAT, 0666));
        (void) usleep(1000);
    }

    *(void **) &next = dlsym(RTLD_NEXT, "epoll_wait");

    return next(fd, events, max, timeout);
}
