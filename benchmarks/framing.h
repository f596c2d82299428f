/* Where an answer ends, by protocol: the first N bytes that came stand at P. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum framing { FIXED, LENGTH32, HTTP, RESP, LINE };

void fail(const char *format, ...);

/* The bytes up to and with the first newline, 0 when it isn't there yet. */
static size_t line_length(const unsigned char *p, size_t n) {
    const unsigned char *end = memchr(p, '\n', n);
    return end ? (size_t)(end - p) + 1 : 0;
}

static size_t resp_length(const unsigned char *p, size_t n) {
    size_t line = line_length(p, n), at = line;
    if (!line || (*p != '*' && *p != '$')) return line;
    long count = strtol((const char *)p + 1, NULL, 10);
    if (*p == '$') return count < 0 ? line : n >= line + (size_t)count + 2 ? line + (size_t)count + 2 : 0;
    for (; count > 0; count--) {
        size_t item = resp_length(p + at, n - at);
        if (!item) return 0;
        at += item;
    }
    return at;
}

static size_t http_length(const unsigned char *p, size_t n) {
    const unsigned char *end = memmem(p, n, "\r\n\r\n", 4);
    if (!end) return 0;
    size_t head = (size_t)(end - p) + 4;
    for (size_t at = 0; at < head;) {
        size_t line = line_length(p + at, head - at);
        if (line > 15 && !strncasecmp((const char *)p + at, "content-length:", 15)) {
            size_t whole = head + strtoul((const char *)p + at + 15, NULL, 10);
            return n >= whole ? whole : 0;
        }
        at += line;
    }
    fail("an HTTP answer without Content-Length: %.*s", (int)(head > 200 ? 200 : head), (const char *)p);
    return 0;
}

/* The bytes of the first whole answer, 0 when it isn't all there yet. */
static size_t answer_length(enum framing framing, size_t fixed, const unsigned char *p, size_t n) {
    size_t whole = fixed;
    switch (framing) {
    case RESP: return n ? resp_length(p, n) : 0;
    case HTTP: return http_length(p, n);
    case LINE: return line_length(p, n);
    case LENGTH32:
        if (n < 4) return 0;
        whole = 4 + ((size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3]);
        break;
    case FIXED: break;
    }
    return n >= whole ? whole : 0;
}
