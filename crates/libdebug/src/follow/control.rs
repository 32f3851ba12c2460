//! The user's side of what is being followed.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;

use libdebug_kernel::{Death, Doorbell, Pid};

use super::{Pair, Target, Watch, follow};
use crate::error::{Error, Result};
use crate::mailbox::lock;

/// What the tracer thread and users share.
#[derive(Debug, Default)]
pub(crate) struct Control {
    end: AtomicBool,
    /// How much was seen so far.
    pub(crate) total: AtomicU64,
    /// There while the tracer thread lives.
    doorbell: Mutex<Option<Doorbell>>,
}

impl Control {
    pub(super) fn install(&self, doorbell: Doorbell) {
        *lock(&self.doorbell) = Some(doorbell);
    }

    fn close(&self) {
        *lock(&self.doorbell) = None;
    }

    /// Whether somebody wants an end.
    pub(crate) fn is_told_to_end(&self) -> bool {
        self.end.load(Ordering::Acquire)
    }

    pub(crate) fn end(&self) {
        self.end.store(true, Ordering::Release);
        self.ring();
    }

    /// Has the tracer thread look up.
    pub(crate) fn ring(&self) {
        if let Some(doorbell) = lock(&self.doorbell).as_ref() {
            doorbell.ring();
        }
    }
}

/// Who was told of everything, and how the first process ended, if it has.
pub(super) type Outcome<W> = Result<(W, Option<Death>)>;

/// Something that is being followed; its end is the end of what was started.
#[derive(Debug)]
pub(crate) struct Running<W> {
    pub(crate) control: Arc<Control>,
    pub(crate) pid: Pid,
    tracer: Option<JoinHandle<Option<Outcome<W>>>>,
}

impl<W> Running<W> {
    /// Waits for the end.
    pub(crate) fn wait(mut self) -> Outcome<W> {
        let tracer = self.tracer.take().ok_or(Error::Terminated)?;
        tracer.join().ok().flatten().unwrap_or(Err(Error::Terminated))
    }
}

impl<W> Drop for Running<W> {
    fn drop(&mut self) {
        if let Some(tracer) = self.tracer.take() {
            self.control.end();
            let _ = tracer.join();
        }
    }
}

/// Starts to follow, on a thread of its own; with `share_cpu` on the CPU of what is followed, as long as that is one
/// thread.
pub(crate) fn begin<W: Watch>(
    target: Target,
    watch: W,
    control: Arc<Control>,
    share_cpu: bool,
) -> Result<Running<W>> {
    let (sender, begun) = mpsc::channel();
    let shared = Arc::clone(&control);
    let tracer = std::thread::Builder::new().name("libdebug-follow".to_owned()).spawn(move || {
        let told = move |pid| drop(sender.send(pid));
        let outcome = follow(target, watch, Pair::new(share_cpu), &shared, told);
        shared.close();
        outcome
    });
    let tracer = tracer.map_err(|error| Error::File { path: "a thread".into(), error })?;
    let pid = begun.recv().map_err(|_| Error::Terminated)??;
    Ok(Running { control, pid, tracer: Some(tracer) })
}
