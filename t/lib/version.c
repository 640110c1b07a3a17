/*
 * Preloaded into nginx: librdkafka is of the VERSION that is given, a number,
 * and its text is "of a test".
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
