//! Readers that wait: how they are woken, interrupted and told to go.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use nix::poll::{poll, PollFd, PollFlags, PollTimeout};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::select::{select, FdSet};
use nix::sys::signal::{kill, Signal};
use nix::sys::time::{TimeVal, TimeValLike};
use nix::unistd::Pid;

use super::super::namespaces::{gone, Namespace};
use super::{one_line, Line, Log};
use crate::conn::Conn;
use crate::gateway::{self, Gateway};
use crate::scale;
use crate::testing::{sh, Bed, Context, Failure, Outcome, PORT};
use crate::{ensure, same, tests};

tests![
    a_reader_waits_for_lines,
    every_reader_gets_every_line,
    signals_interrupt,
    poll_says_when,
    epoll_says_when,
    usual_tools_work,
    tail_follows,
    unloaded_under_readers,
    unloaded_again_and_again_under_readers in 240 s,
    namespace_deleted_under_a_reader,
];

/// A thread that reads; what each of its reads gave.
fn reading(mut file: File) -> Receiver<io::Result<String>> {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || loop {
        let mut buffer = [0; 65_536];
        let outcome = file
            .read(&mut buffer)
            .map(|len| String::from_utf8_lossy(&buffer[..len]).into_owned());
        let last = !matches!(&outcome, Ok(text) if !text.is_empty());
        if tell.send(outcome).is_err() || last {
            return;
        }
    });
    told
}

fn next(reads: &Receiver<io::Result<String>>) -> Result<io::Result<String>, Failure> {
    reads
        .recv_timeout(scale::secs(10))
        .context("waiting for a read to end")
}

/// Nothing comes for as long as a line would take several times over.
fn sleeps(reads: &Receiver<io::Result<String>>) -> Outcome {
    match reads.recv_timeout(scale::time(Duration::from_millis(300))) {
        Err(mpsc::RecvTimeoutError::Timeout) => Ok(()),
        outcome => Err(Failure(format!("a read that should wait gave {outcome:?}"))),
    }
}

fn a_reader_waits_for_lines() -> Outcome {
    let bed = Bed::new()?;
    let reads = reading(File::open(gateway::path("log"))?);
    let mut client = bed.client()?;
    for number in 0..3 {
        sleeps(&reads)?;
        client.get(&format!("/len/{number}"))?;
        let line = next(&reads)??;
        same!(line.matches('\n').count(), 1, "the lines in {line:?}");
        same!(
            Line::of(line.trim_end())?.request,
            format!("GET /len/{number} HTTP/1.1"),
            "the request"
        );
    }
    let written = fs::OpenOptions::new()
        .write(true)
        .open(gateway::path("log"));
    let written = written.and_then(|mut file| io::Write::write(&mut file, b"x"));
    ensure!(written.is_err(), "the log can be written to: {written:?}");
    Ok(())
}

fn every_reader_gets_every_line() -> Outcome {
    let bed = Bed::new()?;
    let one = reading(File::open(gateway::path("log"))?);
    let two = reading(File::open(gateway::path("log"))?);
    let mut client = bed.client()?;
    client.get("/len/1")?;
    same!(next(&one)??, next(&two)??, "the first line, seen by two");
    // One that comes late begins with what is held.
    client.get("/len/2")?;
    let second = next(&one)??;
    let late = reading(File::open(gateway::path("log"))?);
    let held = next(&late)??;
    ensure!(
        held.ends_with(&second) && held.lines().count() == 2,
        "{held:?}"
    );
    same!(next(&two)??, second, "the second line");
    client.get("/len/3")?;
    let third = next(&one)??;
    same!(next(&two)??, third, "the third line");
    same!(next(&late)??, third, "the third line, seen by the late one");
    sleeps(&one)
}

/// Starts a program that reads the log to a pipe.
fn start(command: &str) -> io::Result<Child> {
    Command::new("bash")
        .args(["-c", &format!("exec {command}")])
        .current_dir(gateway::PROC)
        .stdout(Stdio::piped())
        .spawn()
}

