/*
 * Preloaded into nginx, with FILE_NAME defined: how many messages are handed to
 * librdkafka in a turn of the event loop, a line for each turn that had any.
 */

#define _GNU_SOURCE

#include <dlfcn.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <librdkafka/rdkafka.h>


static __thread unsigned  messages;


/* called in the thread that produces, for each message */

static rd_kafka_resp_err_t
on_send(rd_kafka_t *rk, rd_kafka_message_t *msg, void *data)
{
    (void) rk;
    (void) msg;
    (void) data;

    messages++;

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


int
epoll_wait(int fd, struct epoll_event *events, int max, int timeout)
{
    int   (*next)(int, struct epoll_event *, int, int);
    FILE  *f;

    if (messages) {
        f = fopen(FILE_NAME, "a");

        if (f) {
            fprintf(f, "%u\n", messages);
            fclose(f);
        }

        messages = 0;
    }

    *(void **) &next = dlsym(RTLD_NEXT, "epoll_wait");

    return next(fd, events, max, timeout);
}
