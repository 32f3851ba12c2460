/* `f`, the function that breakpoints are set on; built without optimisation. */
#ifndef BENCH_FUNCTION_H
#define BENCH_FUNCTION_H

#ifdef LONG_FIRST
/* First instruction of five bytes: a jump fits in its place. */
__asm__(".text\n.globl f\n.type f, @function\nf:\n"
        "    mov $0x01020304, %eax\n    add %edi, %eax\n    ret\n.size f, .-f\n");
int f(int value);
#else
/* First instruction `push %rbp`, one byte: the common case of code without optimisation. */
__attribute__((noinline)) int f(int value)
{
    return value + 1;
}
#endif

#endif
