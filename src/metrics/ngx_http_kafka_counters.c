
/*
 * Copyright (C) The ngx_http_kafka authors
 */


#include <ngx_http_kafka_counters.h>


static void ngx_http_kafka_counters_add_codes(
    ngx_http_kafka_metrics_code_t *to, ngx_http_kafka_metrics_code_t *from);


const uint64_t  ngx_http_kafka_metrics_bounds[] = {
    500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000,
    1000000, 2500000, 5000000, 10000000
};


const char  *ngx_http_kafka_metrics_seconds[] = {
    "0.0005", "0.001", "0.0025", "0.005", "0.01", "0.025", "0.05", "0.1",
    "0.25", "0.5", "1", "2.5", "5", "10"
};


ngx_uint_t
ngx_http_kafka_counters_bucket(uint64_t latency)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_KAFKA_METRICS_BUCKETS; i++) {
        if (latency <= ngx_http_kafka_metrics_bounds[i]) {
            break;
        }
    }

    return i;
}


void
ngx_http_kafka_counters_count(ngx_http_kafka_metrics_code_t *codes,
    int64_t code, uint64_t n)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_KAFKA_METRICS_CODES - 1; i++) {

        if (codes[i].n == 0) {
            codes[i].code = code;
            break;
        }

        if (codes[i].code == code) {
            break;
        }
    }

    /* another process that reads this count then also reads the code */

    __atomic_store_n(&codes[i].n, codes[i].n + n, __ATOMIC_RELEASE);
}


void
ngx_http_kafka_counters_add(ngx_http_kafka_metrics_counters_t *to,
    ngx_http_kafka_metrics_counters_t *from)
{
    ngx_uint_t  i;

    to->bytes += from->bytes;
    to->rebuilt += from->rebuilt;
    to->latency_sum += from->latency_sum;

    for (i = 0; i < NGX_HTTP_KAFKA_METRICS_BUCKETS + 1; i++) {
        to->latency[i] += from->latency[i];
    }

    ngx_http_kafka_counters_add_codes(to->statuses, from->statuses);
    ngx_http_kafka_counters_add_codes(to->errors, from->errors);

    for (i = 0; i < NGX_HTTP_KAFKA_METRICS_TOPICS + 1; i++) {
        to->topics[i].acked += from->topics[i].acked;
        to->topics[i].failed += from->topics[i].failed;
    }
}


static void
ngx_http_kafka_counters_add_codes(ngx_http_kafka_metrics_code_t *to,
    ngx_http_kafka_metrics_code_t *from)
{
    uint64_t    n;
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_KAFKA_METRICS_CODES - 1; i++) {

        /* pairs with the release in counters_count(): the code is valid, too */

        n = __atomic_load_n(&from[i].n, __ATOMIC_ACQUIRE);

        if (n == 0) {
            break;
        }

        ngx_http_kafka_counters_count(to, from[i].code, n);
    }

    to[NGX_HTTP_KAFKA_METRICS_CODES - 1].n +=
                                      from[NGX_HTTP_KAFKA_METRICS_CODES - 1].n;
}
