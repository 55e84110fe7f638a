//! A client's connection: raw octets out, strictly checked responses in.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};

use crate::http::{self, Framing, Head};
use crate::scale;

/// Why there is no (whole) response.
#[derive(Debug)]
pub enum Fault {
    /// Nothing came for too long.
    Timeout(String),
    /// The connection was reset.
    Reset(String),
    /// The connection ended before the first octet of a response.
    Closed,
    /// It ended in the middle: the head, if it was all there, and how much of the body came.
    Truncated(Option<Box<Head>>, u64),
    /// What came is not HTTP.
    Malformed(String),
    /// Anything else.
    Io(io::Error),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Timeout(what) => write!(f, "timed out {what}"),
            Fault::Reset(what) => write!(f, "connection reset {what}"),
            Fault::Closed => write!(f, "connection closed before a response"),
            Fault::Truncated(None, _) => write!(f, "connection closed inside a response's head"),
            Fault::Truncated(Some(head), got) => {
                write!(
                    f,
                    "response truncated after {got} octets of body ({:?})",
                    head.first
                )
            }
            Fault::Malformed(what) => write!(f, "not a proper response: {what}"),
            Fault::Io(error) => write!(f, "{error}"),
        }
    }
}

impl Fault {
    fn of(error: io::Error, doing: &str) -> Fault {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Fault::Timeout(doing.into()),
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
                Fault::Reset(doing.into())
            }
            _ => Fault::Io(error),
        }
    }
}

/// A response as a client saw it.
#[derive(Debug)]
pub struct Response {
    /// The codes of the 1xx responses that came before.
    pub interim: Vec<u16>,
    /// Its code.
    pub status: u16,
    /// Its head.
    pub head: Head,
    /// How it said where its body ends.
    pub framing: Framing,
    /// The body, unless it was given to a sink.
    pub body: Vec<u8>,
    /// How long the body was.
    pub length: u64,
    /// The trailer fields of a chunked one.
    pub trailers: Vec<(String, String)>,
}

impl Response {
    /// Whether the connection may carry another request.
    pub fn persistent(&self) -> bool {
        self.framing != Framing::Close && !self.head.has_token("Connection", "close")
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// How to connect.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// SO_RCVBUF, set before the handshake: a tiny one makes a tiny window.
    pub receive_buffer: Option<usize>,
    /// The address to come from.
    pub from: Option<IpAddr>,
    /// How long a read or write may stand still, before scaling.
    pub patience: Option<Duration>,
}

/// For every socket of the tests: where allocations fail on purpose, the kernel loses FINs
/// (`tcp_send_fin()`), and then only a probe ends what is left of a closed socket.
pub fn keepalive() -> TcpKeepalive {
    let pause = Duration::from_secs(5);
    TcpKeepalive::new().with_time(pause).with_interval(pause)
}

/// A connection to a server.
#[derive(Debug)]
pub struct Conn {
    stream: TcpStream,
    inbox: Vec<u8>,
    at: usize,
}

impl Conn {
    /// Connects with the usual options.
    pub fn open(addr: SocketAddr) -> Result<Conn, Fault> {
        Conn::with(addr, Options::default())
    }

    /// Connects.
    pub fn with(addr: SocketAddr, options: Options) -> Result<Conn, Fault> {
        Conn::dial(addr, options).map_err(|error| Fault::of(error, "connecting"))
    }

    fn dial(addr: SocketAddr, options: Options) -> io::Result<Conn> {
        let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
        if let Some(size) = options.receive_buffer {
            socket.set_recv_buffer_size(size)?;
        }
        if let Some(ip) = options.from {
            socket.bind(&SocketAddr::new(ip, 0).into())?;
        }
        let patience = scale::time(options.patience.unwrap_or(Duration::from_secs(30)));
        socket.connect_timeout(&addr.into(), patience)?;
        socket.set_read_timeout(Some(patience))?;
        socket.set_write_timeout(Some(patience))?;
        socket.set_tcp_nodelay(true)?;
        socket.set_tcp_keepalive(&keepalive())?;
        Ok(Conn {
            stream: socket.into(),
            inbox: Vec::new(),
            at: 0,
        })
    }

