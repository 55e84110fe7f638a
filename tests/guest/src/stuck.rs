//! Processes that are stuck inside a read of a file, or inside a poll() of several: as in a page
//! fault, or a poll, that a FUSE server never answers, which any user can have.
//!
//! They are in Perl, which every Debian has, for it makes system calls without a library.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::ensure;
use crate::scale;
use crate::testing::Failure;

/// Makes `$page`, which a userfaultfd of its own watches over and nobody ever fills: mmap,
/// userfaultfd, UFFDIO_API, UFFDIO_REGISTER.
const PAGE: &str = r#"
use strict;
my $page = syscall(9, 0, 4096, 3, 0x22, -1, 0);
my $fd = syscall(323, 0x80000);
$page > 0 && $fd >= 0 or die "no userfaultfd: $!\n";
open(my $watch, '+<&=', $fd) or die "$!\n";
my $api = pack('Q3', 0xaa, 0, 0);
ioctl($watch, 0xc018aa3f, $api) or die "UFFDIO_API: $!\n";
my $missing = pack('Q4', $page, 4096, 1, 0);
ioctl($watch, 0xc020aa00, $missing) or die "UFFDIO_REGISTER: $!\n";
"#;

/// Reads its standard input into the page.
const READ: &str = r#"
syscall(0, 0, $page, 4096) >= 0 or die "read: $!\n";
"#;

/// Has a child of its own poll the files named by the arguments, and after them an epoll, of which
/// nobody hears anything while the parent is given its events, into the page: epoll_create1,
/// epoll_ctl, poll, epoll_wait. Prints the child's number.
const POLL: &str = r#"
my @files = map { open(my $file, '<', $_) or die "$_: $!\n"; $file } @ARGV;
pipe(my $out, my $in) or die "pipe: $!\n";
syswrite($in, 'x') or die "write: $!\n";
my $epoll = syscall(291, 0);
my $event = pack('LQ', 1, 0);
syscall(233, $epoll, 1, fileno($out), $event) == 0 or die "epoll: $!\n";
my $parent = $$;
my $child = fork();
if (!$child) {
    my $where = '';
    while ($where ne 'handle_userfault') {
        select(undef, undef, undef, 0.01);
        open(my $wchan, '<', "/proc/$parent/wchan") or die "$!\n";
        $where = <$wchan>;
    }
    my $fds = join('', map { pack('lss', $_, 1, 0) } (map { fileno($_) } @files), $epoll);
    syscall(7, $fds, @files + 1, -1);
    exit;
}
$| = 1;
print "$child\n";
syscall(232, $epoll, $page, 1, -1) >= 0 or die "epoll_wait: $!\n";
"#;

fn perl(script: &str) -> Command {
    let mut command = Command::new("perl");
    command.args(["-e", &format!("{PAGE}{script}")]);
    command
}

/// Stuck in a read; killed when dropped.
#[derive(Debug)]
pub struct StuckReader(Child);

impl StuckReader {
    /// A reader of `file` that is inside its read when this returns.
    pub fn of(file: File) -> Result<StuckReader, Failure> {
        let child = perl(READ).stdin(Stdio::from(file)).spawn()?;
        let reader = StuckReader(child);
        let stuck = scale::wait_until(Duration::from_secs(20), || reader.is_stuck());
        ensure!(stuck, "the reader is not stuck");
        Ok(reader)
    }

    /// Whether it waits for its page.
    fn is_stuck(&self) -> bool {
        let wchan = fs::read_to_string(format!("/proc/{}/wchan", self.0.id()));
        wchan.is_ok_and(|function| function == "handle_userfault")
    }
}

impl Drop for StuckReader {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Stuck in a poll of some files, in whose wait queues it is, and deaf to whatever they tell it;
/// freed when dropped.
#[derive(Debug)]
pub struct StuckPoller {
    /// Who keeps it from going on.
    parent: Child,
    poller: PathBuf,
}

impl StuckPoller {
    /// A poller of these files, opened anew, that is inside its poll when this returns.
    pub fn of(files: &[File]) -> Result<StuckPoller, Failure> {
        let ours = std::process::id();
        let paths = files
            .iter()
            .map(|file| format!("/proc/{ours}/fd/{}", file.as_raw_fd()));
        let mut parent = perl(POLL).args(paths).stdout(Stdio::piped()).spawn()?;
        let mut number = String::new();
        if let Some(stdout) = parent.stdout.take() {
            BufReader::new(stdout).read_line(&mut number)?;
        }
        let poller = StuckPoller {
            parent,
            poller: PathBuf::from(format!("/proc/{}", number.trim())),
        };
        ensure!(!number.is_empty(), "the poller did not start");
        let stuck = scale::wait_until(Duration::from_secs(20), || poller.is_stuck());
        ensure!(stuck, "the poller is not stuck");
        Ok(poller)
    }

    /// Whether it waits for the epoll.
    fn is_stuck(&self) -> bool {
        let wchan = fs::read_to_string(self.poller.join("wchan"));
        wchan.is_ok_and(|function| function.contains("eventpoll_poll"))
    }

    /// Whether it has ended, though nobody but init will wait for it.
    fn has_ended(&self) -> bool {
        let stat = fs::read_to_string(self.poller.join("stat"));
        stat.map_or(true, |stat| stat.contains(") Z "))
    }
}

impl Drop for StuckPoller {
    fn drop(&mut self) {
        let _ = self.parent.kill();
        let _ = self.parent.wait();
        // Its child is told that there are events, and ends.
        scale::wait_until(Duration::from_secs(20), || self.has_ended());
    }
}
