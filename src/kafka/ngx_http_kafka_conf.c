
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_conf.h>
#include <ngx_http_kafka_client.h>
#include <ngx_http_kafka_file.h>
#include <ngx_http_kafka_property.h>


/* milliseconds between statistics, if kafka_health needs them */
#define NGX_HTTP_KAFKA_CONF_STATISTICS       1000
#define NGX_HTTP_KAFKA_CONF_STATISTICS_TEXT  "1000"

/*
 * The smallest backoff before a retry that may be configured, in milliseconds.
 * A client that might send a message twice is purged every 10 ms, and the purge
 * must come before the retry.
 */
#define NGX_HTTP_KAFKA_CONF_BACKOFF          20

/*
 * librdkafka from 2.4.0 to before 2.10.0 leaves a freed entry in its cache of
 * metadata when the id of a topic has changed.
 */
#define NGX_HTTP_KAFKA_CONF_CRASHES          0x02040000
#define NGX_HTTP_KAFKA_CONF_CRASHES_NO_MORE  0x020a0000


typedef struct {
    rd_kafka_conf_t             *conf;
    ngx_array_t                  names;      /* of properties set so far */
    ngx_array_t                  files;
    char                        *table;      /* see property_table() */
    unsigned                     brokers:1;
    unsigned                     statistics:1;
} ngx_http_kafka_conf_ctx_t;


typedef struct {
    ngx_str_t                    name;
    const char                  *why;
} ngx_http_kafka_conf_refused_t;


typedef struct {
    const char                  *name;
    const char                  *value;
} ngx_http_kafka_conf_default_t;


static rd_kafka_conf_t *ngx_http_kafka_conf_properties(ngx_conf_t *cf);
static void ngx_http_kafka_conf_cleanup(void *data);
static char *ngx_http_kafka_conf_property(ngx_conf_t *cf, ngx_command_t *dummy,
    void *conf);
static ngx_int_t ngx_http_kafka_conf_allowed(ngx_conf_t *cf,
    ngx_http_kafka_conf_ctx_t *ctx, ngx_str_t *name);
static ngx_int_t ngx_http_kafka_conf_set(ngx_conf_t *cf,
    ngx_http_kafka_conf_ctx_t *ctx, ngx_str_t *name, ngx_str_t *value);
static ngx_uint_t ngx_http_kafka_conf_names_file(ngx_str_t *name,
    ngx_str_t *value);
static ngx_int_t ngx_http_kafka_conf_read_file(ngx_conf_t *cf,
    ngx_http_kafka_conf_ctx_t *ctx, ngx_str_t *name, ngx_str_t *value);
static ngx_int_t ngx_http_kafka_conf_mock(ngx_conf_t *cf,
    ngx_http_kafka_conf_t *conf, ngx_http_kafka_conf_ctx_t *ctx);
static ngx_msec_t ngx_http_kafka_conf_backoff(rd_kafka_conf_t *conf);
static ngx_int_t ngx_http_kafka_conf_retries(ngx_conf_t *cf,
    ngx_http_kafka_conf_t *conf, ngx_http_kafka_conf_ctx_t *ctx);
static char *ngx_http_kafka_conf_check(ngx_conf_t *cf,
    ngx_http_kafka_conf_t *conf, ngx_http_kafka_conf_ctx_t *ctx);
static void ngx_http_kafka_conf_values(ngx_http_kafka_conf_t *conf,
    ngx_http_kafka_conf_ctx_t *ctx);
static ngx_int_t ngx_http_kafka_conf_gapless(ngx_conf_t *cf,
    ngx_http_kafka_conf_t *conf, ngx_http_kafka_conf_ctx_t *ctx);
static char *ngx_http_kafka_conf_try(ngx_conf_t *cf,
    ngx_http_kafka_conf_t *conf, ngx_http_kafka_conf_ctx_t *ctx);
static void ngx_http_kafka_conf_partitioner(ngx_http_kafka_conf_t *conf,
    rd_kafka_conf_t *properties);


