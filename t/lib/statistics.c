/*
 * Preloaded into nginx.  Replaces librdkafka's statistics with the contents of
 * the file FILE_NAME.  Only one thread may read them at a time.
 */

#include <stdio.h>
#include <librdkafka/rdkafka.h>


const char *
rd_kafka_event_stats(rd_kafka_event_t *event)
{
    FILE         *f;
    size_t        n;
    static char   text[65536];

    (void) event;

    n = 0;
    f = fopen(FILE_NAME, "r");

    if (f) {
        n = fread(text, 1, sizeof(text) - 1, f);
        fclose(f);
    }

    text[n] = '\0';

    return text;
}
