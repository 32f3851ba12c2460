/* memory [publish]: 64 MiB of resident bytes at `block`; `ready` is called once they are written. */
#include "target.h"

char block[64 << 20] __attribute__((aligned(4096)));

__attribute__((noinline)) void ready(void)
{
    __asm__ volatile("");
}

int main(int argc, char **argv)
{
    for (size_t i = 0; i < sizeof block; i += 8)
        memcpy(block + i, &i, sizeof i);
    publish(argc, argv, block);
    ready();
    return 0;
}
