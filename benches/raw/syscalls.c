/* System calls: at every one, at those that a filter picks, as messages without a stop, and one that is injected. */
#include "raw.h"
#include <linux/ptrace.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#define LISTENER 9 /* targets/calls.c knows it too */
#define TRACED_CALL (SIGTRAP | 0x80)
#define RARE 1000

#ifndef SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP /* Linux 6.6 */
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP 1ul
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#endif

/* What a row looks at, and what it has seen. */
struct watch {
    long every, hits;
    int both_sides;
};

static struct tracee prepared(const char *target, long n, long every, long options)
{
    char count[32], rare[32];
    snprintf(count, sizeof count, "%ld", n);
    snprintf(rare, sizeof rare, "%ld", every);
    struct tracee tracee = launch(target, count, rare);
    attach(&tracee, options | PTRACE_O_TRACESYSGOOD);
    open_gate(&tracee);
    return tracee;
}

static struct watch watch_for(const char *row)
{
    long every = row[1] == '3' ? 1 : RARE;
    return (struct watch){every, 0, !strstr(row, "-enter")};
}

static void judge(const char *row, const struct meter *start, const struct watch *watch, long n)
{
    long threads = strstr(row, "-64") ? 64 : 1, rare = n / threads / watch->every * threads;
    report(row, start, (double)n);
    if (watch->hits != rare * (1 + watch->both_sides))
        die("calls lost");
}

static int is_rare(pid_t tid, int *enters)
{
    static uint64_t number; /* the exit's message does not have it */
    struct ptrace_syscall_info about;
    if (CALL(ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof about, &about)) <= 0)
        die("PTRACE_GET_SYSCALL_INFO");
    *enters = about.op == PTRACE_SYSCALL_INFO_ENTRY;
    number = *enters ? about.entry.nr : number;
    return number == SYS_getuid;
}

/* Both stops of every call; the kernel is asked which call and side each is. */
void every_syscall(const char *row, long n)
{
    struct tracee tracee = prepared("calls", n, watch_for(row).every, 0);
    struct watch watch = watch_for(row);
    struct meter start = begin();
    int status, enters;
    do {
        CALL(ptrace(PTRACE_SYSCALL, tracee.pid, 0, 0));
        if (next_stop(tracee.pid, &status) < 0 || !WIFSTOPPED(status))
            break;
        if (WSTOPSIG(status) == TRACED_CALL && is_rare(tracee.pid, &enters))
            watch.hits += enters || watch.both_sides;
    } while (1);
    judge(row, &start, &watch, n);
}

static int is_filtered(int status)
{
    return WIFSTOPPED(status) && status >> 8 == (SIGTRAP | PTRACE_EVENT_SECCOMP << 8);
}

/* A call that the filter has picked, or its exit: counts it, and says how the thread goes on. */
static int filtered_stop(struct watch *watch, pid_t tid, int status)
{
    if (is_filtered(status)) {
        long number = CALL(ptrace(PTRACE_PEEKUSER, tid, offsetof(struct user, regs.orig_rax), 0));
        watch->hits += number == SYS_getuid;
        return watch->both_sides ? PTRACE_SYSCALL : PTRACE_CONT;
    }
    if (WSTOPSIG(status) == TRACED_CALL) {
        long result = CALL(ptrace(PTRACE_PEEKUSER, tid, offsetof(struct user, regs.rax), 0));
        watch->hits += result >= 0;
    }
    return PTRACE_CONT;
}

/* Stops only at the calls that the program's filter picks, in any number of threads. */
void filtered_syscalls(const char *row, long n)
{
    int many = !!strstr(row, "-64");
    const char *target = many ? "calls-filtered-64" : "calls-filtered";
    struct watch watch = watch_for(row);
    if (many) /* what runs without stops has no use for the tracer's CPU */
        unpin();
    struct tracee tracee = prepared(target, n, watch.every, PTRACE_O_TRACESECCOMP | PTRACE_O_TRACECLONE);
    struct meter start = begin();
    int status;
    pid_t tid;
    for (resume(tracee.pid); (tid = next_stop(-1, &status)) > 0;)
        if (WIFSTOPPED(status))
            CALL(ptrace(filtered_stop(&watch, tid, status), tid, 0, 0));
    judge(row, &start, &watch, n);
}

static int listener_of(const struct tracee *tracee)
{
    int process = (int)syscall(SYS_pidfd_open, tracee->pid, 0);
    int listener = (int)syscall(SYS_pidfd_getfd, process, LISTENER, 0);
    if (process < 0 || listener < 0)
        die("pidfd_getfd");
    /* Older kernels do without: the program and we share a CPU anyway. */
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
    return listener;
}

/* Each call is a message and an answer; the program is not traced and never stops. */
void notified_syscalls(const char *row, long n)
{
    char count[32];
    snprintf(count, sizeof count, "%ld", n);
    struct tracee tracee = launch("calls-notified", count, "1");
    int listener = listener_of(&tracee);
    open_gate(&tracee);
    struct meter start = begin();
    for (long hits = 0; hits < n; hits++) {
        struct seccomp_notif asked = {0};
        if (CALL(ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &asked)) || asked.data.nr != SYS_getuid)
            die("notification");
        struct seccomp_notif_resp answer = {.id = asked.id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
        if (CALL(ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer)))
            die("answer");
    }
    report(row, &start, (double)n);
    finish(&tracee);
}

struct injection {
    pid_t pid;
    struct user_regs_struct regs;
    long answered;
};

static void one_call(void *with)
{
    struct injection *call = with;
    struct user_regs_struct after;
    int status;
    CALL(ptrace(PTRACE_SETREGS, call->pid, 0, &call->regs));
    CALL(ptrace(PTRACE_SINGLESTEP, call->pid, 0, 0));
    if (next_stop(call->pid, &status) < 0 || !is_trap(status))
        die("the target ended in a call");
    CALL(ptrace(PTRACE_GETREGS, call->pid, 0, &after));
    call->answered += (pid_t)after.rax == call->pid;
}

/* getpid, executed by a stopped program on the order of another thread. */
void invoked_syscall(const char *row, long n)
{
    static const unsigned char instruction[] = {0x0f, 0x05};
    struct tracee tracee = launch("loop", "1", NULL);
    struct injection call = {tracee.pid, {0}, 0};
    attach(&tracee, 0);
    poke(&tracee, tracee.page, instruction, sizeof instruction);
    if (ptrace(PTRACE_GETREGS, tracee.pid, 0, &call.regs))
        die("registers");
    call.regs.rip = tracee.page;
    call.regs.rax = SYS_getpid;
    call.regs.orig_rax = ~0ull; /* the read at the gate is not to be restarted */
    struct meter start = begin();
    handed(n, one_call, &call);
    report(row, &start, (double)n);
    finish(&tracee);
    if (call.answered != n)
        die("calls lost");
}
