
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_cache_filter_module.h>
#include <ngx_http_kafka_headers.h>
#include <ngx_http_kafka_location.h>


/*
 * This header filter must run after that of ngx_http_headers_filter_module,
 * which sets the headers of "add_header" and "expires".  The error filter must
 * run before it.  nginx orders filters by module, so the cache filter needs a
 * module of its own.
 */


static ngx_int_t ngx_http_kafka_cache_filter_init(ngx_conf_t *cf);
static ngx_int_t ngx_http_kafka_cache_filter_header(ngx_http_request_t *r);
static ngx_uint_t ngx_http_kafka_cache_filter_controlled(ngx_http_request_t *r);


static ngx_http_module_t  ngx_http_kafka_cache_filter_module_ctx = {
    NULL,                                  /* preconfiguration */
    ngx_http_kafka_cache_filter_init,      /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    NULL,                                  /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_http_kafka_cache_filter_module = {
    NGX_MODULE_V1,
    &ngx_http_kafka_cache_filter_module_ctx, /* module context */
    NULL,                                  /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;


static ngx_int_t
ngx_http_kafka_cache_filter_init(ngx_conf_t *cf)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_kafka_cache_filter_header;

    return NGX_OK;
}


/* caches must not store the response to a GET that produces, or a status */

static ngx_int_t
ngx_http_kafka_cache_filter_header(ngx_http_request_t *r)
{
    ngx_http_kafka_loc_conf_t  *klcf;

    klcf = ngx_http_get_module_loc_conf(r, ngx_http_kafka_module);

    if ((klcf->producer || klcf->health || klcf->status)
        && ngx_http_kafka_cache_filter_forbid(r) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_next_header_filter(r);
}


ngx_int_t
ngx_http_kafka_cache_filter_forbid(ngx_http_request_t *r)
{
    ngx_table_elt_t   *h;
#if (nginx_version < 1023000)
    ngx_array_t       *lines;
    ngx_table_elt_t  **line;
#endif

    if (ngx_http_kafka_cache_filter_controlled(r)) {
        return NGX_OK;
    }

    h = ngx_http_kafka_headers_add(r, "Cache-Control", "no-store");
    if (h == NULL) {
        return NGX_ERROR;
    }

    /* used by $sent_http_cache_control and gzip_proxied */

#if (nginx_version >= 1023000)

    r->headers_out.cache_control = h;

#else

    lines = &r->headers_out.cache_control;

    if (lines->elts == NULL
        && ngx_array_init(lines, r->pool, 1, sizeof(ngx_table_elt_t *))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    line = ngx_array_push(lines);
    if (line == NULL) {
        return NGX_ERROR;
    }

    *line = h;

#endif

    return NGX_OK;
}


/*
 * Returns 1 if the response has a "Cache-Control" header.  Looks at all
 * headers, because some modules do not set headers_out.cache_control.
 */

static ngx_uint_t
ngx_http_kafka_cache_filter_controlled(ngx_http_request_t *r)
{
    ngx_table_elt_t  *h;

    h = NULL;

    while ((h = ngx_http_kafka_headers_find(&r->headers_out.headers,
                                            "Cache-Control", h)))
    {
        if (h->hash) {
            return 1;
        }
    }

    return 0;
}
