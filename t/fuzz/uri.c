
/*
 * Copyright (C) The ngx_http_kafka authors
 */


/*
 * The path of a request line, through nginx's own parser, to topic, message
 * and key, held against a plain reading of the contract.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_http_kafka_route.h>
#include <ctype.h>


#define FUZZ_PREFIX  "/produce"


int LLVMFuzzerTestOneInput(const u_char *data, size_t size);
static ngx_int_t fuzz_request(ngx_http_request_t *r, ngx_buf_t *b);
static void fuzz_check(ngx_http_request_t *r, ngx_int_t rc,
    ngx_http_kafka_route_t *route);
static size_t fuzz_decode(u_char *dst, u_char *src, u_char *last);
static ngx_uint_t fuzz_same(ngx_str_t *text, u_char *data, size_t len);


static ngx_log_t  fuzz_log;


/* what of nginx the path needs, or drags in */

volatile ngx_cycle_t  *ngx_cycle;
volatile ngx_str_t     ngx_cached_err_log_time;
volatile ngx_msec_t    ngx_current_msec;
ngx_pid_t              ngx_pid;
ngx_queue_t            ngx_posted_next_events;
int                    ngx_argc;
ngx_module_t           ngx_http_core_module;


void
ngx_log_error_core(ngx_uint_t level, ngx_log_t *log, ngx_err_t err,
    const char *fmt, ...)
{
    (void) level;
    (void) log;
    (void) err;
    (void) fmt;
}


int
LLVMFuzzerTestOneInput(const u_char *data, size_t size)
{
    void                      *loc_conf[1];
    ngx_buf_t                  b;
    ngx_int_t                  rc;
    ngx_str_t                  location = ngx_string(FUZZ_PREFIX);
    ngx_connection_t           c;
    ngx_http_request_t         r;
    ngx_http_kafka_route_t     route;
    ngx_http_core_loc_conf_t   clcf;

    ngx_pagesize = 4096;

    ngx_memzero(&r, sizeof(ngx_http_request_t));
    ngx_memzero(&b, sizeof(ngx_buf_t));
    ngx_memzero(&c, sizeof(ngx_connection_t));

    /* the index of ngx_http_core_module is 0 */

    clcf.name = location;
    loc_conf[0] = &clcf;

    c.log = &fuzz_log;
    r.connection = &c;
    r.loc_conf = loc_conf;
    r.pool = ngx_create_pool(1024, &fuzz_log);

    b.start = ngx_pnalloc(r.pool, size + 64);
    b.pos = b.start;
    b.last = ngx_cpymem(b.pos, "GET " FUZZ_PREFIX,
                        sizeof("GET " FUZZ_PREFIX) - 1);
    b.last = ngx_cpymem(b.last, data, size);
    b.last = ngx_cpymem(b.last, " HTTP/1.1\r\n", 11);

    if (fuzz_request(&r, &b) == NGX_OK
        && r.uri.len >= location.len
        && ngx_strncmp(r.uri.data, location.data, location.len) == 0)
    {
        rc = ngx_http_kafka_route(&r, r.pool, &route);
        fuzz_check(&r, rc, &route);
    }

    ngx_destroy_pool(r.pool);

    return 0;
}


/* as ngx_http_process_request_uri() does */

static ngx_int_t
fuzz_request(ngx_http_request_t *r, ngx_buf_t *b)
{
    if (ngx_http_parse_request_line(r, b) != NGX_OK || r->uri_start == NULL) {
        return NGX_ERROR;
    }

    r->unparsed_uri.data = r->uri_start;
    r->unparsed_uri.len = r->uri_end - r->uri_start;
    r->valid_unparsed_uri = r->empty_path_in_uri ? 0 : 1;

    r->uri.len = (r->args_start ? r->args_start - 1 : r->uri_end)
                 - r->uri_start;

    if (r->complex_uri || r->quoted_uri || r->empty_path_in_uri) {
        r->uri.data = ngx_pnalloc(r->pool, r->uri.len + 1);

        if (ngx_http_parse_complex_uri(r, 1) != NGX_OK) {
            return NGX_ERROR;
        }

    } else {
        r->uri.data = r->uri_start;
    }

    if (r->args_start && r->uri_end > r->args_start) {
        r->args.len = r->uri_end - r->args_start;
        r->args.data = r->args_start;
    }

    return NGX_OK;
}


static void
fuzz_check(ngx_http_request_t *r, ngx_int_t rc, ngx_http_kafka_route_t *route)
{
    u_char      *p, *last, *slash, *topic, *message;
    size_t       n, len;
    ngx_uint_t   i;

    if (rc != NGX_OK) {
        if (route->error == NULL) {
            abort();
        }

        return;
    }

    if (route->form == NGX_HTTP_KAFKA_ROUTE_ANY || !r->valid_unparsed_uri) {
        return;
    }

    /* the raw path, decoded, must hold prefix, "/" and the topic */

    p = r->unparsed_uri.data;
    last = p + r->unparsed_uri.len;

    for (i = 0; i < r->unparsed_uri.len; i++) {
        if (p[i] == '?' || p[i] == '#') {
            last = p + i;
            break;
        }
    }

    /* the prefix is literal in what is made here; then "/" or "%2F" */

    p += sizeof(FUZZ_PREFIX) - 1;
    p += (*p == '%') ? 3 : 1;

    slash = ngx_strlchr(p, last, '/');

    topic = ngx_pnalloc(r->pool, last - p + 1);
    n = fuzz_decode(topic, p, slash ? slash : last);

    if (!fuzz_same(&route->topic, topic, n)) {
        abort();
    }

    if (route->form == NGX_HTTP_KAFKA_ROUTE_TOPIC) {
        if (slash && slash + 1 != last) {
            abort();
        }

        return;
    }

    if (slash == NULL) {
        abort();
    }

    message = ngx_pnalloc(r->pool, last - slash + 1);
    len = fuzz_decode(message, slash + 1, last);

    if (len == 0 || !fuzz_same(&route->message, message, len)) {
        abort();
    }
}


static size_t
fuzz_decode(u_char *dst, u_char *src, u_char *last)
{
    u_char  *p, hex[3];

    p = dst;
    hex[2] = '\0';

    while (src < last) {

        if (*src == '%' && last - src > 2
            && isxdigit(src[1]) && isxdigit(src[2]))
        {
            ngx_memcpy(hex, src + 1, 2);
            *p++ = (u_char) strtoul((char *) hex, NULL, 16);
            src += 3;
            continue;
        }

        *p++ = *src++;
    }

    return p - dst;
}


static ngx_uint_t
fuzz_same(ngx_str_t *text, u_char *data, size_t len)
{
    return text->len == len && ngx_memcmp(text->data, data, len) == 0;
}
