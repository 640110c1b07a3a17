/*
 * Preloaded into nginx: the name of a broker, "late.invalid", is resolved only
 * when the process is in exit() and OpenSSL has cleaned up, which goes on for
 * seconds more.  A thread that frees what belongs to OpenSSL then is reported.
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


/* before OpenSSL does: so it is called after OpenSSL's */

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
