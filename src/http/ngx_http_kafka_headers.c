
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_headers.h>


static ngx_uint_t ngx_http_kafka_headers_preference(u_char **pos,
    u_char *last, const char *name, const char *value);
static void ngx_http_kafka_headers_trim(ngx_str_t *text);
static ngx_uint_t ngx_http_kafka_headers_is(ngx_str_t *text,
    const char *word);


ngx_table_elt_t *
ngx_http_kafka_headers_find(ngx_list_t *headers, const char *name,
    ngx_table_elt_t *after)
{
    size_t            len;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    len = ngx_strlen(name);

    for (part = &headers->part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (after) {
                if (&h[i] == after) {
                    after = NULL;
                }

                continue;
            }

            if (h[i].key.len == len
                && ngx_strncasecmp(h[i].key.data, (u_char *) name, len) == 0)
            {
                return &h[i];
            }
        }
    }

    return NULL;
}


ngx_uint_t
ngx_http_kafka_headers_prefer(ngx_http_request_t *r, const char *name,
    const char *value)
{
    u_char           *p, *last;
    ngx_table_elt_t  *h;

    h = NULL;

    for ( ;; ) {
        h = ngx_http_kafka_headers_find(&r->headers_in.headers, "Prefer", h);
        if (h == NULL) {
            return 0;
        }

        p = h->value.data;
        last = p + h->value.len;

        while (p < last) {

            if (ngx_http_kafka_headers_preference(&p, last, name, value)) {
                return 1;
            }
        }
    }
}


/* moves *pos behind the first preference; returns 1 if it is name=value */

static ngx_uint_t
ngx_http_kafka_headers_preference(u_char **pos, u_char *last,
    const char *name, const char *value)
{
    u_char     *p, *end;
    ngx_str_t   item, text;

    ngx_http_kafka_headers_item(pos, last, &item);

    p = item.data;
    last = p + item.len;

    /* parameters of a preference follow a semicolon */

    end = ngx_strlchr(p, last, ';');
    last = end ? end : last;

    end = ngx_strlchr(p, last, '=');
    if (end == NULL) {
        return 0;
    }

    text.data = p;
    text.len = end - p;

    if (!ngx_http_kafka_headers_is(&text, name)) {
        return 0;
    }

    text.data = end + 1;
    text.len = last - text.data;

    return ngx_http_kafka_headers_is(&text, value);
}


void
ngx_http_kafka_headers_item(u_char **pos, u_char *last, ngx_str_t *item)
{
    u_char  *p;

    p = ngx_strlchr(*pos, last, ',');

    item->data = *pos;
    item->len = (p ? p : last) - *pos;

    ngx_http_kafka_headers_trim(item);

    *pos = p ? p + 1 : last;
}


static void
ngx_http_kafka_headers_trim(ngx_str_t *text)
{
    u_char  *p, *last;

    p = text->data;
    last = p + text->len;

    while (p < last && (*p == ' ' || *p == '\t')) {
        p++;
    }

    while (p < last && (last[-1] == ' ' || last[-1] == '\t')) {
        last--;
    }

    text->data = p;
    text->len = last - p;
}


/* ignores case, blanks around the text, and quotation marks around it */

static ngx_uint_t
ngx_http_kafka_headers_is(ngx_str_t *text, const char *word)
{
    ngx_http_kafka_headers_trim(text);

    if (text->len > 1
        && text->data[0] == '"'
        && text->data[text->len - 1] == '"')
    {
        text->data++;
        text->len -= 2;
    }

    return text->len == ngx_strlen(word)
           && ngx_strncasecmp(text->data, (u_char *) word, text->len) == 0;
}


ngx_table_elt_t *
ngx_http_kafka_headers_add(ngx_http_request_t *r, const char *name,
    const char *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NULL;
    }

    h->hash = 1;
    h->key.data = (u_char *) name;
    h->key.len = ngx_strlen(name);
    h->value.data = (u_char *) value;
    h->value.len = ngx_strlen(value);
#if (nginx_version >= 1023000)
    h->next = NULL;
#endif

    return h;
}


ngx_int_t
ngx_http_kafka_headers_send(ngx_http_request_t *r, ngx_uint_t status,
    ngx_str_t *type, off_t length)
{
    u_char  *p;

    /* if an error_page has redirected the request, forget its error */
    r->err_status = 0;

    r->headers_out.status = status;
    r->headers_out.status_line.len = 0;
    r->headers_out.content_length_n = length;
    r->headers_out.content_type = *type;
    r->headers_out.content_type_len = type->len;

    /* exclude the parameters: gzip_types has types without them */

    p = ngx_strlchr(type->data, type->data + type->len, ';');

    if (p) {
        r->headers_out.content_type_len = p - type->data;
    }

    return ngx_http_send_header(r);
}