static ngx_http_kafka_conf_default_t  ngx_http_kafka_conf_defaults[] = {
    { "acks", "all" },
    { "enable.idempotence", "true" },
    { "partitioner", "murmur2_random" },
    { "allow.auto.create.topics", "false" },
    { "topic.metadata.propagation.max.ms", "2000" },
    { "message.timeout.ms", "10000" },
    { "linger.ms", "0" },
    { "max.in.flight.requests.per.connection", "5" },
    { "client.id", "nginx" },

    /* the default is twice linger.ms, 0: each message has its own batch then */
    { "sticky.partitioning.linger.ms", "10" },

    /* until a refresh, the client lacks added partitions that look-ups find */
    { "topic.metadata.refresh.interval.ms", "10000" },

    /* librdkafka finds timed-out messages only between connection attempts */
    { "reconnect.backoff.max.ms", "1000" },

    { NULL, NULL }
};


/* retry.backoff.max.ms exists since librdkafka 2.3 */

static const char  *ngx_http_kafka_conf_backoffs[] = {
    "retry.backoff.ms",
    "retry.backoff.max.ms",
    NULL
};


static const char  *ngx_http_kafka_conf_files[] = {
    "ssl.key.location",
    "ssl.certificate.location",
    "ssl.ca.location",
    "ssl.crl.location",
    "ssl.keystore.location",
    NULL
};


static ngx_http_kafka_conf_refused_t  ngx_http_kafka_conf_refused[] = {
    { ngx_string("delivery.report.only.error"),
      "each message is answered from its delivery report" },
    { ngx_string("transactional.id"), "transactions are not supported" },
    { ngx_string("request.required.acks"),
      "use its other name \"acks\", which must be \"all\"" },
    { ngx_string("enabled_events"),
      "delivery reports come as events, and only these are served" },
    { ngx_string("log.queue"), "librdkafka's log goes to nginx's" },
    { ngx_string("internal.termination.signal"),
      "signals belong to nginx" },
    { ngx_string("enable.gapless.guarantee"),
      "it is on for an idempotent producer, and off otherwise" },
    { ngx_null_string, NULL }
};


ngx_http_kafka_conf_t *
ngx_http_kafka_conf_create(ngx_conf_t *cf, ngx_str_t *name)
{
    ngx_http_kafka_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_kafka_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->name = *name;
    conf->file = cf->conf_file->file.name.data;
    conf->line = cf->conf_file->line;

    return conf;
}


char *
ngx_http_kafka_conf_block(ngx_conf_t *cf, ngx_http_kafka_conf_t *conf)
{
    char                       *rv;
    ngx_conf_t                  save;
    ngx_http_kafka_conf_ctx_t   ctx;

    if (conf->properties) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "kafka producer \"%V\" is defined twice",
                           &conf->name);
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&ctx, sizeof(ngx_http_kafka_conf_ctx_t));

    ctx.conf = ngx_http_kafka_conf_properties(cf);
    if (ctx.conf == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ngx_array_init(&ctx.names, cf->temp_pool, 16, sizeof(ngx_str_t))
        != NGX_OK
        || ngx_array_init(&ctx.files, cf->temp_pool, 4,
                          sizeof(ngx_http_kafka_file_t))
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    ctx.table = ngx_http_kafka_property_table();
    if (ctx.table == NULL) {
        return NGX_CONF_ERROR;
    }

    save = *cf;
    cf->handler = ngx_http_kafka_conf_property;
    cf->handler_conf = (char *) &ctx;

    rv = ngx_conf_parse(cf, NULL);

    *cf = save;

    free(ctx.table);

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    conf->properties = ctx.conf;

    return ngx_http_kafka_conf_check(cf, conf, &ctx);
}


