//! A Resin as a gateway sees it: takes requests over HMUX or srun, and answers as the test origin
//! does, which it asks over HTTP.
//!
//! It is strict about what it is sent. What it sends is what real Resins of several versions send:
//! see [`Manners`].

mod answer;
mod frames;

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use socket2::SockRef;

use frames::Frames;
pub use frames::Wire;

/// What differs between versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manners {
    /// Resin 4: no channel of its own, and a load in each head.
    New,
    /// Resin 3: no request without a channel first. Over srun the first data frame is not
    /// acknowledged.
    Old,
}

/// What all connections share.
struct Shared {
    wire: Wire,
    manners: Manners,
    origin: SocketAddr,
    closes: AtomicBool,
    leaves: AtomicBool,
    connections: AtomicU64,
    requests: AtomicU64,
    acks: AtomicU64,
    complaints: Mutex<VecDeque<String>>,
}

/// A running JVM; it listens no more when dropped.
pub struct Jvm {
    addr: SocketAddr,
    listener: TcpListener,
    shared: Arc<Shared>,
}

impl Jvm {
    /// Listens on a free port of 127.0.0.1, in front of that origin.
    pub fn start(wire: Wire, manners: Manners, origin: SocketAddr) -> io::Result<Jvm> {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        Jvm::at(any, wire, manners, origin)
    }

    /// Listens there.
    pub fn at(
        addr: SocketAddr,
        wire: Wire,
        manners: Manners,
        origin: SocketAddr,
    ) -> io::Result<Jvm> {
        let listener = TcpListener::bind(addr)?;
        SockRef::from(&listener).listen(4096)?;
        let shared = Arc::new(Shared {
            wire,
            manners,
            origin,
            closes: AtomicBool::new(false),
            leaves: AtomicBool::new(false),
            connections: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            acks: AtomicU64::new(0),
            complaints: Mutex::default(),
        });
        let jvm = Jvm {
            addr: listener.local_addr()?,
            listener: listener.try_clone()?,
            shared: Arc::clone(&shared),
        };
        thread::Builder::new()
            .name("jvm".into())
            .spawn(move || accept(&listener, &shared))?;
        Ok(jvm)
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Whether each answer ends its connection.
    pub fn close_each(&self, closes: bool) {
        self.shared.closes.store(closes, SeqCst);
    }

    /// The next request gets no answer but the end of its connection, as from a Resin that goes down.
    pub fn leave_next(&self) {
        self.shared.leaves.store(true, SeqCst);
    }

    /// How many connections were accepted so far.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(SeqCst)
    }

    /// How many requests came so far, that one apart.
    pub fn requests(&self) -> u64 {
        self.shared.requests.load(SeqCst)
    }

    /// How many acknowledgements were sent so far.
    pub fn acks(&self) -> u64 {
        self.shared.acks.load(SeqCst)
    }

    /// What came that a gateway should not send, oldest first.
    pub fn complaints(&self) -> Vec<String> {
        lock(&self.shared.complaints).iter().cloned().collect()
    }
}

impl Drop for Jvm {
    fn drop(&mut self) {
        let _ = SockRef::from(&self.listener).shutdown(Shutdown::Both);
    }
}

/// A poisoned lock means that a thread panicked, which is reported on its own.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept() {
        shared.connections.fetch_add(1, SeqCst);
        let shared = Arc::clone(shared);
        let _ = thread::spawn(move || {
            let _ = stream.set_nodelay(true);
            if let Err(error) = serve(&stream, &shared) {
                if error.kind() == io::ErrorKind::InvalidData {
                    lock(&shared.complaints).push_back(error.to_string());
                }
            }
            let _ = stream.shutdown(Shutdown::Both);
        });
    }
}

/// A fault of what was sent, as against a connection that ended.
fn bad(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}

/// What a request says before its content.
#[derive(Default)]
struct Request {
    method: String,
    path: String,
    query: String,
    /// Code and payload of all else, fields apart.
    facts: Vec<(u8, String)>,
    fields: Vec<(String, String)>,
}

impl Request {
    fn fact(&self, code: u8) -> Option<&str> {
        let fact = self.facts.iter().find(|(other, _)| *other == code);
        fact.map(|(_, payload)| payload.as_str())
    }

    /// The head that the origin gets. Who has asked is told in fields of its own.
    fn text(&self, content: bool) -> String {
        let mut text = format!("{} {}", self.method, self.path);
        if !self.query.is_empty() {
            text += &format!("?{}", self.query);
        }
        text += " HTTP/1.1\r\n";
        for (name, value) in &self.fields {
            text += &format!("{name}: {value}\r\n");
        }
        for (name, code) in [
            ("X-Told-Host", b'h'),
            ("X-Told-Address", b'i'),
            ("X-Told-Port", b'j'),
            ("X-Told-Server-Port", b'g'),
            ("X-Told-Secure", b'r'),
            ("Content-Type", b'q'),
            ("Content-Length", b'p'),
        ] {
            if let Some(value) = self.fact(code) {
                text += &format!("{name}: {value}\r\n");
            }
        }
        if content && self.fact(b'p').is_none() {
            text += "Transfer-Encoding: chunked\r\n";
        }
        text + "Connection: close\r\n\r\n"
    }
}

