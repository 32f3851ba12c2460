/* Bare loops of system calls: the limit that a debugger built on ptrace can reach. */
#ifndef BENCH_RAW_H
#define BENCH_RAW_H
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

/* Every system call of the hot part goes through CALL, so that calls per event are counted, not guessed. */
extern unsigned long calls;

/* Whose CPU time counts: ours, or our children's where they do all the work. */
extern int cpu_of;
#define CALL(expression) (calls++, (expression))

/* A target stopped behind its gate: it has published its addresses and waits for a byte on `in`. */
struct tracee {
    pid_t pid;
    int in, out, memory;
    uintptr_t address, page;
};

struct meter {
    double wall, cpu;
    unsigned long calls;
};

typedef void row_fn(const char *row, long n);

void die(const char *what);
void pin(void);
void unpin(void);
const char *target_path(const char *name);
struct tracee launch(const char *name, const char *first, const char *second);
void attach(struct tracee *tracee, long options);
void open_gate(const struct tracee *tracee);
void finish(struct tracee *tracee);
void peek(const struct tracee *tracee, uintptr_t address, void *bytes, size_t size);
void poke(const struct tracee *tracee, uintptr_t address, const void *bytes, size_t size);
uintptr_t install_jump(const struct tracee *tracee);
uintptr_t install_slot(const struct tracee *tracee);

struct meter begin(void);
void report(const char *row, const struct meter *start, double events);

static inline pid_t next_stop(pid_t pid, int *status)
{
    return CALL(wait4(pid, status, __WALL, NULL));
}

static inline uintptr_t program_counter(pid_t pid)
{
    return (uintptr_t)CALL(ptrace(PTRACE_PEEKUSER, pid, offsetof(struct user, regs.rip), 0));
}

static inline void set_program_counter(pid_t pid, uintptr_t value)
{
    CALL(ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, regs.rip), value));
}

static inline void resume(pid_t pid)
{
    CALL(ptrace(PTRACE_CONT, pid, 0, 0));
}

/* A trap of the program itself, not one of ptrace's event stops. */
static inline int is_trap(int status)
{
    return WIFSTOPPED(status) && status >> 8 == SIGTRAP;
}

row_fn break_jump, break_slot, break_many, break_hardware, break_synchronous;
row_fn threads_nonstop, threads_allstop;
row_fn step_handed, step_until, registers;
row_fn memory_whole, memory_into, memory_random, memory_batch, find_dense, find_sparse;
row_fn every_syscall, filtered_syscalls, notified_syscalls, invoked_syscall;
row_fn fork_storm;
row_fn start_kill, attach_detach, waiting, interpreter, symbol;

/* Runs `work` N times in this thread, each time on the order of another thread that waits for the answer. */
void handed(long n, void (*work)(void *), void *with);

#endif
