//! One connection of the client's: a request out, an answer in, octets compared.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use nix::errno::Errno;
use nix::sys::socket::{recv, send, MsgFlags};

use crate::response;
use crate::row::Exchange;
use crate::Fault;

/// How much of what comes is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Head, length and the first read of 4 KiB; the rest is thrown away without being copied, as on a
    /// machine of which the client is no part.
    First,
    /// Every octet.
    All,
}

/// How an exchange stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The request has to wait for room.
    Full,
    /// Something has to come.
    Waiting,
    /// All has come.
    Done,
}

#[derive(Debug)]
enum State {
    Idle,
    Sending { sent: usize },
    Head,
    Body { offset: usize },
    End,
}

/// Room that all connections share, as only one reads at a time.
#[derive(Debug)]
pub struct Room {
    first: [u8; 4096],
    rest: Vec<u8>,
}

impl Default for Room {
    fn default() -> Room {
        Room {
            first: [0; 4096],
            rest: vec![0; 1 << 20],
        }
    }
}

/// A connection.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    state: State,
    /// The beginning of a head that has not come as a whole.
    begun: Vec<u8>,
    closes: bool,
}

impl Connection {
    /// Connects; after one exchange the other side has to close it, if it `closes`.
    pub fn open(address: SocketAddr, closes: bool) -> io::Result<Connection> {
        let stream = TcpStream::connect(address)?;
        if !closes {
            stream.set_nodelay(true)?;
        }
        Ok(Connection {
            stream,
            state: State::Idle,
            begun: Vec::new(),
            closes,
        })
    }

    /// Begins an exchange.
    pub fn ask(&mut self, exchange: &Exchange) -> Result<Progress, Fault> {
        self.state = State::Sending { sent: 0 };
        self.write(exchange)
    }

    fn write(&mut self, exchange: &Exchange) -> Result<Progress, Fault> {
        while let State::Sending { sent } = &mut self.state {
            let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
            match send(self.stream.as_raw_fd(), &exchange.request[*sent..], flags) {
                Ok(count) => *sent += count,
                Err(Errno::EAGAIN) => return Ok(Progress::Full),
                Err(errno) => return Err(format!("sending a request: {errno}")),
            }
            if *sent == exchange.request.len() {
                self.state = State::Head;
            }
        }
        Ok(Progress::Waiting)
    }

    /// Goes on, as there is room to send or something to read.
    pub fn step(
        &mut self,
        exchange: &Exchange,
        check: Check,
        room: &mut Room,
    ) -> Result<Progress, Fault> {
        loop {
            let more = match self.state {
                State::Idle => return Err("something came that nobody asked for".into()),
                State::Sending { .. } => return self.write(exchange),
                State::Head => self.read_head(exchange, room)?,
                State::Body { offset } => self.read_body(exchange, check, room, offset)?,
                State::End => false,
            };
            if !more {
                return self.finish(exchange);
            }
        }
    }

    /// Reads, and says how many octets there were; none is to wait.
    fn read(&self, octets: &mut [u8], flags: MsgFlags) -> Result<usize, Fault> {
        match recv(
            self.stream.as_raw_fd(),
            octets,
            flags | MsgFlags::MSG_DONTWAIT,
        ) {
            Ok(0) => Err("the connection ended within an exchange".into()),
            Ok(count) => Ok(count),
            Err(Errno::EAGAIN) => Ok(0),
            Err(errno) => Err(format!("reading an answer: {errno}")),
        }
    }

    /// Reads the head, or some of it, and says whether there may be more to read.
    fn read_head(&mut self, exchange: &Exchange, room: &mut Room) -> Result<bool, Fault> {
        let begun = self.begun.len();
        room.first[..begun].copy_from_slice(&self.begun);
        let count = self.read(&mut room.first[begun..], MsgFlags::empty())?;
        let octets = &room.first[..begun + count];
        let Some(head) = response::head(octets)? else {
            if octets.len() == room.first.len() {
                return Err("a head of more than 4 KiB".into());
            }
            self.begun = octets.to_vec();
            return Ok(false);
        };
        self.begun.clear();
        if (head.status, head.body) != (exchange.status, exchange.body.len()) {
            return Err(format!(
                "status {} with {} octets came, not {} with {}: {}",
                head.status,
                head.body,
                exchange.status,
                exchange.body.len(),
                String::from_utf8_lossy(octets)
            ));
        }
        let part = &octets[head.length..];
        compare(part, 0, exchange)?;
        self.state = State::Body { offset: part.len() };
        Ok(octets.len() == room.first.len())
    }

    /// Reads some of the body, and says whether there may be more to read.
    fn read_body(
        &mut self,
        exchange: &Exchange,
        check: Check,
        room: &mut Room,
        offset: usize,
    ) -> Result<bool, Fault> {
        let left = exchange.body.len() - offset;
        if left == 0 {
            return Ok(false);
        }
        let wanted = left.min(room.rest.len());
        let octets = &mut room.rest[..wanted];
        let count = match check {
            Check::First => self.read(octets, MsgFlags::MSG_TRUNC)?,
            Check::All => {
                let count = self.read(octets, MsgFlags::empty())?;
                compare(&octets[..count], offset, exchange)?;
                count
            }
        };
        self.state = State::Body {
            offset: offset + count,
        };
        Ok(count == wanted)
    }

    /// Is that all?
    fn finish(&mut self, exchange: &Exchange) -> Result<Progress, Fault> {
        match self.state {
            State::Body { offset } if offset == exchange.body.len() => self.state = State::End,
            State::End => {}
            _ => return Ok(Progress::Waiting),
        }
        if !self.closes {
            self.state = State::Idle;
            return Ok(Progress::Done);
        }
        let flags = MsgFlags::MSG_DONTWAIT;
        match recv(self.stream.as_raw_fd(), &mut [0; 1], flags) {
            Ok(0) => Ok(Progress::Done),
            Ok(_) => Err("more came than an answer".into()),
            Err(Errno::EAGAIN) => Ok(Progress::Waiting),
            Err(errno) => Err(format!("waiting for the end: {errno}")),
        }
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

fn compare(octets: &[u8], offset: usize, exchange: &Exchange) -> Result<(), Fault> {
    if exchange.body.get(offset..offset + octets.len()) == Some(octets) {
        return Ok(());
    }
    let rest = exchange.body.get(offset..).unwrap_or_default();
    let wrong = octets
        .iter()
        .zip(rest)
        .position(|(came, sent)| came != sent);
    let at = offset + wrong.unwrap_or(rest.len().min(octets.len()));
    Err(format!("octet {at} of a body is not what was sent"))
}
