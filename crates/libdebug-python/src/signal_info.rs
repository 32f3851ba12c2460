//! A siginfo as a tuple of Python's numbers.

use libdebug::{SignalInfo, SignalOrigin};
use libdebug_arch::decode::signal_code_name;

/// Signal, code, the code's name, pid, uid, address, value, status.
pub(crate) type Row =
    (i32, i32, Option<&'static str>, Option<i32>, Option<u32>, Option<u64>, Option<u64>, Option<i32>);

pub(crate) fn row_of(info: &SignalInfo) -> Row {
    let (number, code) = (info.signal().0, info.code());
    let (mut pid, mut uid, mut address, mut value, mut status) = (None, None, None, None, None);
    match info.origin() {
        SignalOrigin::Process { pid: from, uid: user, value: sent } => {
            (pid, uid, value) = (Some(from), Some(user), sent);
        }
        SignalOrigin::Child { pid: from, uid: user, status: left } => {
            (pid, uid, status) = (Some(from), Some(user), Some(left));
        }
        SignalOrigin::Timer { value: chosen } => value = Some(chosen),
        SignalOrigin::Fault { address: touched } => address = Some(touched),
        SignalOrigin::Kernel => {}
    }
    (number, code, signal_code_name(number, code), pid, uid, address, value, status)
}
