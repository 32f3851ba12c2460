/* What every target offers to the tracers: a line of addresses, and a gate that waits for a byte. */
#ifndef BENCH_TARGET_H
#define BENCH_TARGET_H
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096ul

/* A page within reach of a 32-bit jump from `code`, for a tracer's stub. */
static void *page_near(uintptr_t code)
{
    for (uintptr_t at = (code & ~(PAGE - 1)) - 16 * PAGE; at > PAGE && code - at < 1ul << 30; at -= 16 * PAGE) {
        void *page = mmap((void *)at, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
        if (page != MAP_FAILED)
            return page;
    }
    return NULL;
}

/* `publish` as last argument: print the address and a free page near it, then wait for one byte on stdin. */
static void publish(int argc, char **argv, const void *address)
{
    char go;
    if (strcmp(argv[argc - 1], "publish"))
        return;
    printf("%p %p\n", address, page_near((uintptr_t)address));
    fflush(stdout);
    if (read(0, &go, 1) != 1)
        exit(1);
}

static inline long number(int argc, char **argv, int index)
{
    return argc > index ? strtol(argv[index], NULL, 10) : 0;
}

#endif
