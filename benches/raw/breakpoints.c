/* Breakpoints of one thread: a jump to a stub, a trap with an out-of-line slot, hardware, and synchronous. */
#include "raw.h"

#define JUMP 5

static void put_jump(unsigned char *at, uintptr_t from, uintptr_t to)
{
    int32_t distance = (int32_t)(to - (from + JUMP));
    at[0] = 0xe9;
    memcpy(at + 1, &distance, sizeof distance);
}

/* Length of the whole instructions that a patch of `needed` bytes covers, for the two forms of f. */
static size_t covered(const struct tracee *tracee, unsigned char *code, size_t needed)
{
    static const unsigned char plain[] = {0x55, 0x48, 0x89, 0xe5, 0x89, 0x7d};
    peek(tracee, tracee->address, code, 16);
    if (code[0] == 0xb8)
        return 5;
    if (!memcmp(code, plain, sizeof plain))
        return needed == 1 ? 1 : 7;
    errno = ENOEXEC;
    die("f does not begin as expected");
    return 0;
}

/* f jumps to a stub: trap, moved instructions, jump back. Returns where the trap is reported. */
uintptr_t install_jump(const struct tracee *tracee)
{
    unsigned char code[16], stub[32] = {0xcc}, jump[JUMP];
    size_t moved = covered(tracee, code, JUMP);
    memcpy(stub + 1, code, moved);
    put_jump(stub + 1 + moved, tracee->page + 1 + moved, tracee->address + moved);
    put_jump(jump, tracee->address, tracee->page);
    poke(tracee, tracee->page, stub, sizeof stub);
    poke(tracee, tracee->address, jump, sizeof jump);
    return tracee->page + 1;
}

/* A trap on f; its first instruction lies in a slot with a jump back. Returns where the trap is reported. */
uintptr_t install_slot(const struct tracee *tracee)
{
    unsigned char code[16], slot[32], trap = 0xcc;
    size_t moved = covered(tracee, code, 1);
    memcpy(slot, code, moved);
    put_jump(slot + moved, tracee->page + moved, tracee->address + moved);
    poke(tracee, tracee->page, slot, sizeof slot);
    poke(tracee, tracee->address, &trap, 1);
    return tracee->address + 1;
}

static struct tracee prepared(const char *target, long n)
{
    char count[32];
    snprintf(count, sizeof count, "%ld", n);
    struct tracee tracee = launch(target, count, NULL);
    attach(&tracee, 0);
    open_gate(&tracee);
    return tracee;
}

/* Counts the traps at `place`; after each, continues at `slot` unless that is 0. */
static long count_hits(pid_t pid, uintptr_t place, uintptr_t slot)
{
    long hits = 0;
    int status;
    for (resume(pid); next_stop(pid, &status) > 0 && WIFSTOPPED(status); resume(pid)) {
        hits += program_counter(pid) == place;
        if (slot)
            set_program_counter(pid, slot);
    }
    return hits;
}

static void measure(const char *row, const struct tracee *tracee, long n, uintptr_t place, uintptr_t slot)
{
    struct meter start = begin();
    long hits = count_hits(tracee->pid, place, slot);
    report(row, &start, (double)hits);
    if (hits != n)
        die("hits lost");
}

void break_jump(const char *row, long n)
{
    struct tracee tracee = prepared(strcmp(row, "B1-long") ? "loop" : "loop-long", n);
    measure(row, &tracee, n, install_jump(&tracee), 0);
}

void break_slot(const char *row, long n)
{
    struct tracee tracee = prepared("loop", n);
    uintptr_t place = install_slot(&tracee);
    measure(row, &tracee, n, place, tracee.page);
}

/* The same jump in a program where nothing else differs: other breakpoints cost no system call per hit. */
void break_many(const char *row, long n)
{
    struct tracee tracee = prepared("symbols", n);
    measure(row, &tracee, n, install_jump(&tracee), 0);
}

void break_hardware(const char *row, long n)
{
    struct tracee tracee = prepared("loop", n);
    ptrace(PTRACE_POKEUSER, tracee.pid, offsetof(struct user, u_debugreg[0]), tracee.address);
    if (ptrace(PTRACE_POKEUSER, tracee.pid, offsetof(struct user, u_debugreg[7]), 1))
        die("debug register");
    measure(row, &tracee, n, tracee.address, 0);
}

struct synchronous {
    pid_t pid;
    uintptr_t place;
    long hits;
};

static void one_hit(void *with)
{
    struct synchronous *state = with;
    int status;
    resume(state->pid);
    if (next_stop(state->pid, &status) > 0 && is_trap(status))
        state->hits += program_counter(state->pid) == state->place;
}

void break_synchronous(const char *row, long n)
{
    struct tracee tracee = prepared("loop", n + 1);
    struct synchronous state = {tracee.pid, install_jump(&tracee), 0};
    struct meter start = begin();
    handed(n, one_hit, &state);
    report(row, &start, (double)state.hits);
    finish(&tracee);
    if (state.hits != n)
        die("hits lost");
}
