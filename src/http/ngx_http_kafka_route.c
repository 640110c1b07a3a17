
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_route.h>
#include <ngx_http_kafka_topic_name.h>


static ngx_int_t ngx_http_kafka_route_uri(ngx_str_t *uri, ngx_str_t *prefix,
    ngx_http_kafka_route_t *route);
static ngx_int_t ngx_http_kafka_route_raw_end(u_char *p, u_char *last);
static ngx_int_t ngx_http_kafka_route_raw_topic(ngx_pool_t *pool, u_char *p,
    u_char *last, ngx_http_kafka_route_t *route);
static ngx_int_t ngx_http_kafka_route_raw(ngx_http_request_t *r,
    ngx_pool_t *pool, ngx_str_t *prefix, ngx_http_kafka_route_t *route);
static ngx_int_t ngx_http_kafka_route_copy(ngx_pool_t *pool, ngx_str_t *text);
static ngx_int_t ngx_http_kafka_route_match(u_char **pos, u_char *last,
    ngx_str_t *text);
static ngx_int_t ngx_http_kafka_route_key(ngx_http_request_t *r,
    ngx_pool_t *pool, ngx_http_kafka_route_t *route);
static ngx_int_t ngx_http_kafka_route_unescape(ngx_pool_t *pool,
    ngx_str_t *dst, u_char *src, u_char *last, ngx_uint_t plus);
static ssize_t ngx_http_kafka_route_length(u_char *src, u_char *last);
static ngx_int_t ngx_http_kafka_route_byte(u_char **pos, u_char *last);


ngx_int_t
ngx_http_kafka_route(ngx_http_request_t *r, ngx_pool_t *pool,
    ngx_http_kafka_route_t *route)
{
    ngx_int_t                  rc;
    ngx_str_t                  prefix;
    ngx_http_core_loc_conf_t  *clcf;

    ngx_memzero(route, sizeof(ngx_http_kafka_route_t));

    route->error = "the path has a \"%\" without two hexadecimal digits";

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    prefix = clcf->name;

    if (prefix.len && prefix.data[prefix.len - 1] == '/') {
        prefix.len--;
    }

    rc = ngx_http_kafka_route_uri(&r->uri, &prefix, route);

    if (rc == NGX_OK) {
        rc = r->valid_unparsed_uri
             ? ngx_http_kafka_route_raw(r, pool, &prefix, route)
             : ngx_http_kafka_route_copy(pool, &route->message);
    }

    if (rc != NGX_OK || route->form == NGX_HTTP_KAFKA_ROUTE_ANY) {
        return rc;
    }

    if (!ngx_http_kafka_topic_name_valid(&route->topic)) {
        route->error = "the topic in the path must be 1 to 249 of "
                       "A-Z a-z 0-9 . _ -, not \".\" or \"..\"";
        return NGX_HTTP_BAD_REQUEST;
    }

    if (route->form == NGX_HTTP_KAFKA_ROUTE_MESSAGE) {
        return ngx_http_kafka_route_key(r, pool, route);
    }

    return NGX_OK;
}


/* accepts "", "/", "/topic", "/topic/" or "/topic/message" after the prefix */

static ngx_int_t
ngx_http_kafka_route_uri(ngx_str_t *uri, ngx_str_t *prefix,
    ngx_http_kafka_route_t *route)
{
    u_char  *p, *last, *slash;

    /* a rewrite that stays in the location can set any URI */

    if (uri->len < prefix->len
        || ngx_memcmp(uri->data, prefix->data, prefix->len) != 0)
    {
        route->error = "no such route: the URI was rewritten to one outside "
                       "the location";
        return NGX_HTTP_NOT_FOUND;
    }

    p = uri->data + prefix->len;
    last = uri->data + uri->len;

    if (p >= last) {
        return NGX_OK;
    }

    if (*p++ != '/') {
        route->error = "no such route: \"/\" must follow the location's name";
        return NGX_HTTP_NOT_FOUND;
    }

    if (p == last) {
        return NGX_OK;
    }

    slash = ngx_strlchr(p, last, '/');

    route->form = NGX_HTTP_KAFKA_ROUTE_TOPIC;
    route->topic.data = p;
    route->topic.len = (slash ? slash : last) - p;

    if (slash && slash + 1 < last) {
        route->form = NGX_HTTP_KAFKA_ROUTE_MESSAGE;
        route->message.data = slash + 1;
        route->message.len = last - route->message.data;
    }

    return NGX_OK;
}


