
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_FILE_H_INCLUDED_
#define _NGX_HTTP_KAFKA_FILE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Files that librdkafka opens each time it makes a client.  They are copied
 * here once, while the configuration is read, into memory that lasts as long as
 * the configuration.  So a key and its certificate still belong together when
 * the files are replaced, and workers need no permission to read them.
 */


typedef struct {
    ngx_str_t                    name;       /* as it is on disk */
    ngx_str_t                    path;       /* what librdkafka opens */
} ngx_http_kafka_file_t;


/*
 * Copies the file file->name and sets file->path.  A relative name is under
 * nginx's configuration directory.  Both end with a zero byte.  Returns NGX_OK,
 * NGX_DECLINED for a directory, which is not read, or NGX_ERROR, for a reason
 * that is logged.
 */
ngx_int_t ngx_http_kafka_file_read(ngx_conf_t *cf,
    ngx_http_kafka_file_t *file);

/* returns an error's text with the files' names in place of their paths */
char *ngx_http_kafka_file_names(ngx_pool_t *pool, ngx_array_t *files,
    char *text);


#endif /* _NGX_HTTP_KAFKA_FILE_H_INCLUDED_ */
