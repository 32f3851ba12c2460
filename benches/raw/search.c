/* Searching: copy a chunk that stays in the cache, and look through it. */
#define _GNU_SOURCE
#include "raw.h"
#include <sys/ioctl.h>
#include <sys/uio.h>

#define CHUNK (256ul << 10)
#define NEEDLE "needle in a haystack"

/* pagemap.h of Linux 6.7 and later, for older headers */
struct region {
    uint64_t start, end, categories;
};
struct scan {
    uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages, inverted, mask, any, told;
};
#define SCAN _IOWR('f', 16, struct scan)
#define PRESENT_OR_SWAPPED (1 << 3 | 1 << 4)

static const char *find(const char *bytes, size_t size)
{
    const char *end = bytes + size - sizeof NEEDLE + 2;
    for (const char *at = bytes; at < end && (at = memchr(at, NEEDLE[0], (size_t)(end - at))); at++)
        if (!memcmp(at, NEEDLE, sizeof NEEDLE - 1))
            return at;
    return NULL;
}

static long search(const struct tracee *tracee, uintptr_t start, size_t size)
{
    static char bytes[CHUNK + sizeof NEEDLE];
    const size_t overlap = sizeof NEEDLE - 2;
    long found = 0;
    for (size_t at = 0; at < size; at += CHUNK) {
        size_t length = size - at < CHUNK ? size - at : CHUNK;
        struct iovec local = {bytes + overlap, length}, remote = {(void *)(start + at), length};
        if (CALL(process_vm_readv(tracee->pid, &local, 1, &remote, 1, 0)) != (ssize_t)length)
            die("process_vm_readv");
        found += find(bytes, overlap + length) != NULL;
        memcpy(bytes, bytes + length, overlap);
    }
    return found;
}

void find_dense(const char *row, long n)
{
    const size_t size = 256ul << 20, block = 64ul << 20;
    struct tracee tracee = launch("haystack", NULL, NULL);
    attach(&tracee, 0);
    struct meter start = begin();
    for (long i = 0; i < n; i++)
        if (search(&tracee, tracee.address, size) != 1)
            die("the needle is missing");
    report(row, &start, (double)n * (double)(size / block));
    finish(&tracee);
}

void find_sparse(const char *row, long n)
{
    const size_t size = 2ul << 30;
    struct tracee tracee = launch("haystack-sparse", NULL, NULL);
    struct region regions[64];
    char path[64];
    attach(&tracee, 0);
    snprintf(path, sizeof path, "/proc/%d/pagemap", tracee.pid);
    int pagemap = open(path, O_RDONLY);
    struct meter start = begin();
    for (long i = 0; i < n; i++) {
        struct scan scan = {.size = sizeof scan, .start = tracee.address, .end = tracee.address + size,
                            .vec = (uint64_t)regions, .vec_len = 64, .any = PRESENT_OR_SWAPPED, .told = 1 << 3};
        long found = 0, count = CALL(ioctl(pagemap, SCAN, &scan));
        if (count < 0)
            die("PAGEMAP_SCAN: Linux 6.7 has it");
        for (long j = 0; j < count; j++)
            found += search(&tracee, regions[j].start, regions[j].end - regions[j].start);
        if (found != 1)
            die("the needle is missing");
    }
    report(row, &start, (double)n);
    finish(&tracee);
}