/*
 * nginx has selected the location and its access rules by the normalised URI,
 * so the raw URI must have the same topic.  The message is taken from the raw
 * URI, where nginx has not merged slashes or resolved dots.
 */

static ngx_int_t
ngx_http_kafka_route_raw(ngx_http_request_t *r, ngx_pool_t *pool,
    ngx_str_t *prefix, ngx_http_kafka_route_t *route)
{
    u_char     *p, *last;
    ngx_int_t   rc;

    p = r->unparsed_uri.data;

    for (last = p; last < r->unparsed_uri.data + r->unparsed_uri.len; last++) {
        if (*last == '?' || *last == '#') {
            break;
        }
    }

    rc = ngx_http_kafka_route_match(&p, last, prefix);

    if (rc == NGX_OK) {
        rc = (route->form == NGX_HTTP_KAFKA_ROUTE_ANY)
             ? ngx_http_kafka_route_raw_end(p, last)
             : ngx_http_kafka_route_raw_topic(pool, p, last, route);
    }

    if (rc != NGX_DECLINED) {
        return rc;
    }

    route->error = "the path must name its topic plainly: without \"//\", "
                   "\".\" or \"..\" before the message";

    return NGX_HTTP_BAD_REQUEST;
}


/* returns NGX_OK, or NGX_DECLINED if something follows the location's name */

static ngx_int_t
ngx_http_kafka_route_raw_end(u_char *p, u_char *last)
{
    ngx_str_t  slash = ngx_string("/");

    if (p < last && ngx_http_kafka_route_match(&p, last, &slash) != NGX_OK) {
        return NGX_DECLINED;
    }

    return (p == last) ? NGX_OK : NGX_DECLINED;
}


/*
 * Returns NGX_OK, NGX_DECLINED if the raw URI has another topic, or an error of
 * ngx_http_kafka_route_unescape().
 */

