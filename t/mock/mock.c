
/*
 * A process with librdkafka's mock cluster, which injects faults on command.
 *
 *     kafka-mock [BROKERS]
 *
 * The process prints "bootstrap LIST control ADDRESS:PORT".  Then it reads
 * commands, one in each line, from standard input and from connections to the
 * control port.  It answers each command with the line "ok" or "error REASON":
 *
 *     topic NAME PARTITIONS           create a topic
 *     error NAME ERROR                answer metadata requests for the topic
 *                                     with the error
 *     fail API ERROR [COUNT]          answer the next COUNT (default 1)
 *                                     requests with the error
 *     clear API                       remove the remaining errors of "fail"
 *     answer BROKER API ERROR MS      delay the broker's next answer by MS
 *                                     milliseconds, and set its error, or
 *                                     NO_ERROR; afterwards "fail" has no effect
 *                                     on these requests of the broker
 *     rtt BROKER MS                   delay each answer of the broker by MS
 *                                     milliseconds
 *     down BROKER                     refuse connections to the broker
 *     up BROKER                       accept connections again
 *     leader NAME PARTITION BROKER    set the leader; -1 means no leader
 *     reset                           undo fail, error, rtt, down and leader,
 *                                     but not answer
 *
 * ERROR is the name or the number of an error of librdkafka.  API is the number
 * of a request in Kafka's protocol: 0 is Produce, 3 is Metadata.  In rtt, down
 * and up, a BROKER of -1 means all brokers.  The process ends when its standard
 * input is closed or its parent ends.
 */

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>


#define MAX_PEERS   32
#define MAX_LINE    1024
#define MAX_APIS    100
#define MAX_TOPICS  64
#define NAME_SIZE   256


typedef struct {
    int       in;
    int       out;
    size_t    len;
    char      line[MAX_LINE];
} peer_t;


typedef struct {
    char      topic[NAME_SIZE];
    int       partition;
} leader_t;


static int listen_loopback(unsigned *port);
static int serve(int fd);
static int peer_read(peer_t *p);
static const char *command(char *line);
static const char *command_error(const char *line);
static const char *command_fail(const char *line);
static const char *command_answer(const char *line);
static const char *command_leader(const char *line);
static const char *command_reset(void);
static const char *verdict(rd_kafka_resp_err_t err);
static int error_code(const char *word, rd_kafka_resp_err_t *err);


static int                       replicas = 1;
static rd_kafka_mock_cluster_t  *cluster;

/* the changes that "reset" must undo: librdkafka does not list them */
static char                      failing[MAX_APIS];
static char                      topics[MAX_TOPICS][NAME_SIZE];
static size_t                    ntopics;
static leader_t                  leaders[MAX_TOPICS];
static size_t                    nleaders;


int
main(int argc, char **argv)
{
    int               fd;
    char              errstr[256];
    pid_t             parent;
    unsigned          port;
    rd_kafka_t       *rk;
    rd_kafka_conf_t  *conf;

    parent = getppid();
    (void) prctl(PR_SET_PDEATHSIG, SIGTERM);

    if (getppid() != parent) {
        return 1;
    }

    (void) signal(SIGPIPE, SIG_IGN);

    conf = rd_kafka_conf_new();

    if (rd_kafka_conf_set(conf, "log_level", "4", errstr, sizeof(errstr))
        != RD_KAFKA_CONF_OK
        || rd_kafka_conf_set(conf, "test.mock.num.brokers",
                             argc > 1 ? argv[1] : "1", errstr, sizeof(errstr))
           != RD_KAFKA_CONF_OK)
    {
        fprintf(stderr, "kafka-mock: %s\n", errstr);
        return 1;
    }

    rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, errstr, sizeof(errstr));
    if (rk == NULL) {
        fprintf(stderr, "kafka-mock: rd_kafka_new(): %s\n", errstr);
        return 1;
    }

    cluster = rd_kafka_handle_mock_cluster(rk);
    if (cluster == NULL) {
        fprintf(stderr, "kafka-mock: a cluster of no brokers\n");
        return 1;
    }

    if (argc > 1) {
        replicas = (atoi(argv[1]) < 3) ? atoi(argv[1]) : 3;
    }

    fd = listen_loopback(&port);
    if (fd == -1) {
        fprintf(stderr, "kafka-mock: control port: %s\n", strerror(errno));
        return 1;
    }

    printf("bootstrap %s control 127.0.0.1:%u\n",
           rd_kafka_mock_cluster_bootstraps(cluster), port);
    fflush(stdout);

    return serve(fd);
}


