/* stack DEPTH: a recursion of that depth, and f in the innermost frame. */
#include "target.h"
#include "function.h"

__attribute__((noinline)) int descend(int left)
{
    return (left ? descend(left - 1) : f(left)) + 1;
}

int main(int argc, char **argv)
{
    return descend((int)number(argc, argv, 1)) == 0;
}
