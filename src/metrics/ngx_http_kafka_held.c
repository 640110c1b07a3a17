
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_held.h>


static size_t   ngx_http_kafka_held_own;
static size_t  *ngx_http_kafka_held_total = &ngx_http_kafka_held_own;


void
ngx_http_kafka_held_add(ssize_t size)
{
    *ngx_http_kafka_held_total += size;
}


size_t
ngx_http_kafka_held(void)
{
    return *ngx_http_kafka_held_total;
}


void
ngx_http_kafka_held_move(size_t *held)
{
    if (held == NULL) {
        held = &ngx_http_kafka_held_own;
    }

    *held = *ngx_http_kafka_held_total;
    ngx_http_kafka_held_total = held;
}
