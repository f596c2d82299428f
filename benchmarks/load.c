/* A load generator: N connections to one server, P requests in flight on each, every answer counted and checked.
 *
 * It reads a plan from standard input, a line each, and then its orders; it answers each order with a line of JSON.
 *
 *   connect HOST PORT                 where the server listens (IPv4)
 *   connections N                     how many to open
 *   in-flight P                       requests that wait for their answer on each, unless they are paced
 *   framing fixed SIZE | length32 | http | resp | line      how an answer ends
 *   size BYTES                        what each answer has to have
 *   expect OFFSET HEX                 bytes that each answer has there; a negative offset counts from its end
 *   match OFFSET OFFSET BYTES         bytes of an answer (first) that are those of its request (second)
 *   counter OFFSET                    a u64, big-endian, with another value in each request
 *   heartbeat                         answer the exchange's Ping frames
 *   prologue ANSWERS HEX              sent once on each connection, and how many answers it gets
 *   prologue-expect OFFSET HEX        bytes that the first of them has there
 *   request HEX                       one of the requests; each connection begins at another one, and goes round
 *   open                              opens the connections: {"ready": N}
 *   run SECONDS RATE                  a shot: {"answers": N, "seconds": S, "latency": [[NS, N], ...]}
 *   quit
 *
 * RATE 0 sends as fast as answers come. Any other is requests a second in all, sent when they are due whether or not
 * the earlier ones are answered; latency is counted from when a request was due, so that a server that stalls can't
 * hide it. Answers have to come in the order of the requests. The first wrong one ends the run: {"error": TEXT}.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "framing.h"

enum { INPUT = 65536, RING = 1024, EVENTS = 1024, CHECKS = 8, PING = 5, PONG = 6, KIND_AT = 5 };
static const double SILENT = 20.0; /* seconds without an answer after which a shot is given up */

struct bytes { unsigned char *at; size_t size; };
struct expectation { long offset; struct bytes bytes; };
struct match { long answer, request; size_t size; };

struct connection {
    int fd;
    size_t first;            /* the request it begins with */
    uint64_t sent, answered; /* requests, and answers to them */
    size_t have;             /* bytes in input */
    unsigned char *input;
    double *due;             /* when each request that waits was due: a ring; only where they are paced */
};

static struct {
    char host[64];
    int port, connections, in_flight, heartbeat, prologue_answers;
    enum framing framing;
    size_t fixed, size, request_count, expect_count, match_count;
    long counter; /* the offset, or -1 */
    struct bytes prologue, *requests;
    struct expectation expect[CHECKS], prologue_expect;
    struct match match[CHECKS];
} plan = {.connections = 1, .in_flight = 1, .counter = -1};

static struct connection *connections;
static int epoll_fd, running, opening;
static uint64_t counter, outstanding, answers, paced_sent;
static double started, ends, last_answer, rate;

/* Latency: 32 steps for each doubling, from 1 us; a step is 3 % wide. */
enum { STEPS = 32, DOUBLINGS = 26 };
static uint64_t histogram[STEPS * DOUBLINGS];

