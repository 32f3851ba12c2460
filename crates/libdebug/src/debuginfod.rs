//! Files of debug information from servers that speak debuginfod(8).
//!
//! Whatever a server does, a program that asks loses little: all time that brings no file is counted, and when a second
//! of it is spent, nobody is asked any more by this process.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant, SystemTime};

/// What all answers that bring nothing may take, in milliseconds.
const PATIENCE: u64 = 800;
/// A server said that it has no such file: ask again after this time. As the elfutils' client has it.
const MISS_HOLDS: Duration = Duration::from_secs(600);
/// A file larger than this is not fetched.
const LARGEST: u64 = 4 << 30;
const CHUNK: usize = 64 << 10;

/// What is left of the patience of this process.
static LEFT: AtomicU64 = AtomicU64::new(PATIENCE);

/// Servers, and where their answers are kept: the cache of elfutils' debuginfod-find(1) and of gdb, for example
/// `~/.cache/debuginfod_client`.
///
/// Nothing is asked and nothing is written before a symbol is looked for at
/// [`SymbolLevel::Network`](crate::SymbolLevel::Network) that no other source has.
#[derive(Debug)]
pub struct Debuginfod {
    urls: Vec<String>,
    cache: PathBuf,
}

enum Answer {
    Chunk(Vec<u8>),
    End,
    Absent,
    Broken,
}

impl Debuginfod {
    /// Servers by their URLs (`http://`; `https://` with the feature `https`), to be asked in this order, and the directory of the cache.
    pub fn new(urls: impl IntoIterator<Item = String>, cache: impl Into<PathBuf>) -> Self {
        Self { urls: urls.into_iter().collect(), cache: cache.into() }
    }

    /// The file of that build id which the cache has.
    pub(crate) fn kept_file(&self, build_id: &str) -> Option<PathBuf> {
        let file = self.cache.join(build_id).join("debuginfo");
        (cached(&file) == Some(true)).then_some(file)
    }

    /// The file of debug information of that build id, in hexadecimal: from the cache, else from the first server that
    /// has it.
    pub(crate) fn debug_file(&self, build_id: &str) -> Option<PathBuf> {
        let directory = self.cache.join(build_id);
        let file = directory.join("debuginfo");
        match cached(&file) {
            Some(is_there) => return is_there.then_some(file),
            None if self.urls.is_empty() => return None,
            None => {}
        }
        let mut all_absent = true;
        for url in &self.urls {
            match fetch(&format!("{}/buildid/{build_id}/debuginfo", url.trim_end_matches('/')), &file) {
                Ok(()) => return Some(file),
                Err(Failure::Absent) => {}
                Err(Failure::Broken) => all_absent = false,
            }
        }
        if all_absent {
            remember_absence(&file);
        }
        None
    }
}

/// Whether the cache says that the file is there, or that it is not; `None` when it says nothing. An empty file stands
/// for one that no server has.
fn cached(file: &Path) -> Option<bool> {
    let metadata = fs::metadata(file).ok()?;
    if metadata.len() > 0 {
        return Some(true);
    }
    let age = SystemTime::now().duration_since(metadata.modified().ok()?).unwrap_or_default();
    (age < MISS_HOLDS).then_some(false)
}

/// A cache that cannot be written costs time only.
fn remember_absence(file: &Path) {
    if let Some(directory) = file.parent()
        && fs::create_dir_all(directory).is_ok()
    {
        drop(fs::write(file, b""));
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Failure {
    Absent,
    Broken,
}

fn fetch(url: &str, file: &Path) -> Result<(), Failure> {
    let (sender, answers) = sync_channel(4);
    let url = url.to_owned();
    if LEFT.load(Ordering::Relaxed) == 0 {
        return Err(Failure::Broken);
    }
    // On a thread of its own: name servers and sockets can hang in ways that no time limit of theirs ends.
    std::thread::Builder::new()
        .name("debuginfod".to_owned())
        .spawn(move || request(&url, &sender))
        .map_err(|_| Failure::Broken)?;
    receive(&answers, file)
}

/// Writes what comes into the file, which is complete from its first moment on.
fn receive(answers: &Receiver<Answer>, file: &Path) -> Result<(), Failure> {
    let mut partial: Option<Partial> = None;
    loop {
        match patiently(answers)? {
            Answer::Chunk(bytes) => {
                let target = match partial.take() {
                    Some(target) => target,
                    None => Partial::create(file).ok_or(Failure::Broken)?,
                };
                partial = Some(target.write(&bytes).ok_or(Failure::Broken)?);
            }
            Answer::End => return partial.and_then(|target| target.finish(file)).ok_or(Failure::Broken),
            Answer::Absent => return Err(Failure::Absent),
            Answer::Broken => return Err(Failure::Broken),
        }
    }
}

/// The next answer. Time that brought nothing is lost for all that this process asks later.
fn patiently(answers: &Receiver<Answer>) -> Result<Answer, Failure> {
    let began = Instant::now();
    let limit = Duration::from_millis(LEFT.load(Ordering::Relaxed));
    let answer = match answers.recv_timeout(limit) {
        Ok(answer) => answer,
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Answer::Broken,
    };
    if matches!(answer, Answer::Absent | Answer::Broken) {
        let lost = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let less = |left: u64| Some(left.saturating_sub(lost));
        let _ = LEFT.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }
    Ok(answer)
}

/// A file that is being written under another name.
struct Partial {
    path: PathBuf,
    file: fs::File,
}

impl Partial {
    fn create(target: &Path) -> Option<Self> {
        let directory = target.parent()?;
        fs::create_dir_all(directory).ok()?;
        let stamp = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?.as_nanos();
        let path = directory.join(format!("debuginfo.{}.{stamp}.part", std::process::id()));
        let file = fs::File::create_new(&path).ok()?;
        Some(Self { path, file })
    }

    fn write(mut self, bytes: &[u8]) -> Option<Self> {
        self.file.write_all(bytes).ok()?;
        Some(self)
    }

    fn finish(self, target: &Path) -> Option<()> {
        fs::rename(&self.path, target).ok()
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // Gone already when it was finished.
        drop(fs::remove_file(&self.path));
    }
}

/// Asks one server, and tells piece by piece what it says. Nobody may be listening any more.
fn request(url: &str, answers: &SyncSender<Answer>) {
    let last = match talk(url, answers) {
        Ok(()) => Answer::End,
        Err(Failure::Absent) => Answer::Absent,
        Err(Failure::Broken) => Answer::Broken,
    };
    drop(answers.send(last));
}

fn talk(url: &str, answers: &SyncSender<Answer>) -> Result<(), Failure> {
    // Whoever asked has gone long before that: it only ends the thread.
    let patience = Some(Duration::from_secs(10));
    let config = ureq::Agent::config_builder()
        .timeout_connect(patience)
        .timeout_recv_response(patience)
        .user_agent(concat!("libdebug-rs/", env!("CARGO_PKG_VERSION")))
        .build();
    let response = match ureq::Agent::new_with_config(config).get(url).call() {
        Ok(response) => response,
        Err(ureq::Error::StatusCode(404)) => return Err(Failure::Absent),
        Err(_) => return Err(Failure::Broken),
    };
    let mut body = response.into_body().into_with_config().limit(LARGEST).reader();
    loop {
        let mut chunk = Vec::with_capacity(CHUNK);
        let count = body.by_ref().take(CHUNK as u64).read_to_end(&mut chunk).map_err(|_| Failure::Broken)?;
        if count == 0 {
            return Ok(());
        }
        answers.send(Answer::Chunk(chunk)).map_err(|_| Failure::Broken)?;
    }
}
