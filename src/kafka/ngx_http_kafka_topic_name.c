
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_topic_name.h>


ngx_uint_t
ngx_http_kafka_topic_name_valid(ngx_str_t *name)
{
    size_t  i;
    u_char  ch;

    if (name->len == 0 || name->len > NGX_HTTP_KAFKA_TOPIC_MAX) {
        return 0;
    }

    for (i = 0; i < name->len; i++) {
        ch = name->data[i];

        if ((ch < 'a' || ch > 'z') && (ch < 'A' || ch > 'Z')
            && (ch < '0' || ch > '9') && ch != '.' && ch != '_' && ch != '-')
        {
            return 0;
        }
    }

    if (name->data[0] != '.') {
        return 1;
    }

    return name->len > 2 || (name->len == 2 && name->data[1] != '.');
}