char *
ngx_http_kafka_conf_health(ngx_conf_t *cf, ngx_http_kafka_conf_t *conf)
{
    if (conf->health_file == NULL || conf->statistics_interval) {
        return NGX_CONF_OK;
    }

    if (conf->statistics_off) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"kafka_health\" needs statistics, and kafka producer "
                      "\"%V\" has a \"statistics.interval.ms\" of 0 in "
                      "%s:%ui", &conf->name, conf->health_file,
                      conf->health_line);
        return NGX_CONF_ERROR;
    }

    conf->statistics_interval = NGX_HTTP_KAFKA_CONF_STATISTICS;

    if (rd_kafka_conf_set(conf->properties, "statistics.interval.ms",
                          NGX_HTTP_KAFKA_CONF_STATISTICS_TEXT, NULL, 0)
        != RD_KAFKA_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* the loaded library may differ from the one whose headers were used */

void
ngx_http_kafka_conf_version(ngx_conf_t *cf)
{
    int  version;

    version = rd_kafka_version();

    if (version >= NGX_HTTP_KAFKA_CONF_CRASHES
        && version < NGX_HTTP_KAFKA_CONF_CRASHES_NO_MORE)
    {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "librdkafka %s can crash a worker process when a Kafka "
                      "topic is deleted and created again: use 2.10 or newer",
                      rd_kafka_version_str());
    }
}


static rd_kafka_conf_t *
ngx_http_kafka_conf_properties(ngx_conf_t *cf)
{
    char                            errstr[NGX_HTTP_KAFKA_CLIENT_ERROR];
    rd_kafka_conf_t                *conf;
    ngx_pool_cleanup_t             *cln;
    ngx_http_kafka_conf_default_t  *def;

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NULL;
    }

    conf = rd_kafka_conf_new();

    cln->handler = ngx_http_kafka_conf_cleanup;
    cln->data = conf;

    rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_DR|RD_KAFKA_EVENT_ERROR
                                   |RD_KAFKA_EVENT_LOG|RD_KAFKA_EVENT_STATS);

    if (rd_kafka_conf_set(conf, "log.queue", "true", errstr, sizeof(errstr))
        != RD_KAFKA_CONF_OK)
    {
        goto failed;
    }

    for (def = ngx_http_kafka_conf_defaults; def->name; def++) {
        if (rd_kafka_conf_set(conf, def->name, def->value, errstr,
                              sizeof(errstr))
            != RD_KAFKA_CONF_OK)
        {
            goto failed;
        }
    }

    return conf;

failed:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s", errstr);

    return NULL;
}


static void
ngx_http_kafka_conf_cleanup(void *data)
{
    rd_kafka_conf_destroy(data);
}