/// Serves one connection to its end.
fn serve(stream: &TcpStream, shared: &Shared) -> io::Result<()> {
    let out = Mutex::new(stream.try_clone()?);
    let mut frames = Frames::new(shared.wire, stream.try_clone()?);
    while let Some((request, first)) = head(&mut frames, shared)? {
        if shared.leaves.swap(false, SeqCst) {
            return lock(&out).write_all(&shared.wire.frame(b'X', b""));
        }
        shared.requests.fetch_add(1, SeqCst);
        let content = first.is_some();
        let mut origin = TcpStream::connect(shared.origin)?;
        origin.write_all(request.text(content).as_bytes())?;
        let reads = origin.try_clone()?;
        let chunked = content && request.fact(b'p').is_none();
        let method = request.method.as_str();
        let ended = thread::scope(|scope| {
            let answering = scope.spawn(|| answer::relay(method, reads, &out, shared));
            let taken = take(first, &mut frames, &origin, chunked, &out, shared);
            if taken.is_err() {
                // The gateway has gone, or is not to be trusted: so does the answer go nowhere.
                let _ = stream.shutdown(Shutdown::Both);
                let _ = origin.shutdown(Shutdown::Both);
            }
            let ended = answering.join().unwrap_or(Ok(true));
            taken.and(ended)
        })?;
        if ended {
            return Ok(());
        }
    }
    Ok(())
}

/// Reads what comes before the content: that, and its first frame if there is any. Nothing at the
/// end of the connection.
fn head(
    frames: &mut Frames<impl Read>,
    shared: &Shared,
) -> io::Result<Option<(Request, Option<Vec<u8>>)>> {
    let mut request = Request::default();
    let mut name: Option<String> = None;
    let codes = match shared.wire {
        Wire::Hmux => b"mUv".as_slice(),
        Wire::Srun => b"dof".as_slice(),
    };
    let mut count = 0;
    while let Some((code, payload)) = frames.next()? {
        let text = || {
            let text = String::from_utf8(payload.clone()).map_err(|_| bad("not UTF-8"))?;
            match text.contains(['\r', '\n', '\0']) {
                true => Err(bad(format!("a control in {text:?}"))),
                false => Ok(text),
            }
        };
        count += 1;
        let channel = (code, count) == (b'C', 1);
        if shared.wire == Wire::Hmux && shared.manners == Manners::Old && count == 1 && !channel {
            return Err(bad("no channel first"));
        }
        if let Some(name) = name.take() {
            if !frames.is_value(code) {
                return Err(bad(format!("no value after {name}")));
            }
            request.fields.push((name, text()?));
            continue;
        }
        match code {
            b'C' if shared.wire == Wire::Hmux && count == 1 => {}
            b'H' => name = Some(text()?),
            b'e' if request.path.is_empty() => return Err(bad("a query before its path")),
            b'e' => request.query = text()?,
            _ if code == codes[0] => request.method = text()?,
            _ if code == codes[1] => request.path = text()?,
            b'D' => return Ok(Some((request, Some(payload)))),
            _ if frames.is_end(code) => {
                if request.method.is_empty() {
                    return Err(bad("a request without a method"));
                }
                return Ok(Some((request, None)));
            }
            _ if code == codes[2] || b"cghijpqr".contains(&code) => {
                if request.fact(code).is_some() {
                    return Err(bad(format!("{:?} is told twice", char::from(code))));
                }
                request.facts.push((code, text()?));
            }
            other => return Err(bad(format!("{:?} in a request", char::from(other)))),
        }
    }
    match count {
        0 => Ok(None),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// Passes the content on to the origin, and acknowledges it. An origin that takes no more of it is
/// no reason to stop: the rest is read and dropped.
fn take(
    first: Option<Vec<u8>>,
    frames: &mut Frames<impl Read>,
    mut origin: &TcpStream,
    chunked: bool,
    out: &Mutex<TcpStream>,
    shared: &Shared,
) -> io::Result<()> {
    let Some(mut payload) = first else {
        return Ok(());
    };
    let mut count = 0;
    loop {
        if payload.is_empty() {
            return Err(bad("an empty data frame"));
        }
        count += 1;
        // Before the origin can answer: a Resin reads and writes in one thread.
        if shared.wire == Wire::Srun && (count > 1 || shared.manners == Manners::New) {
            acknowledge(out, shared)?;
        }
        let _ = match chunked {
            true => {
                let size = format!("{:x}\r\n", payload.len());
                origin.write_all(&[size.as_bytes(), &payload, b"\r\n"].concat())
            }
            false => origin.write_all(&payload),
        };
        payload = loop {
            match frames.next()? {
                Some((b'D', payload)) => break payload,
                Some((b'Y', _)) if shared.wire == Wire::Hmux => acknowledge(out, shared)?,
                Some((code, _)) if frames.is_end(code) => {
                    if chunked {
                        let _ = origin.write_all(b"0\r\n\r\n");
                    }
                    return Ok(());
                }
                Some((code, _)) => return Err(bad(format!("{code} behind content"))),
                None => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        };
    }
}

fn acknowledge(out: &Mutex<TcpStream>, shared: &Shared) -> io::Result<()> {
    shared.acks.fetch_add(1, SeqCst);
    let frame: &[u8] = match (shared.wire, shared.manners) {
        (Wire::Hmux, Manners::New) => b"A\0\0",
        (Wire::Hmux, Manners::Old) => b"A\0\x02",
        (Wire::Srun, _) => b"A\0\0\0",
    };
    lock(out).write_all(frame)
}
