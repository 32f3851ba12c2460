/* idle THREADS: that many threads besides the main one, all blocked; says "ready" when they are there. */
#include <pthread.h>
#include "target.h"

static pthread_barrier_t started;

static void *rest(void *unused)
{
    pthread_barrier_wait(&started);
    pause();
    return unused;
}

int main(int argc, char **argv)
{
    long count = number(argc, argv, 1);
    char end;
    pthread_barrier_init(&started, NULL, (unsigned)count + 1);
    for (long i = 0; i < count; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, rest, NULL))
            return 1;
    }
    pthread_barrier_wait(&started);
    puts("ready");
    fflush(stdout);
    return read(0, &end, 1) < 0;
}
