//! Sockets, event descriptors and clocks.

use super::flags::Part::{Bits, Choice};
use super::flags::{ALL_BITS, FlagSet};

/// Families of socket(2).
pub(super) static SOCKET_FAMILY: FlagSet = FlagSet {
    zero: "0",
    parts: &[Choice(
        ALL_BITS,
        &[
            (0, "AF_UNSPEC"),
            (1, "AF_UNIX"),
            (2, "AF_INET"),
            (3, "AF_AX25"),
            (4, "AF_IPX"),
            (5, "AF_APPLETALK"),
            (9, "AF_X25"),
            (10, "AF_INET6"),
            (15, "AF_KEY"),
            (16, "AF_NETLINK"),
            (17, "AF_PACKET"),
            (21, "AF_RDS"),
            (24, "AF_PPPOX"),
            (26, "AF_LLC"),
            (27, "AF_IB"),
            (28, "AF_MPLS"),
            (29, "AF_CAN"),
            (30, "AF_TIPC"),
            (31, "AF_BLUETOOTH"),
            (33, "AF_RXRPC"),
            (35, "AF_PHONET"),
            (38, "AF_ALG"),
            (39, "AF_NFC"),
            (40, "AF_VSOCK"),
            (41, "AF_KCM"),
            (42, "AF_QIPCRTR"),
            (43, "AF_SMC"),
            (44, "AF_XDP"),
        ],
    )],
};

/// Types of socket(2).
pub(super) static SOCKET_TYPE: FlagSet = FlagSet {
    zero: "0",
    parts: &[
        Choice(
            0xf,
            &[
                (1, "SOCK_STREAM"),
                (2, "SOCK_DGRAM"),
                (3, "SOCK_RAW"),
                (4, "SOCK_RDM"),
                (5, "SOCK_SEQPACKET"),
                (6, "SOCK_DCCP"),
                (10, "SOCK_PACKET"),
            ],
        ),
        Bits(&[(0x800, "SOCK_NONBLOCK"), (0x80000, "SOCK_CLOEXEC")]),
    ],
};

/// Flags of accept4(2).
pub(super) static ACCEPT: FlagSet =
    FlagSet { zero: "0", parts: &[Bits(&[(0x800, "SOCK_NONBLOCK"), (0x80000, "SOCK_CLOEXEC")])] };

/// Flags of send(2) and recv(2).
pub(super) static MSG: FlagSet = FlagSet {
    zero: "0",
    parts: &[Bits(&[
        (0x1, "MSG_OOB"),
        (0x2, "MSG_PEEK"),
        (0x4, "MSG_DONTROUTE"),
        (0x8, "MSG_CTRUNC"),
        (0x10, "MSG_PROBE"),
        (0x20, "MSG_TRUNC"),
        (0x40, "MSG_DONTWAIT"),
        (0x80, "MSG_EOR"),
        (0x100, "MSG_WAITALL"),
        (0x200, "MSG_FIN"),
        (0x400, "MSG_SYN"),
        (0x800, "MSG_CONFIRM"),
        (0x1000, "MSG_RST"),
        (0x2000, "MSG_ERRQUEUE"),
        (0x4000, "MSG_NOSIGNAL"),
        (0x8000, "MSG_MORE"),
        (0x10000, "MSG_WAITFORONE"),
        (0x40000, "MSG_BATCH"),
        (0x4000000, "MSG_ZEROCOPY"),
        (0x20000000, "MSG_FASTOPEN"),
        (0x40000000, "MSG_CMSG_CLOEXEC"),
    ])],
};

/// How of shutdown(2).
pub(super) static SHUTDOWN: FlagSet =
    FlagSet { zero: "0", parts: &[Choice(ALL_BITS, &[(0, "SHUT_RD"), (1, "SHUT_WR"), (2, "SHUT_RDWR")])] };

/// Levels of getsockopt(2).
pub(super) static SOCKET_LEVEL: FlagSet = FlagSet {
    zero: "0",
    parts: &[Choice(
        ALL_BITS,
        &[
            (0, "SOL_IP"),
            (1, "SOL_SOCKET"),
            (6, "SOL_TCP"),
            (17, "SOL_UDP"),
            (41, "SOL_IPV6"),
            (255, "SOL_RAW"),
            (263, "SOL_PACKET"),
            (270, "SOL_NETLINK"),
            (287, "SOL_VSOCK"),
        ],
    )],
};

/// Operations of epoll_ctl(2).
pub(super) static EPOLL_CTL: FlagSet = FlagSet {
    zero: "0",
    parts: &[Choice(ALL_BITS, &[(1, "EPOLL_CTL_ADD"), (2, "EPOLL_CTL_DEL"), (3, "EPOLL_CTL_MOD")])],
};