static int
listen_loopback(unsigned *port)
{
    int                 fd;
    socklen_t           len;
    struct sockaddr_in  sin;

    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    len = sizeof(sin);

    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd == -1
        || bind(fd, (struct sockaddr *) &sin, len) == -1
        || getsockname(fd, (struct sockaddr *) &sin, &len) == -1
        || listen(fd, MAX_PEERS) == -1)
    {
        return -1;
    }

    *port = ntohs(sin.sin_port);

    return fd;
}


static int
serve(int fd)
{
    int            s;
    size_t         i, n;
    struct pollfd  pfds[MAX_PEERS + 1];

    static peer_t  peers[MAX_PEERS];

    peers[0].in = STDIN_FILENO;
    peers[0].out = STDOUT_FILENO;
    n = 1;

    for ( ;; ) {

        for (i = 0; i < n; i++) {
            pfds[i].fd = peers[i].in;
            pfds[i].events = POLLIN;
        }

        /* if all places are taken, new connections wait in the backlog */

        pfds[n].fd = (n < MAX_PEERS) ? fd : -1;
        pfds[n].events = POLLIN;

        if (poll(pfds, n + 1, -1) == -1) {
            if (errno == EINTR) {
                continue;
            }

            return 1;
        }

        if (pfds[n].fd != -1 && pfds[n].revents) {
            s = accept(fd, NULL, NULL);

            if (s != -1) {
                peers[n].in = s;
                peers[n].out = s;
                peers[n].len = 0;
                pfds[n++].revents = 0;
            }
        }

        /* iterate backwards: the last peer replaces a peer that has left */

        for (i = n; i-- > 0; /* void */ ) {

            if (pfds[i].revents == 0 || peer_read(&peers[i]) == 0) {
                continue;
            }

            if (i == 0) {
                return 0;
            }

            (void) close(peers[i].in);
            peers[i] = peers[--n];
        }
    }
}


/* returns 0, or -1 if the peer has left or its line is too long */

static int
peer_read(peer_t *p)
{
    char        *nl, answer[MAX_LINE];
    int          len;
    size_t       used;
    ssize_t      n;
    const char  *reason;

    n = read(p->in, p->line + p->len, MAX_LINE - p->len);
    if (n <= 0) {
        return -1;
    }

    p->len += n;

    while ((nl = memchr(p->line, '\n', p->len)) != NULL) {
        *nl = '\0';
        used = nl + 1 - p->line;

        reason = command(p->line);

        len = (reason == NULL)
              ? snprintf(answer, sizeof(answer), "ok\n")
              : snprintf(answer, sizeof(answer), "error %s\n", reason);

        if (write(p->out, answer, len) != len) {
            return -1;
        }

        p->len -= used;
        memmove(p->line, p->line + used, p->len);
    }

    return (p->len == MAX_LINE) ? -1 : 0;
}


static const char *
command(char *line)
{
    int   a, b;
    char  name[NAME_SIZE];

    if (sscanf(line, "topic %255s %d", name, &a) == 2) {
        return verdict(rd_kafka_mock_topic_create(cluster, name, a, replicas));
    }

    if (strncmp(line, "error ", 6) == 0) {
        return command_error(line);
    }

    if (strncmp(line, "fail ", 5) == 0) {
        return command_fail(line);
    }

    if (strncmp(line, "answer ", 7) == 0) {
        return command_answer(line);
    }

    if (sscanf(line, "clear %d", &a) == 1) {
        rd_kafka_mock_clear_request_errors(cluster, (int16_t) a);
        return NULL;
    }

    if (sscanf(line, "rtt %d %d", &a, &b) == 2) {
        return verdict(rd_kafka_mock_broker_set_rtt(cluster, a, b));
    }

    if (sscanf(line, "down %d", &a) == 1) {
        return verdict(rd_kafka_mock_broker_set_down(cluster, a));
    }

    if (sscanf(line, "up %d", &a) == 1) {
        return verdict(rd_kafka_mock_broker_set_up(cluster, a));
    }

    if (strncmp(line, "leader ", 7) == 0) {
        return command_leader(line);
    }

    if (strcmp(line, "reset") == 0) {
        return command_reset();
    }

    return "unknown command";
}


