# What is put into the program: how its interpreter comes to run our code, and how nothing of it stays.
#
# One page of code; its block of data (see block.rs, the same order) begins with the next page. Three entries:
#
#   pending       a pending call of CPython: the main thread makes it, with the GIL, between two bytecodes
#   interrupted   where a thread stood that waited in a system call without the GIL, or was about to enter a function of
#                 CPython that may run any Python code, with the GIL: all of its registers are kept
#   traced        a trace function of CPython's C interface: another thread than the main one, at its next line, with the GIL
#
# They run `body` once in all, and whoever is the last to leave unmaps the pages, out of code that is not in them:
# `pending` by a jump to munmap, which returns to the interpreter; `interrupted` by a jump to munmap that returns to an
# rt_sigreturn, which sets all registers from a frame on the stack, as behind a signal's handler.
#
# A test assembles this file and compares it with machine_code.rs.

    .intel_syntax noprefix
    .text

    .equ BLOCK, 0x1000
    .equ CLAIM, BLOCK
    .equ REFERENCES, BLOCK + 8 * 1
    .equ BACK, BLOCK + 8 * 2
    .equ BASE, BLOCK + 8 * 3
    .equ LENGTH, BLOCK + 8 * 4
    .equ MUNMAP, BLOCK + 8 * 5
    .equ RESTORER, BLOCK + 8 * 6
    .equ GIL_CHECK, BLOCK + 8 * 7
    .equ GIL_ENSURE, BLOCK + 8 * 8
    .equ GIL_RELEASE, BLOCK + 8 * 9
    .equ ERR_FETCH, BLOCK + 8 * 10
    .equ ERR_RESTORE, BLOCK + 8 * 11
    .equ ERR_CLEAR, BLOCK + 8 * 12
    .equ ERR_SET_NONE, BLOCK + 8 * 13
    .equ DICT_NEW, BLOCK + 8 * 14
    .equ DICT_SET, BLOCK + 8 * 15
    .equ DICT_GET, BLOCK + 8 * 16
    .equ DICT_CLEAR, BLOCK + 8 * 17
    .equ BUILTINS, BLOCK + 8 * 18
    .equ COMPILE, BLOCK + 8 * 19
    .equ EVALUATE, BLOCK + 8 * 20
    .equ DECREF, BLOCK + 8 * 21
    .equ LOCALS_TO_FAST, BLOCK + 8 * 22
    .equ SOURCE, BLOCK + 8 * 23
    .equ INTERRUPT, BLOCK + 8 * 24
    .equ WORKER, BLOCK + 8 * 32
    .equ SWAP, BLOCK + 8 * 33
    .equ SET_TRACE, BLOCK + 8 * 34
    .equ INTERPRETER, BLOCK + 8 * 35
    .equ FIRST_STATE, BLOCK + 8 * 36
    .equ NEXT_STATE, BLOCK + 8 * 37
    .equ CLOSE, BLOCK + 8 * 38
    .equ DESCRIPTOR, BLOCK + 8 * 39
    .equ FILE_NAME, BLOCK + 8 * 25
    .equ BUILTINS_NAME, BLOCK + 8 * 27
    .equ FRAME_NAME, BLOCK + 8 * 29
    .equ RAISE_NAME, BLOCK + 8 * 30
    .equ KEEP_NAME, BLOCK + 8 * 31

    .equ FILE_INPUT, 257
    # The parts of the CPU's state that a frame of a signal has: x87, SSE, AVX, AVX-512, PKRU.
    .equ STATES, 0x2e7

start:
pending:
    push rbp
    push rbx
    push r12
    push r13
    push r14
    push r15
    sub rsp, 8
    lea rbx, [rip + start]
    call work
leave:
    add rsp, 8
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbx
    pop rbp
    lock dec qword ptr [rip + start + REFERENCES]
    jnz 1f
    mov rdi, [rip + start + BASE]
    mov rsi, [rip + start + LENGTH]
    jmp [rip + start + MUNMAP]
