
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_PROMETHEUS_H_INCLUDED_
#define _NGX_HTTP_KAFKA_PROMETHEUS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http_kafka_snapshot.h>
#include <ngx_http_kafka_writer.h>


/* what the workers have counted, as Prometheus's text, version 0.0.4 */
void ngx_http_kafka_prometheus(ngx_http_kafka_writer_t *out,
    ngx_http_kafka_snapshot_t *snapshot, size_t max_memory);


#endif /* _NGX_HTTP_KAFKA_PROMETHEUS_H_INCLUDED_ */