void fail(const char *format, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    for (char *c = text; *c; c++)
        if (*c == '"' || *c == '\\' || (unsigned char)*c < ' ' || (unsigned char)*c > '~') *c = '.';
    printf("{\"error\": \"%s\"}\n", text);
    fflush(stdout);
    _exit(1);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void *room(size_t count, size_t size) {
    void *made = calloc(count ? count : 1, size);
    if (!made) fail("no memory");
    return made;
}

/* ---------------------------------------------------------------- the plan */

static struct bytes from_hex(const char *text) {
    struct bytes made = {room(strlen(text) / 2 + 1, 1), 0};
    unsigned value;
    for (; sscanf(text, "%2x", &value) == 1; text += 2) made.at[made.size++] = (unsigned char)value;
    return made;
}

static void set_framing(const char *words) {
    static const char *names[] = {"fixed", "length32", "http", "resp", "line"};
    char name[16];
    if (sscanf(words, "%15s %zu", name, &plan.fixed) < 1) fail("framing: which one?");
    for (int i = 0; i < 5; i++)
        if (!strcmp(name, names[i])) { plan.framing = (enum framing)i; return; }
    fail("unknown framing: %s", name);
}

static void set_expectation(struct expectation *into, const char *words) {
    char *rest;
    into->offset = strtol(words, &rest, 10);
    into->bytes = from_hex(rest + 1);
}

static void add_request(const char *hex) {
    static size_t space;
    if (plan.request_count == space) {
        space = space ? 2 * space : 1024;
        plan.requests = realloc(plan.requests, space * sizeof *plan.requests);
        if (!plan.requests) fail("no memory");
    }
    plan.requests[plan.request_count++] = from_hex(hex);
}

static void set_plan(const char *key, const char *words) {
    char *rest;
    if (!strcmp(key, "connect")) { if (sscanf(words, "%63s %d", plan.host, &plan.port) != 2) fail("connect where?"); }
    else if (!strcmp(key, "connections")) plan.connections = atoi(words);
    else if (!strcmp(key, "in-flight")) plan.in_flight = atoi(words);
    else if (!strcmp(key, "framing")) set_framing(words);
    else if (!strcmp(key, "size")) plan.size = strtoul(words, NULL, 10);
    else if (!strcmp(key, "counter")) plan.counter = atol(words);
    else if (!strcmp(key, "heartbeat")) plan.heartbeat = 1;
    else if (!strcmp(key, "request")) add_request(words);
    else if (!strcmp(key, "prologue-expect")) set_expectation(&plan.prologue_expect, words);
    else if (!strcmp(key, "prologue")) {
        plan.prologue_answers = (int)strtol(words, &rest, 10);
        plan.prologue = from_hex(rest + 1);
    } else if (!strcmp(key, "expect") && plan.expect_count < CHECKS)
        set_expectation(&plan.expect[plan.expect_count++], words);
    else if (!strcmp(key, "match") && plan.match_count < CHECKS) {
        struct match *m = &plan.match[plan.match_count++];
        if (sscanf(words, "%ld %ld %zu", &m->answer, &m->request, &m->size) != 3) fail("match what?");
    } else fail("a plan has no such line: %s", key);
}

/* ---------------------------------------------------------------- checks */

static void wrong(const char *what, const unsigned char *answer, size_t size) {
    fail("wrong answer of %zu bytes, %s: %.*s", size, what, (int)(size > 300 ? 300 : size), (const char *)answer);
}

static void check_bytes(const struct expectation *e, const unsigned char *answer, size_t size) {
    long at = e->offset < 0 ? (long)size + e->offset : e->offset;
    if (at < 0 || (size_t)at + e->bytes.size > size || memcmp(answer + at, e->bytes.at, e->bytes.size))
        wrong("without the expected bytes", answer, size);
}

static void check(const unsigned char *answer, size_t size, const struct bytes *request) {
    if (plan.size && size != plan.size) wrong("which is the wrong size", answer, size);
    for (size_t i = 0; i < plan.expect_count; i++) check_bytes(&plan.expect[i], answer, size);
    for (size_t i = 0; i < plan.match_count; i++) {
        const struct match *m = &plan.match[i];
        long at = m->answer < 0 ? (long)size + m->answer : m->answer;
        if (at < 0 || (size_t)at + m->size > size || memcmp(answer + at, request->at + m->request, m->size))
            wrong("which doesn't match its request", answer, size);
    }
}

/* ---------------------------------------------------------------- sending and receiving */

static void send_all(struct connection *c, const unsigned char *at, size_t size) {
    while (size) { /* the socket blocks: what is in flight is far below its buffer */
        ssize_t done = send(c->fd, at, size, MSG_NOSIGNAL);
        if (done < 0 && errno != EINTR) fail("sending failed: %s", strerror(errno));
        if (done > 0) at += done, size -= (size_t)done;
    }
}

static const struct bytes *request_of(const struct connection *c, uint64_t number) {
    return &plan.requests[(c->first + number) % plan.request_count];
}

/* Sends so many requests in one write. */
static void send_requests(struct connection *c, unsigned count, double due) {
    static unsigned char output[INPUT];
    size_t size = 0;
    for (; count; count--) {
        const struct bytes *request = request_of(c, c->sent);
        if (size + request->size > sizeof output) { send_all(c, output, size); size = 0; }
        memcpy(output + size, request->at, request->size);
        if (plan.counter >= 0) {
            uint64_t value = ++counter;
            unsigned char *at = output + size + plan.counter;
            for (int i = 7; i >= 0; i--, value >>= 8) at[i] = (unsigned char)value;
        }
        size += request->size;
        if (rate > 0) c->due[c->sent % RING] = due;
        c->sent++;
        outstanding++;
    }
    send_all(c, output, size);
}

static void note_latency(double seconds) {
    double doublings = 0, us = seconds * 1e6;
    while (us >= 2 && doublings < DOUBLINGS - 1) us /= 2, doublings++;
    int step = us < 1 ? 0 : us >= 2 ? STEPS - 1 : (int)((us - 1) * STEPS);
    histogram[(int)doublings * STEPS + step]++;
}

/* Answers a Ping of the exchange; true when the frame was one. */
static int took_ping(struct connection *c, unsigned char *frame, size_t size) {
    if (!plan.heartbeat || size != 12 || frame[KIND_AT] != PING) return 0;
    frame[KIND_AT] = PONG;
    send_all(c, frame, size);
    return 1;
}

static unsigned take_answers(struct connection *c) {
    unsigned taken = 0;
    size_t at = 0, size;
    while ((size = answer_length(plan.framing, plan.fixed, c->input + at, c->have - at)) > 0) {
        unsigned char *answer = c->input + at;
        at += size;
        if (took_ping(c, answer, size)) continue;
        if (opening) {
            if (taken++ == 0 && plan.prologue_expect.bytes.size) check_bytes(&plan.prologue_expect, answer, size);
            continue;
        }
        if (c->answered == c->sent) wrong("which nobody asked for", answer, size);
        check(answer, size, request_of(c, c->answered));
        if (rate > 0) note_latency(now() - c->due[c->answered % RING]);
        c->answered++;
        taken++;
    }
    c->have -= at;
    memmove(c->input, c->input + at, c->have);
    return taken;
}

static unsigned receive(struct connection *c, int flags) {
    ssize_t got = recv(c->fd, c->input + c->have, INPUT - c->have, flags);
    if (got == 0) fail("the server closed a connection after %llu answers", (unsigned long long)c->answered);
    if (got < 0) {
        if (errno == EAGAIN || errno == EINTR) return 0;
        fail("receiving failed: %s", strerror(errno));
    }
    c->have += (size_t)got;
    unsigned taken = take_answers(c);
    if (c->have == INPUT) fail("an answer of more than %d bytes", INPUT);
    return taken;
}

static void readable(struct connection *c) {
    unsigned taken = receive(c, MSG_DONTWAIT);
    if (!taken) return;
    answers += taken;
    outstanding -= taken;
    last_answer = now();
    if (running && rate <= 0) send_requests(c, taken, 0);
}

/* ---------------------------------------------------------------- orders */

static void open_connection(struct connection *c, size_t number) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)plan.port)};
    struct linger at_once = {1, 0}; /* closing leaves no port in TIME_WAIT */
    struct timeval patience = {(long)SILENT, 0};
    int one = 1;
    inet_pton(AF_INET, plan.host, &address.sin_addr);
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&address, sizeof address))
        fail("connection %zu failed: %s", number + 1, strerror(errno));
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    c->input = room(INPUT, 1);
    c->due = room(RING, sizeof *c->due);
    c->first = number * 7919; /* a prime, so that connections don't ask for the same at the same time */
    double begun = now();
    send_all(c, plan.prologue.at, plan.prologue.size);
    for (int wanted = plan.prologue_answers; wanted > 0; wanted -= (int)receive(c, 0))
        if (now() - begun > SILENT) fail("connection %zu got no answer to its prologue", number + 1);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event);
}

