
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_HELD_H_INCLUDED_
#define _NGX_HTTP_KAFKA_HELD_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* The memory that all batches of this process use, in bytes.  Event loop. */


/* adds size, in bytes, to the sum; size may be negative */
void ngx_http_kafka_held_add(ssize_t size);

/* returns the sum, in bytes */
size_t ngx_http_kafka_held(void);

/*
 * Moves the sum to *held in shared memory, where other processes can read it.
 * *held must be valid until the next move.  With NULL, moves the sum back to
 * the process's own memory.
 */
void ngx_http_kafka_held_move(size_t *held);


#endif /* _NGX_HTTP_KAFKA_HELD_H_INCLUDED_ */
