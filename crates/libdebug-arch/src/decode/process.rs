//! Processes, threads and signals.

use super::flags::Part::{Bits, Choice};
use super::flags::{ALL_BITS, FlagSet};

/// Flags of clone(2), with the signal that the child ends with.
pub(super) static CLONE: FlagSet = FlagSet {
    zero: "0",
    parts: &[
        Bits(&[
            (0x100, "CLONE_VM"),
            (0x200, "CLONE_FS"),
            (0x400, "CLONE_FILES"),
            (0x800, "CLONE_SIGHAND"),
            (0x1000, "CLONE_PIDFD"),
            (0x2000, "CLONE_PTRACE"),
            (0x4000, "CLONE_VFORK"),
            (0x8000, "CLONE_PARENT"),
            (0x10000, "CLONE_THREAD"),
            (0x20000, "CLONE_NEWNS"),
            (0x40000, "CLONE_SYSVSEM"),
            (0x80000, "CLONE_SETTLS"),
            (0x100000, "CLONE_PARENT_SETTID"),
            (0x200000, "CLONE_CHILD_CLEARTID"),
            (0x400000, "CLONE_DETACHED"),
            (0x800000, "CLONE_UNTRACED"),
            (0x1000000, "CLONE_CHILD_SETTID"),
            (0x2000000, "CLONE_NEWCGROUP"),
            (0x4000000, "CLONE_NEWUTS"),
            (0x8000000, "CLONE_NEWIPC"),
            (0x10000000, "CLONE_NEWUSER"),
            (0x20000000, "CLONE_NEWPID"),
            (0x40000000, "CLONE_NEWNET"),
            (0x80000000, "CLONE_IO"),
        ]),
        Choice(0xff, super::signal::SIGNALS),
    ],
};

/// Flags of unshare(2) and setns(2).
pub(super) static UNSHARE: FlagSet = FlagSet {
    zero: "0",
    parts: &[Bits(&[
        (0x80, "CLONE_NEWTIME"),
        (0x100, "CLONE_VM"),
        (0x200, "CLONE_FS"),
        (0x400, "CLONE_FILES"),
        (0x800, "CLONE_SIGHAND"),
        (0x10000, "CLONE_THREAD"),
        (0x20000, "CLONE_NEWNS"),
        (0x40000, "CLONE_SYSVSEM"),
        (0x2000000, "CLONE_NEWCGROUP"),
        (0x4000000, "CLONE_NEWUTS"),
        (0x8000000, "CLONE_NEWIPC"),
        (0x10000000, "CLONE_NEWUSER"),
        (0x20000000, "CLONE_NEWPID"),
        (0x40000000, "CLONE_NEWNET"),
    ])],
};

/// Options of wait4(2) and waitid(2).
pub(super) static WAIT: FlagSet = FlagSet {
    zero: "0",
    parts: &[Bits(&[
        (0x1, "WNOHANG"),
        (0x2, "WUNTRACED"),
        (0x4, "WEXITED"),
        (0x8, "WCONTINUED"),
        (0x1000000, "WNOWAIT"),
        (0x20000000, "__WNOTHREAD"),
        (0x40000000, "__WALL"),
        (0x80000000, "__WCLONE"),
    ])],
};

/// What waitid(2) waits for.
pub(super) static WAITID_WHICH: FlagSet = FlagSet {
    zero: "0",
    parts: &[Choice(ALL_BITS, &[(0, "P_ALL"), (1, "P_PID"), (2, "P_PGID"), (3, "P_PIDFD")])],
};

/// How of sigprocmask(2).
pub(super) static SIGMASK_HOW: FlagSet = FlagSet {
    zero: "0",
    parts: &[Choice(ALL_BITS, &[(0, "SIG_BLOCK"), (1, "SIG_UNBLOCK"), (2, "SIG_SETMASK")])],
};

/// Operations of futex(2).
pub(super) static FUTEX: FlagSet = FlagSet {
    zero: "0",
    parts: &[
        Choice(
            0x7f,
            &[
                (0, "FUTEX_WAIT"),
                (1, "FUTEX_WAKE"),
                (2, "FUTEX_FD"),
                (3, "FUTEX_REQUEUE"),
                (4, "FUTEX_CMP_REQUEUE"),
                (5, "FUTEX_WAKE_OP"),
                (6, "FUTEX_LOCK_PI"),
                (7, "FUTEX_UNLOCK_PI"),
                (8, "FUTEX_TRYLOCK_PI"),
                (9, "FUTEX_WAIT_BITSET"),
                (10, "FUTEX_WAKE_BITSET"),
                (11, "FUTEX_WAIT_REQUEUE_PI"),
                (12, "FUTEX_CMP_REQUEUE_PI"),
                (13, "FUTEX_LOCK_PI2"),
            ],
        ),
        Bits(&[(0x80, "FUTEX_PRIVATE_FLAG"), (0x100, "FUTEX_CLOCK_REALTIME")]),
    ],
};

