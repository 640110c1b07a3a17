
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_FILE_H_INCLUDED_
#define _NGX_HTTP_KAFKA_FILE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Files that librdkafka opens each time it creates a client.  They are copied
 * once, while the configuration is read, into memory that lasts as long as the
 * configuration.  So a key and its certificate still match after the files were
 * replaced, and workers need no permission to read them.
 */


typedef struct {
    ngx_str_t                    name;       /* on disk */
    ngx_str_t                    path;       /* for librdkafka */
} ngx_http_kafka_file_t;


/*
 * Copies the file file->name and sets file->path.  A relative name is resolved
 * against nginx's configuration directory.  Both strings end with a zero byte.
 * Returns NGX_OK, NGX_DECLINED for a directory, which is not read, or NGX_ERROR
 * if an error was logged.
 */
ngx_int_t ngx_http_kafka_file_read(ngx_conf_t *cf,
    ngx_http_kafka_file_t *file);

/* returns the error text, with the paths in it replaced by the files' names */
char *ngx_http_kafka_file_names(ngx_pool_t *pool, ngx_array_t *files,
    char *text);


#endif /* _NGX_HTTP_KAFKA_FILE_H_INCLUDED_ */