1:  ret

    .balign 16
traced:                             # the thread's own trace function was none, and is none again
    push rbp
    push rbx
    push r12
    push r13
    push r14
    push r15
    sub rsp, 8
    lea rbx, [rip + start]
    xor edi, edi
    xor esi, esi
    call [rbx + SET_TRACE]
    call body
    jmp leave

    .balign 16
interrupted:
    lea rsp, [rsp - 128]            # what leaf functions keep below their stack pointer
    pushfq                          # from here on in the order of struct sigcontext, from its end
    push qword ptr [rip + start + BACK]
    push rsp
    push rcx
    push rax
    push rdx
    push rbx
    push rbp
    push rsi
    push rdi
    push r15
    push r14
    push r13
    push r12
    push r11
    push r10
    push r9
    push r8
    mov r12, rsp
    add qword ptr [r12 + 8 * 15], 128 + 16
    cld
    xor ecx, ecx
    xgetbv
    and eax, STATES
    mov r13d, eax
    mov r14d, 576                   # how large the area is: behind the part that ends last
    mov r15d, 2
2:  bt r13d, r15d
    jnc 3f
    mov eax, 0xd
    mov ecx, r15d
    cpuid
    add eax, ebx
    cmp r14d, eax
    cmovb r14d, eax
3:  inc r15d
    cmp r15d, 10
    jb 2b
    lea rbx, [rip + start]
    lea rax, [r14 + 64]
    sub rsp, rax
    and rsp, -64
    mov r15, rsp
    xor eax, eax
    lea rdi, [r15 + 464]
    mov ecx, 14
    rep stosq
    mov eax, r13d
    xor edx, edx
    xsave64 [r15]
    mov dword ptr [r15 + 464], 0x46505853   # FP_XSTATE_MAGIC1, sizes and parts: struct _fpx_sw_bytes
    lea eax, [r14 + 4]
    mov [r15 + 468], eax
    mov [r15 + 472], r13d
    mov [r15 + 480], r14d
    mov dword ptr [r15 + r14], 0x46505845   # FP_XSTATE_MAGIC2
    cmp qword ptr [rbx + GIL_ENSURE], 0
    je 4f
    call [rbx + GIL_CHECK]
    test eax, eax
    jnz 5f
    call [rbx + GIL_ENSURE]
    mov r14d, eax
    call work
    mov edi, r14d
    call [rbx + GIL_RELEASE]
    jmp 5f
4:  call work
    test eax, eax
    jns 5f
    mov rax, [r12 + 8 * 15]         # as if the function that was about to begin had returned -1
    mov rcx, [rax]
    mov [r12 + 8 * 16], rcx
    add qword ptr [r12 + 8 * 15], 8
    mov qword ptr [r12 + 8 * 13], -1
5:  sub rsp, 320                    # struct rt_sigframe, without the siginfo
    mov rbp, rsp
    mov rax, [rbx + RESTORER]
    mov [rbp], rax
    xor eax, eax
    lea rdi, [rbp + 8]
    mov ecx, 39
    rep stosq
    mov dword ptr [rbp + 8], 7      # UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS
    mov dword ptr [rbp + 32], 4     # no flags of an alternate stack: the thread's own is left as it is
    lea rdi, [rbp + 48]
    mov rsi, r12
    mov ecx, 18
    rep movsq
    movabs rax, 0x002b000000000033  # cs and ss of 64-bit programs
    mov [rbp + 192], rax
    mov [rbp + 232], r15
    mov eax, 14                     # rt_sigprocmask: what is blocked stays so
    xor edi, edi
    xor esi, esi
    lea rdx, [rbp + 304]
    mov r10d, 8
    syscall
    lock dec qword ptr [rbx + REFERENCES]
    jnz 6f
    mov rdi, [rbx + BASE]
    mov rsi, [rbx + LENGTH]
    jmp [rbx + MUNMAP]
