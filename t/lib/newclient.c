
/*
 * Preloaded into nginx, and compiled with FOLDER defined.  Files in this folder
 * control the creation of librdkafka's clients:
 *
 *     hold        rd_kafka_new() waits while this file exists
 *     held        is created when a client waits
 *     fail        rd_kafka_new() fails while this file exists
 *     isolated    "hold" and "fail" affect only isolated clients, whose
 *                 max.in.flight is 1
 */

#define _GNU_SOURCE

#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <librdkafka/rdkafka.h>


static void
touch(const char *name)
{
    int  fd;

    fd = open(name, O_WRONLY|O_CREAT, 0666);

    if (fd != -1) {
        (void) close(fd);
    }
}


static int
meant(rd_kafka_conf_t *conf)
{
    char    value[16];
    size_t  size;

    if (access(FOLDER "/isolated", F_OK) != 0) {
        return 1;
    }

    size = sizeof(value);

    return rd_kafka_conf_get(conf, "max.in.flight", value, &size)
           == RD_KAFKA_CONF_OK
           && strcmp(value, "1") == 0;
}


rd_kafka_t *
rd_kafka_new(rd_kafka_type_t type, rd_kafka_conf_t *conf, char *errstr,
    size_t size)
{
    rd_kafka_t  *(*next)(rd_kafka_type_t, rd_kafka_conf_t *, char *, size_t);

    while (meant(conf) && access(FOLDER "/hold", F_OK) == 0) {
        touch(FOLDER "/held");
        (void) usleep(1000);
    }

    if (meant(conf) && access(FOLDER "/fail", F_OK) == 0) {
        (void) snprintf(errstr, size, "a test lets it fail");
        return NULL;
    }

    *(void **) &next = dlsym(RTLD_NEXT, "rd_kafka_new");

    return next(type, conf, errstr, size);
}
