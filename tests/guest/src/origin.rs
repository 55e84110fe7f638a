//! The test backend: an HTTP server that does what a request's path tells it to, right or wrong.
//!
//! A thread per connection, because it is the simplest thing that cannot be the culprit. `routes`
//! has the paths.

mod answer;
mod body;
mod gate;
mod reply;
mod routes;
mod tunnel;

use std::collections::{HashMap, VecDeque};
use std::io::{self, Read};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, AtomicU8, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use socket2::SockRef;

use crate::conn;
use crate::http::{self, Head};
pub use answer::Answer;
use body::Incoming;
pub use body::Received;
pub use gate::Gate;
pub use reply::Step;
pub use routes::PATHS;
pub use tunnel::Tunnel;

/// What happens to connections, whatever is asked on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Mode {
    /// They are served.
    Serve,
    /// They are accepted and closed at once.
    AcceptClose,
    /// They are accepted and reset at once.
    AcceptReset,
    /// Each is closed, unannounced, after the limit's number of responses: what an idle timeout does.
    CloseAfter,
    /// Each answers the limit's number of requests, reads one more and closes without a word:
    /// what a client sees when its request crosses the FIN of an idle timeout.
    DropAfter,
    /// A response nobody asked for is sent on each before its first request.
    Unasked,
}

const MODES: [Mode; 6] = [
    Mode::Serve,
    Mode::AcceptClose,
    Mode::AcceptReset,
    Mode::CloseAfter,
    Mode::DropAfter,
    Mode::Unasked,
];

/// How many of the last request heads, bodies and complaints are remembered.
const REMEMBERED: usize = 64;

/// What `/script/NAME` does.
#[derive(Default)]
struct Script {
    steps: Vec<Step>,
    asked: u64,
}

/// What all connections of an origin share.
#[derive(Default)]
struct Shared {
    mode: AtomicU8,
    limit: AtomicU64,
    connections: AtomicU64,
    requests: AtomicU64,
    finished: AtomicU64,
    bodies: AtomicU64,
    body_octets: AtomicU64,
    open: Mutex<HashMap<u64, TcpStream>>,
    heads: Mutex<VecDeque<Head>>,
    received: Mutex<VecDeque<Received>>,
    complaints: Mutex<VecDeque<String>>,
    scripts: Mutex<HashMap<String, Script>>,
}

impl Shared {
    fn mode(&self) -> Mode {
        MODES[usize::from(self.mode.load(SeqCst)) % MODES.len()]
    }

    fn remember<T>(list: &Mutex<VecDeque<T>>, item: T) {
        let mut list = lock(list);
        if list.len() == REMEMBERED {
            list.pop_front();
        }
        list.push_back(item);
    }

    /// What is scripted for that request, which is counted.
    fn script(&self, head: &Head) -> Option<Vec<Step>> {
        let (method, target, _) = head.words();
        let path = target.split('?').next()?;
        let name = path.strip_prefix("/script/")?;
        let mut scripts = lock(&self.scripts);
        let own = format!("{method} {name}");
        let name = match scripts.contains_key(&own) {
            true => own.as_str(),
            false => name,
        };
        let script = scripts.get_mut(name)?;
        script.asked += 1;
        Some(script.steps.clone())
    }
}

/// A poisoned lock means that a thread panicked, which is reported on its own.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A running origin; stops and drops its connections when dropped.
pub struct Origin {
    addr: SocketAddr,
    listener: Option<TcpListener>,
    shared: Arc<Shared>,
}

