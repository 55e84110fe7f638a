//! What is sent for a request, as a list of steps, so that right and wrong answers are data.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::thread;
use std::time::Duration;

use nix::poll::{poll, PollFd, PollFlags, PollTimeout};

use super::gate::Gate;
use super::tunnel::Tunnel;
use super::{End, Peer};
use crate::http::{Framing, Head};
use crate::pattern;

/// One thing an origin does on a connection.
#[derive(Debug, Clone)]
pub enum Step {
    /// Sends these octets.
    Send(Vec<u8>),
    /// Sends a piece of the body that `seed` names.
    Body {
        /// Which body.
        seed: u64,
        /// Where the piece begins.
        at: u64,
        /// How long it is.
        len: u64,
    },
    /// Sends a whole body in chunks of `chunk` octets, without the last chunk.
    Chunks {
        /// Which body.
        seed: u64,
        /// How long it is.
        len: u64,
        /// How long a chunk is.
        chunk: u64,
    },
    /// Does nothing for so long.
    Pause(Duration),
    /// Does nothing until this is open.
    Hold(Gate),
    /// Sends nothing more and waits until the peer closes.
    Hang,
    /// Neither sends nor reads, and waits until the peer is gone.
    Stall,
    /// Reads at most so many octets of the request's body. A list without a reading step begins
    /// with the whole body; what no step has read is skipped at the end.
    Read(u64),
    /// Reads the body to its end, `piece` octets at a time, with a pause before each.
    ReadSlowly {
        /// How long a piece is.
        piece: u64,
        /// How long to wait.
        pause: Duration,
    },
    /// Sends a response with what came of the body so far ([`super::Received::report`]).
    Report {
        /// Code and reason.
        status: &'static str,
        /// More fields, each with its CRLF.
        fields: String,
    },
    /// Sends a response with the request's body, framed the same way, while it comes in.
    Echo,
    /// The connection is a tunnel from now on; its end is the end of the connection.
    Tunnel(Tunnel),
    /// Closes; so does the end of the steps of a response that is until-close.
    Close,
    /// Resets.
    Reset,
}

impl Step {
    /// Whether it has to do with the request's body.
    pub(super) fn reads(&self) -> bool {
        use Step::{Echo, Read, ReadSlowly, Tunnel};
        matches!(self, Read(_) | ReadSlowly { .. } | Echo | Tunnel(_))
    }
}

