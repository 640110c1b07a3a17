
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_METRICS_JSON_H_INCLUDED_
#define _NGX_HTTP_KAFKA_METRICS_JSON_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http_kafka_snapshot.h>
#include <ngx_http_kafka_writer.h>


/*
 * Writes the snapshot as a JSON object.  max_memory is kafka_max_memory, in
 * bytes.  Sets out->failed when memory is out.  Event loop.
 */
void ngx_http_kafka_metrics_json(ngx_http_kafka_writer_t *out,
    ngx_http_kafka_snapshot_t *snapshot, size_t max_memory);


#endif /* _NGX_HTTP_KAFKA_METRICS_JSON_H_INCLUDED_ */