    /// Sends octets as they are.
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.stream
            .write_all(bytes)
            .map_err(|error| Fault::of(error, "sending"))
    }

    /// Sends a plain HTTP/1.1 request without a body.
    pub fn request(&mut self, method: &str, target: &str) -> Result<(), Fault> {
        self.send(format!("{method} {target} HTTP/1.1\r\nHost: test\r\n\r\n").as_bytes())
    }

    /// One request without a body, with more fields, each with its CRLF; and its response.
    pub fn ask(&mut self, method: &str, target: &str, fields: &str) -> Result<Response, Fault> {
        self.send(format!("{method} {target} HTTP/1.1\r\nHost: test\r\n{fields}\r\n").as_bytes())?;
        self.response(method)
    }

    /// One GET and its response.
    pub fn get(&mut self, target: &str) -> Result<Response, Fault> {
        self.ask("GET", target, "")
    }

    /// The next response, to a request of that method, with its body.
    pub fn response(&mut self, method: &str) -> Result<Response, Fault> {
        let mut body = Vec::new();
        let mut response =
            self.response_into(method, &mut |bytes| body.extend_from_slice(bytes))?;
        response.body = body;
        Ok(response)
    }

    /// The next response; its body goes to `sink` as it comes in.
    pub fn response_into(
        &mut self,
        method: &str,
        sink: &mut dyn FnMut(&[u8]),
    ) -> Result<Response, Fault> {
        let mut interim = Vec::new();
        let (status, head) = loop {
            let (status, head) = self.status_and_head()?;
            if status >= 200 || status == 101 {
                break (status, head);
            }
            interim.push(status);
        };
        let framing = http::framing(method, status, &head).map_err(Fault::Malformed)?;
        let mut body = Body {
            conn: self,
            sink,
            got: 0,
        };
        let mut trailers = Vec::new();
        let outcome = match framing {
            Framing::None => Ok(()),
            Framing::Length(length) => body.exactly(length),
            Framing::Chunked => body.chunks().map(|fields| trailers = fields),
            Framing::Close => body.until_close(),
        };
        let length = body.got;
        match outcome {
            Ok(()) => Ok(Response {
                interim,
                status,
                head,
                framing,
                body: Vec::new(),
                length,
                trailers,
            }),
            Err(Fault::Closed | Fault::Truncated(..)) => {
                Err(Fault::Truncated(Some(Box::new(head)), length))
            }
            Err(fault) => Err(fault),
        }
    }

    /// Waits for the next head; whether it is a 100, which is taken then. Anything else is left.
    pub fn continued(&mut self) -> Result<bool, Fault> {
        let (status, head) = self.status_and_head()?;
        if status != 100 {
            self.at -= head.raw.len();
        }
        Ok(status == 100)
    }

    /// The head of an answer to a request for a tunnel, whose octets then come from `exactly`.
    pub fn upgrade(&mut self, target: &str, protocol: &str) -> Result<(u16, Head), Fault> {
        let fields = format!("Host: test\r\nConnection: Upgrade\r\nUpgrade: {protocol}\r\n");
        self.send(format!("GET {target} HTTP/1.1\r\n{fields}\r\n").as_bytes())?;
        self.status_and_head()
    }

    /// The next `len` octets, whatever they are.
    pub fn exactly(&mut self, len: usize) -> Result<Vec<u8>, Fault> {
        while self.inbox.len() - self.at < len {
            let doing = format!("after {} of {len} octets", self.inbox.len() - self.at);
            if self.fill().map_err(|error| Fault::of(error, &doing))? == 0 {
                return Err(Fault::Truncated(None, (self.inbox.len() - self.at) as u64));
            }
        }
        let bytes = self.inbox[self.at..self.at + len].to_vec();
        self.at += len;
        Ok(bytes)
    }

