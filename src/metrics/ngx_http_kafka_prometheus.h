
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_PROMETHEUS_H_INCLUDED_
#define _NGX_HTTP_KAFKA_PROMETHEUS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http_kafka_snapshot.h>
#include <ngx_http_kafka_writer.h>


/*
 * Writes the snapshot in Prometheus's text format, version 0.0.4.  max_memory
 * is kafka_max_memory, in bytes.  Sets out->failed when memory is out.  Event
 * loop.
 */
void ngx_http_kafka_prometheus(ngx_http_kafka_writer_t *out,
    ngx_http_kafka_snapshot_t *snapshot, size_t max_memory);


#endif /* _NGX_HTTP_KAFKA_PROMETHEUS_H_INCLUDED_ */
