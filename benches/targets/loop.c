/* loop CALLS [publish]: calls f that many times from one thread. */
#include "target.h"
#include "function.h"

int main(int argc, char **argv)
{
    long calls = number(argc, argv, 1);
    publish(argc, argv, (const void *)f);
    volatile int sum = 0;
    for (long i = 0; i < calls; i++)
        sum += f((int)i);
    return 0;
}
