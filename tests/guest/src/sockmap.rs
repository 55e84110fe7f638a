//! A BPF program that puts every new TCP connection into a sockmap, as accelerators between
//! containers do: `sk_user_data`, callbacks and protocol of the socket become the map's.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use crate::testing::{sh, Context, Failure};

/// Loads the program for the root cgroup, says "ready", and waits for the end of its input; then it
/// says how many sockets are in the map, and the program goes with it. In Perl, which every Debian
/// has, for it makes system calls without a library: bpf(2) is 321.
const SCRIPT: &str = r#"
use strict;
$| = 1;
sub bpf {
    my ($command, $attr, $what) = @_;
    my $result = syscall(321, $command, $attr, length $attr);
    $result >= 0 or !$what or die "$what: $!\n";
    return $result;
}
sub address { return unpack('Q', pack('p', $_[0])) }
sub insn { my ($code, $registers, $offset, $value) = @_; return pack('CCsl', @_) }

my $map = bpf(0, pack('L4', 15, 4, 8, 1024), 'BPF_MAP_CREATE of a sockmap');
my @program = (
    insn(0xbf, 0x16, 0, 0),         # r6 = context
    insn(0x61, 0x12, 0, 0),         # r2 = context->op
    insn(0xa5, 0x02, 11, 4),        # not 4, connected...
    insn(0x25, 0x02, 10, 5),        # ...or 5, accepted: to the end
    insn(0x85, 0x00, 0, 7),         # r0 = a random number
    insn(0x57, 0x00, 0, 1023),      # r0 &= 1023
    insn(0x63, 0x0a, -4, 0),        # key = r0
    insn(0xbf, 0x61, 0, 0),         # r1 = context
    insn(0x18, 0x12, 0, $map), insn(0, 0, 0, 0), # r2 = the map
    insn(0xbf, 0xa3, 0, 0),         # r3 = frame
    insn(0x07, 0x03, 0, -4),        # r3 += -4
    insn(0xb7, 0x04, 0, 0),         # r4 = BPF_ANY
    insn(0x85, 0x00, 0, 53),        # bpf_sock_map_update()
    insn(0xb7, 0x00, 0, 1),         # r0 = 1
    insn(0x95, 0x00, 0, 0),         # exit
);
my ($code, $license, $log) = (join('', @program), "GPL\0", "\0" x 65536);
my $attr = pack('LLQQLLQLLx16LL', 13, @program + 0, address($code), address($license), 1, 65536,
    address($log), 0, 0, 0, 3);
my $loaded = bpf(5, $attr);
$loaded >= 0 or die "BPF_PROG_LOAD: $!\n" . unpack('Z*', $log);
open(my $cgroup, '<', $ARGV[0]) or die "$ARGV[0]: $!\n";
bpf(28, pack('L4', $loaded, fileno $cgroup, 3, 0), 'BPF_LINK_CREATE');
print "ready\n";
<STDIN>;
my $count = 0;
for my $key (0 .. 1023) {
    my ($name, $value) = (pack('L', $key), "\0" x 8);
    $count++ if bpf(1, pack('LxxxxQQQ', $map, address($name), address($value), 0)) >= 0;
}
print "$count\n";
"#;

/// The program, in force until this is dropped.
#[derive(Debug)]
pub struct Sockmap {
    child: Child,
    said: BufReader<std::process::ChildStdout>,
}

impl Sockmap {
    /// Takes in every connection of the machine from now on.
    pub fn attach() -> Result<Sockmap, Failure> {
        let cgroup = "/run/cgroup";
        sh(&format!(
            "mkdir -p {cgroup}; mountpoint -q {cgroup} || mount -t cgroup2 cgroup2 {cgroup}"
        ))?;
        let mut child = Command::new("perl")
            .args(["-e", SCRIPT, cgroup])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take().ok_or("perl without a stdout")?;
        let mut sockmap = Sockmap {
            child,
            said: BufReader::new(stdout),
        };
        let line = sockmap.line()?;
        crate::ensure!(line == "ready", "the BPF program is not in force");
        Ok(sockmap)
    }

    /// Ends it, and says how many sockets it had.
    pub fn count(mut self) -> Result<u64, Failure> {
        drop(self.child.stdin.take());
        let line = self.line()?;
        line.parse().context(format!("{line:?} as a count"))
    }

    fn line(&mut self) -> Result<String, Failure> {
        let mut line = String::new();
        self.said.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }
}

impl Drop for Sockmap {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
