
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_errors.h>


#define RETRIABLE  NGX_HTTP_KAFKA_ERROR_RETRIABLE
#define UNCERTAIN  NGX_HTTP_KAFKA_ERROR_UNCERTAIN
#define REFUSED    NGX_HTTP_KAFKA_ERROR_REFUSED
#define BATCH      NGX_HTTP_KAFKA_ERROR_BATCH
#define CONNECT    NGX_HTTP_KAFKA_ERROR_CONNECT


#define NGX_HTTP_KAFKA_ERROR_TRANSIENT                                        \
    "the state of the cluster is temporary"

#define NGX_HTTP_KAFKA_ERROR_CREDENTIALS                                      \
    "the brokers refuse this server's credentials, its operator must fix them"

#define NGX_HTTP_KAFKA_ERROR_PERMISSION                                       \
    "the brokers' access rules do not allow this server to write"

#define NGX_HTTP_KAFKA_ERROR_CLIENT                                           \
    "the server replaces its Kafka client"


/*
 * docs/errors.md has the same table, and t/e2e/errors.py compares both with the
 * errors of the installed librdkafka.  Errors that are not listed are a 500
 * that another attempt does not help: those of consumers, groups, transactions
 * and administration.
 */

static const ngx_http_kafka_error_t  ngx_http_kafka_errors[] = {

    /* the message */

    /* not REFUSED: an earlier attempt may have been accepted */
    { RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP, 400, BATCH,
      "the topic limits how old or how new a timestamp may be" },
    { RD_KAFKA_RESP_ERR_INVALID_RECORD, 400, REFUSED|BATCH,
      "the topic refuses the message, a compacted topic needs a \"key\"" },
    { RD_KAFKA_RESP_ERR_POLICY_VIOLATION, 400, REFUSED,
      "a policy of the cluster refuses the message" },
    { RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, 400, REFUSED,
      "nothing can be produced to a topic of this name" },
    { RD_KAFKA_RESP_ERR__INVALID_ARG, 400, REFUSED, NULL },
    { RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, 413, REFUSED|BATCH,
      "the message is larger than the topic's \"max.message.bytes\"" },
    { RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE, 413, REFUSED|BATCH,
      "the message is larger than the topic's \"segment.bytes\"" },

    { RD_KAFKA_RESP_ERR__INVALID_DIFFERENT_RECORD, 503,
      RETRIABLE|BATCH, NGX_HTTP_KAFKA_ERROR_TRANSIENT },

    /* damaged in transit; librdkafka retries this error itself since 2.4 */
    { RD_KAFKA_RESP_ERR_INVALID_MSG, 500, RETRIABLE, NULL },

    /* permissions */

    { RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, 403, 0,
      NGX_HTTP_KAFKA_ERROR_PERMISSION },
    { RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, 403, 0,
      NGX_HTTP_KAFKA_ERROR_PERMISSION },
    { RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, 403, 0,
      NGX_HTTP_KAFKA_ERROR_PERMISSION },
    { RD_KAFKA_RESP_ERR__AUTHENTICATION, 503, CONNECT,
      NGX_HTTP_KAFKA_ERROR_CREDENTIALS },
    { RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED, 503, CONNECT,
      NGX_HTTP_KAFKA_ERROR_CREDENTIALS },
    { RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM, 503, CONNECT,
      NGX_HTTP_KAFKA_ERROR_CREDENTIALS },
    { RD_KAFKA_RESP_ERR_ILLEGAL_SASL_STATE, 503, CONNECT,
      NGX_HTTP_KAFKA_ERROR_CREDENTIALS },
    { RD_KAFKA_RESP_ERR_DELEGATION_TOKEN_EXPIRED, 503, 0,
      NGX_HTTP_KAFKA_ERROR_CREDENTIALS },
    { RD_KAFKA_RESP_ERR__SSL, 503, RETRIABLE|CONNECT,
      "TLS to the brokers fails, the operator of this server must fix it" },

    /* topics and partitions */

    { RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, 404, RETRIABLE,
      "the topic does not exist" },
    { RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, 404, RETRIABLE,
      "the topic does not exist" },

    /* the look-up has found it, and the producing client soon will */
    { RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, 503, RETRIABLE,
      "the topic or its partitions were changed a moment ago" },

    { RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_ID, 503, RETRIABLE|UNCERTAIN,
      "the topic was deleted or recreated recently" },

    /* time, and brokers that cannot be reached */

    { RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, 503, RETRIABLE, NULL },
    { RD_KAFKA_RESP_ERR__TIMED_OUT, 503, RETRIABLE, NULL },
    { RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE, 503, RETRIABLE, NULL },
    { RD_KAFKA_RESP_ERR__TRANSPORT, 503, RETRIABLE, NULL },
    { RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, 503, RETRIABLE, NULL },
    { RD_KAFKA_RESP_ERR__RESOLVE, 503, RETRIABLE|CONNECT,
      "a broker's name cannot be resolved" },
    { RD_KAFKA_RESP_ERR__NO_OFFSET, 503, RETRIABLE,
      "librdkafka assumes that Kafka has it, no broker has confirmed it" },
    { RD_KAFKA_RESP_ERR__BAD_MSG, 503, RETRIABLE,
      "the broker's answer could not be read" },
    { RD_KAFKA_RESP_ERR__UNDERFLOW, 503, RETRIABLE,
      "the broker's answer could not be read" },
    { RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT, 504, RETRIABLE|UNCERTAIN,
      "the replicas were too slow" },
    { RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION, 503, RETRIABLE|UNCERTAIN,
      NGX_HTTP_KAFKA_ERROR_TRANSIENT },
    { RD_KAFKA_RESP_ERR_UNKNOWN, 500, UNCERTAIN,
      "the broker failed, its log has the reason" },

    /* replicas and leaders */

    { RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, 503, RETRIABLE,
      "fewer replicas are in sync than the topic's \"min.insync.replicas\"" },
    { RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND, 503,
      RETRIABLE|UNCERTAIN,
      "fewer replicas are in sync than the topic's \"min.insync.replicas\"" },
    { RD_KAFKA_RESP_ERR__ISR_INSUFF, 503, RETRIABLE,
      "fewer replicas are in sync than the topic's \"min.insync.replicas\"" },
    { RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, 503, RETRIABLE|UNCERTAIN,
      NGX_HTTP_KAFKA_ERROR_TRANSIENT },

    /*
     * a leader that was deposed after it had appended the message says this,
     * too
     */
    { RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, 503, RETRIABLE|UNCERTAIN,
      NGX_HTTP_KAFKA_ERROR_TRANSIENT },
    { RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH, 503, RETRIABLE|UNCERTAIN,
      NGX_HTTP_KAFKA_ERROR_TRANSIENT },
    { RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH, 503, RETRIABLE,
      NGX_HTTP_KAFKA_ERROR_TRANSIENT },
    { RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR, 503, RETRIABLE|UNCERTAIN,
      "a broker's disk failed" },
    { RD_KAFKA_RESP_ERR_LOG_DIR_NOT_FOUND, 503, RETRIABLE,
      "a broker's disk failed" },
    { RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE, 503, RETRIABLE,
      NGX_HTTP_KAFKA_ERROR_TRANSIENT },
    { RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE, 503, RETRIABLE,
      NGX_HTTP_KAFKA_ERROR_TRANSIENT },
    { RD_KAFKA_RESP_ERR_PREFERRED_LEADER_NOT_AVAILABLE, 503, RETRIABLE,
      NGX_HTTP_KAFKA_ERROR_TRANSIENT },
    { RD_KAFKA_RESP_ERR_ELIGIBLE_LEADERS_NOT_AVAILABLE, 503, RETRIABLE,
      NGX_HTTP_KAFKA_ERROR_TRANSIENT },
    { RD_KAFKA_RESP_ERR_REASSIGNMENT_IN_PROGRESS, 503, RETRIABLE,
      NGX_HTTP_KAFKA_ERROR_TRANSIENT },
    { RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE, 503, RETRIABLE,
      NGX_HTTP_KAFKA_ERROR_TRANSIENT },
    { RD_KAFKA_RESP_ERR_STALE_CTRL_EPOCH, 503, RETRIABLE,
      NGX_HTTP_KAFKA_ERROR_TRANSIENT },
    { RD_KAFKA_RESP_ERR_STALE_BROKER_EPOCH, 503, RETRIABLE,
      NGX_HTTP_KAFKA_ERROR_TRANSIENT },
    { RD_KAFKA_RESP_ERR_NOT_CONTROLLER, 503, RETRIABLE,
      NGX_HTTP_KAFKA_ERROR_TRANSIENT },
    { RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, 503, RETRIABLE,
      NGX_HTTP_KAFKA_ERROR_TRANSIENT },
    { RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE, 503, RETRIABLE,
      NGX_HTTP_KAFKA_ERROR_TRANSIENT },
    { RD_KAFKA_RESP_ERR_NOT_COORDINATOR, 503, RETRIABLE,
      NGX_HTTP_KAFKA_ERROR_TRANSIENT },
    { RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS, 503, RETRIABLE,
      NGX_HTTP_KAFKA_ERROR_TRANSIENT },
    { RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED, 503, RETRIABLE,
      "the cluster's quota for this server is used up, send less" },

    /* the idempotent producer: a new client gets a new producer id */

    { RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, 503,
      RETRIABLE|UNCERTAIN, NGX_HTTP_KAFKA_ERROR_CLIENT },
    { RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID, 503, RETRIABLE,
      NGX_HTTP_KAFKA_ERROR_CLIENT },
    { RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, 503, RETRIABLE,
      NGX_HTTP_KAFKA_ERROR_CLIENT },
    { RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING, 503, RETRIABLE,
      NGX_HTTP_KAFKA_ERROR_CLIENT },
    { RD_KAFKA_RESP_ERR_PRODUCER_FENCED, 503, RETRIABLE,
      NGX_HTTP_KAFKA_ERROR_CLIENT },
    { RD_KAFKA_RESP_ERR__FENCED, 503, RETRIABLE, NGX_HTTP_KAFKA_ERROR_CLIENT },
    { RD_KAFKA_RESP_ERR__INCONSISTENT, 503, RETRIABLE,
      NGX_HTTP_KAFKA_ERROR_CLIENT },
    { RD_KAFKA_RESP_ERR__GAPLESS_GUARANTEE, 503, RETRIABLE,
      NGX_HTTP_KAFKA_ERROR_CLIENT },
    { RD_KAFKA_RESP_ERR__FATAL, 503, RETRIABLE, NGX_HTTP_KAFKA_ERROR_CLIENT },
    { RD_KAFKA_RESP_ERR__PURGE_QUEUE, 503, RETRIABLE,
      NGX_HTTP_KAFKA_ERROR_CLIENT },
    { RD_KAFKA_RESP_ERR__PURGE_INFLIGHT, 503, RETRIABLE,
      NGX_HTTP_KAFKA_ERROR_CLIENT },
    { RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE, 500, 0,
      "the brokers lack a feature that this server's configuration needs" },
    { RD_KAFKA_RESP_ERR_UNSUPPORTED_COMPRESSION_TYPE, 500, 0,
      "the brokers do not support this server's \"compression.type\"" },

    /* this server */

    { RD_KAFKA_RESP_ERR__QUEUE_FULL, 503, RETRIABLE,
      "too much waits for Kafka" },
    { RD_KAFKA_RESP_ERR__DESTROY, 503, RETRIABLE,
      "the server is shutting down" },
    { RD_KAFKA_RESP_ERR__STATE, 503, RETRIABLE, NULL },
    { RD_KAFKA_RESP_ERR__FAIL, 503, RETRIABLE, NULL },
    { RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE, 503, RETRIABLE,
      "the server lacks memory or another resource" },
    { RD_KAFKA_RESP_ERR__RETRY, 503, RETRIABLE, NULL },
    { RD_KAFKA_RESP_ERR__DESTROY_BROKER, 503, RETRIABLE, NULL },
    { RD_KAFKA_RESP_ERR__WAIT_CACHE, 503, RETRIABLE, NULL },
    { RD_KAFKA_RESP_ERR__WAIT_COORD, 503, RETRIABLE, NULL },
    { RD_KAFKA_RESP_ERR__IN_PROGRESS, 503, RETRIABLE, NULL },
    { RD_KAFKA_RESP_ERR__PREV_IN_PROGRESS, 503, RETRIABLE, NULL },
    { RD_KAFKA_RESP_ERR__INTR, 503, RETRIABLE, NULL },

    { RD_KAFKA_RESP_ERR_NO_ERROR, 0, 0, NULL }
};


