/* calls CALLS EVERY [publish]: system calls that do nothing, in each of THREADS threads; every EVERYth is the rare one.

   getpid is the frequent call, getuid the rare one. FILTERED makes the rare one a stop for a tracer that has asked
   for PTRACE_EVENT_SECCOMP, NOTIFIED makes it a message on the descriptor LISTENER. */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include "target.h"

#ifndef THREADS
#define THREADS 1
#endif
#define LISTENER 9 /* raw/syscalls.c knows it too */

static long calls, every;

/* The C library's own wrappers would be most of what a native call costs. */
static inline long bare_call(long number)
{
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number) : "rcx", "r11", "memory");
    return result;
}

static void *work(void *unused)
{
    for (long i = 1, left = every; i <= calls; i++)
        if (--left == 0) {
            bare_call(SYS_getuid);
            left = every;
        } else
            bare_call(SYS_getpid);
    return unused;
}

static long install(unsigned action, unsigned flags)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getuid, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, action),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {sizeof code / sizeof *code, code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        exit(1);
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &filter);
}

static void filter_if_asked(void)
{
    long made = 0;
#ifdef FILTERED
    made = install(SECCOMP_RET_TRACE, 0);
#elif defined NOTIFIED
    made = install(SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER);
    if (made >= 0 && dup2((int)made, LISTENER) != LISTENER)
        exit(1);
#endif
    if (made < 0)
        exit(1);
}

int main(int argc, char **argv)
{
    pthread_t threads[THREADS];
    calls = number(argc, argv, 1) / THREADS;
    every = number(argc, argv, 2);
    filter_if_asked();
    publish(argc, argv, (const void *)work);
    for (int i = 1; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, work, NULL))
            return 1;
    work(NULL);
    for (int i = 1; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    return 0;
}
