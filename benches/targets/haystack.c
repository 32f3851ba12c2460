/* haystack [publish]: memory at `block` with one text in it, 64 bytes before the end; `ready` is called once it is
 * there. 256 MiB of numbers, or, with SPARSE, 2 GiB of which nothing else was touched. */
#define _GNU_SOURCE
#include "target.h"

#include <sys/mman.h>

#ifdef SPARSE
#define SIZE (2ul << 30)
#else
#define SIZE (256ul << 20)
#endif

char *block;

__attribute__((noinline)) void ready(void)
{
    __asm__ volatile("");
}

int main(int argc, char **argv)
{
    block = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (block == MAP_FAILED)
        return 1;
#ifndef SPARSE
    for (size_t i = 0; i < SIZE; i += 8)
        memcpy(block + i, &i, sizeof i);
#endif
    /* in two parts, so that it is nowhere else */
    memcpy(block + SIZE - 64, "needle i", 8);
    memcpy(block + SIZE - 56, "n a haystack", 12);
    publish(argc, argv, block);
    ready();
    return 0;
}