impl Peer<'_> {
    /// Does the steps. The inner error says that and how the connection has to end.
    pub(super) fn perform(&mut self, head: &Head, steps: &[Step]) -> io::Result<Result<(), End>> {
        for step in steps {
            match step {
                Step::Send(octets) => self.stream.write_all(octets)?,
                Step::Body { seed, at, len } => self.send_body(*seed, *at, *len)?,
                Step::Chunks { seed, len, chunk } => self.send_chunks(*seed, *len, *chunk)?,
                Step::Pause(time) => thread::sleep(*time),
                Step::Hold(gate) => gate.pass(),
                Step::Hang => {
                    while self.fill(65_536)? != 0 {
                        self.inbox.clear();
                    }
                }
                Step::Stall => self.stall()?,
                Step::Read(limit) => self.read_body(*limit)?,
                Step::ReadSlowly { piece, pause } => self.read_slowly(*piece, *pause)?,
                Step::Report { status, fields } => self.send_report(head, status, fields)?,
                Step::Echo => self.echo()?,
                Step::Tunnel(tunnel) => return self.tunnel(head, tunnel).map(Err),
                Step::Close => return Ok(Err(End::Close)),
                Step::Reset => return Ok(Err(End::Reset)),
            }
        }
        Ok(Ok(()))
    }

    /// Waits until the connection is reset, or both its directions are closed.
    pub(super) fn stall(&self) -> io::Result<()> {
        let fd = self.stream.as_fd();
        // No events asked for: errors and the end are reported all the same.
        let mut fds = [PollFd::new(fd, PollFlags::empty())];
        poll(&mut fds, PollTimeout::NONE)?;
        Ok(())
    }

    fn read_slowly(&mut self, piece: u64, pause: Duration) -> io::Result<()> {
        while self.body.as_ref().is_some_and(|body| body.unfinished()) {
            thread::sleep(pause);
            self.read_body(piece)?;
        }
        Ok(())
    }

    fn send_report(&mut self, head: &Head, line: &str, fields: &str) -> io::Result<()> {
        let seen = self.body.as_ref().map(|body| body.seen().report());
        let answer = status(line, fields, &seen.unwrap_or_default());
        self.stream.write_all(&answer.for_method(head))
    }

    fn echo(&mut self) -> io::Result<()> {
        let framing = self.body.as_ref().map(|body| body.seen().framing);
        let field = match framing {
            Some(Framing::Chunked) => "Transfer-Encoding: chunked".to_owned(),
            Some(Framing::Length(length)) => format!("Content-Length: {length}"),
            _ => "Content-Length: 0".to_owned(),
        };
        let head = format!("HTTP/1.1 200 OK\r\nServer: test-origin\r\n{field}\r\n\r\n");
        self.stream.write_all(head.as_bytes())?;
        let chunked = framing == Some(Framing::Chunked);
        loop {
            let piece = self.body_octets(u64::MAX)?;
            match (chunked, piece.len()) {
                (true, 0) => return self.last_chunk(),
                (true, size) => {
                    let framed = [format!("{size:x}\r\n").as_bytes(), &piece, b"\r\n"].concat();
                    self.stream.write_all(&framed)?;
                }
                (false, 0) => return Ok(()),
                (false, _) => self.stream.write_all(&piece)?,
            }
        }
    }

    fn last_chunk(&mut self) -> io::Result<()> {
        let seen = self.body.as_ref().map(|body| body.seen().trailers);
        let mut end = "0\r\n".to_owned();
        for (name, value) in seen.unwrap_or_default() {
            end += &format!("{name}: {value}\r\n");
        }
        self.stream.write_all((end + "\r\n").as_bytes())
    }

    pub(super) fn send_body(&mut self, seed: u64, at: u64, len: u64) -> io::Result<()> {
        let mut done = 0;
        while done < len {
            let piece = pattern::octets(seed, at + done, len - done);
            self.stream.write_all(piece)?;
            done += piece.len() as u64;
        }
        Ok(())
    }

    fn send_chunks(&mut self, seed: u64, len: u64, chunk: u64) -> io::Result<()> {
        let mut out = Vec::with_capacity(80_000);
        let mut done = 0;
        while done < len {
            let size = chunk.max(1).min(len - done);
            out.extend_from_slice(format!("{size:x}\r\n").as_bytes());
            let mut sent = 0;
            while sent < size {
                let piece = pattern::octets(seed, done + sent, size - sent);
                out.extend_from_slice(piece);
                sent += piece.len() as u64;
                if out.len() >= pattern::RUN {
                    self.stream.write_all(&out)?;
                    out.clear();
                }
            }
            out.extend_from_slice(b"\r\n");
            done += size;
        }
        self.stream.write_all(&out)
    }
}

/// A small response, head and body apart so that HEAD can be answered.
pub(super) struct Text {
    head: String,
    body: String,
}

impl Text {
    /// All of it.
    pub(super) fn to_vec(&self) -> Vec<u8> {
        format!("{}{}", self.head, self.body).into_bytes()
    }

    /// What a request with that head gets: a HEAD has no body.
    pub(super) fn for_method(&self, head: &Head) -> Vec<u8> {
        match head.words().0 {
            "HEAD" => self.head.clone().into_bytes(),
            _ => self.to_vec(),
        }
    }
}

/// A 200 with that text.
pub(super) fn text(body: &str) -> Text {
    status("200 OK", "", body)
}

/// A response with that status, more fields (each with its CRLF) and text.
pub(super) fn status(status: &str, fields: &str, body: &str) -> Text {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\n{fields}Content-Length: {length}\r\n\r\n"
    );
    Text {
        head,
        body: body.to_owned(),
    }
}