static const ngx_http_kafka_error_t  ngx_http_kafka_error_other = {
    RD_KAFKA_RESP_ERR_UNKNOWN, 500, 0, NULL
};


const ngx_http_kafka_error_t *
ngx_http_kafka_error(rd_kafka_resp_err_t err)
{
    const ngx_http_kafka_error_t  *e;

    for (e = ngx_http_kafka_errors; e->status; e++) {
        if (e->err == err) {
            return e;
        }
    }

    return &ngx_http_kafka_error_other;
}


ngx_uint_t
ngx_http_kafka_error_status(rd_kafka_resp_err_t err,
    rd_kafka_msg_status_t persisted)
{
    ngx_uint_t  status;

    status = ngx_http_kafka_error(err)->status;

    /* the message was sent, and its outcome is not known */

    if (status == 503
        && persisted == RD_KAFKA_MSG_STATUS_POSSIBLY_PERSISTED
        && err != RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND)
    {
        status = 504;
    }

    return status;
}


/* after a look-up, an unknown partition is the caller's fault */

ngx_uint_t
ngx_http_kafka_error_unsent_status(rd_kafka_resp_err_t err)
{
    if (err == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION) {
        return 400;
    }

    return ngx_http_kafka_error_status(err, RD_KAFKA_MSG_STATUS_NOT_PERSISTED);
}


