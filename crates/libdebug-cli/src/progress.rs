//! How far a count is, for whoever looks at a terminal.

use std::io::{IsTerminal, Write};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use libdebug::CountWatcher;

const OFTEN: Duration = Duration::from_millis(500);
const CLEAR: &str = "\r\x1b[K";

/// A line that is written anew again and again, until it is dropped. Nothing on anything but a terminal.
pub(crate) struct Progress {
    end: Option<Sender<()>>,
    writer: Option<JoinHandle<()>>,
}

impl Progress {
    pub(crate) fn of(watcher: CountWatcher) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self { end: None, writer: None };
        }
        let (end, ended) = mpsc::channel();
        let begin = Instant::now();
        let write = move || {
            while ended.recv_timeout(OFTEN) == Err(RecvTimeoutError::Timeout) {
                let (count, seconds) = (watcher.instructions(), begin.elapsed().as_secs_f64());
                let rate = (count as f64 / seconds) as u64;
                let _ = write!(std::io::stderr(), "{CLEAR}{count} instructions, {rate}/s, {seconds:.1} s");
            }
            let _ = write!(std::io::stderr(), "{CLEAR}");
        };
        let writer = std::thread::Builder::new().name("libdebug-progress".to_owned()).spawn(write).ok();
        Self { end: Some(end), writer }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end = None;
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}
