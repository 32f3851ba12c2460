/* rest MILLISECONDS: sleeps, then ends. */
#include <time.h>
#include "target.h"

int main(int argc, char **argv)
{
    long ms = number(argc, argv, 1);
    struct timespec span = {ms / 1000, ms % 1000 * 1000000};
    return nanosleep(&span, NULL) != 0;
}
