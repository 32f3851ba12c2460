/* Two threads on one CPU: one orders, one owns the tracee. */
#include "raw.h"
#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>

enum { IDLE, ORDERED, ENDED };

static int state = IDLE;

static void await(int unwanted)
{
    int seen;
    while ((seen = __atomic_load_n(&state, __ATOMIC_ACQUIRE)) == unwanted)
        CALL(syscall(SYS_futex, &state, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0));
}

static void become(int value)
{
    __atomic_store_n(&state, value, __ATOMIC_RELEASE);
    CALL(syscall(SYS_futex, &state, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0));
}

static void *order(void *count)
{
    for (long i = 0; i < *(long *)count; i++) {
        become(ORDERED);
        await(ORDERED);
    }
    become(ENDED);
    return NULL;
}

void handed(long n, void (*work)(void *), void *with)
{
    pthread_t user;
    if (pthread_create(&user, NULL, order, &n))
        die("pthread_create");
    for (await(IDLE); state != ENDED; await(IDLE)) {
        work(with);
        become(IDLE);
    }
    pthread_join(user, NULL);
}