    /// The next response head, also one of a 1xx.
    pub fn status_and_head(&mut self) -> Result<(u16, Head), Fault> {
        let raw = self.head_octets()?;
        let head = Head::parse(&raw).map_err(Fault::Malformed)?;
        let (version, status, _) = head.words();
        let digits = status.len() == 3 && status.bytes().all(|b| b.is_ascii_digit());
        if !digits || !(version == "HTTP/1.1" || version == "HTTP/1.0") {
            return Err(Fault::Malformed(format!("status line {:?}", head.first)));
        }
        Ok((status.parse().unwrap_or(0), head))
    }

    fn head_octets(&mut self) -> Result<Vec<u8>, Fault> {
        let mut seen = 0;
        loop {
            let have = &self.inbox[self.at..];
            if let Some(end) = http::head_end(have, seen) {
                let raw = have[..end].to_vec();
                self.at += end;
                return Ok(raw);
            }
            seen = have.len();
            let doing = || format!("waiting for a head; so far {:?}", preview(have));
            if seen > http::HEAD_LIMIT {
                return Err(Fault::Malformed(format!(
                    "endless head: {:?}",
                    preview(have)
                )));
            }
            let doing = doing();
            match self.fill().map_err(|error| Fault::of(error, &doing))? {
                0 if seen == 0 => return Err(Fault::Closed),
                0 => return Err(Fault::Truncated(None, 0)),
                _ => {}
            }
        }
    }

    /// Reads once; 0 is the end.
    fn fill(&mut self) -> io::Result<usize> {
        if self.at == self.inbox.len() {
            self.inbox.clear();
            self.at = 0;
        }
        let old = self.inbox.len();
        self.inbox.resize(old + 65_536, 0);
        let got = retry(|| self.stream.read(&mut self.inbox[old..]));
        self.inbox
            .truncate(old + got.as_ref().copied().unwrap_or(0));
        got
    }

    /// Everything that still comes until the connection ends.
    pub fn rest(&mut self) -> Result<Vec<u8>, Fault> {
        while self
            .fill()
            .map_err(|error| Fault::of(error, "waiting for the end"))?
            != 0
        {}
        Ok(self.inbox.split_off(self.at))
    }

    /// Waits until the server closes; anything else that comes is a fault. A reset counts as closed.
    pub fn expect_close(&mut self) -> Result<(), Fault> {
        match self.rest() {
            Ok(rest) if rest.is_empty() => Ok(()),
            Ok(rest) => Err(Fault::Malformed(format!(
                "before the close: {:?}",
                preview(&rest)
            ))),
            Err(Fault::Reset(_)) => Ok(()),
            Err(fault) => Err(fault),
        }
    }

    /// Whether nothing comes, not even an end, for `time` (not scaled).
    pub fn silent(&mut self, time: Duration) -> Result<bool, Fault> {
        if self.at < self.inbox.len() {
            return Ok(false);
        }
        let old = self.stream.read_timeout().map_err(Fault::Io)?;
        self.stream
            .set_read_timeout(Some(time))
            .map_err(Fault::Io)?;
        let started = Instant::now();
        let got = self.fill();
        self.stream.set_read_timeout(old).map_err(Fault::Io)?;
        match got.map_err(|error| Fault::of(error, "listening")) {
            Err(Fault::Timeout(_)) => Ok(started.elapsed() >= time / 2),
            Err(fault) => Err(fault),
            Ok(_) => Ok(false),
        }
    }

    /// Reads at most `len` octets of what is there or comes next; empty is the end.
    pub fn nibble(&mut self, len: usize) -> Result<Vec<u8>, Fault> {
        if self.at < self.inbox.len() {
            let end = self.inbox.len().min(self.at + len);
            let bytes = self.inbox[self.at..end].to_vec();
            self.at = end;
            return Ok(bytes);
        }
        let mut bytes = vec![0; len];
        let got = retry(|| self.stream.read(&mut bytes));
        bytes.truncate(got.map_err(|error| Fault::of(error, "nibbling"))?);
        Ok(bytes)
    }