/// Waits for the end of a program.
fn ended(child: &mut Child) -> Result<std::process::ExitStatus, Failure> {
    let mut status = None;
    scale::wait_until(Duration::from_secs(10), || {
        status = child.try_wait().ok().flatten();
        status.is_some()
    });
    status.ok_or_else(|| Failure(format!("process {} does not end", child.id())))
}

/// Whether a process sleeps, and can be interrupted.
fn is_asleep(child: &Child) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap_or_default();
    let name = fs::read_to_string(format!("/proc/{}/comm", child.id())).unwrap_or_default();
    stat.contains(") S ") && name.trim() != "bash"
}

fn signals_interrupt() -> Outcome {
    let bed = Bed::new()?;
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGKILL] {
        let mut cat = start("cat log")?;
        ensure!(
            scale::wait_until(Duration::from_secs(10), || is_asleep(&cat)),
            "cat does not wait"
        );
        kill(Pid::from_raw(cat.id() as i32), signal)?;
        same!(
            ended(&mut cat)?.signal(),
            Some(signal as i32),
            "what ended cat"
        );
    }
    // Stopped and continued, it goes on waiting, and gets its line.
    let mut cat = start("cat log")?;
    ensure!(
        scale::wait_until(Duration::from_secs(10), || is_asleep(&cat)),
        "cat does not wait"
    );
    let pid = Pid::from_raw(cat.id() as i32);
    kill(pid, Signal::SIGSTOP)?;
    kill(pid, Signal::SIGCONT)?;
    one_line(&bed)?;
    let line = first_line(&mut cat)?;
    ensure!(Line::of(&line).is_ok(), "{line:?}");
    kill(pid, Signal::SIGKILL)?;
    ended(&mut cat)?;
    Ok(())
}

/// The next line that a program prints, within a time limit.
fn first_line(child: &mut Child) -> Result<String, Failure> {
    let stdout = child.stdout.take().context_none("the pipe is taken")?;
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines() {
            if tell.send(line).is_err() {
                return;
            }
        }
    });
    Ok(told
        .recv_timeout(scale::secs(10))
        .context("waiting for a line")??)
}

/// `context` for what may not be there.
trait ContextNone<T> {
    fn context_none(self, what: &str) -> Result<T, Failure>;
}

impl<T> ContextNone<T> for Option<T> {
    fn context_none(self, what: &str) -> Result<T, Failure> {
        self.ok_or_else(|| Failure(what.into()))
    }
}

/// What a thread has come to.
fn joined<T>(thread: thread::JoinHandle<Result<T, Failure>>) -> Result<T, Failure> {
    let outcome = thread.join();
    outcome.map_err(|_| Failure("a thread panicked".into()))?
}

/// What poll() says of the file, waiting no longer than that.
fn polled(file: &File, limit: Duration) -> Result<PollFlags, Failure> {
    polled_for(file, PollFlags::POLLIN, limit)
}

fn polled_for(file: &File, events: PollFlags, limit: Duration) -> Result<PollFlags, Failure> {
    let mut fds = [PollFd::new(file.as_fd(), events)];
    let timeout = PollTimeout::try_from(limit)?;
    poll(&mut fds, timeout)?;
    fds[0].revents().context_none("unknown events")
}

fn poll_says_when() -> Outcome {
    let bed = Bed::new()?;
    let mut log = Log::open()?;
    let none = polled(&log.0, Duration::ZERO)?;
    same!(none, PollFlags::empty(), "what poll says of nothing");
    let brief = scale::time(Duration::from_millis(200));
    same!(
        polled(&log.0, brief)?,
        PollFlags::empty(),
        "what poll says later"
    );
    let file = log.0.try_clone()?;
    let sleeper = thread::spawn(move || polled(&file, scale::secs(10)));
    thread::sleep(brief);
    one_line(&bed)?;
    let woken = joined(sleeper)?;
    same!(woken, PollFlags::POLLIN, "what poll says of a line");
    same!(
        polled(&log.0, brief)?,
        PollFlags::POLLIN,
        "what it says again"
    );
    // Half of it read is not all of it.
    log.0.read_exact(&mut [0; 20])?;
    same!(
        polled(&log.0, brief)?,
        PollFlags::POLLIN,
        "what it says of half a line"
    );
    log.rest()?;
    same!(
        polled(&log.0, brief)?,
        PollFlags::empty(),
        "what it says when all is read"
    );
    Ok(())
}