static const char *
command_error(const char *line)
{
    char                 name[NAME_SIZE], word[NAME_SIZE];
    rd_kafka_resp_err_t  err;

    if (sscanf(line, "error %255s %255s", name, word) != 2
        || error_code(word, &err) == -1)
    {
        return "unknown error";
    }

    if (ntopics == MAX_TOPICS) {
        return "too many topics with errors";
    }

    strcpy(topics[ntopics++], name);
    rd_kafka_mock_topic_set_error(cluster, name, err);

    return NULL;
}


static const char *
command_fail(const char *line)
{
    int                  api, count;
    char                 word[NAME_SIZE];
    rd_kafka_resp_err_t  err;

    count = 1;

    if (sscanf(line, "fail %d %255s %d", &api, word, &count) < 2
        || error_code(word, &err) == -1)
    {
        return "unknown error";
    }

    if (api < 0 || api >= MAX_APIS) {
        return "unknown API";
    }

    failing[api] = 1;

    while (count-- > 0) {
        rd_kafka_mock_push_request_errors(cluster, (int16_t) api, 1, err);
    }

    return NULL;
}


static const char *
command_answer(const char *line)
{
    int                  broker, api, ms;
    char                 word[NAME_SIZE];
    rd_kafka_resp_err_t  err;

    if (sscanf(line, "answer %d %d %255s %d", &broker, &api, word, &ms) != 4
        || error_code(word, &err) == -1)
    {
        return "unknown answer";
    }

    return verdict(rd_kafka_mock_broker_push_request_error_rtts(cluster,
                                        broker, (int16_t) api, 1, err, ms));
}


static const char *
command_leader(const char *line)
{
    int        broker;
    leader_t  *l;

    if (nleaders == MAX_TOPICS) {
        return "too many leaders changed";
    }

    l = &leaders[nleaders];

    if (sscanf(line, "leader %255s %d %d", l->topic, &l->partition, &broker)
        != 3)
    {
        return "unknown leader";
    }

    nleaders++;

    return verdict(rd_kafka_mock_partition_set_leader(cluster, l->topic,
                                                      l->partition, broker));
}


static const char *
command_reset(void)
{
    int                  api;
    leader_t            *l;
    rd_kafka_resp_err_t  err;

    for (api = 0; api < MAX_APIS; api++) {
        if (failing[api]) {
            failing[api] = 0;
            rd_kafka_mock_clear_request_errors(cluster, (int16_t) api);
        }
    }

    while (ntopics > 0) {
        rd_kafka_mock_topic_set_error(cluster, topics[--ntopics],
                                      RD_KAFKA_RESP_ERR_NO_ERROR);
    }

    /* any leader is good enough, so use broker 1 */

    while (nleaders > 0) {
        l = &leaders[--nleaders];
        (void) rd_kafka_mock_partition_set_leader(cluster, l->topic,
                                                  l->partition, 1);
    }

    err = rd_kafka_mock_broker_set_rtt(cluster, -1, 0);

    if (err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        err = rd_kafka_mock_broker_set_up(cluster, -1);
    }

    return verdict(err);
}


static const char *
verdict(rd_kafka_resp_err_t err)
{
    return (err == RD_KAFKA_RESP_ERR_NO_ERROR) ? NULL : rd_kafka_err2name(err);
}


static int
error_code(const char *word, rd_kafka_resp_err_t *err)
{
    char                            *end;
    size_t                           i, n;
    const struct rd_kafka_err_desc  *descs;

    *err = (rd_kafka_resp_err_t) strtol(word, &end, 10);

    if (end != word && *end == '\0') {
        return 0;
    }

    rd_kafka_get_err_descs(&descs, &n);

    for (i = 0; i < n; i++) {
        if (descs[i].name != NULL && strcmp(descs[i].name, word) == 0) {
            *err = descs[i].code;
            return 0;
        }
    }

    return -1;
}