/// Operations of prctl(2).
pub(super) static PRCTL: FlagSet = FlagSet {
    zero: "0",
    parts: &[Choice(
        ALL_BITS,
        &[
            (1, "PR_SET_PDEATHSIG"),
            (2, "PR_GET_PDEATHSIG"),
            (3, "PR_GET_DUMPABLE"),
            (4, "PR_SET_DUMPABLE"),
            (5, "PR_GET_UNALIGN"),
            (6, "PR_SET_UNALIGN"),
            (7, "PR_GET_KEEPCAPS"),
            (8, "PR_SET_KEEPCAPS"),
            (9, "PR_GET_FPEMU"),
            (10, "PR_SET_FPEMU"),
            (11, "PR_GET_FPEXC"),
            (12, "PR_SET_FPEXC"),
            (13, "PR_GET_TIMING"),
            (14, "PR_SET_TIMING"),
            (15, "PR_SET_NAME"),
            (16, "PR_GET_NAME"),
            (19, "PR_GET_ENDIAN"),
            (20, "PR_SET_ENDIAN"),
            (21, "PR_GET_SECCOMP"),
            (22, "PR_SET_SECCOMP"),
            (23, "PR_CAPBSET_READ"),
            (24, "PR_CAPBSET_DROP"),
            (25, "PR_GET_TSC"),
            (26, "PR_SET_TSC"),
            (27, "PR_GET_SECUREBITS"),
            (28, "PR_SET_SECUREBITS"),
            (29, "PR_SET_TIMERSLACK"),
            (30, "PR_GET_TIMERSLACK"),
            (31, "PR_TASK_PERF_EVENTS_DISABLE"),
            (32, "PR_TASK_PERF_EVENTS_ENABLE"),
            (33, "PR_MCE_KILL"),
            (34, "PR_MCE_KILL_GET"),
            (35, "PR_SET_MM"),
            (36, "PR_SET_CHILD_SUBREAPER"),
            (37, "PR_GET_CHILD_SUBREAPER"),
            (38, "PR_SET_NO_NEW_PRIVS"),
            (39, "PR_GET_NO_NEW_PRIVS"),
            (40, "PR_GET_TID_ADDRESS"),
            (41, "PR_SET_THP_DISABLE"),
            (42, "PR_GET_THP_DISABLE"),
            (43, "PR_MPX_ENABLE_MANAGEMENT"),
            (44, "PR_MPX_DISABLE_MANAGEMENT"),
            (45, "PR_SET_FP_MODE"),
            (46, "PR_GET_FP_MODE"),
            (47, "PR_CAP_AMBIENT"),
            (50, "PR_SVE_SET_VL"),
            (51, "PR_SVE_GET_VL"),
            (52, "PR_GET_SPECULATION_CTRL"),
            (53, "PR_SET_SPECULATION_CTRL"),
            (54, "PR_PAC_RESET_KEYS"),
            (55, "PR_SET_TAGGED_ADDR_CTRL"),
            (56, "PR_GET_TAGGED_ADDR_CTRL"),
            (57, "PR_SET_IO_FLUSHER"),
            (58, "PR_GET_IO_FLUSHER"),
            (59, "PR_SET_SYSCALL_USER_DISPATCH"),
            (60, "PR_PAC_SET_ENABLED_KEYS"),
            (61, "PR_PAC_GET_ENABLED_KEYS"),
            (62, "PR_SCHED_CORE"),
            (63, "PR_SME_SET_VL"),
            (64, "PR_SME_GET_VL"),
            (65, "PR_SET_MDWE"),
            (66, "PR_GET_MDWE"),
            (67, "PR_SET_MEMORY_MERGE"),
            (68, "PR_GET_MEMORY_MERGE"),
            (0x53564d41, "PR_SET_VMA"),
            (0x59616d61, "PR_SET_PTRACER"),
        ],
    )],
};

/// Operations of arch_prctl(2).
pub(super) static ARCH_PRCTL: FlagSet = FlagSet {
    zero: "0",
    parts: &[Choice(
        ALL_BITS,
        &[
            (0x1001, "ARCH_SET_GS"),
            (0x1002, "ARCH_SET_FS"),
            (0x1003, "ARCH_GET_FS"),
            (0x1004, "ARCH_GET_GS"),
            (0x1011, "ARCH_GET_CPUID"),
            (0x1012, "ARCH_SET_CPUID"),
            (0x1021, "ARCH_GET_XCOMP_SUPP"),
            (0x1022, "ARCH_GET_XCOMP_PERM"),
            (0x1023, "ARCH_REQ_XCOMP_PERM"),
            (0x2001, "ARCH_MAP_VDSO_X32"),
            (0x2002, "ARCH_MAP_VDSO_32"),
            (0x2003, "ARCH_MAP_VDSO_64"),
            (0x5001, "ARCH_SHSTK_ENABLE"),
            (0x5002, "ARCH_SHSTK_DISABLE"),
            (0x5003, "ARCH_SHSTK_LOCK"),
            (0x5004, "ARCH_SHSTK_UNLOCK"),
            (0x5005, "ARCH_SHSTK_STATUS"),
        ],
    )],
};