fn epoll_says_when() -> Outcome {
    let bed = Bed::new()?;
    for edge in [EpollFlags::empty(), EpollFlags::EPOLLET] {
        let mut log = Log::open()?;
        log.rest()?;
        let epoll = Epoll::new(EpollCreateFlags::empty())?;
        epoll.add(&log.0, EpollEvent::new(EpollFlags::EPOLLIN | edge, 7))?;
        let wait = |limit: Duration| -> Result<usize, Failure> {
            let mut events = [EpollEvent::empty(); 4];
            Ok(epoll.wait(&mut events, EpollTimeout::try_from(limit)?)?)
        };
        for round in 0..4 {
            let brief = scale::time(Duration::from_millis(100));
            same!(
                wait(brief)?,
                0,
                "events of nothing, {edge:?}, round {round}"
            );
            one_line(&bed)?;
            same!(
                wait(scale::secs(10))?,
                1,
                "events of a line, {edge:?}, round {round}"
            );
            let lines = log.rest()?;
            same!(lines.lines().count(), 1, "the lines in {lines:?}");
        }
        // An edge is one for each piece of news, also for who does not read.
        one_line(&bed)?;
        same!(
            wait(scale::secs(10))?,
            1,
            "events of an unread line, {edge:?}"
        );
        let again = wait(scale::time(Duration::from_millis(100)))?;
        let level = usize::from(edge.is_empty());
        same!(again, level, "events of the same line, {edge:?}");
    }
    Ok(())
}

fn usual_tools_work() -> Outcome {
    let bed = Bed::new()?;
    let mut client = bed.client()?;
    for number in 0..30 {
        client.get(&format!("/len/{number}"))?;
    }
    Log::open()?.lines(30)?;
    let request = |line: &str| -> Result<String, Failure> { Ok(Line::of(line)?.request) };
    let run = |command: &str| {
        sh(&format!(
            "cd {} && timeout 20 {command} 2>&1",
            gateway::PROC
        ))
    };
    let one = run("head -n 1 log")?;
    same!(
        request(one.trim_end())?,
        "GET /len/0 HTTP/1.1",
        "what head prints"
    );
    let three = run("tail -n 3 log")?;
    same!(three.lines().count(), 3, "the lines of tail in {three:?}");
    same!(
        request(three.lines().last().unwrap_or(""))?,
        "GET /len/29 HTTP/1.1",
        "what tail prints last"
    );
    // What head has read and not printed is there for the next.
    let two = run("bash -c '{ head -n 1; head -n 1; } < log'")?;
    let requests: Result<Vec<_>, _> = two.lines().map(request).collect();
    same!(
        requests?,
        ["GET /len/0 HTTP/1.1", "GET /len/1 HTTP/1.1"],
        "what two heads print"
    );
    let all = sh(&format!(
        "cd {} && timeout 2 cat log; [ $? = 124 ]",
        gateway::PROC
    ))?;
    same!(all.lines().count(), 30, "the lines that cat prints");
    let found = sh(&format!(
        "cd {} && timeout 20 grep -m 1 len/17 log",
        gateway::PROC
    ))?;
    same!(found.lines().count(), 1, "the lines that grep finds");
    Ok(())
}

