/* One breakpoint, many threads: stopping only the thread that hit, or all of them at every hit. */
#include "raw.h"

#define MOST 128

static struct {
    pid_t tid[MOST];
    int running[MOST], count, live_running;
} table;

static struct tracee prepared(const char *row, long n)
{
    char threads[32], each[32];
    long count = atol(row + 3);
    snprintf(threads, sizeof threads, "%ld", count);
    snprintf(each, sizeof each, "%ld", n / count);
    struct tracee tracee = launch("threads", threads, each);
    attach(&tracee, PTRACE_O_TRACECLONE);
    open_gate(&tracee);
    return tracee;
}

void threads_nonstop(const char *row, long n)
{
    struct tracee tracee = prepared(row, n);
    uintptr_t place = install_jump(&tracee);
    long hits = 0;
    int status;
    pid_t tid;
    struct meter start = begin();
    resume(tracee.pid);
    while ((tid = next_stop(-1, &status)) > 0) {
        if (is_trap(status))
            hits += program_counter(tid) == place;
        if (WIFSTOPPED(status))
            resume(tid);
    }
    report(row, &start, (double)hits);
}

static int slot_of(pid_t tid)
{
    for (int i = 0; i < table.count; i++)
        if (table.tid[i] == tid)
            return i;
    if (table.count == MOST)
        die("too many threads");
    table.tid[table.count] = tid;
    table.running[table.count] = 1;
    table.live_running++;
    return table.count++;
}

static void set_running(int slot, int running)
{
    table.live_running += running - table.running[slot];
    table.running[slot] = running;
}

static void forget(int slot)
{
    set_running(slot, 0);
    table.tid[slot] = table.tid[--table.count];
    table.running[slot] = table.running[table.count];
}

/* Takes one stop or death into the table; says whether it is a hit. */
static int take(pid_t tid, int status, uintptr_t place)
{
    int slot = slot_of(tid);
    if (!WIFSTOPPED(status)) {
        forget(slot);
        return 0;
    }
    set_running(slot, 0);
    return is_trap(status) && program_counter(tid) == place;
}

static void interrupt_running(void)
{
    for (int i = 0; i < table.count; i++)
        if (table.running[i])
            CALL(ptrace(PTRACE_INTERRUPT, table.tid[i], 0, 0));
}

static void resume_all(void)
{
    for (int i = 0; i < table.count; i++)
        if (!table.running[i]) {
            resume(table.tid[i]);
            set_running(i, 1);
        }
}

/* Takes what has stopped by itself already: most threads have hit too by the time the first hit is looked at. */
static long take_waiting(uintptr_t place)
{
    long hits = 0;
    int status;
    pid_t tid;
    while (table.live_running > 0 && (tid = CALL(wait4(-1, &status, __WALL | WNOHANG, NULL))) > 0)
        hits += take(tid, status, place);
    return hits;
}

/* Stops whatever still runs; hits that arrive meanwhile belong to the same common stop. */
static long stop_others(uintptr_t place, int patient)
{
    long hits = patient ? take_waiting(place) : 0;
    int status;
    pid_t tid;
    interrupt_running();
    while (table.live_running > 0 && (tid = next_stop(-1, &status)) > 0)
        hits += take(tid, status, place);
    return hits;
}

void threads_allstop(const char *row, long n)
{
    struct tracee tracee = prepared(row, n);
    uintptr_t place = install_jump(&tracee);
    long hits = 0;
    int status, patient = !strstr(row, "-each");
    pid_t tid;
    struct meter start = begin();
    slot_of(tracee.pid);
    for (resume(tracee.pid); (tid = next_stop(-1, &status)) > 0; resume_all())
        if (take(tid, status, place))
            hits += 1 + stop_others(place, patient);
    report(row, &start, (double)hits);
}
