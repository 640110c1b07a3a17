
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_client.h>
#include <ngx_http_kafka_conf.h>
#include <ngx_http_kafka_error_filter.h>
#include <ngx_http_kafka_health_check.h>
#include <ngx_http_kafka_location.h>
#include <ngx_http_kafka_request.h>
#include <ngx_http_kafka_shutdown.h>
#include <ngx_http_kafka_status.h>
#include <ngx_http_kafka_variables.h>


/* milliseconds */
#define NGX_HTTP_KAFKA_SHUTDOWN_TIMEOUT  5000
#define NGX_HTTP_KAFKA_TERM_TIMEOUT      1000

/* bytes for each worker process */
#define NGX_HTTP_KAFKA_MAX_MEMORY        (256 * 1024 * 1024)


static ngx_int_t ngx_http_kafka_postconfiguration(ngx_conf_t *cf);
static void *ngx_http_kafka_create_main_conf(ngx_conf_t *cf);
static char *ngx_http_kafka_init_main_conf(ngx_conf_t *cf, void *conf);
static void *ngx_http_kafka_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_kafka_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_http_kafka_force_directive(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_http_kafka_producer_directive(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static ngx_http_kafka_producer_t *ngx_http_kafka_find_producer(ngx_conf_t *cf,
    ngx_http_kafka_main_conf_t *kmcf, ngx_str_t *name);
static ngx_uint_t ngx_http_kafka_utf8(ngx_str_t *text);
static char *ngx_http_kafka_produce_directive(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_http_kafka_status_directive(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_http_kafka_health_directive(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_http_kafka_taken(ngx_http_kafka_loc_conf_t *klcf,
    ngx_uint_t duplicate);
static char *ngx_http_kafka_zone_size(ngx_conf_t *cf, void *post, void *data);
static char *ngx_http_kafka_not_zero(ngx_conf_t *cf, void *post, void *data);
static ngx_int_t ngx_http_kafka_init_process(ngx_cycle_t *cycle);
static void ngx_http_kafka_exit_process(ngx_cycle_t *cycle);


static ngx_conf_enum_t  ngx_http_kafka_responses[] = {
    { ngx_string("metadata"), NGX_HTTP_KAFKA_RESPONSE_METADATA },
    { ngx_string("minimal"), NGX_HTTP_KAFKA_RESPONSE_MINIMAL },
    { ngx_null_string, 0 }
};


/* offsets of the members that the parameter "force" of a directive sets */

static ngx_uint_t  ngx_http_kafka_force_key =
    offsetof(ngx_http_kafka_loc_conf_t, force_key);
static ngx_uint_t  ngx_http_kafka_force_partition =
    offsetof(ngx_http_kafka_loc_conf_t, force_partition);


static ngx_conf_post_t  ngx_http_kafka_max_memory_post = {
    ngx_http_kafka_not_zero
};


static ngx_conf_post_t  ngx_http_kafka_zone_post = {
    ngx_http_kafka_zone_size
};


static ngx_command_t  ngx_http_kafka_commands[] = {

    { ngx_string("kafka_producer"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE1,
      ngx_http_kafka_producer_directive,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("kafka_produce"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_http_kafka_produce_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("kafka_topic"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_set_complex_value_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_kafka_loc_conf_t, topic),
      NULL },

    { ngx_string("kafka_key"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_http_kafka_force_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_kafka_loc_conf_t, key),
      &ngx_http_kafka_force_key },

    { ngx_string("kafka_partition"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_http_kafka_force_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_kafka_loc_conf_t, partition),
      &ngx_http_kafka_force_partition },

    { ngx_string("kafka_response"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_kafka_loc_conf_t, response),
      &ngx_http_kafka_responses },

    { ngx_string("kafka_shutdown_timeout"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_kafka_main_conf_t, shutdown_timeout),
      NULL },

    { ngx_string("kafka_max_memory"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_kafka_main_conf_t, max_memory),
      &ngx_http_kafka_max_memory_post },

    { ngx_string("kafka_status"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS|NGX_CONF_TAKE1,
      ngx_http_kafka_status_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("kafka_health"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_kafka_health_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("kafka_status_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_kafka_main_conf_t, status_size),
      &ngx_http_kafka_zone_post },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_kafka_module_ctx = {
    ngx_http_kafka_variables_add,          /* preconfiguration */
    ngx_http_kafka_postconfiguration,      /* postconfiguration */

    ngx_http_kafka_create_main_conf,       /* create main configuration */
    ngx_http_kafka_init_main_conf,         /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_kafka_create_loc_conf,        /* create location configuration */
    ngx_http_kafka_merge_loc_conf          /* merge location configuration */
};


ngx_module_t  ngx_http_kafka_module = {
    NGX_MODULE_V1,
    &ngx_http_kafka_module_ctx,            /* module context */
    ngx_http_kafka_commands,               /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_http_kafka_init_process,           /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_kafka_exit_process,           /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_int_t
ngx_http_kafka_postconfiguration(ngx_conf_t *cf)
{
    ngx_http_handler_pt         *h;
    ngx_http_core_main_conf_t   *cmcf;
    ngx_http_kafka_main_conf_t  *kmcf;

    kmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_kafka_module);

    if (kmcf->producers.nelts) {
        cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

        h = ngx_array_push(&cmcf->phases[NGX_HTTP_LOG_PHASE].handlers);
        if (h == NULL) {
            return NGX_ERROR;
        }

        *h = ngx_http_kafka_request_log_handler;
    }

    return ngx_http_kafka_error_filter_init(cf);
}


static void *
ngx_http_kafka_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_kafka_main_conf_t  *kmcf;

    kmcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_kafka_main_conf_t));
    if (kmcf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&kmcf->producers, cf->pool, 2,
                       sizeof(ngx_http_kafka_producer_t *))
        != NGX_OK)
    {
        return NULL;
    }

    kmcf->shutdown_timeout = NGX_CONF_UNSET_MSEC;
    kmcf->max_memory = NGX_CONF_UNSET_SIZE;
    kmcf->status_size = NGX_CONF_UNSET_SIZE;

    return kmcf;
}


static char *
ngx_http_kafka_init_main_conf(ngx_conf_t *cf, void *main_conf)
{
    ngx_http_kafka_main_conf_t *kmcf = main_conf;

    ngx_uint_t                   i;
    ngx_http_kafka_conf_t       *conf;
    ngx_http_kafka_producer_t  **producer;

    ngx_conf_init_msec_value(kmcf->shutdown_timeout,
                             NGX_HTTP_KAFKA_SHUTDOWN_TIMEOUT);
    ngx_conf_init_size_value(kmcf->max_memory, NGX_HTTP_KAFKA_MAX_MEMORY);
    ngx_conf_init_size_value(kmcf->status_size, NGX_HTTP_KAFKA_ZONE_SIZE);

    if (kmcf->producers.nelts) {
        ngx_http_kafka_conf_version(cf);

        /*
         * The zone's tag is an address in nginx itself.  An address in this
         * module changes if a reload loads the module from another file, and
         * nginx would then create a new zone.
         */

        kmcf->zone = ngx_http_kafka_zone_create(cf, kmcf->status_size,
                                                 &ngx_http_core_module);
        if (kmcf->zone == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    producer = kmcf->producers.elts;

    for (i = 0; i < kmcf->producers.nelts; i++) {

        conf = producer[i]->conf;

        if (conf->properties == NULL) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "unknown kafka producer \"%V\" in %s:%ui",
                          &conf->name, conf->file, conf->line);
            return NGX_CONF_ERROR;
        }

        producer[i]->metrics.zone = kmcf->zone;

        if (ngx_http_kafka_conf_health(cf, conf) != NGX_CONF_OK) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static void *
ngx_http_kafka_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_kafka_loc_conf_t  *klcf;

    /* set by ngx_pcalloc(): klcf->producer = NULL, and so on */

    klcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_kafka_loc_conf_t));

    if (klcf) {
        klcf->response = NGX_CONF_UNSET_UINT;
    }

    return klcf;
}


/*
 * As usual for content handlers, nested locations do not inherit the
 * directives.  Only an "if" or a "limit_except" block in the location does.
 */

static char *
ngx_http_kafka_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_kafka_loc_conf_t *prev = parent;
    ngx_http_kafka_loc_conf_t *conf = child;

    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (!clcf->noname || clcf->handler) {
        return conf->producer ? ngx_http_kafka_location_check(cf, conf, clcf)
                              : NGX_CONF_OK;
    }

    if (prev->producer) {
        clcf->handler = ngx_http_kafka_request_handler;

    } else if (prev->health) {
        clcf->handler = ngx_http_kafka_health_check_handler;

    } else if (prev->status) {
        clcf->handler = ngx_http_kafka_status_handler;
    }

    *conf = *prev;

    return NGX_CONF_OK;
}


/* a complex value, and "force", whose offset cmd->post points to */

static char *
ngx_http_kafka_force_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t   *value;
    ngx_uint_t  *force, *offset;

    value = cf->args->elts;

    if (cf->args->nelts == 3) {

        if (ngx_strcmp(value[2].data, "force") != 0) {
            return "takes only \"force\" as its second parameter";
        }

        offset = cmd->post;
        force = (ngx_uint_t *) ((u_char *) conf + *offset);
        *force = 1;
    }

    return ngx_http_set_complex_value_slot(cf, cmd, conf);
}


static char *
ngx_http_kafka_producer_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_kafka_main_conf_t *kmcf = conf;

    ngx_str_t                  *value;
    ngx_http_kafka_producer_t  *producer;

    value = cf->args->elts;

    /* the status page prints the name, and its formats require UTF-8 */

    if (!ngx_http_kafka_utf8(&value[1])) {
        return "has a name that is not UTF-8";
    }

    producer = ngx_http_kafka_find_producer(cf, kmcf, &value[1]);
    if (producer == NULL) {
        return NGX_CONF_ERROR;
    }

    return ngx_http_kafka_conf_block(cf, producer->conf);
}


/*
 * Returns the producer with this name, or NULL when memory is out.  Creates the
 * producer if it does not exist yet, because a location can refer to a producer
 * before its kafka_producer block.
 */

static ngx_http_kafka_producer_t *
ngx_http_kafka_find_producer(ngx_conf_t *cf, ngx_http_kafka_main_conf_t *kmcf,
    ngx_str_t *name)
{
    ngx_uint_t                   i;
    ngx_http_kafka_conf_t       *conf;
    ngx_http_kafka_producer_t  **p;

    p = kmcf->producers.elts;

    for (i = 0; i < kmcf->producers.nelts; i++) {
        conf = p[i]->conf;

        if (conf->name.len == name->len
            && ngx_strncmp(conf->name.data, name->data, name->len) == 0)
        {
            return p[i];
        }
    }

    p = ngx_array_push(&kmcf->producers);
    if (p == NULL) {
        return NULL;
    }

    conf = ngx_http_kafka_conf_create(cf, name);
    if (conf == NULL) {
        return NULL;
    }

    *p = ngx_http_kafka_producer_create(cf->pool, conf);

    return *p;
}


static ngx_uint_t
ngx_http_kafka_utf8(ngx_str_t *text)
{
    u_char    *p, *last;
    uint32_t   ch;

    p = text->data;
    last = p + text->len;

    while (p < last) {

        if (*p < 0x80) {
            p++;
            continue;
        }

        ch = ngx_utf8_decode(&p, last - p);

        /* surrogates are invalid in UTF-8 */

        if (ch > 0x10ffff || (ch >= 0xd800 && ch <= 0xdfff)) {
            return 0;
        }
    }

    return 1;
}


static char *
ngx_http_kafka_produce_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_kafka_loc_conf_t *klcf = conf;

    char                        *rv;
    ngx_str_t                   *value;
    ngx_http_core_loc_conf_t    *clcf;
    ngx_http_kafka_main_conf_t  *kmcf;

    rv = ngx_http_kafka_taken(klcf, klcf->producer != NULL);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    kmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_kafka_module);

    value = cf->args->elts;

    klcf->producer = ngx_http_kafka_find_producer(cf, kmcf, &value[1]);
    if (klcf->producer == NULL) {
        return NGX_CONF_ERROR;
    }

    klcf->protocol = &ngx_http_kafka_protocol_json;

    if (cf->args->nelts == 3) {
        klcf->protocol = ngx_http_kafka_location_protocol(&value[2]);

        if (klcf->protocol == NULL) {
            return "takes \"protocol=json\" or \"protocol=raw\" as its second "
                   "parameter";
        }
    }

    /* a raw location is checked when its kafka_topic is known */

    if (klcf->protocol == &ngx_http_kafka_protocol_json
        && !ngx_http_kafka_location_prefix(clcf))
    {
        return "needs a prefix location: what follows the prefix names "
               "the topic";
    }

    klcf->file = cf->conf_file->file.name.data;
    klcf->line = cf->conf_file->line;

    clcf->handler = ngx_http_kafka_request_handler;

    return NGX_CONF_OK;
}


static char *
ngx_http_kafka_status_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_kafka_loc_conf_t *klcf = conf;

    char                      *rv;
    ngx_str_t                 *value;
    ngx_http_core_loc_conf_t  *clcf;

    rv = ngx_http_kafka_taken(klcf, klcf->status);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    klcf->status = NGX_HTTP_KAFKA_STATUS_JSON;

    if (cf->args->nelts == 2) {
        value = cf->args->elts;

        if (ngx_strcmp(value[1].data, "prometheus") == 0) {
            klcf->status = NGX_HTTP_KAFKA_STATUS_PROMETHEUS;

        } else if (ngx_strcmp(value[1].data, "json") != 0) {
            return "must be \"json\" or \"prometheus\"";
        }
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_kafka_status_handler;

    return NGX_CONF_OK;
}


static char *
ngx_http_kafka_health_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_kafka_loc_conf_t *klcf = conf;

    char                        *rv;
    ngx_str_t                   *value;
    ngx_http_core_loc_conf_t    *clcf;
    ngx_http_kafka_main_conf_t  *kmcf;

    rv = ngx_http_kafka_taken(klcf, klcf->health != NULL);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    kmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_kafka_module);

    value = cf->args->elts;

    klcf->health = ngx_http_kafka_find_producer(cf, kmcf, &value[1]);
    if (klcf->health == NULL) {
        return NGX_CONF_ERROR;
    }

    klcf->health->conf->health_file = cf->conf_file->file.name.data;
    klcf->health->conf->health_line = cf->conf_file->line;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_kafka_health_check_handler;

    return NGX_CONF_OK;
}