/// Flags of epoll_create1(2).
pub(super) static EPOLL_CREATE: FlagSet =
    FlagSet { zero: "0", parts: &[Bits(&[(0x80000, "EPOLL_CLOEXEC")])] };

/// Flags of eventfd2(2).
pub(super) static EVENTFD: FlagSet = FlagSet {
    zero: "0",
    parts: &[Bits(&[(0x1, "EFD_SEMAPHORE"), (0x800, "EFD_NONBLOCK"), (0x80000, "EFD_CLOEXEC")])],
};

/// Flags of signalfd4(2).
pub(super) static SIGNALFD: FlagSet =
    FlagSet { zero: "0", parts: &[Bits(&[(0x800, "SFD_NONBLOCK"), (0x80000, "SFD_CLOEXEC")])] };

/// Flags of timerfd_create(2).
pub(super) static TIMERFD: FlagSet =
    FlagSet { zero: "0", parts: &[Bits(&[(0x800, "TFD_NONBLOCK"), (0x80000, "TFD_CLOEXEC")])] };

/// Flags of timerfd_settime(2).
pub(super) static TIMERFD_SET: FlagSet =
    FlagSet { zero: "0", parts: &[Bits(&[(0x1, "TFD_TIMER_ABSTIME"), (0x2, "TFD_TIMER_CANCEL_ON_SET")])] };

/// Flags of inotify_init1(2).
pub(super) static INOTIFY: FlagSet =
    FlagSet { zero: "0", parts: &[Bits(&[(0x800, "IN_NONBLOCK"), (0x80000, "IN_CLOEXEC")])] };

/// Events of inotify_add_watch(2).
pub(super) static INOTIFY_EVENTS: FlagSet = FlagSet {
    zero: "0",
    parts: &[Bits(&[
        (0xfff, "IN_ALL_EVENTS"),
        (0x1, "IN_ACCESS"),
        (0x2, "IN_MODIFY"),
        (0x4, "IN_ATTRIB"),
        (0x8, "IN_CLOSE_WRITE"),
        (0x10, "IN_CLOSE_NOWRITE"),
        (0x20, "IN_OPEN"),
        (0x40, "IN_MOVED_FROM"),
        (0x80, "IN_MOVED_TO"),
        (0x100, "IN_CREATE"),
        (0x200, "IN_DELETE"),
        (0x400, "IN_DELETE_SELF"),
        (0x800, "IN_MOVE_SELF"),
        (0x1000000, "IN_ONLYDIR"),
        (0x2000000, "IN_DONT_FOLLOW"),
        (0x4000000, "IN_EXCL_UNLINK"),
        (0x10000000, "IN_MASK_CREATE"),
        (0x20000000, "IN_MASK_ADD"),
        (0x40000000, "IN_ISDIR"),
        (0x80000000, "IN_ONESHOT"),
    ])],
};

/// Clocks of clock_gettime(2).
pub(super) static CLOCK: FlagSet = FlagSet {
    zero: "0",
    parts: &[Choice(
        ALL_BITS,
        &[
            (0, "CLOCK_REALTIME"),
            (1, "CLOCK_MONOTONIC"),
            (2, "CLOCK_PROCESS_CPUTIME_ID"),
            (3, "CLOCK_THREAD_CPUTIME_ID"),
            (4, "CLOCK_MONOTONIC_RAW"),
            (5, "CLOCK_REALTIME_COARSE"),
            (6, "CLOCK_MONOTONIC_COARSE"),
            (7, "CLOCK_BOOTTIME"),
            (8, "CLOCK_REALTIME_ALARM"),
            (9, "CLOCK_BOOTTIME_ALARM"),
            (11, "CLOCK_TAI"),
        ],
    )],
};

/// Flags of clock_nanosleep(2) and timer_settime(2).
pub(super) static TIMER: FlagSet = FlagSet { zero: "0", parts: &[Bits(&[(0x1, "TIMER_ABSTIME")])] };

/// Timers of setitimer(2).
pub(super) static ITIMER: FlagSet = FlagSet {
    zero: "0",
    parts: &[Choice(ALL_BITS, &[(0, "ITIMER_REAL"), (1, "ITIMER_VIRTUAL"), (2, "ITIMER_PROF")])],
};

/// Flags of pidfd_open(2).
pub(super) static PIDFD: FlagSet =
    FlagSet { zero: "0", parts: &[Bits(&[(0x800, "PIDFD_NONBLOCK"), (0x80, "PIDFD_THREAD")])] };