fn tail_follows() -> Outcome {
    let bed = Bed::new()?;
    let mut client = bed.client()?;
    for number in 0..5 {
        client.get(&format!("/len/{number}"))?;
    }
    Log::open()?.lines(5)?;
    for command in [
        "stdbuf -oL tail -n 2 -f log",
        "tail -n 2 ---disable-inotify -s 0.2 -f log",
    ] {
        let mut tail = start(command)?;
        let stdout = tail.stdout.take().context_none("no pipe")?;
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = tell.send(line);
            }
        });
        let next = || {
            told.recv_timeout(scale::secs(10))
                .context(format!("{command}: waiting for a line"))
        };
        let before = [next()?, next()?];
        for line in &before {
            Line::of(line).context(command)?;
        }
        for number in 5..8 {
            client.get(&format!("/len/{number}"))?;
            let line = next()?;
            same!(
                Line::of(&line)?.request,
                format!("GET /len/{number} HTTP/1.1"),
                "{command}: the next line"
            );
        }
        let _ = kill(Pid::from_raw(tail.id() as i32), Signal::SIGKILL);
        ended(&mut tail)?;
    }
    Ok(())
}

/// Two that wait by poll() and select() for what a log never has: procfs itself would not tell them
/// that the file has gone.
fn urgent_waiters(
    [polls, selects]: [File; 2],
) -> Vec<thread::JoinHandle<Result<PollFlags, Failure>>> {
    let poll = thread::spawn(move || polled_for(&polls, PollFlags::POLLPRI, scale::secs(60)));
    let select = thread::spawn(move || {
        let mut exceptions = FdSet::new();
        exceptions.insert(selects.as_fd());
        let mut limit = TimeVal::seconds(60);
        select(None, None, None, &mut exceptions, &mut limit)?;
        Ok(PollFlags::empty())
    });
    vec![poll, select]
}

/// One of each kind of reader, asleep.
struct Readers {
    read: Receiver<io::Result<String>>,
    poll: thread::JoinHandle<Result<PollFlags, Failure>>,
    /// They wait for what never comes.
    urgent: Vec<thread::JoinHandle<Result<PollFlags, Failure>>>,
    select: Child,
    waiting: thread::JoinHandle<Result<usize, Failure>>,
    /// Registered, and nobody waits.
    idle: (Epoll, File),
    cat: Child,
    tail: Child,
}

impl Readers {
    fn start() -> Result<Readers, Failure> {
        let open = || File::open(gateway::path("log"));
        let file = open()?;
        let poll = thread::spawn(move || polled(&file, scale::secs(60)));
        let urgent = urgent_waiters([open()?, open()?]);
        let file = open()?;
        let epoll = Epoll::new(EpollCreateFlags::empty())?;
        epoll.add(&file, EpollEvent::new(EpollFlags::EPOLLIN, 1))?;
        let waiting = thread::spawn(move || {
            let mut events = [EpollEvent::empty(); 4];
            let timeout = EpollTimeout::try_from(scale::secs(60))?;
            let count = epoll.wait(&mut events, timeout)?;
            // Its file lives as long as it waits.
            drop(file);
            Ok(count)
        });
        let file = open()?;
        let epoll = Epoll::new(EpollCreateFlags::empty())?;
        epoll.add(&file, EpollEvent::new(EpollFlags::EPOLLIN, 1))?;
        let readers = Readers {
            read: reading(open()?),
            poll,
            urgent,
            // bash waits for input by select().
            select: start(
                "bash -c 'while ! read -t 0 <&3; do read -t 60 -u 3 || exit 3; done 3<log'",
            )?,
            waiting,
            idle: (epoll, file),
            cat: start("cat log")?,
            tail: start("tail -f log")?,
        };
        sleeps(&readers.read)?;
        let asleep = || is_asleep(&readers.cat) && is_asleep(&readers.tail);
        ensure!(
            scale::wait_until(Duration::from_secs(10), asleep),
            "a reader does not wait"
        );
        Ok(readers)
    }

