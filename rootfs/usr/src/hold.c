/* hold: the witness container of an add-on's pod. It pauses, goes at once on SIGTERM or SIGINT, and as
 * process 1 (of its container, or of a pod with a shared process namespace) reaps what others leave behind.
 *
 * `hold --ready PORT WATCHED...` also answers HTTP on PORT: 200 while programs of the pod listen on all TCP
 * ports WATCHED, else 503. The kubelet asks here instead of connecting to the add-on itself, whose log would show
 * a stranger every second. A question that comes too early is answered as soon as the program listens: the
 * kubelet's next one would come a second later. `hold --version` proves that the image can run it. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STATE_LISTEN 0x0A /* in the kernel's socket tables */
#define PATIENCE 1000     /* ms until a question is answered with 503: the kubelet hangs up after 2,000 */
#define PAUSE 20          /* ms between two looks at who listens */

static bool listed(const char *table, unsigned port)
{
    FILE *file = fopen(table, "re");
    char line[512];
    bool found = false;
    unsigned local, state;
    while (file && !found && fgets(line, sizeof line, file))
        found = sscanf(line, " %*d: %*[0-9A-F]:%x %*[0-9A-F]:%*x %x", &local, &state) == 2
                && state == STATE_LISTEN && local == port;
    if (file)
        fclose(file);
    return found;
}

/* `watched` ends with a null pointer, as the program's arguments do. */
static bool all_listen(char **watched)
{
    for (; *watched; watched++) {
        unsigned port = strtoul(*watched, NULL, 10);
        if (!listed("/proc/net/tcp", port) && !listed("/proc/net/tcp6", port))
            return false;
    }
    return true;
}

static long now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static int open_port(unsigned port)
{
    int yes = 1, server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(server, (struct sockaddr *)&address, sizeof address) != 0 || listen(server, 8) != 0) {
        perror("hold: no answers about readiness"); /* the pod then never gets ready, and its log says why */
        close(server);
        return -1;
    }
    return server;
}

static void answer(int server, char **watched)
{
    int client = accept4(server, NULL, NULL, SOCK_CLOEXEC);
    if (client < 0)
        return;
    bool ready = all_listen(watched);
    struct timeval patience = {.tv_sec = 1};
    char request[2048], reply[96];
    setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    /* Unread bytes would turn our close into a reset; what was asked does not matter. */
    if (recv(client, request, sizeof request, 0) > 0) {
        int length = snprintf(reply, sizeof reply, "HTTP/1.1 %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                              ready ? "200 OK" : "503 Service Unavailable");
        if (send(client, reply, length, MSG_NOSIGNAL) < 0)
            perror("hold");
    }
    close(client);
}

int main(int argc, char **argv)
{
    int server = -1;
    char **watched = argv + argc;
    long asked = 0; /* when the question came that waits for its answer */
    if (argc == 2 && strcmp(argv[1], "--version") == 0)
        return puts("hold 4") == EOF;
    if (argc >= 4 && strcmp(argv[1], "--ready") == 0) {
        watched = argv + 3;
        server = open_port(strtoul(argv[2], NULL, 10));
    } else if (argc > 1) {
        fputs("usage: hold [--version | --ready PORT WATCHED...]\n", stderr);
        return 2;
    }

    /* Blocked and read, not handled: no signal can slip in between two calls. */
    sigset_t awaited;
    sigemptyset(&awaited);
    sigaddset(&awaited, SIGTERM);
    sigaddset(&awaited, SIGINT);
    sigaddset(&awaited, SIGCHLD);
    int signals = sigprocmask(SIG_BLOCK, &awaited, NULL) == 0 ? signalfd(-1, &awaited, SFD_CLOEXEC) : -1;
    if (signals < 0)
        return 1;
    for (;;) {
        struct pollfd events[] = {{.fd = signals, .events = POLLIN}, {.fd = server, .events = POLLIN}};
        /* While a question waits for its answer, it is no news. */
        if (poll(events, asked ? 1 : 2, asked ? PAUSE : -1) < 0 && errno != EINTR)
            return 1;
        struct signalfd_siginfo heard;
        if (events[0].revents && read(signals, &heard, sizeof heard) == sizeof heard) {
            if (heard.ssi_signo != SIGCHLD)
                return 0;
            while (waitpid(-1, NULL, WNOHANG) > 0)
                ; /* signals of one kind do not queue: one SIGCHLD may stand for several ends */
        }
        if (!asked && events[1].revents)
            asked = now();
        if (asked && (all_listen(watched) || now() - asked > PATIENCE)) {
            asked = 0;
            answer(server, watched);
        }
    }
}