/// Requests of ptrace(2).
pub(super) static PTRACE: FlagSet = FlagSet {
    zero: "0",
    parts: &[Choice(
        ALL_BITS,
        &[
            (0, "PTRACE_TRACEME"),
            (1, "PTRACE_PEEKTEXT"),
            (2, "PTRACE_PEEKDATA"),
            (3, "PTRACE_PEEKUSER"),
            (4, "PTRACE_POKETEXT"),
            (5, "PTRACE_POKEDATA"),
            (6, "PTRACE_POKEUSER"),
            (7, "PTRACE_CONT"),
            (8, "PTRACE_KILL"),
            (9, "PTRACE_SINGLESTEP"),
            (12, "PTRACE_GETREGS"),
            (13, "PTRACE_SETREGS"),
            (14, "PTRACE_GETFPREGS"),
            (15, "PTRACE_SETFPREGS"),
            (16, "PTRACE_ATTACH"),
            (17, "PTRACE_DETACH"),
            (24, "PTRACE_SYSCALL"),
            (0x4200, "PTRACE_SETOPTIONS"),
            (0x4201, "PTRACE_GETEVENTMSG"),
            (0x4202, "PTRACE_GETSIGINFO"),
            (0x4203, "PTRACE_SETSIGINFO"),
            (0x4204, "PTRACE_GETREGSET"),
            (0x4205, "PTRACE_SETREGSET"),
            (0x4206, "PTRACE_SEIZE"),
            (0x4207, "PTRACE_INTERRUPT"),
            (0x4208, "PTRACE_LISTEN"),
            (0x4209, "PTRACE_PEEKSIGINFO"),
            (0x420a, "PTRACE_GETSIGMASK"),
            (0x420b, "PTRACE_SETSIGMASK"),
            (0x420c, "PTRACE_SECCOMP_GET_FILTER"),
            (0x420d, "PTRACE_SECCOMP_GET_METADATA"),
            (0x420e, "PTRACE_GET_SYSCALL_INFO"),
        ],
    )],
};

/// Operations of seccomp(2).
pub(super) static SECCOMP: FlagSet = FlagSet {
    zero: "0",
    parts: &[Choice(
        ALL_BITS,
        &[
            (0, "SECCOMP_SET_MODE_STRICT"),
            (1, "SECCOMP_SET_MODE_FILTER"),
            (2, "SECCOMP_GET_ACTION_AVAIL"),
            (3, "SECCOMP_GET_NOTIF_SIZES"),
        ],
    )],
};

/// Resources of getrlimit(2).
pub(super) static RESOURCE: FlagSet = FlagSet {
    zero: "0",
    parts: &[Choice(
        ALL_BITS,
        &[
            (0, "RLIMIT_CPU"),
            (1, "RLIMIT_FSIZE"),
            (2, "RLIMIT_DATA"),
            (3, "RLIMIT_STACK"),
            (4, "RLIMIT_CORE"),
            (5, "RLIMIT_RSS"),
            (6, "RLIMIT_NPROC"),
            (7, "RLIMIT_NOFILE"),
            (8, "RLIMIT_MEMLOCK"),
            (9, "RLIMIT_AS"),
            (10, "RLIMIT_LOCKS"),
            (11, "RLIMIT_SIGPENDING"),
            (12, "RLIMIT_MSGQUEUE"),
            (13, "RLIMIT_NICE"),
            (14, "RLIMIT_RTPRIO"),
            (15, "RLIMIT_RTTIME"),
        ],
    )],
};

/// Whose usage getrusage(2) asks for.
pub(super) static RUSAGE: FlagSet = FlagSet {
    zero: "0",
    parts: &[Choice(ALL_BITS, &[(0, "RUSAGE_SELF"), (1, "RUSAGE_THREAD"), (0xffffffff, "RUSAGE_CHILDREN")])],
};

/// Policies of sched_setscheduler(2).
pub(super) static SCHED_POLICY: FlagSet = FlagSet {
    zero: "0",
    parts: &[
        Choice(
            0x3fffffff,
            &[
                (0, "SCHED_OTHER"),
                (1, "SCHED_FIFO"),
                (2, "SCHED_RR"),
                (3, "SCHED_BATCH"),
                (5, "SCHED_IDLE"),
                (6, "SCHED_DEADLINE"),
                (7, "SCHED_EXT"),
            ],
        ),
        Bits(&[(0x40000000, "SCHED_RESET_ON_FORK")]),
    ],
};

/// Flags of getrandom(2).
pub(super) static RANDOM: FlagSet = FlagSet {
    zero: "0",
    parts: &[Bits(&[(0x1, "GRND_NONBLOCK"), (0x2, "GRND_RANDOM"), (0x4, "GRND_INSECURE")])],
};