static char *
ngx_http_kafka_conf_property(ngx_conf_t *cf, ngx_command_t *dummy, void *conf)
{
    ngx_str_t                  *value, *name;
    ngx_http_kafka_conf_ctx_t  *ctx;

    ctx = (ngx_http_kafka_conf_ctx_t *) conf;
    value = cf->args->elts;

    if (cf->args->nelts != 2) {

        /* do not log an unknown name: it may be a part of an unquoted secret */

        if (ngx_http_kafka_property_owner(ctx->table, &value[0])) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "kafka property \"%V\" must have one value",
                               &value[0]);

        } else {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "a kafka property must "
                               "have a name and one value");
        }

        return NGX_CONF_ERROR;
    }

    if (ngx_strcmp(value[0].data, "include") == 0) {
        return ngx_conf_include(cf, dummy, conf);
    }

    if (ngx_http_kafka_conf_allowed(cf, ctx, &value[0]) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    name = ngx_array_push(&ctx->names);
    if (name == NULL) {
        return NGX_CONF_ERROR;
    }

    *name = value[0];

    if (ngx_http_kafka_conf_set(cf, ctx, &value[0], &value[1]) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_kafka_conf_allowed(ngx_conf_t *cf, ngx_http_kafka_conf_ctx_t *ctx,
    ngx_str_t *name)
{
    ngx_str_t                      *names;
    ngx_uint_t                      i;
    ngx_http_kafka_conf_refused_t  *refused;

    names = ctx->names.elts;

    for (i = 0; i < ctx->names.nelts; i++) {
        if (ngx_strcmp(names[i].data, name->data) == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "kafka property \"%V\" is duplicate", name);
            return NGX_ERROR;
        }
    }

    if (ngx_http_kafka_property_owner(ctx->table, name) == 'C') {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "kafka property \"%V\" is for consumers only", name);
        return NGX_ERROR;
    }

    for (refused = ngx_http_kafka_conf_refused; refused->name.len; refused++) {
        if (ngx_strcmp(refused->name.data, name->data) == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "kafka property \"%V\" cannot be set: %s",
                               name, refused->why);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_kafka_conf_set(ngx_conf_t *cf, ngx_http_kafka_conf_ctx_t *ctx,
    ngx_str_t *name, ngx_str_t *value)
{
    char    errstr[NGX_HTTP_KAFKA_CLIENT_ERROR], acks[16];
    size_t  size;

    if (ngx_http_kafka_conf_names_file(name, value)
        && ngx_http_kafka_conf_read_file(cf, ctx, name, value) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (rd_kafka_conf_set(ctx->conf, (char *) name->data, (char *) value->data,
                          errstr, sizeof(errstr))
        != RD_KAFKA_CONF_OK)
    {
        /* some of librdkafka's error texts end with a line feed */

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "kafka property \"%V\": %*s",
                           name, strcspn(errstr, "\n"), errstr);
        return NGX_ERROR;
    }

    if (ngx_http_kafka_property_cut(ctx->conf, name, value)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "kafka property \"%V\" must be a plain number",
                           name);
        return NGX_ERROR;
    }

    if (ngx_strcmp(name->data, "statistics.interval.ms") == 0) {
        ctx->statistics = 1;
    }

    if (ngx_strcmp(name->data, "bootstrap.servers") == 0
        || ngx_strcmp(name->data, "metadata.broker.list") == 0
        || (ngx_strcmp(name->data, "test.mock.num.brokers") == 0
            && ngx_strcmp(value->data, "0") != 0))
    {
        ctx->brokers = (value->len != 0);
    }

    size = sizeof(acks);

    if (rd_kafka_conf_get(ctx->conf, "acks", acks, &size) != RD_KAFKA_CONF_OK
        || ngx_strcmp(acks, "-1") != 0)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "kafka property \"%V\" must be \"all\"", name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_kafka_conf_names_file(ngx_str_t *name, ngx_str_t *value)
{
    const char  **p;

    /* "probe": librdkafka looks for the system's certificates */

    if (value->len == 0 || ngx_strcmp(value->data, "probe") == 0) {
        return 0;
    }

    for (p = ngx_http_kafka_conf_files; *p; p++) {
        if (ngx_strcmp(name->data, *p) == 0) {
            return 1;
        }
    }

    return 0;
}


/*
 * Copies the file, and sets *value to the path of the copy.  A directory of CA
 * certificates is not copied: librdkafka finds what it needs there.
 */

static ngx_int_t
ngx_http_kafka_conf_read_file(ngx_conf_t *cf, ngx_http_kafka_conf_ctx_t *ctx,
    ngx_str_t *name, ngx_str_t *value)
{
    ngx_int_t               rc;
    ngx_http_kafka_file_t  *file;

    file = ngx_array_push(&ctx->files);
    if (file == NULL) {
        return NGX_ERROR;
    }

    file->name = *value;

    rc = ngx_http_kafka_file_read(cf, file);

    if (rc == NGX_OK) {
        *value = file->path;
        return NGX_OK;
    }

    if (rc == NGX_DECLINED && ngx_strcmp(name->data, "ssl.ca.location") == 0) {
        *value = file->name;
        ctx->files.nelts--;
        return NGX_OK;
    }

    if (rc == NGX_DECLINED) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "kafka property \"%V\": \"%V\" is a directory",
                           name, &file->name);
    }

    return NGX_ERROR;
}


/*
 * the mock cluster has every topic; since librdkafka 2.1, only if it may create
 * topics
 */

