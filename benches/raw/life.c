/* Start and end of a program, attach and detach, a long wait, an interpreter alone, a symbol. */
#include "raw.h"
#include <dirent.h>
#include <elf.h>
#include <sched.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/stat.h>

extern char **environ;

/* A host of that many resident bytes in pages of 4 KiB, as a grown heap has them. */
static void grow(size_t bytes)
{
    char *block = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED)
        die("host memory");
    madvise(block, bytes, MADV_NOHUGEPAGE);
    for (size_t at = 0; at < bytes; at += 4096)
        block[at] = 1;
}

static int child(void *arguments)
{
    ptrace(PTRACE_TRACEME, 0, 0, 0);
    execve(*(char **)arguments, arguments, environ);
    _exit(127);
}

/* A child that shares our pages until it executes the program, so that none of them are copied. */
static pid_t spawn_traced(const char *path)
{
    static char stack[65536] __attribute__((aligned(16)));
    char *arguments[] = {(char *)path, NULL};
    int status;
    pid_t pid = CALL(clone(child, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, arguments));
    if (pid < 0 || next_stop(pid, &status) < 0 || !WIFSTOPPED(status))
        die(path);
    return pid;
}

static uintptr_t entry_point(pid_t pid)
{
    char path[64];
    uint64_t pairs[128] = {0};
    snprintf(path, sizeof path, "/proc/%d/auxv", pid);
    int file = CALL(open(path, O_RDONLY | O_CLOEXEC));
    ssize_t size = CALL(read(file, pairs, sizeof pairs));
    CALL(close(file));
    for (ssize_t i = 0; i + 1 < size / 8; i += 2)
        if (pairs[i] == AT_ENTRY)
            return pairs[i + 1];
    die("no entry point");
    return 0;
}

static void set_trap(pid_t pid, uintptr_t address, long *saved)
{
    *saved = CALL(ptrace(PTRACE_PEEKTEXT, pid, address, 0));
    CALL(ptrace(PTRACE_POKETEXT, pid, address, (*saved & ~0xffl) | 0xcc));
}

static void run_to_entry(pid_t pid)
{
    uintptr_t entry = entry_point(pid);
    long saved;
    int status;
    set_trap(pid, entry, &saved);
    resume(pid);
    if (next_stop(pid, &status) < 0 || !is_trap(status))
        die("entry point not reached");
    CALL(ptrace(PTRACE_POKETEXT, pid, entry, saved));
    set_program_counter(pid, entry);
}

static void end(pid_t pid)
{
    int status;
    CALL(kill(pid, SIGKILL));
    while (next_stop(pid, &status) > 0 && WIFSTOPPED(status))
        ;
}

void start_kill(const char *row, long n)
{
    const char *path = target_path(strcmp(row, "P1-symbols") ? "small" : "symbols");
    grow(strcmp(row, "P1-4G") ? 40ul << 20 : 4ul << 30);
    struct meter start = begin();
    for (long i = 0; i < n; i++) {
        pid_t pid = spawn_traced(path);
        run_to_entry(pid);
        end(pid);
    }
    report(row, &start, (double)n);
}

static pid_t spawn_idle(int in, int out)
{
    pid_t pid = fork();
    if (pid == 0) {
        dup2(in, 0);
        dup2(out, 1);
        execl(target_path("idle"), "idle", "200", NULL);
        die("idle");
    }
    return pid;
}

static int tasks(pid_t pid, pid_t *tids, int most)
{
    char path[64];
    int count = 0;
    struct dirent *entry;
    snprintf(path, sizeof path, "/proc/%d/task", pid);
    DIR *directory = CALL(opendir(path));
    calls += 4; /* fstat, getdents64 until it is empty, close */
    while (directory && (entry = readdir(directory)) && count < most)
        if (entry->d_name[0] != '.')
            tids[count++] = atoi(entry->d_name);
    closedir(directory);
    return count;
}

