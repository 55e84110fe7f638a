//! Two servers: one that answers a constant and parses nothing, which is the least that a server in user
//! space can cost, and one that takes uploads.

use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::socket::{listen, recv, send, Backlog, MsgFlags};

use crate::pattern::{self, Kind};
use crate::response;
use crate::row;

/// What the one that takes uploads answers if all has come.
pub const RECEIVED: &[u8] = b"received\n";

/// Marks the listener's events.
const LISTENER: u64 = u64::MAX;

/// How to serve a connection.
trait Service {
    /// Something has come. Says whether the connection goes on.
    fn readable(&mut self, stream: &TcpStream, connection: &mut Connection) -> io::Result<bool>;
}

/// What is known of a connection.
#[derive(Debug, Default)]
struct Connection {
    begun: Vec<u8>,
    /// Octets of the body that have come, and that there are.
    body: Option<(usize, usize)>,
    /// Whether the body's octets are compared, or thrown away without being copied.
    compares: bool,
}

/// Answers every read with the same 1 KiB, on a port of 127.0.0.1, for ever.
pub fn null(port: u16) -> io::Result<()> {
    let body = pattern::body(Kind::Cached, 1024);
    let mut answer =
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
    answer.extend(body);
    serve(port, &mut Null { answer })
}

/// Takes uploads, on a port of 127.0.0.1, for ever.
pub fn sink(port: u16) -> io::Result<()> {
    serve(
        port,
        &mut Sink {
            body: pattern::body(Kind::Upload, 1 << 20),
            room: vec![0; 1 << 20],
        },
    )
}

fn serve(port: u16, service: &mut impl Service) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    // Again, with room for more than what the standard library asks for.
    listen(&listener, Backlog::MAXCONN)?;
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    epoll.add(&listener, EpollEvent::new(EpollFlags::EPOLLIN, LISTENER))?;
    let mut connections: Vec<Option<(TcpStream, Connection)>> = Vec::new();
    let mut events = [EpollEvent::empty(); 64];
    loop {
        let count = epoll.wait(&mut events, EpollTimeout::NONE)?;
        for event in &events[..count] {
            if event.data() == LISTENER {
                let (stream, _) = listener.accept()?;
                let number = stream.as_raw_fd() as usize;
                epoll.add(&stream, EpollEvent::new(EpollFlags::EPOLLIN, number as u64))?;
                connections.resize_with(connections.len().max(number + 1), || None);
                connections[number] = Some((stream, Connection::default()));
                continue;
            }
            let number = event.data() as usize;
            if let Some(Some((stream, connection))) = connections.get_mut(number) {
                if !service.readable(stream, connection)? {
                    connections[number] = None;
                }
            }
        }
    }
}

/// Reads what is there: `None` if that is nothing, 0 at the end.
fn read(stream: &TcpStream, octets: &mut [u8], flags: MsgFlags) -> io::Result<Option<usize>> {
    match recv(stream.as_raw_fd(), octets, flags | MsgFlags::MSG_DONTWAIT) {
        Ok(count) => Ok(Some(count)),
        Err(Errno::EAGAIN) => Ok(None),
        Err(Errno::ECONNRESET) => Ok(Some(0)),
        Err(errno) => Err(errno.into()),
    }
}

/// Sends what always has room.
fn answer(stream: &TcpStream, octets: &[u8]) -> io::Result<()> {
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
    match send(stream.as_raw_fd(), octets, flags)? {
        count if count == octets.len() => Ok(()),
        _ => Err(io::ErrorKind::WriteZero.into()),
    }
}

struct Null {
    answer: Vec<u8>,
}

impl Service for Null {
    fn readable(&mut self, stream: &TcpStream, _: &mut Connection) -> io::Result<bool> {
        let mut request = [0; 4096];
        let Some(count) = read(stream, &mut request, MsgFlags::empty())? else {
            return Ok(true);
        };
        if count == 0 {
            return Ok(false);
        }
        answer(stream, &self.answer)?;
        Ok(!request[..count].ends_with(b"Connection: close\r\n\r\n"))
    }
}

struct Sink {
    body: Vec<u8>,
    room: Vec<u8>,
}

impl Sink {
    /// Reads the head of a request, and what came with it. Says whether the connection goes on.
    fn head(&mut self, stream: &TcpStream, connection: &mut Connection) -> io::Result<bool> {
        let Some(count) = read(stream, &mut self.room[..4096], MsgFlags::empty())? else {
            return Ok(true);
        };
        connection.begun.extend(&self.room[..count]);
        // A request's head is read as a response's would be, but for its first line.
        let Some(length) = response::end(&connection.begun) else {
            return Ok(count != 0);
        };
        let head = &connection.begun[..length];
        let Some(body) = response::field(head, b"content-length").and_then(response::number) else {
            return Ok(false);
        };
        connection.compares = head.starts_with(row::UPLOAD_COMPARED.as_bytes());
        let came = &connection.begun[length..];
        let right = body <= self.body.len() && self.body.starts_with(came);
        connection.body = Some((came.len(), body));
        connection.begun.clear();
        Ok(right)
    }

    /// Reads some of a body. Says whether it is the right one, or nothing if none is there.
    fn body(
        &mut self,
        stream: &TcpStream,
        connection: &mut Connection,
    ) -> io::Result<Option<bool>> {
        let Some((came, length)) = connection.body else {
            return Ok(None);
        };
        let octets = &mut self.room[..length - came];
        let flags = if connection.compares {
            MsgFlags::empty()
        } else {
            MsgFlags::MSG_TRUNC
        };
        let Some(count) = read(stream, octets, flags)? else {
            return Ok(None);
        };
        connection.body = Some((came + count, length));
        let same = !connection.compares || octets[..count] == self.body[came..came + count];
        Ok(Some(count != 0 && same))
    }
}

impl Service for Sink {
    fn readable(&mut self, stream: &TcpStream, connection: &mut Connection) -> io::Result<bool> {
        if connection.body.is_none() && !self.head(stream, connection)? {
            return Ok(false);
        }
        while let Some((came, length)) = connection.body {
            if came == length {
                connection.body = None;
                let head = format!(
                    "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
                    RECEIVED.len()
                );
                answer(stream, &[head.as_bytes(), RECEIVED].concat())?;
                break;
            }
            match self.body(stream, connection)? {
                None => break,
                Some(true) => {}
                Some(false) => return Ok(false),
            }
        }
        Ok(true)
    }
}