    /// Sends a FIN: no more requests, but answers are welcome.
    pub fn half_close(&self) -> Result<(), Fault> {
        self.stream.shutdown(Shutdown::Write).map_err(Fault::Io)
    }

    /// Ends the connection with a RST.
    pub fn reset(self) -> Result<(), Fault> {
        SockRef::from(&self.stream)
            .set_linger(Some(Duration::ZERO))
            .map_err(Fault::Io)
    }

    /// The stream below.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }
}

/// One body on its way in.
struct Body<'a> {
    conn: &'a mut Conn,
    sink: &'a mut dyn FnMut(&[u8]),
    got: u64,
}

impl Body<'_> {
    /// Hands at most `limit` octets to the sink; 0 is the end.
    fn some(&mut self, limit: u64) -> Result<u64, Fault> {
        if self.conn.at == self.conn.inbox.len() {
            let doing = format!("after {} octets of body", self.got);
            self.conn.fill().map_err(|error| Fault::of(error, &doing))?;
        }
        let have = &self.conn.inbox[self.conn.at..];
        let take = have.len().min(usize::try_from(limit).unwrap_or(usize::MAX));
        (self.sink)(&have[..take]);
        self.conn.at += take;
        self.got += take as u64;
        Ok(take as u64)
    }

    fn exactly(&mut self, length: u64) -> Result<(), Fault> {
        let mut left = length;
        while left > 0 {
            match self.some(left)? {
                0 => return Err(Fault::Closed),
                n => left -= n,
            }
        }
        Ok(())
    }

    fn until_close(&mut self) -> Result<(), Fault> {
        while self.some(u64::MAX)? > 0 {}
        Ok(())
    }

    fn chunks(&mut self) -> Result<Vec<(String, String)>, Fault> {
        loop {
            let line = self.line()?;
            let digits = line.split(';').next().unwrap_or("").trim_end();
            let size = u64::from_str_radix(digits, 16)
                .map_err(|_| Fault::Malformed(format!("chunk size line {line:?}")))?;
            if size == 0 {
                return self.trailers();
            }
            self.exactly(size)?;
            let end = self.line()?;
            if !end.is_empty() {
                return Err(Fault::Malformed(format!("{end:?} after a chunk of {size}")));
            }
        }
    }

    fn trailers(&mut self) -> Result<Vec<(String, String)>, Fault> {
        let mut raw = b"trailers\r\n".to_vec();
        loop {
            let line = self.line()?;
            raw.extend_from_slice(line.as_bytes());
            raw.extend_from_slice(b"\r\n");
            if line.is_empty() {
                return Ok(Head::parse(&raw).map_err(Fault::Malformed)?.fields);
            }
        }
    }

    /// One line without its CRLF.
    fn line(&mut self) -> Result<String, Fault> {
        loop {
            let have = &self.conn.inbox[self.conn.at..];
            if let Some(end) = have.iter().position(|b| *b == b'\n') {
                let line = have[..end].strip_suffix(b"\r");
                let line = line.ok_or_else(|| Fault::Malformed("a bare LF".into()))?;
                let line = String::from_utf8_lossy(line).into_owned();
                self.conn.at += end + 1;
                return Ok(line);
            }
            if have.len() > 65_536 {
                return Err(Fault::Malformed("an endless chunk line".into()));
            }
            let doing = format!("in the chunking after {} octets", self.got);
            if self.conn.fill().map_err(|error| Fault::of(error, &doing))? == 0 {
                return Err(Fault::Closed);
            }
        }
    }
}

/// What was received, for messages.
pub fn preview(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(300)]);
    if bytes.len() > 300 {
        format!("{text}… ({} octets)", bytes.len())
    } else {
        text.into_owned()
    }
}

fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}
