//! What is sent for a request, as a list of steps, so that right and wrong answers are data.

use std::io::{self, Write};
use std::thread;
use std::time::Duration;

use super::{End, Peer};
use crate::http::Head;
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
    /// Sends nothing more and waits until the peer closes.
    Hang,
    /// Closes; so does the end of the steps of a response that is until-close.
    Close,
    /// Resets.
    Reset,
}

impl Peer {
    /// Does the steps. The inner error says that and how the connection has to end.
    pub(super) fn perform(&mut self, steps: &[Step]) -> io::Result<Result<(), End>> {
        for step in steps {
            match step {
                Step::Send(octets) => self.stream.write_all(octets)?,
                Step::Body { seed, at, len } => self.send_body(*seed, *at, *len)?,
                Step::Chunks { seed, len, chunk } => self.send_chunks(*seed, *len, *chunk)?,
                Step::Pause(time) => thread::sleep(*time),
                Step::Hang => while self.fill()? != 0 {},
                Step::Close => return Ok(Err(End::Close)),
                Step::Reset => return Ok(Err(End::Reset)),
            }
        }
        Ok(Ok(()))
    }

    fn send_body(&mut self, seed: u64, at: u64, len: u64) -> io::Result<()> {
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
