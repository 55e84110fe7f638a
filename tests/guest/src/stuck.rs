//! A process that is stuck inside a read of a file: as in a page fault that a FUSE server never
//! answers, which any user can have.

use std::fs::File;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::ensure;
use crate::scale;
use crate::testing::Failure;

/// Reads its standard input into a page that a userfaultfd of its own watches over and
/// that nobody ever fills. In Perl, which every Debian has, for it makes system calls without a
/// library: mmap, userfaultfd, UFFDIO_API, UFFDIO_REGISTER, read.
const SCRIPT: &str = r#"
use strict;
my $page = syscall(9, 0, 4096, 3, 0x22, -1, 0);
my $fd = syscall(323, 0x80000);
$page > 0 && $fd >= 0 or die "no userfaultfd: $!\n";
open(my $watch, '+<&=', $fd) or die "$!\n";
my $api = pack('Q3', 0xaa, 0, 0);
ioctl($watch, 0xc018aa3f, $api) or die "UFFDIO_API: $!\n";
my $missing = pack('Q4', $page, 4096, 1, 0);
ioctl($watch, 0xc020aa00, $missing) or die "UFFDIO_REGISTER: $!\n";
syscall(0, 0, $page, 4096) >= 0 or die "read: $!\n";
"#;

/// The process; killed when dropped.
#[derive(Debug)]
pub struct StuckReader(Child);

impl StuckReader {
    /// A reader of `file` that is inside its read when this returns.
    pub fn of(file: File) -> Result<StuckReader, Failure> {
        let child = Command::new("perl")
            .args(["-e", SCRIPT])
            .stdin(Stdio::from(file))
            .spawn()?;
        let reader = StuckReader(child);
        let stuck = scale::wait_until(Duration::from_secs(20), || reader.is_stuck());
        ensure!(stuck, "the reader is not stuck");
        Ok(reader)
    }

    /// Whether it waits for its page.
    fn is_stuck(&self) -> bool {
        let wchan = std::fs::read_to_string(format!("/proc/{}/wchan", self.0.id()));
        wchan.is_ok_and(|function| function == "handle_userfault")
    }
}

impl Drop for StuckReader {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
