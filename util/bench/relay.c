
/*
 * Copyright (C) The ngx_http_kafka authors
 */


/*
 * A long way to a server: a relay on 127.0.0.1 that holds each byte, in both
 * directions, for half of a round trip.
 *
 *     relay PORT SERVER_PORT MICROSECONDS
 *
 * In each direction of a connection one thread reads, and puts what it read
 * into a pipe with the time when it is due; another one takes it from there,
 * waits for that time, and writes.
 */

#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/prctl.h>
#include <sys/socket.h>


#define CHUNK      16384
#define PIPE_SIZE  1048576


typedef struct {
    struct timespec  due;
    size_t           len;
} piece_t;


typedef struct {
    int              in;
    int              out;
} ends_t;


static int server_socket(unsigned port);
static int connect_to(unsigned port);
static void open_way(int from, int to);
static void run(void *(*function)(void *), int in, int out);
static void *reader(void *data);
static void *writer(void *data);
static int whole_read(int fd, void *data, size_t len);
static int whole_write(int fd, const void *data, size_t len);
static void no_delay(int fd);
static void die(const char *what);


static long  delay;         /* nanoseconds, one way */


int
main(int argc, char **argv)
{
    int  fd, client, server;

    if (argc != 4) {
        fprintf(stderr, "relay PORT SERVER_PORT MICROSECONDS\n");
        return 2;
    }

    (void) signal(SIGPIPE, SIG_IGN);
    (void) prctl(PR_SET_PDEATHSIG, SIGTERM);

    delay = atol(argv[3]) * 1000 / 2;
    fd = server_socket(atoi(argv[1]));

    for ( ;; ) {
        client = accept(fd, NULL, NULL);
        if (client == -1) {
            die("accept()");
        }

        server = connect_to(atoi(argv[2]));

        if (server == -1) {
            (void) close(client);
            continue;
        }

        no_delay(client);
        no_delay(server);

        open_way(client, server);
        open_way(server, client);

        (void) close(client);
        (void) close(server);
    }
}


static int
server_socket(unsigned port)
{
    int                 fd, one;
    struct sockaddr_in  sin = { .sin_family = AF_INET };

    one = 1;
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sin.sin_port = htons(port);

    fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd == -1
        || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == -1
        || bind(fd, (struct sockaddr *) &sin, sizeof(sin)) == -1
        || listen(fd, 64) == -1)
    {
        die("listen()");
    }

    return fd;
}


static int
connect_to(unsigned port)
{
    int                 fd;
    struct sockaddr_in  sin = { .sin_family = AF_INET };

    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sin.sin_port = htons(port);

    fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd != -1
        && connect(fd, (struct sockaddr *) &sin, sizeof(sin)) == -1)
    {
        (void) close(fd);
        return -1;
    }

    return fd;
}


static void
open_way(int from, int to)
{
    int  fds[2];

    if (pipe(fds) == -1) {
        die("pipe()");
    }

    (void) fcntl(fds[1], F_SETPIPE_SZ, PIPE_SIZE);

    /* each thread closes its own two */

    run(reader, dup(from), fds[1]);
    run(writer, fds[0], dup(to));
}


static void
run(void *(*function)(void *), int in, int out)
{
    ends_t     *ends;
    pthread_t   tid;

    ends = malloc(sizeof(ends_t));
    if (ends == NULL) {
        die("malloc()");
    }

    ends->in = in;
    ends->out = out;

    errno = pthread_create(&tid, NULL, function, ends);
    if (errno) {
        die("pthread_create()");
    }

    (void) pthread_detach(tid);
}


static void *
reader(void *data)
{
    char      buf[CHUNK];
    ends_t   *ends = data;
    ssize_t   n;
    piece_t   piece;

    for ( ;; ) {
        n = read(ends->in, buf, CHUNK);
        if (n <= 0) {
            break;
        }

        (void) clock_gettime(CLOCK_MONOTONIC, &piece.due);

        piece.len = n;
        piece.due.tv_nsec += delay;
        piece.due.tv_sec += piece.due.tv_nsec / 1000000000;
        piece.due.tv_nsec %= 1000000000;

        if (whole_write(ends->out, &piece, sizeof(piece_t)) == -1
            || whole_write(ends->out, buf, n) == -1)
        {
            break;
        }
    }

    (void) close(ends->in);
    (void) close(ends->out);
    free(ends);

    return NULL;
}


static void *
writer(void *data)
{
    char      buf[CHUNK];
    ends_t   *ends = data;
    piece_t   piece;

    /* or Linux would be 50 us late */

    (void) prctl(PR_SET_TIMERSLACK, 1);

    while (whole_read(ends->in, &piece, sizeof(piece_t)) == 0
           && whole_read(ends->in, buf, piece.len) == 0)
    {
        (void) clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &piece.due,
                               NULL);

        if (whole_write(ends->out, buf, piece.len) == -1) {
            break;
        }
    }

    /* the reader of the other direction ends by this */

    (void) shutdown(ends->out, SHUT_RDWR);
    (void) close(ends->in);
    (void) close(ends->out);
    free(ends);

    return NULL;
}


static int
whole_read(int fd, void *data, size_t len)
{
    char     *p = data;
    ssize_t   n;

    for ( /* void */ ; len > 0; p += n, len -= n) {
        n = read(fd, p, len);
        if (n <= 0) {
            return -1;
        }
    }

    return 0;
}


static int
whole_write(int fd, const void *data, size_t len)
{
    ssize_t      n;
    const char  *p = data;

    for ( /* void */ ; len > 0; p += n, len -= n) {
        n = write(fd, p, len);
        if (n == -1) {
            return -1;
        }
    }

    return 0;
}


static void
no_delay(int fd)
{
    int  one;

    one = 1;

    (void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}


static void
die(const char *what)
{
    perror(what);
    exit(1);
}
