
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_file.h>
#include <sys/mman.h>


/* required if vm.memfd_noexec is 2; older headers lack it */

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL  0x0008U
#endif


#define NGX_HTTP_KAFKA_FILE_BUFFER  4096

/* in bytes; OpenSSL takes seconds for a CA file of this size */
#define NGX_HTTP_KAFKA_FILE_MAX     (16 * 1024 * 1024)


static ngx_fd_t ngx_http_kafka_file_create(ngx_conf_t *cf,
    ngx_http_kafka_file_t *file);
static ngx_int_t ngx_http_kafka_file_copy(ngx_conf_t *cf,
    ngx_http_kafka_file_t *file, ngx_fd_t in, ngx_fd_t out);


ngx_int_t
ngx_http_kafka_file_read(ngx_conf_t *cf, ngx_http_kafka_file_t *file)
{
    ngx_fd_t         in, out;
    ngx_int_t        rc;
    ngx_file_info_t  fi;

    if (ngx_conf_full_name(cf->cycle, &file->name, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    /* do not block on a FIFO without a writer */

    in = ngx_open_file(file->name.data, NGX_FILE_RDONLY|NGX_FILE_NONBLOCK,
                       NGX_FILE_OPEN, 0);

    if (in == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" failed", &file->name);
        return NGX_ERROR;
    }

    rc = NGX_ERROR;

    if (ngx_fd_info(in, &fi) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_fd_info_n " \"%V\" failed", &file->name);

    } else if (ngx_is_dir(&fi)) {
        rc = NGX_DECLINED;

    } else if (!ngx_is_file(&fi)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" is not a file",
                           &file->name);

    } else if (ngx_file_size(&fi) > NGX_HTTP_KAFKA_FILE_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" is larger than %d bytes", &file->name,
                           NGX_HTTP_KAFKA_FILE_MAX);

    } else {
        out = ngx_http_kafka_file_create(cf, file);

        if (out != NGX_INVALID_FILE) {
            rc = ngx_http_kafka_file_copy(cf, file, in, out);
        }
    }

    if (ngx_close_file(in) == NGX_FILE_ERROR) {
        ngx_log_error(NGX_LOG_ALERT, cf->log, ngx_errno,
                      ngx_close_file_n " \"%V\" failed", &file->name);
    }

    return rc;
}


/*
 * Creates an anonymous file in memory.  A process may open its own descriptors
 * in /proc even after it has changed its user.
 */

static ngx_fd_t
ngx_http_kafka_file_create(ngx_conf_t *cf, ngx_http_kafka_file_t *file)
{
    ngx_fd_t                  fd;
    ngx_pool_cleanup_t       *cln;
    ngx_pool_cleanup_file_t  *clnf;

    file->path.data = ngx_pnalloc(cf->pool, sizeof("/proc/self/fd/")
                                            + NGX_INT_T_LEN);
    if (file->path.data == NULL) {
        return NGX_INVALID_FILE;
    }

    cln = ngx_pool_cleanup_add(cf->pool, sizeof(ngx_pool_cleanup_file_t));
    if (cln == NULL) {
        return NGX_INVALID_FILE;
    }

    fd = memfd_create("kafka", MFD_CLOEXEC|MFD_ALLOW_SEALING
                               |MFD_NOEXEC_SEAL);

    if (fd == -1 && ngx_errno == NGX_EINVAL) {

        /* Linux before 6.3 */

        fd = memfd_create("kafka", MFD_CLOEXEC|MFD_ALLOW_SEALING);
    }

    if (fd == -1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "memfd_create() for \"%V\" failed", &file->name);
        return NGX_INVALID_FILE;
    }

    cln->handler = ngx_pool_cleanup_file;
    clnf = cln->data;

    clnf->fd = fd;
    clnf->name = file->name.data;

    /* not cf->log, which may be freed with the previous configuration */
    clnf->log = &cf->cycle->new_log;

    file->path.len = ngx_sprintf(file->path.data, "/proc/self/fd/%d%Z", fd)
                     - file->path.data - 1;

    return fd;
}


static ngx_int_t
ngx_http_kafka_file_copy(ngx_conf_t *cf, ngx_http_kafka_file_t *file,
    ngx_fd_t in, ngx_fd_t out)
{
    u_char     buf[NGX_HTTP_KAFKA_FILE_BUFFER];
    ssize_t    n;
    ngx_int_t  rc;

    rc = NGX_OK;

    while ((n = ngx_read_fd(in, buf, sizeof(buf))) > 0) {

        if (ngx_write_fd(out, buf, n) != n) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                               ngx_write_fd_n " for \"%V\" failed",
                               &file->name);
            rc = NGX_ERROR;
            break;
        }
    }

    if (n == -1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_read_file_n " \"%V\" failed", &file->name);
        rc = NGX_ERROR;
    }

    ngx_explicit_memzero(buf, sizeof(buf));

    /* no worker may change what the other workers read */

    if (rc == NGX_OK
        && fcntl(out, F_ADD_SEALS,
                 F_SEAL_SHRINK|F_SEAL_GROW|F_SEAL_WRITE|F_SEAL_SEAL)
           == -1)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "fcntl(F_ADD_SEALS) for \"%V\" failed",
                           &file->name);
        rc = NGX_ERROR;
    }

    return rc;
}


char *
ngx_http_kafka_file_names(ngx_pool_t *pool, ngx_array_t *files, char *text)
{
    char                   *p;
    u_char                 *named;
    size_t                  size;
    ngx_uint_t              i;
    ngx_http_kafka_file_t  *file;

    file = files->elts;

    for (i = 0; i < files->nelts; i++) {

        p = strstr(text, (char *) file[i].path.data);

        if (p == NULL
            || (p[file[i].path.len] >= '0' && p[file[i].path.len] <= '9'))
        {
            continue;
        }

        size = strlen(text) + file[i].name.len + 1;

        named = ngx_pnalloc(pool, size);
        if (named == NULL) {
            break;
        }

        (void) ngx_snprintf(named, size, "%*s%V%s%Z", (size_t) (p - text),
                            text, &file[i].name, p + file[i].path.len);

        text = (char *) named;
    }

    return text;
}
