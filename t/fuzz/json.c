
/*
 * Copyright (C) The ngx_http_kafka authors
 */


/*
 * The JSON path, bytes to records, without nginx around it.  With libFuzzer:
 * a body must get the same verdict and the same records whole and in pieces.
 * With -DNGX_KAFKA_FUZZ_PRINT: bodies come from standard input, each after a
 * line with its length, and what was made of them goes to standard output,
 * for fuzz/compare.py to hold against another parser.
 */


#include <ngx_http_kafka_batch.h>
#include <ngx_http_kafka_json_messages.h>


typedef struct {
    ngx_pool_t                      *pool;
    ngx_http_kafka_batch_t          *batch;
    ngx_http_kafka_json_messages_t  *parse;
    ngx_int_t                        rc;
} fuzz_result_t;


static void fuzz_parse(fuzz_result_t *result, const u_char *data, size_t size,
    size_t piece);
static void fuzz_free(fuzz_result_t *result);


static ngx_log_t  fuzz_log;


/* what of nginx the path needs, or drags in */

volatile ngx_cycle_t  *ngx_cycle;
volatile ngx_str_t     ngx_cached_err_log_time;
volatile ngx_msec_t    ngx_current_msec;
ngx_pid_t              ngx_pid;
ngx_queue_t            ngx_posted_next_events;
int                    ngx_argc;


void
ngx_log_error_core(ngx_uint_t level, ngx_log_t *log, ngx_err_t err,
    const char *fmt, ...)
{
    (void) level;
    (void) log;
    (void) err;
    (void) fmt;
}


static void
fuzz_parse(fuzz_result_t *result, const u_char *data, size_t size,
    size_t piece)
{
    size_t   n;
    u_char  *copy;

    ngx_pagesize = 4096;

    result->pool = ngx_create_pool(1024, &fuzz_log);
    result->batch = ngx_http_kafka_batch_create(&fuzz_log);
    result->parse = ngx_http_kafka_json_messages_create(result->pool,
                                                        result->batch, NULL);
    result->rc = NGX_OK;

    while (size && result->rc == NGX_OK) {
        n = ngx_min(piece, size);

        /* in a block of its own, so that a byte too many is seen */

        copy = malloc(n);
        ngx_memcpy(copy, data, n);
        result->rc = ngx_http_kafka_json_messages_feed(result->parse, copy, n);
        free(copy);

        data += n;
        size -= n;
    }

    if (result->rc == NGX_OK) {
        result->rc = ngx_http_kafka_json_messages_end(result->parse);
    }
}


static void
fuzz_free(fuzz_result_t *result)
{
    ngx_http_kafka_batch_release(result->batch);
    ngx_destroy_pool(result->pool);
}


#if (NGX_KAFKA_FUZZ_PRINT)


static void fuzz_print(fuzz_result_t *result);
static void fuzz_print_text(const char *name, ngx_str_t *text);


int
main(void)
{
    char           line[32];
    size_t         size, piece;
    u_char        *data;
    fuzz_result_t  result;

    while (fgets(line, sizeof(line), stdin)) {

        if (sscanf(line, "%zu %zu", &size, &piece) != 2) {
            return 2;
        }

        data = malloc(size + 1);

        if (data == NULL || fread(data, 1, size, stdin) != size) {
            return 2;
        }

        fuzz_parse(&result, data, size, piece);
        fuzz_print(&result);
        fuzz_free(&result);
        free(data);
    }

    return 0;
}


static void
fuzz_print(fuzz_result_t *result)
{
    ngx_str_t                *error;
    ngx_http_kafka_header_t  *header;
    ngx_http_kafka_record_t  *record;

    if (result->rc != NGX_OK) {
        error = ngx_http_kafka_json_messages_error(result->parse);
        printf("refused %.*s\n", (int) error->len, error->data);
        fflush(stdout);
        return;
    }

    printf("taken");

    for (record = result->batch->records; record; record = record->next) {
        printf(" record");
        fuzz_print_text("topic", &record->target->name);
        printf(" partition:%d timestamp:%lld", record->partition,
               (long long) record->timestamp);
        fuzz_print_text("key", &record->key);
        fuzz_print_text("value", &record->value);

        for (header = record->headers; header; header = header->next) {
            fuzz_print_text("header", &header->key);
            fuzz_print_text("to", &header->value);
        }
    }

    printf("\n");
    fflush(stdout);
}


static void
fuzz_print_text(const char *name, ngx_str_t *text)
{
    size_t  i;

    if (text->data == NULL) {
        printf(" %s:null", name);
        return;
    }

    printf(" %s:x", name);

    for (i = 0; i < text->len; i++) {
        printf("%02x", text->data[i]);
    }
}


#else


int LLVMFuzzerTestOneInput(const u_char *data, size_t size);
static void fuzz_compare(fuzz_result_t *a, fuzz_result_t *b);
static void fuzz_compare_text(ngx_str_t *a, ngx_str_t *b);


int
LLVMFuzzerTestOneInput(const u_char *data, size_t size)
{
    fuzz_result_t  whole, split;

    if (size < 1) {
        return 0;
    }

    /* the first byte chooses the size of pieces */

    fuzz_parse(&whole, data + 1, size - 1, size);
    fuzz_parse(&split, data + 1, size - 1, data[0] % 31 + 1);

    fuzz_compare(&whole, &split);

    fuzz_free(&whole);
    fuzz_free(&split);

    return 0;
}


static void
fuzz_compare(fuzz_result_t *a, fuzz_result_t *b)
{
    ngx_http_kafka_header_t  *h, *hb;
    ngx_http_kafka_record_t  *r, *rb;

    if (a->rc != b->rc) {
        abort();
    }

    if (a->rc != NGX_OK) {
        return;
    }

    if (a->batch->nrecords != b->batch->nrecords) {
        abort();
    }

    rb = b->batch->records;

    for (r = a->batch->records; r; r = r->next) {
        fuzz_compare_text(&r->target->name, &rb->target->name);
        fuzz_compare_text(&r->key, &rb->key);
        fuzz_compare_text(&r->value, &rb->value);

        if (r->partition != rb->partition || r->timestamp != rb->timestamp) {
            abort();
        }

        hb = rb->headers;

        for (h = r->headers; h && hb; h = h->next) {
            fuzz_compare_text(&h->key, &hb->key);
            fuzz_compare_text(&h->value, &hb->value);
            hb = hb->next;
        }

        if (h || hb) {
            abort();
        }

        rb = rb->next;
    }
}


static void
fuzz_compare_text(ngx_str_t *a, ngx_str_t *b)
{
    if (a->len != b->len
        || (a->data == NULL) != (b->data == NULL)
        || (a->len && ngx_memcmp(a->data, b->data, a->len) != 0))
    {
        abort();
    }
}


#endif
