/* Single steps, and registers at one stop. */
#include "raw.h"

static struct tracee prepared(void)
{
    struct tracee tracee = launch("loop", "1000000000", NULL);
    attach(&tracee, 0);
    open_gate(&tracee);
    return tracee;
}

static void one_step(void *with)
{
    int status;
    pid_t pid = *(pid_t *)with;
    CALL(ptrace(PTRACE_SINGLESTEP, pid, 0, 0));
    if (next_stop(pid, &status) < 0 || !WIFSTOPPED(status))
        die("the target ended while stepped");
}

void step_handed(const char *row, long n)
{
    struct tracee tracee = prepared();
    struct meter start = begin();
    handed(n, one_step, &tracee.pid);
    report(row, &start, (double)n);
    finish(&tracee);
}

void step_until(const char *row, long n)
{
    struct tracee tracee = prepared();
    struct meter start = begin();
    long done = 0;
    do
        one_step(&tracee.pid);
    while (++done < n && program_counter(tracee.pid) != 1);
    report(row, &start, (double)done);
    finish(&tracee);
}

void registers(const char *row, long n)
{
    struct tracee tracee = prepared();
    struct user_regs_struct whole;
    struct meter start = begin();
    if (CALL(ptrace(PTRACE_GETREGS, tracee.pid, 0, &whole)))
        die("registers");
    volatile unsigned long long *rip = &whole.rip;
    for (long i = 0; i < n; i++)
        (void)*rip;
    report(row, &start, (double)n);
    finish(&tracee);
}