    /// All of them are told that the file has gone.
    fn end(mut self) -> Outcome {
        let last = next(&self.read)?;
        ensure!(
            matches!(&last, Ok(text) if text.is_empty()),
            "the last read: {last:?}"
        );
        let events = joined(self.poll)?;
        ensure!(!events.is_empty(), "poll says nothing");
        for urgent in self.urgent {
            joined(urgent)?;
        }
        let count = joined(self.waiting)?;
        same!(count, 1, "the events of epoll");
        let mut events = [EpollEvent::empty(); 4];
        let count = self
            .idle
            .0
            .wait(&mut events, EpollTimeout::try_from(scale::secs(10))?)?;
        same!(count, 1, "the events of an epoll that nobody waited for");
        let outcome = self.idle.1.read(&mut [0; 1]);
        ensure!(
            !matches!(outcome, Ok(1..)),
            "reading after the end: {outcome:?}"
        );
        same!(
            ended(&mut self.cat)?.code(),
            Some(0),
            "the exit status of cat"
        );
        for child in [&mut self.select, &mut self.tail] {
            let _ = kill(Pid::from_raw(child.id() as i32), Signal::SIGKILL);
            ended(child)?;
        }
        drop(self.idle);
        Ok(())
    }
}

fn unloaded_under_readers() -> Outcome {
    let bed = Bed::new()?;
    one_line(&bed)?;
    Log::open()?.lines(1)?;
    // They shall sleep for a line that does not come.
    bed.gateway.unload()?;
    let gateway = Gateway::load(PORT)?;
    gateway.backend(0, bed.origin.addr())?;
    let readers = Readers::start()?;
    let mut kernel = crate::leftovers::Log::from_now();
    gateway.unload()?;
    // It says so if somebody had to be given up.
    let said = kernel.lines().concat();
    ensure!(!said.contains("stop polling"), "{said}");
    readers.end()
}

fn unloaded_again_and_again_under_readers() -> Outcome {
    let origin = crate::origin::Origin::start()?;
    for _ in 0..scale::count(10, 4) {
        let gateway = Gateway::load(PORT)?;
        gateway.backend(0, origin.addr())?;
        let mut cats = Vec::new();
        for _ in 0..4 {
            cats.push(start("cat log >/dev/null 2>&1")?);
        }
        let mut pollers = Vec::new();
        for _ in 0..4 {
            let file = File::open(gateway::path("log"))?;
            pollers.push(thread::spawn(move || polled(&file, scale::secs(60))));
        }
        // Lines come up to the end.
        let addr = gateway.addr();
        let traffic = thread::spawn(move || {
            let mut count = 0;
            while let Ok(mut client) = Conn::open(addr) {
                while client.get("/len/1").is_ok() {
                    count += 1;
                }
            }
            count
        });
        thread::sleep(Duration::from_millis(30));
        gateway.unload()?;
        for mut cat in cats {
            ended(&mut cat)?;
        }
        for poller in pollers {
            joined(poller)?;
        }
        traffic
            .join()
            .map_err(|_| Failure("the client panicked".into()))?;
    }
    Ok(())
}

fn namespace_deleted_under_a_reader() -> Outcome {
    let _gateway = Gateway::load(PORT)?;
    let space = Namespace::new("logged", 7)?;
    let origin = space.serve()?;
    let open = || File::open(gateway::path("log")).context("opening the log");
    let files = [space.enter(open)?, space.enter(open)?, space.enter(open)?];
    let [read, poll, ours] = files;
    let reads = reading(read);
    same!(
        Conn::open(space.addr())?.get("/len/1")?.status,
        200,
        "the status"
    );
    let line = next(&reads)??;
    let client = Line::of(line.trim_end())?.client;
    same!(client, "10.99.7.1", "the client");
    sleeps(&reads)?;
    let mut poll = poll;
    poll.read_exact(&mut vec![0; line.len()])?;
    let poller = thread::spawn(move || polled(&poll, scale::secs(60)));
    let urgent = urgent_waiters([space.enter(open)?, space.enter(open)?]);
    let outer = Log::open()?.rest()?;
    same!(outer, "", "the log outside");
    drop(origin);
    space.delete();
    gone(7)?;
    let last = next(&reads)?;
    ensure!(
        matches!(&last, Ok(text) if text.is_empty()),
        "the last read: {last:?}"
    );
    joined(poller)?;
    for urgent in urgent {
        joined(urgent)?;
    }
    let mut ours = ours;
    let outcome = ours.read(&mut [0; 1]);
    ensure!(
        !matches!(outcome, Ok(1..)),
        "reading after the end: {outcome:?}"
    );
    Ok(())
}
