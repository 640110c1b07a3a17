
/*
 * Copyright (C) The ngx_http_kafka authors
 */


/*
 * Preloaded into nginx, it measures the turns of the event loop: from the
 * return of epoll_wait() to the next call of it.  The longest one is kept in
 * the file that TURNS names, as two numbers of 64 bits, in nanoseconds: the
 * CPU time of the thread, which other processes do not lengthen, and the time
 * by the clock.  Who writes zeros there starts anew.
 */

#define _GNU_SOURCE

#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>


typedef int (*wait_pt)(int epfd, struct epoll_event *events, int n,
    int timeout);


static void init(void) __attribute__((constructor));
static void longest(clockid_t id, uint64_t began, volatile uint64_t *max);
static uint64_t now(clockid_t id);


static wait_pt             real_wait;
static volatile uint64_t  *turns;


/* in the master: nginx takes the environment away from its workers */

static void
init(void)
{
    int          fd;
    void        *p;
    const char  *name;

    real_wait = (wait_pt) dlsym(RTLD_NEXT, "epoll_wait");

    name = getenv("TURNS");
    if (name == NULL) {
        return;
    }

    fd = open(name, O_RDWR|O_CLOEXEC);
    if (fd == -1) {
        return;
    }

    p = mmap(NULL, 2 * sizeof(uint64_t), PROT_READ|PROT_WRITE, MAP_SHARED, fd,
             0);

    if (p != MAP_FAILED) {
        turns = p;
    }

    (void) close(fd);
}


int
epoll_wait(int epfd, struct epoll_event *events, int n, int timeout)
{
    int              rc;

    static uint64_t  used, clock;

    if (turns && clock) {
        longest(CLOCK_THREAD_CPUTIME_ID, used, &turns[0]);
        longest(CLOCK_MONOTONIC, clock, &turns[1]);
    }

    rc = real_wait(epfd, events, n, timeout);

    used = now(CLOCK_THREAD_CPUTIME_ID);
    clock = now(CLOCK_MONOTONIC);

    return rc;
}


static void
longest(clockid_t id, uint64_t began, volatile uint64_t *max)
{
    uint64_t  took;

    took = now(id) - began;

    if (took > *max) {
        *max = took;
    }
}


static uint64_t
now(clockid_t id)
{
    struct timespec  ts;

    (void) clock_gettime(id, &ts);

    return (uint64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;
}
