
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_outcome.h>
#include <ngx_http_kafka_client.h>
#include <ngx_http_kafka_errors.h>


/*
 * An idempotent client takes the success of a later request to a partition for
 * an acknowledgement of all earlier records (rd_kafka_dr_implicit_ack()).  That
 * is wrong if the broker does not know the producer id on the partition: it
 * then accepts any sequence number, and the earlier records may be absent.
 */

rd_kafka_resp_err_t
ngx_http_kafka_outcome_err(const rd_kafka_message_t *msg)
{
    if (msg->err == RD_KAFKA_RESP_ERR_NO_ERROR
        && msg->offset == RD_KAFKA_OFFSET_INVALID)
    {
        return RD_KAFKA_RESP_ERR__NO_OFFSET;
    }

    return msg->err;
}


/*
 * librdkafka reports a record as not persisted after some errors that do not
 * prove it.  A leader that is deposed while replicas copy the record answers
 * that it is not the leader.  A response that cannot be parsed counts as a
 * failure.  An earlier attempt may have ended like that, even if the last
 * attempt proves something.  So the record is certainly absent only if no
 * request was sent since it was handed over, or if its only attempt was
 * certainly refused.
 */

rd_kafka_msg_status_t
ngx_http_kafka_outcome_persisted(rd_kafka_t *rk, const rd_kafka_message_t *msg,
    ngx_msec_t backoff, ngx_uint_t idempotent)
{
    uint32_t                  sent;
    ngx_uint_t                flags;
    rd_kafka_resp_err_t       err;
    rd_kafka_msg_status_t     persisted;
    ngx_http_kafka_record_t  *record;

    err = ngx_http_kafka_outcome_err(msg);

    if (err == RD_KAFKA_RESP_ERR__NO_OFFSET) {
        return RD_KAFKA_MSG_STATUS_POSSIBLY_PERSISTED;
    }

    persisted = rd_kafka_message_status(msg);

    if (err == RD_KAFKA_RESP_ERR_NO_ERROR
        || persisted != RD_KAFKA_MSG_STATUS_NOT_PERSISTED)
    {
        return persisted;
    }

    record = msg->_private;
    sent = ngx_http_kafka_client_requests(rk) - record->requests;

    if (sent == 0) {
        return persisted;
    }

    flags = ngx_http_kafka_error(err)->flags;

    if ((flags & NGX_HTTP_KAFKA_ERROR_REFUSED) && idempotent) {

        /*
         * a retry has the same records: a leader that had appended them would
         * have found them valid
         */

        return persisted;
    }

    /*
     * a broker's error is the answer to the last request, and a retry would
     * have been sent at least the backoff after the first attempt
     */

    if (err > RD_KAFKA_RESP_ERR_NO_ERROR
        && rd_kafka_message_broker_id(msg) >= 0
        && !(flags & NGX_HTTP_KAFKA_ERROR_UNCERTAIN)
        && (sent == 1
            || ngx_http_kafka_client_sending(rk, record->requests) < backoff))
    {
        return persisted;
    }

    return RD_KAFKA_MSG_STATUS_POSSIBLY_PERSISTED;
}