static ngx_int_t
ngx_http_kafka_conf_mock(ngx_conf_t *cf, ngx_http_kafka_conf_t *conf,
    ngx_http_kafka_conf_ctx_t *ctx)
{
    ngx_str_t   *names;
    ngx_uint_t   i, auto_create;

    if (ngx_http_kafka_property_number(ctx->conf, "test.mock.num.brokers")
        <= 0)
    {
        return NGX_OK;
    }

    conf->mocked = 1;

    auto_create = 0;
    names = ctx->names.elts;

    for (i = 0; i < ctx->names.nelts; i++) {

        if (ngx_strcmp(names[i].data, "bootstrap.servers") == 0
            || ngx_strcmp(names[i].data, "metadata.broker.list") == 0)
        {
            /* librdkafka would ignore these brokers and use the mock cluster */

            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "kafka producer \"%V\" cannot have both \"%V\" "
                               "and \"test.mock.num.brokers\"",
                               &conf->name, &names[i]);
            return NGX_ERROR;
        }

        if (ngx_strcmp(names[i].data, "allow.auto.create.topics") == 0) {
            auto_create = 1;
        }
    }

    if (auto_create
        || rd_kafka_conf_set(ctx->conf, "allow.auto.create.topics", "true",
                             NULL, 0)
           == RD_KAFKA_CONF_OK)
    {
        return NGX_OK;
    }

    return NGX_ERROR;
}


/* the shortest time before a retry: since librdkafka 2.3 it varies by 20% */

static ngx_msec_t
ngx_http_kafka_conf_backoff(rd_kafka_conf_t *conf)
{
    ngx_int_t  backoff, most;

    backoff = ngx_http_kafka_property_number(conf, "retry.backoff.ms");
    most = ngx_http_kafka_property_number(conf, "retry.backoff.max.ms");

    if (most > 0) {
        backoff = ngx_min(backoff, most);
    }

    return backoff / 5 * 4;
}


