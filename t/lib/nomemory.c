
/*
 * Copyright (C) The ngx_http_kafka authors
 */


/*
 * Preloaded into nginx.  Allocations of nginx, the module and yajl fail at
 * random.  Those of librdkafka and other libraries never fail, because
 * librdkafka aborts the process when memory is out.
 *
 * All processes map the file that the variable NOMEMORY names.  The file has
 * these numbers: how many of a million allocations must fail, 0 at the start;
 * how many allocations were requested while that number was not 0; and how many
 * have failed in each of the objects below.
 */


#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>


#define OBJECTS  3


typedef struct {
    uint64_t   chance;
    uint64_t   asked;
    uint64_t   failed[OBJECTS];
} control_t;


typedef struct {
    uintptr_t  start;
    uintptr_t  end;
} range_t;


/* glibc's functions, which the functions below replace */

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static void open_control(void) __attribute__ ((constructor));
static void find_objects(void);
static int find_object(struct dl_phdr_info *info, size_t size, void *data);
static int caller(void *address);
static int fails(void *address);


/* parts of file names; the main program has an empty name */

static const char      *names[OBJECTS] = { "", "ngx_http_kafka_", "libyajl" };
static range_t          ranges[OBJECTS];
static control_t       *control;
static pthread_once_t   once = PTHREAD_ONCE_INIT;


static void
open_control(void)
{
    int          fd;
    void        *p;
    const char  *name;

    name = getenv("NOMEMORY");

    if (name == NULL || (fd = open(name, O_RDWR)) == -1) {
        return;
    }

    p = mmap(NULL, sizeof(control_t), PROT_READ|PROT_WRITE, MAP_SHARED, fd, 0);

    if (p != MAP_FAILED) {
        control = p;
    }

    close(fd);
}


static void
find_objects(void)
{
    (void) dl_iterate_phdr(find_object, NULL);
}


static int
find_object(struct dl_phdr_info *info, size_t size, void *data)
{
    int        i, k;
    uintptr_t  start;

    (void) size;
    (void) data;

    for (i = 0; i < OBJECTS; i++) {

        if (i == 0 ? info->dlpi_name[0] != '\0'
                   : strstr(info->dlpi_name, names[i]) == NULL)
        {
            continue;
        }

        for (k = 0; k < info->dlpi_phnum; k++) {
            if (info->dlpi_phdr[k].p_type == PT_LOAD
                && (info->dlpi_phdr[k].p_flags & PF_X))
            {
                start = info->dlpi_addr + info->dlpi_phdr[k].p_vaddr;
                ranges[i].start = start;
                ranges[i].end = start + info->dlpi_phdr[k].p_memsz;
            }
        }
    }

    return 0;
}


static int
caller(void *address)
{
    int  i;

    for (i = 0; i < OBJECTS; i++) {
        if ((uintptr_t) address >= ranges[i].start
            && (uintptr_t) address < ranges[i].end)
        {
            break;
        }
    }

    return i;
}


static int
fails(void *address)
{
    int       i;
    uint64_t  n;

    if (control == NULL
        || __atomic_load_n(&control->chance, __ATOMIC_RELAXED) == 0)
    {
        return 0;
    }

    /* do this now, when nginx has loaded its modules */

    (void) pthread_once(&once, find_objects);

    i = caller(address);

    if (i == OBJECTS) {
        return 0;
    }

    n = __atomic_add_fetch(&control->asked, 1, __ATOMIC_RELAXED);

    /* splitmix64 of the number of the allocation */

    n *= UINT64_C(0x9e3779b97f4a7c15);
    n = (n ^ (n >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    n = (n ^ (n >> 27)) * UINT64_C(0x94d049bb133111eb);
    n ^= n >> 31;

    if (n % 1000000 >= control->chance) {
        return 0;
    }

    (void) __atomic_add_fetch(&control->failed[i], 1, __ATOMIC_RELAXED);
    errno = ENOMEM;

    return 1;
}


void *
malloc(size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}


void *
calloc(size_t n, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_calloc(n, size);
}


void *
realloc(void *p, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_realloc(p, size);
}


void *
memalign(size_t alignment, size_t size)
{
    return fails(__builtin_return_address(0))
           ? NULL : __libc_memalign(alignment, size);
}


int
posix_memalign(void **p, size_t alignment, size_t size)
{
    void  *data;

    if (fails(__builtin_return_address(0))) {
        return ENOMEM;
    }

    data = __libc_memalign(alignment, size);
    if (data == NULL) {
        return ENOMEM;
    }

    *p = data;

    return 0;
}
