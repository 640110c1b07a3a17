/*
 * Preloaded into nginx.  librdkafka reports the number VERSION as its version,
 * and "of a test" as the version's text.
 */

#include <librdkafka/rdkafka.h>


int
rd_kafka_version(void)
{
    return VERSION;
}


const char *
rd_kafka_version_str(void)
{
    return "of a test";
}
