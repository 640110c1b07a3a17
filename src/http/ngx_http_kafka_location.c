
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_location.h>
#include <ngx_http_kafka_partition.h>
#include <ngx_http_kafka_topic_name.h>


static const ngx_http_kafka_protocol_t
    *ngx_http_kafka_location_protocols[] = {
    &ngx_http_kafka_protocol_json,
    &ngx_http_kafka_protocol_raw,
    NULL
};


const ngx_http_kafka_protocol_t *
ngx_http_kafka_location_protocol(ngx_str_t *parameter)
{
    size_t                             len;
    const ngx_http_kafka_protocol_t  **protocol;

    len = sizeof("protocol=") - 1;

    if (ngx_strncmp(parameter->data, "protocol=", len) != 0) {
        return NULL;
    }

    for (protocol = ngx_http_kafka_location_protocols; *protocol; protocol++) {

        if (ngx_strcmp(parameter->data + len, (*protocol)->name.data) == 0) {
            return *protocol;
        }
    }

    return NULL;
}


ngx_uint_t
ngx_http_kafka_location_prefix(ngx_http_core_loc_conf_t *clcf)
{
#if (NGX_PCRE)

    if (clcf->regex) {
        return 0;
    }

#endif

    return clcf->name.len && clcf->name.data[0] == '/';
}


char *
ngx_http_kafka_location_check(ngx_conf_t *cf, ngx_http_kafka_loc_conf_t *klcf,
    ngx_http_core_loc_conf_t *clcf)
{
    const char                *what;
    ngx_http_complex_value_t  *topic, *partition;

    topic = klcf->topic;
    partition = klcf->partition;

    /* a value without variables has no lengths */

    if (topic
        && topic->lengths == NULL
        && !ngx_http_kafka_topic_name_valid(&topic->value))
    {
        what = "\"kafka_topic\" must be 1 to 249 of A-Z a-z 0-9 . _ -, not "
               "\".\" or \"..\", for the \"kafka_produce\"";

    } else if (partition
               && partition->lengths == NULL
               && partition->value.len
               && ngx_http_kafka_partition_number(&partition->value)
                  == NGX_ERROR)
    {
        what = "\"kafka_partition\" must be an integer from 0 to 2147483647, "
               "for the \"kafka_produce\"";

    } else if (klcf->protocol == &ngx_http_kafka_protocol_raw
               && topic == NULL
               && (!ngx_http_kafka_location_prefix(clcf) || clcf->exact_match))
    {
        what = "\"protocol=raw\" needs \"kafka_topic\" or a prefix location, "
               "where the path names the topic, for the \"kafka_produce\"";

    } else {
        return NGX_CONF_OK;
    }

    ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "%s in %s:%ui", what,
                  klcf->file, klcf->line);

    return NGX_CONF_ERROR;
}