/* a location can have only one content handler */

static char *
ngx_http_kafka_taken(ngx_http_kafka_loc_conf_t *klcf, ngx_uint_t duplicate)
{
    if (duplicate) {
        return "is duplicate";
    }

    if (klcf->producer || klcf->status || klcf->health) {
        return "needs a location of its own";
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_kafka_zone_size(ngx_conf_t *cf, void *post, void *data)
{
    size_t  *size = data;

    if (*size < 8 * ngx_pagesize) {
        return "is too small";
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_kafka_not_zero(ngx_conf_t *cf, void *post, void *data)
{
    size_t  *size = data;

    if (*size == 0) {
        return "must not be 0";
    }

    return NGX_CONF_OK;
}


/*
 * Opens the producers in worker processes only: the cache manager needs none.
 * Without a master process, nginx does not call this function after a reload,
 * so a producer is opened at its first use.
 */

static ngx_int_t
ngx_http_kafka_init_process(ngx_cycle_t *cycle)
{
    ngx_uint_t                   i;
    ngx_http_kafka_producer_t  **producer;
    ngx_http_kafka_main_conf_t  *kmcf;

    kmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_kafka_module);

    if (kmcf == NULL || ngx_process != NGX_PROCESS_WORKER) {
        return NGX_OK;
    }

    producer = kmcf->producers.elts;

    for (i = 0; i < kmcf->producers.nelts; i++) {

        /*
         * a failure is logged; the next request tries to open the producer
         * again, and gets a 503 if that fails
         */
        (void) ngx_http_kafka_producer_open(producer[i]);
    }

    return NGX_OK;
}


static void
ngx_http_kafka_exit_process(ngx_cycle_t *cycle)
{
    ngx_uint_t                   i;
    ngx_msec_t                   until, timeout;
    ngx_http_kafka_producer_t  **producer;
    ngx_http_kafka_main_conf_t  *kmcf;

    kmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_kafka_module);

    if (kmcf == NULL) {
        return;
    }

    timeout = kmcf->shutdown_timeout;

    if (ngx_terminate) {
        timeout = ngx_min(timeout, NGX_HTTP_KAFKA_TERM_TIMEOUT);
    }

    ngx_time_update();
    until = ngx_current_msec + timeout;

    producer = kmcf->producers.elts;

    for (i = 0; i < kmcf->producers.nelts; i++) {
        ngx_http_kafka_shutdown(producer[i], until);
    }

    for (i = 0; i < kmcf->producers.nelts; i++) {
        ngx_http_kafka_metrics_close(&producer[i]->metrics);
    }

    ngx_http_kafka_client_exit();
}