static ngx_int_t
ngx_http_kafka_conf_retries(ngx_conf_t *cf, ngx_http_kafka_conf_t *conf,
    ngx_http_kafka_conf_ctx_t *ctx)
{
    ngx_int_t     backoff;
    const char  **name;

    if (!ngx_http_kafka_property_true(ctx->conf, "enable.idempotence")) {
        return NGX_OK;
    }

    for (name = ngx_http_kafka_conf_backoffs; *name; name++) {

        backoff = ngx_http_kafka_property_number(ctx->conf, *name);

        if (backoff != NGX_ERROR && backoff < NGX_HTTP_KAFKA_CONF_BACKOFF) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "kafka producer \"%V\": \"%s\" must be at "
                               "least %d where \"enable.idempotence\" is "
                               "true, or messages could be sent twice",
                               &conf->name, *name, NGX_HTTP_KAFKA_CONF_BACKOFF);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static char *
ngx_http_kafka_conf_check(ngx_conf_t *cf, ngx_http_kafka_conf_t *conf,
    ngx_http_kafka_conf_ctx_t *ctx)
{
    char       value[64];
    size_t     size;
    ngx_int_t  timeout, max;

    if (!ctx->brokers) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "kafka producer \"%V\" has no "
                           "\"bootstrap.servers\"", &conf->name);
        return NGX_CONF_ERROR;
    }

    size = sizeof(value);

    if (rd_kafka_conf_get(ctx->conf, "sasl.mechanisms", value, &size)
        == RD_KAFKA_CONF_OK
        && ngx_strcasecmp((u_char *) value, (u_char *) "OAUTHBEARER") == 0)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "kafka producer \"%V\": the SASL mechanism "
                           "OAUTHBEARER is not supported", &conf->name);
        return NGX_CONF_ERROR;
    }

    timeout = ngx_http_kafka_property_number(ctx->conf, "message.timeout.ms");
    max = ngx_http_kafka_property_number(ctx->conf, "message.max.bytes");

    if (timeout <= 0 || max <= 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "kafka producer \"%V\": \"message.timeout.ms\" "
                           "cannot be 0, requests wait that long",
                           &conf->name);
        return NGX_CONF_ERROR;
    }

    if (ngx_http_kafka_conf_retries(cf, conf, ctx) != NGX_OK
        || ngx_http_kafka_conf_mock(cf, conf, ctx) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    conf->timeout = timeout;
    conf->message_max = max;

    ngx_http_kafka_conf_values(conf, ctx);

    if (conf->idempotent && ngx_http_kafka_conf_gapless(cf, conf, ctx)
                            != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    conf->thread_pool = ngx_thread_pool_add(cf, NULL);
    if (conf->thread_pool == NULL) {
        return NGX_CONF_ERROR;
    }

    return ngx_http_kafka_conf_try(cf, conf, ctx);
}


/* copies librdkafka's values of properties, set by the user or defaults */

static void
ngx_http_kafka_conf_values(ngx_http_kafka_conf_t *conf,
    ngx_http_kafka_conf_ctx_t *ctx)
{
    ngx_http_kafka_conf_partitioner(conf, ctx->conf);

    conf->retry_backoff = ngx_http_kafka_conf_backoff(ctx->conf);
    conf->in_flight = ngx_http_kafka_property_number(ctx->conf,
                                    "max.in.flight.requests.per.connection");

    conf->statistics_interval = ngx_http_kafka_property_number(ctx->conf,
                                                    "statistics.interval.ms");
    conf->statistics_off = ctx->statistics && !conf->statistics_interval;

    conf->auto_create = ngx_http_kafka_property_true(ctx->conf,
                                                  "allow.auto.create.topics");
    conf->idempotent = ngx_http_kafka_property_true(ctx->conf,
                                                    "enable.idempotence");

    if (ngx_http_kafka_property_true(ctx->conf,
                                 "enable.ssl.certificate.verification"))
    {
        (void) rd_kafka_conf_set_ssl_cert_verify_cb(ctx->conf,
                                                ngx_http_kafka_client_verify);
    }
}


/*
 * After a message has failed for good, librdkafka would bump the epoch,
 * renumber all other messages, and send some again that a broker already has.
 * With this property it raises a fatal error instead, before it sends anything
 * more.  librdkafka calls the property experimental, so a version may lack it.
 */

static ngx_int_t
ngx_http_kafka_conf_gapless(ngx_conf_t *cf, ngx_http_kafka_conf_t *conf,
    ngx_http_kafka_conf_ctx_t *ctx)
{
    char  errstr[NGX_HTTP_KAFKA_CLIENT_ERROR];

    if (rd_kafka_conf_set(ctx->conf, "enable.gapless.guarantee", "true",
                          errstr, sizeof(errstr))
        == RD_KAFKA_CONF_OK)
    {
        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "kafka producer \"%V\": this librdkafka cannot avoid "
                       "duplicates: %s", &conf->name, errstr);

    return NGX_ERROR;
}


static void
ngx_http_kafka_conf_partitioner(ngx_http_kafka_conf_t *conf,
    rd_kafka_conf_t *properties)
{
    char    value[64];
    size_t  size;

    size = sizeof(value);

    if (rd_kafka_conf_get(properties, "partitioner", value, &size)
        != RD_KAFKA_CONF_OK)
    {
        value[0] = '\0';
    }

    conf->partitioner = ngx_http_kafka_partitioner(value);
    conf->sticky = ngx_max(ngx_http_kafka_property_number(properties,
                                          "sticky.partitioning.linger.ms"), 0);
}


/* finds errors that only rd_kafka_new() detects, before workers start */

static char *
ngx_http_kafka_conf_try(ngx_conf_t *cf, ngx_http_kafka_conf_t *conf,
    ngx_http_kafka_conf_ctx_t *ctx)
{
    char  errstr[NGX_HTTP_KAFKA_CLIENT_ERROR];

    if (ngx_http_kafka_client_try(ctx->conf, errstr) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "kafka producer \"%V\" cannot be made: %s",
                           &conf->name,
                           ngx_http_kafka_file_names(cf->temp_pool,
                                                     &ctx->files, errstr));
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}
