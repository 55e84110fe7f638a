//! What a test leaves behind: the module, sockets, words in the kernel log.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

use nix::fcntl::OFlag;

use crate::gateway::{self, nginx};
use crate::scale;
use crate::testing::shell;

/// The TCP sockets of the machine, from /proc/net/sockstat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sockets {
    /// In the hash tables of this namespace.
    pub inuse: u64,
    /// Without an owner, still finishing.
    pub orphan: u64,
    /// All that exist, in every namespace, time-waits aside.
    pub alloc: u64,
}

impl Sockets {
    /// As they are now.
    pub fn now() -> Sockets {
        let text = fs::read_to_string("/proc/thread-self/net/sockstat").unwrap_or_default();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("TCP: "))
            .unwrap_or("");
        let words: Vec<_> = line.split(' ').collect();
        let value = |name| {
            let pair = words.chunks(2).find(|pair| pair[0] == name);
            pair.and_then(|pair| pair.get(1)?.parse().ok()).unwrap_or(0)
        };
        Sockets {
            inuse: value("inuse"),
            orphan: value("orphan"),
            alloc: value("alloc"),
        }
    }

    /// Whether there are not more than there were.
    fn within(self, before: Sockets) -> bool {
        self.orphan <= before.orphan && self.alloc <= before.alloc && self.inuse <= before.inuse
    }
}

/// Waits until there are no more sockets than before.
pub fn sockets_gone(before: Sockets) -> Result<(), String> {
    if scale::wait_until(Duration::from_secs(15), || Sockets::now().within(before)) {
        return Ok(());
    }
    let now = Sockets::now();
    Err(format!(
        "sockets are left: before {before:?}, now {now:?}\n{}",
        said(SOCKETS)
    ))
}

/// Waits until the module holds no client connection: the test's process has ended, and so have both
/// ends of every connection.
fn connections_gone() -> Result<(), String> {
    let open = || {
        let status = gateway::read("status").unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with("clients"));
        let count = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
        count.map_or(Err(status), |count| {
            if count == 0 {
                Ok(())
            } else {
                Err(count.to_string())
            }
        })
    };
    if scale::wait_until(Duration::from_secs(15), || open().is_ok()) {
        return Ok(());
    }
    let count = open().err().unwrap_or_default();
    Err(format!(
        "the module still has client connections: {count}\n{}",
        said(SOCKETS)
    ))
}

/// Unloads the module if a test left it loaded, and checks that nothing of it stays.
pub fn clean_up(before: Sockets) -> Result<(), String> {
    if nginx::wanted() {
        return Ok(());
    }
    if gateway::loaded() {
        connections_gone()?;
        let count = fs::read_to_string("/sys/module/resin/refcnt").unwrap_or_default();
        if count.trim() != "0" {
            return Err(format!(
                "the module's reference count is {count:?} with nobody using it"
            ));
        }
        gateway::rmmod().map_err(|failure| failure.0)?;
    }
    if gateway::path("").exists() {
        return Err("/proc/net/resin is still there without the module".into());
    }
    sockets_gone(before)
}

/// The kernel log from some moment on.
pub struct Log {
    file: Option<File>,
}

/// What the kernel says when it is in trouble.
const TROUBLE: [&str; 22] = [
    "WARNING:",
    "BUG:",
    "Oops",
    "KASAN:",
    "UBSAN:",
    "kernel BUG",
    "general protection",
    "possible circular locking",
    "possible recursive locking",
    "possible irq lock inversion",
    "inconsistent lock state",
    "suspicious RCU",
    "sleeping function called",
    "scheduling while atomic",
    "refcount_t:",
    "list_add corruption",
    "list_del corruption",
    "blocked for more than",
    "rcu: INFO",
    "page allocation failure",
    "ODEBUG:",
    "unregister_netdevice: waiting",
];

impl Log {
    /// From now on.
    pub fn from_now() -> Log {
        let flags = OFlag::O_NONBLOCK.bits();
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(flags)
            .open("/dev/kmsg");
        let file = file.and_then(|mut file| file.seek(SeekFrom::End(0)).map(|_| file));
        Log { file: file.ok() }
    }

    /// The lines that are new since the last look.
    pub fn lines(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        let Some(file) = &mut self.file else {
            return lines;
        };
        let mut record = vec![0; 16_384];
        loop {
            match file.read(&mut record) {
                Ok(0) => return lines,
                Ok(n) => {
                    let text = String::from_utf8_lossy(&record[..n]);
                    let message = text.split_once(';').map_or("", |(_, message)| message);
                    lines.push(message.lines().next().unwrap_or("").to_owned());
                }
                // Records were overwritten before they were read: go on with the oldest.
                Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
                Err(_) => return lines,
            }
        }
    }

    /// The kernel's complaints among the new lines.
    pub fn trouble(&mut self) -> Vec<String> {
        let mut lines = self.lines();
        let bad = |line: &String| TROUBLE.iter().any(|word| line.contains(word));
        match lines.iter().position(bad) {
            Some(first) => lines.drain(first..).take(60).collect(),
            None => Vec::new(),
        }
    }
}

/// Writes a line to the kernel log, so that what follows in it can be laid to a test.
pub fn mark(text: &str) {
    if let Ok(mut file) = OpenOptions::new().write(true).open("/dev/kmsg") {
        let _ = file.write_all(format!("<6>{text}\n").as_bytes());
    }
}

/// Shows the TCP sockets that are alive.
const SOCKETS: &str = "ss -tanpoi state connected exclude time-wait; ss -tlnp";

/// What hangs: for a test that ran out of time.
pub fn diagnosis(pid: u32) -> String {
    let stacks = format!(
        "for t in /proc/{pid}/task/*; do echo \"$t $(cat $t/comm) $(cat $t/wchan)\"; cat $t/stack; done"
    );
    let status = format!("cd {}; head -50 status srun-* last-error", gateway::PROC);
    let mut text = String::new();
    for command in [
        "ss -tanpoi",
        &status,
        &stacks,
        "ps -eo pid,stat,wchan:30,args | grep -v '\\[.*\\]$'",
    ] {
        text += &format!("--- {command}\n{}", said(command));
    }
    text + "--- dmesg\n" + &said("dmesg | tail -40")
}

/// What a command prints, at most so much of it.
pub fn said(command: &str) -> String {
    let output = shell(&format!(
        "timeout 20 bash -c {} 2>&1 | head -150",
        quoted(command)
    ));
    output.map_or_else(
        |error| error.to_string(),
        |o| String::from_utf8_lossy(&o.stdout).into(),
    )
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// Undoes what a test may have done to the machine without the chance to put it back.
pub fn mend_machine() {
    for command in [
        "tc qdisc del dev lo root 2>/dev/null",
        "for f in /sys/kernel/debug/fail*/probability; do [ -e $f ] && echo 0 >$f; done",
        "for n in $(ip netns list | cut -d' ' -f1); do ip netns del $n; done",
        "sysctl -qw net.ipv4.tcp_rmem='4096 131072 6291456' net.ipv4.tcp_wmem='4096 16384 4194304'",
    ] {
        let _ = shell(command);
    }
}
