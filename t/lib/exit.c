/*
 * Preloaded into nginx.  Delays the look-up of a broker's name, "late.invalid",
 * until the process is in exit() and OpenSSL has cleaned up.  exit() then lasts
 * for 3 more seconds.  Reports a thread that frees an SSL_CTX in this time.
 */

#define _GNU_SOURCE

#include <dlfcn.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>


static volatile int  exiting;


static void
linger(void)
{
    int  i;

    exiting = 1;

    for (i = 0; i < 300; i++) {
        usleep(10000);
    }
}


/* register before OpenSSL, so that linger() is called after its handler */

__attribute__((constructor)) static void
set_up(void)
{
    (void) atexit(linger);
}


int
getaddrinfo(const char *node, const char *service,
    const struct addrinfo *hints, struct addrinfo **res)
{
    int              (*next)(const char *, const char *,
                             const struct addrinfo *, struct addrinfo **);
    static const char  text[] = "late.invalid is looked up\n";

    if (node && strcmp(node, "late.invalid") == 0) {
        (void) !write(STDERR_FILENO, text, sizeof(text) - 1);

        while (!exiting) {
            usleep(10000);
        }

        return EAI_NONAME;
    }

    *(void **) &next = dlsym(RTLD_NEXT, "getaddrinfo");

    return next(node, service, hints, res);
}


void
SSL_CTX_free(void *ctx)
{
    void              (*next)(void *);
    static const char   text[] = "OpenSSL is used after its end\n";

    if (exiting) {
        (void) !write(STDERR_FILENO, text, sizeof(text) - 1);
        return;
    }

    *(void **) &next = dlsym(RTLD_NEXT, "SSL_CTX_free");
    next(ctx);
}