impl Origin {
    /// Listens on a free port of 127.0.0.1.
    pub fn start() -> io::Result<Origin> {
        Origin::at(SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// Listens there.
    pub fn at(addr: SocketAddr) -> io::Result<Origin> {
        let mut origin = Origin {
            addr,
            listener: None,
            shared: Arc::default(),
        };
        origin.listen()?;
        Ok(origin)
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Listens (again) on its address.
    pub fn listen(&mut self) -> io::Result<()> {
        let listener = TcpListener::bind(self.addr)?;
        SockRef::from(&listener).listen(4096)?;
        SockRef::from(&listener).set_tcp_keepalive(&conn::keepalive())?;
        self.addr = listener.local_addr()?;
        self.listener = Some(listener.try_clone()?);
        let shared = Arc::clone(&self.shared);
        thread::Builder::new()
            .name("accept".into())
            .spawn(move || accept(&listener, &shared))?;
        Ok(())
    }

    /// Stops listening: connections are refused from now on. Those that are open stay.
    pub fn refuse(&mut self) {
        if let Some(listener) = self.listener.take() {
            // Wakes the accepting thread, which drops the last descriptor.
            let _ = SockRef::from(&listener).shutdown(Shutdown::Both);
        }
    }

    /// Closes every open connection.
    pub fn hang_up(&self) {
        for stream in lock(&self.shared.open).values() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Changes what happens to connections; `limit` counts responses where the mode needs it.
    pub fn set(&self, mode: Mode, limit: u64) {
        self.shared.limit.store(limit, SeqCst);
        self.shared.mode.store(mode as u8, SeqCst);
    }

    /// Makes `/script/NAME` do these steps, whatever query is behind it. The name may be one for a
    /// method alone: `POST NAME`.
    pub fn script(&self, name: &str, steps: Vec<Step>) {
        let mut scripts = lock(&self.shared.scripts);
        scripts.entry(name.to_owned()).or_default().steps = steps;
    }

    /// Makes `/script/NAME` send this answer.
    pub fn answer(&self, name: &str, answer: &Answer<'_>) {
        self.script(name, answer.steps());
    }

    /// How often the script of that name was asked for, whatever it did.
    pub fn asked(&self, name: &str) -> u64 {
        let scripts = lock(&self.shared.scripts);
        scripts.get(name).map_or(0, |script| script.asked)
    }

    /// Makes `/script/NAME` send these octets and then close.
    pub fn raw(&self, name: &str, octets: impl Into<Vec<u8>>) {
        self.script(name, vec![Step::Send(octets.into()), Step::Close]);
    }

    /// How many connections were accepted so far.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(SeqCst)
    }

    /// How many requests came so far.
    pub fn requests(&self) -> u64 {
        self.shared.requests.load(SeqCst)
    }

    /// How many answers were given to the last octet.
    pub fn finished(&self) -> u64 {
        self.shared.finished.load(SeqCst)
    }

    /// How many octets of request bodies and tunnels came so far.
    pub fn body_octets(&self) -> u64 {
        self.shared.body_octets.load(SeqCst)
    }

    /// How many connections are open now.
    pub fn open(&self) -> usize {
        lock(&self.shared.open).len()
    }

    /// The last request heads, oldest first.
    pub fn heads(&self) -> Vec<Head> {
        lock(&self.shared.heads).iter().cloned().collect()
    }

    /// What came of the last bodies that were announced, whole or cut short, oldest first.
    pub fn received(&self) -> Vec<Received> {
        lock(&self.shared.received).iter().cloned().collect()
    }

    /// What came of the last body, if any was announced.
    pub fn last_received(&self) -> Option<Received> {
        lock(&self.shared.received).back().cloned()
    }

    /// What came that is not HTTP as a gateway should write it, oldest first.
    pub fn complaints(&self) -> Vec<String> {
        lock(&self.shared.complaints).iter().cloned().collect()
    }

    /// The last request head, if there was any.
    pub fn last_head(&self) -> Option<Head> {
        lock(&self.shared.heads).back().cloned()
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.refuse();
        self.hang_up();
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    loop {
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => return,
            Err(_) => {
                // Out of descriptors or memory, or a connection that is gone again.
                thread::sleep(Duration::from_millis(5));
                continue;
            }
        };
        let id = shared.connections.fetch_add(1, SeqCst);
        let shared = Arc::clone(shared);
        let thread = thread::Builder::new().stack_size(256 << 10);
        let _ = thread.spawn(move || connection(id, stream, &shared));
    }
}

/// Serves one connection from its first octet to its last.
fn connection(id: u64, stream: TcpStream, shared: &Shared) {
    let _ = stream.set_nodelay(true);
    match shared.mode() {
        Mode::AcceptClose => return,
        Mode::AcceptReset => {
            let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
            return;
        }
        _ => {}
    }
    if let Ok(twin) = stream.try_clone() {
        lock(&shared.open).insert(id, twin);
    }
    let mut peer = Peer {
        shared,
        stream,
        inbox: Vec::new(),
        body: None,
    };
    let end = peer.serve();
    peer.end_body();
    match &end {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            Shared::remember(&shared.complaints, error.to_string());
        }
        // The gateway going away: what it makes of that is seen at the other end.
        _ => {}
    }
    if matches!(end, Ok(End::Reset)) {
        let _ = SockRef::from(&peer.stream).set_linger(Some(Duration::ZERO));
    }
    lock(&shared.open).remove(&id);
}

/// How a connection comes to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Close,
    Reset,
}

/// The gateway, seen from here.
struct Peer<'a> {
    shared: &'a Shared,
    stream: TcpStream,
    inbox: Vec<u8>,
    body: Option<Incoming>,
}

