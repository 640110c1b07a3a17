
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_lookup.h>
#include <ngx_http_kafka_task.h>


static void ngx_http_kafka_lookup_task(void *data, ngx_log_t *log);
static ngx_int_t ngx_http_kafka_lookup_ask(ngx_http_kafka_lookup_t *lookup,
    ngx_http_kafka_lookup_name_t *name);
static void ngx_http_kafka_lookup_judge(ngx_http_kafka_lookup_name_t *name,
    const rd_kafka_metadata_topic_t *topic);


ngx_http_kafka_lookup_t *
ngx_http_kafka_lookup_create(const rd_kafka_conf_t *conf, ngx_msec_t timeout,
    ngx_event_handler_pt handler, void *data)
{
    ngx_thread_task_t        *task;
    ngx_http_kafka_lookup_t  *lookup;

    task = ngx_http_kafka_task_create(sizeof(ngx_http_kafka_lookup_t),
                                      ngx_http_kafka_lookup_task, handler);
    if (task == NULL) {
        return NULL;
    }

    lookup = task->ctx;
    lookup->data = data;
    lookup->task = task;
    lookup->conf = conf;
    lookup->timeout = timeout;

    return lookup;
}


void
ngx_http_kafka_lookup_add(ngx_http_kafka_lookup_t *lookup,
    ngx_http_kafka_topic_t *topic, ngx_uint_t creation)
{
    ngx_http_kafka_lookup_name_t  *name;

    name = &lookup->names[lookup->nnames++];

    name->topic = topic;
    name->name = (char *) topic->sn.str.data;
    name->creation = creation;
}


ngx_int_t
ngx_http_kafka_lookup_post(ngx_http_kafka_lookup_t *lookup,
    ngx_thread_pool_t *tp)
{
    return ngx_thread_task_post(tp, lookup->task);
}


/*
 * runs in a thread of the pool, which alone uses the look-up until it is done
 */

static void
ngx_http_kafka_lookup_task(void *data, ngx_log_t *log)
{
    ngx_http_kafka_lookup_t  *lookup = data;

    ngx_uint_t  i;

    if (lookup->rk == NULL) {
        lookup->rk = ngx_http_kafka_client_new_quiet(lookup->conf,
                                                     lookup->error);

        if (lookup->rk == NULL) {
            ngx_log_error(NGX_LOG_ERR, log, 0,
                          "kafka: no client for topic look-ups could be made: "
                          "%s", lookup->error);
            return;
        }
    }

    for (i = 0; i < lookup->nnames; i++) {
        if (ngx_http_kafka_lookup_ask(lookup, &lookup->names[i]) != NGX_OK) {
            return;
        }
    }
}


/* returns NGX_ERROR if no broker answers: the other names need not be tried */

static ngx_int_t
ngx_http_kafka_lookup_ask(ngx_http_kafka_lookup_t *lookup,
    ngx_http_kafka_lookup_name_t *name)
{
    rd_kafka_topic_t                *rkt;
    rd_kafka_resp_err_t              err;
    const struct rd_kafka_metadata  *metadata;

    rkt = rd_kafka_topic_new(lookup->rk, name->name, NULL);

    if (rkt == NULL) {
        name->err = rd_kafka_last_error();
        name->answered = 1;
        return NGX_OK;
    }

    err = rd_kafka_metadata(lookup->rk, 0, rkt, &metadata,
                            (int) lookup->timeout);

    rd_kafka_topic_destroy(rkt);

    lookup->slow = (err == RD_KAFKA_RESP_ERR__TIMED_OUT);

    if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return NGX_ERROR;
    }

    if (metadata->topic_cnt == 1) {
        ngx_http_kafka_lookup_judge(name, &metadata->topics[0]);
    }

    rd_kafka_metadata_destroy(metadata);

    return NGX_OK;
}


/* ignores an answer that may change soon: the name is looked up again */

static void
ngx_http_kafka_lookup_judge(ngx_http_kafka_lookup_name_t *name,
    const rd_kafka_metadata_topic_t *topic)
{
    switch (topic->err) {

    case RD_KAFKA_RESP_ERR_NO_ERROR:
        name->partitions = topic->partition_cnt;
        break;

    case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
        return;

    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
        if (name->creation) {
            return;
        }

        break;

    default:
        break;
    }

    name->err = topic->err;
    name->answered = 1;
}
