
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#ifndef _NGX_HTTP_KAFKA_RECORD_H_INCLUDED_
#define _NGX_HTTP_KAFKA_RECORD_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <librdkafka/rdkafka.h>


/* A record of a batch, allocated from the batch's pool.  Event loop. */


typedef struct ngx_http_kafka_batch_s   ngx_http_kafka_batch_t;
typedef struct ngx_http_kafka_record_s  ngx_http_kafka_record_t;
typedef struct ngx_http_kafka_header_s  ngx_http_kafka_header_t;
typedef struct ngx_http_kafka_target_s  ngx_http_kafka_target_t;
typedef struct ngx_http_kafka_topic_s   ngx_http_kafka_topic_t;
typedef struct ngx_http_kafka_lane_s    ngx_http_kafka_lane_t;
typedef struct ngx_http_kafka_shard_s   ngx_http_kafka_shard_t;


typedef enum {
    NGX_HTTP_KAFKA_RECORD_NEW = 0,
    NGX_HTTP_KAFKA_RECORD_SENT,
    NGX_HTTP_KAFKA_RECORD_ACKED,
    NGX_HTTP_KAFKA_RECORD_FAILED
} ngx_http_kafka_record_state_e;


struct ngx_http_kafka_header_s {
    ngx_http_kafka_header_t        *next;
    ngx_str_t                       key;
    ngx_str_t                       value;     /* data is NULL: null */
};


struct ngx_http_kafka_record_s {
    ngx_http_kafka_record_t        *next;
    ngx_queue_t                     queue;     /* of a lane, or shard->purged */
    ngx_http_kafka_batch_t         *batch;
    ngx_http_kafka_target_t        *target;
    ngx_http_kafka_lane_t          *lane;      /* NULL: not chosen yet */
    ngx_http_kafka_header_t        *headers;
    ngx_str_t                       key;       /* data is NULL: null */
    ngx_str_t                       value;
    int64_t                         timestamp; /* milliseconds, 0: none */
    int64_t                         offset;    /* negative: unknown */
    int32_t                         partition;
    uint32_t                        requests;  /* the client's, at hand-over */
    uint32_t                        serial;    /* its order in the lane */
    rd_kafka_resp_err_t             err;
    unsigned                        state:2;
    unsigned                        persisted:2; /* rd_kafka_msg_status_t */
    unsigned                        uncertain:1; /* may be in Kafka already */
};


/* returns the size in bytes that librdkafka compares with message.max.bytes */
size_t ngx_http_kafka_record_size(ngx_http_kafka_record_t *record);

/*
 * Marks the record as failed, when no further report of it will come.  If
 * record->uncertain is set, NOT_PERSISTED is stored as POSSIBLY_PERSISTED.
 */
void ngx_http_kafka_record_fail(ngx_http_kafka_record_t *record,
    rd_kafka_resp_err_t err, rd_kafka_msg_status_t persisted);


#endif /* _NGX_HTTP_KAFKA_RECORD_H_INCLUDED_ */
