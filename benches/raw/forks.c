/* A program that forks again and again: its children taken on and let go at once, or never seen. */
#include "raw.h"

static struct tracee prepared(long n, long options)
{
    char count[32];
    snprintf(count, sizeof count, "%ld", n);
    struct tracee tracee = launch("forks", count, NULL);
    attach(&tracee, options);
    open_gate(&tracee);
    return tracee;
}

/* The signal to pass on: none where the stop is an event or the start of a child. */
static int signal_of(int status)
{
    return status >> 16 ? 0 : WSTOPSIG(status);
}

/* Lets everybody go on until all have ended; returns how many others than `pid` have come. */
static long let_run(pid_t pid)
{
    long births = 0;
    int status;
    pid_t tid;
    for (resume(pid); (tid = next_stop(-1, &status)) > 0;) {
        births += tid != pid && WIFSTOPPED(status) && status >> 16 == PTRACE_EVENT_STOP;
        if (WIFSTOPPED(status))
            CALL(ptrace(PTRACE_CONT, tid, 0, signal_of(status)));
    }
    return births;
}

void fork_storm(const char *row, long n)
{
    long expected = strcmp(row, "P3-followed") ? 0 : n;
    struct tracee tracee = prepared(n, expected ? PTRACE_O_TRACEFORK : 0);
    struct meter start = begin();
    long births = let_run(tracee.pid);
    report(row, &start, (double)n);
    if (births != expected)
        die("children lost");
}