static void open_all(void) {
    connections = room((size_t)plan.connections, sizeof *connections);
    opening = 1;
    for (int i = 0; i < plan.connections; i++) open_connection(&connections[i], (size_t)i);
    opening = 0;
    printf("{\"ready\": %d}\n", plan.connections);
    fflush(stdout);
}

static void start(const char *words) {
    double seconds;
    if (sscanf(words, "%lf %lf", &seconds, &rate) != 2 || !plan.request_count) fail("run: how long, and what?");
    memset(histogram, 0, sizeof histogram);
    answers = paced_sent = 0;
    running = 1;
    started = last_answer = now();
    ends = started + seconds;
    for (int i = 0; rate <= 0 && i < plan.connections; i++) send_requests(&connections[i], (unsigned)plan.in_flight, 0);
}

static void report(void) {
    printf("{\"answers\": %llu, \"seconds\": %.6f, \"latency\": [", (unsigned long long)answers, last_answer - started);
    const char *between = "";
    for (int i = 0; i < STEPS * DOUBLINGS; i++) {
        if (!histogram[i]) continue;
        double ns = 1e3 * (1 + (i % STEPS + 0.5) / STEPS) * (double)(1u << i / STEPS); /* the middle of the step */
        printf("%s[%.0f, %llu]", between, ns, (unsigned long long)histogram[i]);
        between = ", ";
    }
    printf("]}\n");
    fflush(stdout);
}