static ngx_int_t
ngx_http_kafka_route_raw_topic(ngx_pool_t *pool, u_char *p, u_char *last,
    ngx_http_kafka_route_t *route)
{
    ngx_str_t  slash = ngx_string("/");

    if (ngx_http_kafka_route_match(&p, last, &slash) != NGX_OK
        || ngx_http_kafka_route_match(&p, last, &route->topic) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    if (p == last) {

        /* a message that "try_files" has added is not in the raw URI */

        return (route->form == NGX_HTTP_KAFKA_ROUTE_MESSAGE) ? NGX_DECLINED
                                                             : NGX_OK;
    }

    if (*p++ != '/') {
        return NGX_DECLINED;
    }

    if (p == last) {
        route->form = NGX_HTTP_KAFKA_ROUTE_TOPIC;
        return NGX_OK;
    }

    route->form = NGX_HTTP_KAFKA_ROUTE_MESSAGE;

    return ngx_http_kafka_route_unescape(pool, &route->message, p, last, 0);
}


/* copies a part of the URI of a rewrite or subrequest, which is decoded */

static ngx_int_t
ngx_http_kafka_route_copy(ngx_pool_t *pool, ngx_str_t *text)
{
    if (text->data == NULL) {
        return NGX_OK;
    }

    text->data = ngx_pstrdup(pool, text);

    return text->data ? NGX_OK : NGX_ERROR;
}


/*
 * Moves *pos behind the bytes that decode to text.  Returns NGX_DECLINED if the
 * bytes decode to anything else.
 */

static ngx_int_t
ngx_http_kafka_route_match(u_char **pos, u_char *last, ngx_str_t *text)
{
    size_t     i;
    u_char    *p;
    ngx_int_t  ch;

    p = *pos;

    for (i = 0; i < text->len; i++) {
        ch = ngx_http_kafka_route_byte(&p, last);

        if (ch != text->data[i]) {
            return NGX_DECLINED;
        }
    }

    *pos = p;

    return NGX_OK;
}


static ngx_int_t
ngx_http_kafka_route_key(ngx_http_request_t *r, ngx_pool_t *pool,
    ngx_http_kafka_route_t *route)
{
    ngx_int_t  rc;

    rc = ngx_http_kafka_route_argument(r, pool, "key", &route->key);

    if (rc == NGX_HTTP_BAD_REQUEST) {
        route->error = "the argument \"key\" has a \"%\" without two "
                       "hexadecimal digits";
    }

    return rc;
}


ngx_int_t
ngx_http_kafka_route_argument(ngx_http_request_t *r, ngx_pool_t *pool,
    const char *name, ngx_str_t *value)
{
    size_t   len;
    u_char  *p, *last, *end;

    ngx_str_null(value);

    if (r->args.len == 0) {
        return NGX_OK;
    }

    len = ngx_strlen(name);
    p = r->args.data;
    last = p + r->args.len;

    for ( /* void */ ; p < last; p = end + 1) {

        end = ngx_strlchr(p, last, '&');
        if (end == NULL) {
            end = last;
        }

        if ((size_t) (end - p) < len || ngx_strncmp(p, name, len) != 0) {
            continue;
        }

        p += len;

        if (p < end && *p != '=') {
            continue;
        }

        if (p < end) {
            p++;
        }

        return ngx_http_kafka_route_unescape(pool, value, p, end, 1);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_kafka_route_unescape(ngx_pool_t *pool, ngx_str_t *dst, u_char *src,
    u_char *last, ngx_uint_t plus)
{
    u_char   *p;
    ssize_t   len;

    len = ngx_http_kafka_route_length(src, last);
    if (len == NGX_ERROR) {
        return NGX_HTTP_BAD_REQUEST;
    }

    p = ngx_pnalloc(pool, ngx_max(len, 1));
    if (p == NULL) {
        return NGX_ERROR;
    }

    dst->data = p;
    dst->len = len;

    while (src < last) {

        if (plus && *src == '+') {
            *p++ = ' ';
            src++;
            continue;
        }

        *p++ = (u_char) ngx_http_kafka_route_byte(&src, last);
    }

    return NGX_OK;
}


/* returns the decoded length, or NGX_ERROR for an invalid escape */

static ssize_t
ngx_http_kafka_route_length(u_char *src, u_char *last)
{
    ssize_t  len;

    for (len = 0; src < last; len++) {
        if (ngx_http_kafka_route_byte(&src, last) == NGX_ERROR) {
            return NGX_ERROR;
        }
    }

    return len;
}


/*
 * Decodes a byte and moves *pos behind it.  Returns NGX_ERROR at the end of the
 * text, or for an invalid escape.
 */

static ngx_int_t
ngx_http_kafka_route_byte(u_char **pos, u_char *last)
{
    u_char     *p;
    ngx_int_t   ch;

    p = *pos;

    if (p == last) {
        return NGX_ERROR;
    }

    if (*p != '%') {
        *pos = p + 1;
        return *p;
    }

    if (last - p < 3) {
        return NGX_ERROR;
    }

    ch = ngx_hextoi(p + 1, 2);

    *pos = p + 3;

    return ch;
}


ngx_int_t
ngx_http_kafka_route_topic(ngx_http_request_t *r, ngx_str_t *topic)
{
    ngx_int_t               rc;
    ngx_http_kafka_route_t  route;

    rc = ngx_http_kafka_route(r, r->pool, &route);

    if (rc == NGX_OK) {
        *topic = route.topic;
        return NGX_OK;
    }

    return (rc == NGX_ERROR) ? NGX_ERROR : NGX_DECLINED;
}
