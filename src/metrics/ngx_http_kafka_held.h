
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_HELD_H_INCLUDED_
#define _NGX_HTTP_KAFKA_HELD_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* The bytes that all batches of this process hold.  Event loop. */


/* from now on, or no longer (negative) */
void ngx_http_kafka_held_add(ssize_t size);

size_t ngx_http_kafka_held(void);

/* keeps the sum in memory that others read, too; NULL: no longer */
void ngx_http_kafka_held_move(size_t *held);


#endif /* _NGX_HTTP_KAFKA_HELD_H_INCLUDED_ */
