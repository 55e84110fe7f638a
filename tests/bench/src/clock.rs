//! How much work the guest has done.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::thread;
use std::time::{Duration, Instant};

/// Long enough for what goes on after an answer: delayed acknowledgements, closing, what is deferred.
const DRAIN: Duration = Duration::from_millis(50);

/// Measures from one moment when nothing was going on to the next.
#[derive(Debug)]
pub struct Window {
    schedstat: File,
    busy: u64,
    began: Instant,
}

/// What has been measured.
#[derive(Clone, Copy, Debug)]
pub struct Spent {
    /// Nanoseconds for which the processors ran tasks. Where guest time counts instructions: instructions.
    pub busy: u64,
    /// Nanoseconds in all, without waiting for the end of what was going on.
    pub elapsed: u64,
}

impl Window {
    /// Waits until nothing is going on, and begins.
    pub fn open() -> io::Result<Window> {
        let schedstat = File::open("/proc/schedstat")?;
        thread::sleep(DRAIN);
        // The kernel adds a task's time when the task gives up its processor, as this one just did.
        let busy = busy(&schedstat)?;
        mark_open();
        Ok(Window {
            schedstat,
            busy,
            began: Instant::now(),
        })
    }

    /// Waits until nothing is going on any more, and ends.
    pub fn close(self) -> io::Result<Spent> {
        let elapsed = self.began.elapsed().as_nanos() as u64;
        thread::sleep(DRAIN);
        mark_close();
        Ok(Spent {
            busy: busy(&self.schedstat)? - self.busy,
            elapsed,
        })
    }
}

/// Whoever counts instructions from outside begins when this is executed.
#[inline(never)]
fn mark_open() {
    std::hint::black_box("open");
}

/// And ends when this is.
#[inline(never)]
fn mark_close() {
    std::hint::black_box("close");
}

/// Nanoseconds for which tasks have run, on all processors.
fn busy(schedstat: &File) -> io::Result<u64> {
    let mut text = [0; 4096];
    let length = schedstat.read_at(&mut text, 0)?;
    let text = String::from_utf8_lossy(&text[..length]);
    let of_processor = |line: &str| line.split(' ').nth(7)?.parse::<u64>().ok();
    let lines = text.lines().filter(|line| line.starts_with("cpu"));
    lines.map(of_processor).sum::<Option<u64>>().ok_or_else(|| {
        let complaint = "/proc/schedstat does not say how long tasks have run";
        io::Error::new(io::ErrorKind::InvalidData, complaint)
    })
}
