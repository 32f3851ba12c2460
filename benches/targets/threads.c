/* threads COUNT CALLS [publish]: that many threads, each calling f CALLS times. */
#include <pthread.h>
#include "target.h"
#include "function.h"

static long calls;

static void *work(void *unused)
{
    volatile int sum = 0;
    for (long i = 0; i < calls; i++)
        sum += f((int)i);
    return unused;
}

int main(int argc, char **argv)
{
    long count = number(argc, argv, 1);
    pthread_t *threads = calloc((size_t)count, sizeof *threads);
    calls = number(argc, argv, 2);
    publish(argc, argv, (const void *)f);
    for (long i = 0; i < count; i++)
        if (pthread_create(&threads[i], NULL, work, NULL))
            return 1;
    for (long i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    return 0;
}
