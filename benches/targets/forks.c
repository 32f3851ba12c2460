/* forks COUNT [publish]: that many children, one after the other, each of which ends at once. */
#include <sys/wait.h>
#include "target.h"

int main(int argc, char **argv)
{
    long count = number(argc, argv, 1);
    publish(argc, argv, (const void *)main);
    for (long i = 0; i < count; i++) {
        int status;
        pid_t pid = fork();
        if (pid == 0)
            _exit(0);
        if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
            return 1;
    }
    return 0;
}