const char *
ngx_http_kafka_error_unsent(rd_kafka_resp_err_t err)
{
    switch (err) {

    case RD_KAFKA_RESP_ERR__DESTROY:
        return "the server is shutting down, send the request again";

    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM:
    case RD_KAFKA_RESP_ERR_ILLEGAL_SASL_STATE:
        return "the Kafka brokers refuse this server's credentials, its "
               "operator must fix them";

    case RD_KAFKA_RESP_ERR__SSL:
        return "TLS to the Kafka brokers fails, their certificate or this "
               "server's is not accepted: its operator must fix that";

    case RD_KAFKA_RESP_ERR__RESOLVE:
        return "the Kafka brokers' names cannot be resolved, the operator of "
               "this server must fix that";

    default:
        return "no Kafka broker answered in time, try again later";
    }
}


u_char *
ngx_http_kafka_error_refusal(u_char *p, u_char *last, rd_kafka_resp_err_t err,
    ngx_str_t *topic, int32_t partition)
{
    switch (err) {

    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
        return ngx_slprintf(p, last, "topic \"%V\" does not exist", topic);

    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
        return ngx_slprintf(p, last, "topic \"%V\" is refused by the brokers' "
                            "access rules", topic);

    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
        return ngx_slprintf(p, last, "topic \"%V\" has no partition %D", topic,
                            partition);

    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
        return ngx_slprintf(p, last, "key, value and headers are larger than "
                            "the producer's \"message.max.bytes\"");

    default:
        return ngx_slprintf(p, last, "topic \"%V\": %s", topic,
                            rd_kafka_err2str(err));
    }
}


const char *
ngx_http_kafka_error_name(rd_kafka_resp_err_t err)
{
    return rd_kafka_err2name(err);
}


size_t
ngx_http_kafka_error_longest_name(void)
{
    size_t                           i, n;
    const struct rd_kafka_err_desc  *descs;
    static size_t                    longest;

    if (longest == 0) {
        rd_kafka_get_err_descs(&descs, &n);

        /* for a code that librdkafka has no name for */
        longest = sizeof("ERR_?") + NGX_INT32_LEN;

        for (i = 0; i < n; i++) {
            if (descs[i].name) {
                longest = ngx_max(longest, ngx_strlen(descs[i].name));
            }
        }
    }

    return longest;
}


const char *
ngx_http_kafka_error_text(rd_kafka_resp_err_t err)
{
    return rd_kafka_err2str(err);
}
