/* hold: the witness container of an add-on's pod. It pauses, goes at once on SIGTERM or SIGINT, and as
 * process 1 (of its container, or of a pod with a shared process namespace) reaps what others leave behind.
 * `hold --version` proves that the image can run it. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--version") == 0)
        return puts("hold 1") == EOF;
    if (argc > 1) {
        fputs("usage: hold [--version]\n", stderr);
        return 2;
    }

    /* Blocked and waited for, not handled: no signal can slip in between two calls. */
    sigset_t awaited;
    sigemptyset(&awaited);
    sigaddset(&awaited, SIGTERM);
    sigaddset(&awaited, SIGINT);
    sigaddset(&awaited, SIGCHLD);
    if (sigprocmask(SIG_BLOCK, &awaited, NULL) != 0)
        return 1;
    for (;;) {
        int signal_number;
        if (sigwait(&awaited, &signal_number) != 0)
            return 1;
        if (signal_number != SIGCHLD)
            return 0;
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ; /* signals of one kind do not queue: one SIGCHLD may stand for several ends */
    }
}
