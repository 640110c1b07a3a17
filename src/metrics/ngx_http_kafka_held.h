
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_HELD_H_INCLUDED_
#define _NGX_HTTP_KAFKA_HELD_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* The bytes that all batches of this process hold.  Event loop. */


/* adds size bytes to the sum, or removes them if it is negative */
void ngx_http_kafka_held_add(ssize_t size);

/* returns the sum, in bytes */
size_t ngx_http_kafka_held(void);

/*
 * Moves the sum to *held, which must live until the next move: in memory that
 * other processes read.  With NULL it moves back into the process's own.
 */
void ngx_http_kafka_held_move(size_t *held);


#endif /* _NGX_HTTP_KAFKA_HELD_H_INCLUDED_ */