impl Peer<'_> {
    fn serve(&mut self) -> io::Result<End> {
        let shared = self.shared;
        if shared.mode() == Mode::Unasked {
            let unasked = vec![Step::Send(reply::text("unasked").to_vec())];
            let _ = self.perform(&Head::default(), &unasked)?;
        }
        let mut served = 0;
        while let Some(head) = self.head()? {
            shared.requests.fetch_add(1, SeqCst);
            Shared::remember(&shared.heads, head.clone());
            let limit = shared.limit.load(SeqCst);
            if shared.mode() == Mode::DropAfter && served >= limit {
                return Ok(End::Close);
            }
            self.begin_body(&head)?;
            let persistent = self.answer(&head)?;
            shared.finished.fetch_add(1, SeqCst);
            served += 1;
            let end = match persistent {
                Err(end) => Some(end),
                Ok(()) if head.has_token("Connection", "close") => Some(End::Close),
                Ok(()) if shared.mode() == Mode::CloseAfter && served >= limit => Some(End::Close),
                Ok(()) => None,
            };
            if let Some(end) = end {
                return Ok(end);
            }
        }
        Ok(End::Close)
    }

    /// Does what the path says; an error is how the connection has to end.
    fn answer(&mut self, head: &Head) -> io::Result<Result<(), End>> {
        let shared = self.shared;
        if let (_, "/stats", _) = head.words() {
            let text = format!(
                "connections {}\nrequests {}\nbodies {}\n",
                shared.connections.load(SeqCst),
                shared.requests.load(SeqCst),
                shared.bodies.load(SeqCst)
            );
            self.read_body(u64::MAX)?;
            self.end_body();
            return self.perform(head, &[Step::Send(reply::text(&text).for_method(head))]);
        }
        let scripted = shared.script(head);
        let steps = scripted.unwrap_or_else(|| routes::steps(head));
        if !steps.iter().any(Step::reads) {
            self.read_body(u64::MAX)?;
        }
        let outcome = self.perform(head, &steps)?;
        // What the steps left of the body is not the next request.
        if outcome.is_ok() {
            self.read_body(u64::MAX)?;
            self.end_body();
        }
        Ok(outcome)
    }

    fn begin_body(&mut self, head: &Head) -> io::Result<()> {
        let body = Incoming::of(head, routes::seed(head))
            .map_err(|what| io::Error::new(io::ErrorKind::InvalidData, what))?;
        if body.announced() {
            self.shared.bodies.fetch_add(1, SeqCst);
        }
        self.body = Some(body);
        Ok(())
    }

    /// The present body is over, whole or not.
    fn end_body(&mut self) {
        self.note_body();
        self.body = None;
    }

    /// Remembers what came of the present body, once, if any was announced.
    fn note_body(&mut self) {
        if let Some(seen) = self.body.as_mut().and_then(Incoming::note) {
            Shared::remember(&self.shared.received, seen);
        }
    }

    /// The next request's head; nothing at the end of the connection.
    fn head(&mut self) -> io::Result<Option<Head>> {
        let mut seen = 0;
        loop {
            if let Some(end) = http::head_end(&self.inbox, seen) {
                let raw: Vec<u8> = self.inbox.drain(..end).collect();
                let head = Head::parse(&raw)
                    .map_err(|what| io::Error::new(io::ErrorKind::InvalidData, what))?;
                return Ok(Some(head));
            }
            seen = self.inbox.len();
            if seen > http::HEAD_LIMIT || self.fill(4096)? == 0 {
                return Ok(None);
            }
        }
    }

    /// Reads once, at most `most` octets; 0 is the end.
    fn fill(&mut self, most: usize) -> io::Result<usize> {
        let old = self.inbox.len();
        self.inbox.resize(old + most, 0);
        let got = self.stream.read(&mut self.inbox[old..]);
        self.inbox
            .truncate(old + got.as_ref().copied().unwrap_or(0));
        got
    }
}