static void send_due(void) {
    double at = now();
    for (double due; (due = started + (double)paced_sent / rate) <= at && due < ends; paced_sent++) {
        struct connection *c = &connections[paced_sent % (uint64_t)plan.connections];
        if (c->sent - c->answered == RING) fail("the server falls behind: %d requests wait on one connection", RING);
        send_requests(c, 1, due);
    }
}

/* One turn: wait for what comes, and see to the end of a shot. */
static void turn(void) {
    static struct epoll_event events[EVENTS];
    char line[256];
    if (running && rate > 0) send_due(); /* it has a core of its own, so it may go round instead of sleeping */
    int patience = running ? (rate > 0 ? 0 : 50) : outstanding ? 50 : -1;
    int ready = epoll_wait(epoll_fd, events, EVENTS, patience);
    for (int i = 0; i < ready; i++) {
        if (events[i].data.ptr) { readable(events[i].data.ptr); continue; }
        if (!fgets(line, sizeof line, stdin) || !strncmp(line, "quit", 4)) exit(0);
        if (strncmp(line, "run ", 4)) fail("no such order: %s", line);
        start(line + 4);
        return;
    }
    if (!started) return;
    double at = now();
    if (outstanding && at - last_answer > SILENT) fail("no answer for %.0f seconds", SILENT);
    if (running && at >= ends) {
        if (rate > 0) send_due(); /* what was due before the end, however late it is */
        running = 0;
    }
    if (!running && !outstanding) { report(); started = 0; }
}

int main(void) {
    char *line = NULL;
    size_t space = 0;
    ssize_t size;
    while ((size = getline(&line, &space, stdin)) > 0) {
        line[strcspn(line, "\n")] = 0;
        if (!strcmp(line, "open")) break;
        char *words = strchr(line, ' ');
        if (words) *words++ = 0;
        set_plan(line, words ? words : "");
    }
    epoll_fd = epoll_create1(0);
    struct epoll_event orders = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, STDIN_FILENO, &orders);
    open_all();
    for (;;) turn();
}
