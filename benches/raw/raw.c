/* raw ROW [N]: one row of the table as bare system calls. Prints one line of JSON. */
#include "raw.h"
#include <sched.h>
#include <sys/uio.h>
#include <time.h>

unsigned long calls;
int cpu_of = RUSAGE_SELF;

void die(const char *what)
{
    fprintf(stderr, "raw: %s: %s\n", what, strerror(errno));
    exit(1);
}

static cpu_set_t allowed;

void pin(void)
{
    const char *chosen = getenv("BENCH_CPU");
    cpu_set_t set;
    sched_getaffinity(0, sizeof allowed, &allowed);
    CPU_ZERO(&set);
    CPU_SET((size_t)(chosen ? atoi(chosen) : 0), &set);
    if (sched_setaffinity(0, sizeof set, &set))
        die("sched_setaffinity");
}

void unpin(void)
{
    if (sched_setaffinity(0, sizeof allowed, &allowed))
        die("sched_setaffinity");
}

const char *target_path(const char *name)
{
    static char path[4096];
    const char *directory = getenv("BENCH_TARGETS");
    snprintf(path, sizeof path, "%s/%s", directory ? directory : ".", name);
    return path;
}

static pid_t spawn_target(const char *name, const char *first, const char *second, int in, int out)
{
    const char *arguments[] = {name, first, second, "publish", NULL};
    int given = 1 + !!first + !!second;
    arguments[given] = "publish";
    arguments[given + 1] = NULL;
    const char *path = target_path(name);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(in, 0);
        dup2(out, 1);
        execv(path, (char **)arguments);
        die(path);
    }
    return pid;
}

static void read_addresses(struct tracee *tracee)
{
    char line[128] = "";
    void *address, *page;
    if (read(tracee->out, line, sizeof line - 1) <= 0 || sscanf(line, "%p %p", &address, &page) != 2)
        die("no addresses from the target");
    tracee->address = (uintptr_t)address;
    tracee->page = (uintptr_t)page;
}

struct tracee launch(const char *name, const char *first, const char *second)
{
    int in[2], out[2];
    if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC))
        die("pipe2");
    struct tracee tracee = {spawn_target(name, first, second, in[0], out[1]), in[1], out[0], -1, 0, 0};
    close(in[0]);
    close(out[1]);
    read_addresses(&tracee);
    return tracee;
}

void attach(struct tracee *tracee, long options)
{
    int status;
    char path[64];
    if (ptrace(PTRACE_SEIZE, tracee->pid, 0, options | PTRACE_O_EXITKILL) ||
        ptrace(PTRACE_INTERRUPT, tracee->pid, 0, 0) || next_stop(tracee->pid, &status) < 0)
        die("attach");
    snprintf(path, sizeof path, "/proc/%d/mem", tracee->pid);
    tracee->memory = open(path, O_RDWR | O_CLOEXEC);
    if (tracee->memory < 0)
        die(path);
}

void open_gate(const struct tracee *tracee)
{
    if (write(tracee->in, "g", 1) != 1)
        die("gate");
}

void finish(struct tracee *tracee)
{
    int status;
    kill(tracee->pid, SIGKILL);
    while (wait4(tracee->pid, &status, __WALL, NULL) > 0 && WIFSTOPPED(status))
        ;
}

void peek(const struct tracee *tracee, uintptr_t address, void *bytes, size_t size)
{
    if (pread(tracee->memory, bytes, size, (off_t)address) != (ssize_t)size)
        die("read memory");
}

void poke(const struct tracee *tracee, uintptr_t address, const void *bytes, size_t size)
{
    if (pwrite(tracee->memory, bytes, size, (off_t)address) != (ssize_t)size)
        die("write memory");
}

static double seconds(struct timeval value)
{
    return (double)value.tv_sec + (double)value.tv_usec * 1e-6;
}

static double cpu_now(void)
{
    struct rusage usage;
    getrusage(cpu_of, &usage);
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

static double wall_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

struct meter begin(void)
{
    double cpu = cpu_now();
    return (struct meter){wall_now(), cpu, calls};
}

void report(const char *row, const struct meter *start, double events)
{
    double wall = wall_now() - start->wall, cpu = cpu_now() - start->cpu;
    printf("{\"row\": \"%s\", \"events\": %.0f, \"wall_s\": %.9f, \"cpu_s\": %.6f, \"syscalls_per_event\": %.4f}\n",
           row, events, wall, cpu, events ? (double)(calls - start->calls) / events : 0);
}

static const struct {
    const char *name;
    row_fn *run;
    long n;
} rows[] = {
    {"B1", break_jump, 50000},         {"B1-long", break_jump, 50000},   {"B1-slot", break_slot, 50000},
    {"B1-10000", break_many, 50000},   {"B2-closure", break_jump, 50000}, {"B2-count", break_jump, 50000},
    {"B2-10000", break_many, 50000},   {"B3", break_synchronous, 20000}, {"B4", break_hardware, 20000},
    {"B5-8-call", threads_allstop, 8000},  {"B5-64-call", threads_allstop, 6400},
    {"B5-8-each", threads_allstop, 8000},  {"B5-64-each", threads_allstop, 6400},
    {"B5-8-count", threads_nonstop, 40000}, {"B5-64-count", threads_nonstop, 40000},
    {"R1-rip", registers, 10000000},   {"R1-xmm0", registers, 10000000}, {"M1", memory_whole, 5},
    {"M1-into", memory_into, 10},      {"M2-batch", memory_batch, 100000},
    {"M3-dense", find_dense, 2},       {"M3-sparse", find_sparse, 100},
    {"M2", memory_random, 100000},     {"T1", step_handed, 20000},       {"T2", step_until, 20000},
    {"T4", step_until, 50000},         {"T4-python", step_until, 50000}, {"T4-step", step_until, 50000},
    {"S5", every_syscall, 50000},     {"S6", filtered_syscalls, 1000000},
    {"P1-40M", start_kill, 300},       {"P1-4G", start_kill, 300},       {"P1-symbols", start_kill, 300},
    {"P2", attach_detach, 20},         {"C1", waiting, 2000},            {"C2-import", interpreter, 10},
    {"C2-hello", interpreter, 10},     {"Y1", symbol, 1},
    {"S1", filtered_syscalls, 1000000}, {"S1-64", filtered_syscalls, 1024000}, {"S2", every_syscall, 50000},
    {"S3-both", filtered_syscalls, 50000}, {"S3-enter", filtered_syscalls, 100000},
    {"S3-both-ptrace", every_syscall, 50000}, {"S3-enter-ptrace", every_syscall, 50000},
    {"S4", notified_syscalls, 100000}, {"invoke", invoked_syscall, 20000},
    {"P3-followed", fork_storm, 1000}, {"P3-free", fork_storm, 1000},
};

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; argc > 1 && i < sizeof rows / sizeof *rows; i++)
        if (!strcmp(argv[1], rows[i].name)) {
            pin();
            rows[i].run(argv[1], argc > 2 ? atol(argv[2]) : rows[i].n);
            return 0;
        }
    fprintf(stderr, "usage: raw ROW [N]\n");
    return 64;
}
