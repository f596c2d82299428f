/* The least that a server can do: for each REQUEST bytes that come, ANSWER bytes go out. One thread, epoll.
 *
 *   echo PORT REQUEST ANSWER
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DESCRIPTORS = 65536, INPUT = 65536, EVENTS = 1024 };
static size_t unanswered[DESCRIPTORS]; /* bytes of a request that isn't complete yet, by descriptor */
static unsigned char input[INPUT], *output;

static void serve(int fd, size_t request, size_t answer) {
    ssize_t got = recv(fd, input, sizeof input, MSG_DONTWAIT);
    if (got <= 0) {
        unanswered[fd] = 0;
        close(fd);
        return;
    }
    size_t size = (unanswered[fd] + (size_t)got) / request * answer;
    unanswered[fd] = (unanswered[fd] + (size_t)got) % request;
    for (size_t done = 0; done < size;) {
        ssize_t sent = send(fd, output + done, size - done, MSG_NOSIGNAL);
        if (sent < 0) return;
        done += (size_t)sent;
    }
}

int main(int count, char **words) {
    if (count != 4) return 2;
    size_t request = strtoul(words[2], NULL, 10), answer = strtoul(words[3], NULL, 10);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(words[1]))};
    int one = 1, listening = socket(AF_INET, SOCK_STREAM, 0), waiting = epoll_create1(0);
    if (!request || !answer || !(output = malloc((INPUT / request + 1) * answer))) return 2;
    memset(output, 'x', (INPUT / request + 1) * answer);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listening, (struct sockaddr *)&address, sizeof address) || listen(listening, 4096)) return 1;
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listening}, events[EVENTS];
    epoll_ctl(waiting, EPOLL_CTL_ADD, listening, &event);
    for (;;) {
        int ready = epoll_wait(waiting, events, EVENTS, -1);
        for (int i = 0; i < ready; i++) {
            if (events[i].data.fd != listening) {
                serve(events[i].data.fd, request, answer);
                continue;
            }
            int fd = accept(listening, NULL, NULL);
            if (fd < 0 || fd >= DESCRIPTORS) continue;
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
            event.data.fd = fd;
            epoll_ctl(waiting, EPOLL_CTL_ADD, fd, &event);
        }
    }
}
