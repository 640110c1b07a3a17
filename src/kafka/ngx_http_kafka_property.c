
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_property.h>


char *
ngx_http_kafka_property_table(void)
{
    FILE    *fp;
    char    *table;
    size_t   size;

    fp = open_memstream(&table, &size);
    if (fp == NULL) {
        return NULL;
    }

    rd_kafka_conf_properties_show(fp);

    if (fclose(fp) != 0) {
        free(table);
        return NULL;
    }

    return table;
}


char
ngx_http_kafka_property_owner(const char *table, ngx_str_t *name)
{
    const char  *p;

    for (p = table; p && *p; p = strchr(p, '\n')) {

        if (*p == '\n') {
            p++;
        }

        if (ngx_strncmp(p, name->data, name->len) == 0
            && p[name->len] == ' ')
        {
            p = strchr(p, '|');

            return p ? p[1 + strspn(p + 1, " ")] : 0;
        }
    }

    return 0;
}


ngx_int_t
ngx_http_kafka_property_number(rd_kafka_conf_t *conf, const char *name)
{
    char    value[32];
    size_t  size;

    size = sizeof(value);

    if (rd_kafka_conf_get(conf, name, value, &size) != RD_KAFKA_CONF_OK) {
        return NGX_ERROR;
    }

    return ngx_atoi((u_char *) value, ngx_strlen(value));
}


ngx_uint_t
ngx_http_kafka_property_cut(rd_kafka_conf_t *conf, ngx_str_t *name,
    ngx_str_t *value)
{
    char    kept[64];
    size_t  size, digits;

    size = sizeof(kept);
    digits = strspn((char *) value->data, "0123456789");

    return digits > 0 && digits < value->len && value->data[digits] != '.'
           && rd_kafka_conf_get(conf, (char *) name->data, kept, &size)
              == RD_KAFKA_CONF_OK
           && strlen(kept) == digits
           && ngx_strncmp(kept, value->data, digits) == 0;
}


ngx_uint_t
ngx_http_kafka_property_true(rd_kafka_conf_t *conf, const char *name)
{
    char    value[8];
    size_t  size;

    size = sizeof(value);

    return rd_kafka_conf_get(conf, name, value, &size) == RD_KAFKA_CONF_OK
           && ngx_strcmp(value, "true") == 0;
}