6:  ret

    .balign 16
work:                               # rbx: the page. For another thread has it traced, once, else is `body`.
    xor eax, eax
    xchg rax, [rbx + WORKER]
    test rax, rax
    jz body
    push r12
    push r13
    push r14
    mov r12, rax
    call [rbx + INTERPRETER]
    mov rdi, rax
    call [rbx + FIRST_STATE]
2:  cmp rax, r12                    # it may have ended meanwhile
    je 3f
    test rax, rax
    jz 4f
    mov rdi, rax
    call [rbx + NEXT_STATE]
    jmp 2b
3:  mov rdi, r12
    call [rbx + SWAP]
    mov r13, rax
    lea rdi, [rip + traced]
    xor esi, esi
    call [rbx + SET_TRACE]
    mov rdi, r13
    call [rbx + SWAP]
4:  xor eax, eax
    pop r14
    pop r13
    pop r12
    ret

    .balign 16
body:                               # rbx: the page. Answers -1 when the program is to see a KeyboardInterrupt, else 0.
    push rbp
    mov rbp, rsp
    push r12
    push r13
    push r14
    push r15
    sub rsp, 32
    xor eax, eax
    mov ecx, 1
    lock cmpxchg [rbx + CLAIM], ecx
    mov eax, 0
    jne 9f
    mov rdi, rsp
    lea rsi, [rsp + 8]
    lea rdx, [rsp + 16]
    call [rbx + ERR_FETCH]
    xor r15d, r15d
    mov r14d, 1                     # whether the channel is closed here
    call [rbx + DICT_NEW]
    mov r12, rax
    test rax, rax
    jz 8f
    call [rbx + BUILTINS]
    mov rdi, r12
    lea rsi, [rbx + BUILTINS_NAME]
    mov rdx, rax
    call [rbx + DICT_SET]
    mov rdi, [rbx + SOURCE]
    lea rsi, [rbx + FILE_NAME]
    mov edx, FILE_INPUT
    call [rbx + COMPILE]
    mov r13, rax
    test rax, rax
    jz 7f
    mov rdi, rax
    mov rsi, r12
    mov rdx, r12
    call [rbx + EVALUATE]
    mov rdi, r13
    mov r13, rax
    call [rbx + DECREF]
    test r13, r13
    jz 7f
    mov rdi, r13
    call [rbx + DECREF]
    mov rdi, r12
    lea rsi, [rbx + FRAME_NAME]
    call [rbx + DICT_GET]
    test rax, rax
    jz 6f
    cmp qword ptr [rbx + LOCALS_TO_FAST], 0
    je 6f
    mov rdi, rax
    xor esi, esi
    call [rbx + LOCALS_TO_FAST]
6:  mov rdi, r12
    lea rsi, [rbx + RAISE_NAME]
    call [rbx + DICT_GET]
    test rax, rax
    jz 7f
    dec r15d
7:  call [rbx + ERR_CLEAR]
    mov rdi, r12
    lea rsi, [rbx + KEEP_NAME]
    call [rbx + DICT_GET]
    test rax, rax
    jz 1f
    xor r14d, r14d                  # its namespace is still in use, and closes the channel
    jmp 2f
1:  mov rdi, r12
    call [rbx + DICT_CLEAR]
2:  mov rdi, r12
    call [rbx + DECREF]
8:  mov rdi, [rsp]
    mov rsi, [rsp + 8]
    mov rdx, [rsp + 16]
    call [rbx + ERR_RESTORE]
    test r15d, r15d
    jz 3f
    mov rdi, [rbx + INTERRUPT]
    call [rbx + ERR_SET_NONE]
3:  test r14d, r14d
    jz 4f
    mov edi, [rbx + DESCRIPTOR]     # the last thing that the debugger hears: everything is done
    call [rbx + CLOSE]
4:  mov eax, r15d
9:  add rsp, 32
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbp
    ret
