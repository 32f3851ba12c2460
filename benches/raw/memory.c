/* Memory: 64 MiB into new pages, and many small reads. */
#include "raw.h"
#include <sys/mman.h>
#include <sys/uio.h>

#define BLOCK (64ul << 20)
#define CHUNK (512ul << 10)

static void read_block(const struct tracee *tracee, char *bytes)
{
    for (size_t at = 0; at < BLOCK; at += CHUNK) {
        struct iovec local = {bytes + at, CHUNK}, remote = {(void *)(tracee->address + at), CHUNK};
        if (CALL(process_vm_readv(tracee->pid, &local, 1, &remote, 1, 0)) != (ssize_t)CHUNK)
            die("process_vm_readv");
    }
}

static void read_new(const struct tracee *tracee)
{
    char *bytes = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    calls++;
    read_block(tracee, bytes);
    CALL(munmap(bytes, BLOCK));
}

void memory_whole(const char *row, long n)
{
    struct tracee tracee = launch("memory", NULL, NULL);
    attach(&tracee, 0);
    read_new(&tracee); /* pages that the machine never used before cost several times more */
    struct meter start = begin();
    for (long i = 0; i < n; i++)
        read_new(&tracee);
    report(row, &start, (double)n);
    finish(&tracee);
}

void memory_into(const char *row, long n)
{
    struct tracee tracee = launch("memory", NULL, NULL);
    char *bytes = malloc(BLOCK);
    attach(&tracee, 0);
    read_block(&tracee, bytes);
    struct meter start = begin();
    for (long i = 0; i < n; i++)
        read_block(&tracee, bytes);
    report(row, &start, (double)n);
    finish(&tracee);
}

/* As many places in one call as it takes. */
void memory_batch(const char *row, long n)
{
    enum { MOST = 1024 };
    struct tracee tracee = launch("memory", NULL, NULL);
    struct iovec remote[MOST];
    uint64_t *values = malloc((size_t)n * sizeof *values), *places = malloc((size_t)n * sizeof *places);
    attach(&tracee, 0);
    srandom(1);
    for (long i = 0; i < n; i++)
        places[i] = (uint64_t)random() % (BLOCK / 8) * 8;
    struct meter start = begin();
    for (long at = 0; at < n; at += MOST) {
        long count = n - at < MOST ? n - at : MOST;
        for (long i = 0; i < count; i++)
            remote[i] = (struct iovec){(void *)(tracee.address + places[at + i]), 8};
        struct iovec local = {values + at, (size_t)count * 8};
        if (CALL(process_vm_readv(tracee.pid, &local, 1, remote, (size_t)count, 0)) != count * 8)
            die("process_vm_readv");
    }
    if (memcmp(values, places, (size_t)n * 8))
        die("wrong bytes");
    report(row, &start, (double)n);
    finish(&tracee);
}

void memory_random(const char *row, long n)
{
    struct tracee tracee = launch("memory", NULL, NULL);
    uint64_t *places = malloc((size_t)n * sizeof *places), value;
    attach(&tracee, 0);
    srandom(1);
    for (long i = 0; i < n; i++)
        places[i] = (uint64_t)random() % (BLOCK / 8) * 8;
    struct meter start = begin();
    for (long i = 0; i < n; i++)
        if (CALL(pread(tracee.memory, &value, 8, (off_t)(tracee.address + places[i]))) != 8 || value != places[i])
            die("wrong bytes");
    report(row, &start, (double)n);
    finish(&tracee);
}