static void seize_and_release(pid_t pid)
{
    pid_t tids[256];
    int status, count = tasks(pid, tids, 256);
    for (int i = 0; i < count; i++)
        if (CALL(ptrace(PTRACE_SEIZE, tids[i], 0, 0)) || CALL(ptrace(PTRACE_INTERRUPT, tids[i], 0, 0)))
            die("seize");
    for (int i = 0; i < count; i++)
        next_stop(tids[i], &status);
    if (tasks(pid, tids, 256) != count)
        die("threads changed");
    for (int i = 0; i < count; i++)
        CALL(ptrace(PTRACE_DETACH, tids[i], 0, 0));
}

void attach_detach(const char *row, long n)
{
    int in[2], out[2];
    char ready[8];
    if (pipe(in) || pipe(out))
        die("pipe");
    pid_t pid = spawn_idle(in[0], out[1]);
    if (read(out[0], ready, sizeof ready) <= 0)
        die("idle");
    struct meter start = begin();
    for (long i = 0; i < n; i++)
        seize_and_release(pid);
    report(row, &start, (double)n);
    kill(pid, SIGKILL);
}

void waiting(const char *row, long n)
{
    char milliseconds[32];
    int status;
    snprintf(milliseconds, sizeof milliseconds, "%ld", n);
    const char *path = target_path("rest");
    pid_t pid = fork();
    if (pid == 0) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        execl(path, path, milliseconds, NULL);
        _exit(127);
    }
    next_stop(pid, &status);
    struct meter start = begin();
    resume(pid);
    next_stop(pid, &status);
    report(row, &start, 1);
}

/* The interpreter with nothing to do: the floor under an import. */
void interpreter(const char *row, long n)
{
    const char *path = getenv("BENCH_PYTHON");
    char *arguments[] = {(char *)(path ? path : "python3"), "-c", "pass", NULL};
    cpu_of = RUSAGE_CHILDREN;
    struct meter start = begin();
    for (long i = 0; i < n; i++) {
        pid_t pid;
        int status;
        if (CALL(posix_spawnp(&pid, arguments[0], NULL, NULL, arguments, environ)))
            die(arguments[0]);
        next_stop(pid, &status);
    }
    report(row, &start, (double)n);
}

struct image {
    const unsigned char *bytes;
    const Elf64_Ehdr *header;
    const Elf64_Shdr *sections;
};

static struct image map_image(const char *path)
{
    struct stat about;
    int file = CALL(open(path, O_RDONLY | O_CLOEXEC));
    if (file < 0 || CALL(fstat(file, &about)))
        die(path);
    unsigned char *bytes = CALL(mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE, file, 0));
    CALL(close(file));
    const Elf64_Ehdr *header = (const Elf64_Ehdr *)bytes;
    return (struct image){bytes, header, (const Elf64_Shdr *)(bytes + header->e_shoff)};
}

static uintptr_t find_in(const struct image *image, const Elf64_Shdr *table, const char *name)
{
    const Elf64_Sym *symbols = (const Elf64_Sym *)(image->bytes + table->sh_offset);
    const char *names = (const char *)image->bytes + image->sections[table->sh_link].sh_offset;
    for (size_t i = 0; i < table->sh_size / sizeof *symbols; i++)
        if (symbols[i].st_value && !strcmp(names + symbols[i].st_name, name))
            return symbols[i].st_value;
    return 0;
}

static uintptr_t find_symbol(const struct image *image, const char *name)
{
    for (int i = 0; i < image->header->e_shnum; i++) {
        unsigned type = image->sections[i].sh_type;
        uintptr_t found = type == SHT_SYMTAB || type == SHT_DYNSYM ? find_in(image, &image->sections[i], name) : 0;
        if (found)
            return found;
    }
    die("no such symbol");
    return 0;
}

void symbol(const char *row, long n)
{
    const char *path = getenv("BENCH_CC1"), *name = getenv("BENCH_CC1_SYMBOL");
    if (!path || !name)
        die("BENCH_CC1 and BENCH_CC1_SYMBOL are not set");
    pid_t pid = spawn_traced(path);
    long saved;
    struct meter start = begin();
    struct image image = map_image(path);
    uintptr_t bias = entry_point(pid) - image.header->e_entry;
    set_trap(pid, find_symbol(&image, name) + bias, &saved);
    report(row, &start, (double)n);
    end(pid);
}
