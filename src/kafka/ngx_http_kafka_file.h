
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_FILE_H_INCLUDED_
#define _NGX_HTTP_KAFKA_FILE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Files that librdkafka opens each time it makes a client.  They are read here,
 * once, while the configuration is read, into memory that lasts as long as the
 * configuration: a key and its certificate belong together, when the files are
 * replaced, too; and the process that reads may be allowed more than a worker.
 */


typedef struct {
    ngx_str_t                    name;       /* as it is on disk */
    ngx_str_t                    path;       /* what librdkafka opens */
} ngx_http_kafka_file_t;


/*
 * Sets file->path for the file->name, under nginx's configuration directory
 * where it is a relative one.  Both end with a zero byte.  NGX_DECLINED: it is
 * a directory, which is not read.  NGX_ERROR: the reason is logged.
 */
ngx_int_t ngx_http_kafka_file_read(ngx_conf_t *cf,
    ngx_http_kafka_file_t *file);

/* an error's text, with the files' names in the place of their paths */
char *ngx_http_kafka_file_names(ngx_pool_t *pool, ngx_array_t *files,
    char *text);


#endif /* _NGX_HTTP_KAFKA_FILE_H_INCLUDED_ */
