//! Reading request bodies, strictly: what a gateway writes leaves nothing to interpret.

use std::io;
use std::sync::atomic::Ordering::SeqCst;

use crc32fast::Hasher;

use super::Peer;
use crate::http::{self, Framing, Head};
use crate::pattern::Checker;

/// The longest line of the chunked coding: a gateway has no reason for more.
const LINE_LIMIT: usize = 16 << 10;

/// What came of a request's body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// The request line.
    pub first: String,
    /// How the request said where its body ends.
    pub framing: Framing,
    /// How many octets came, the coding not counted.
    pub octets: u64,
    /// Their CRC-32 (as of zip and Ethernet).
    pub crc: u32,
    /// Where they first differ from the body that the request's `seed` names (0 if it names none).
    pub wrong: Option<u64>,
    /// How many chunks came, the last one not counted.
    pub chunks: u64,
    /// The trailer fields.
    pub trailers: Vec<(String, String)>,
    /// Whether the body came to its end.
    pub complete: bool,
}

/// What has to come next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// So many octets, and then the end.
    Length(u64),
    /// A chunk's size.
    Size,
    /// So many octets of a chunk.
    Chunk(u64),
    /// The CRLF after a chunk.
    ChunkEnd,
    /// The trailer section.
    Trailers,
    /// Anything, until the peer's FIN: a tunnel.
    Close,
    /// The next request.
    Nothing,
}

/// A body on its way in.
pub(super) struct Incoming {
    seen: Received,
    next: Next,
    crc: Hasher,
    checker: Checker,
    noted: bool,
}

impl Incoming {
    /// The body of the request with that head, or why there is no telling where it ends.
    pub(super) fn of(head: &Head, seed: u64) -> Result<Incoming, String> {
        let framing = http::request_framing(head)?;
        let next = match framing {
            Framing::Length(length) if length > 0 => Next::Length(length),
            Framing::Chunked => Next::Size,
            _ => Next::Nothing,
        };
        Ok(Incoming::new(head, framing, next, seed))
    }

    /// What comes through the tunnel that the request with that head opened.
    pub(super) fn tunnel(head: &Head, seed: u64) -> Incoming {
        Incoming::new(head, Framing::Close, Next::Close, seed)
    }

    fn new(head: &Head, framing: Framing, next: Next, seed: u64) -> Incoming {
        Incoming {
            seen: Received {
                first: head.first.clone(),
                framing,
                octets: 0,
                crc: 0,
                wrong: None,
                chunks: 0,
                trailers: Vec::new(),
                complete: false,
            },
            next,
            crc: Hasher::new(),
            checker: Checker::new(seed),
            noted: false,
        }
    }

    /// Whether the head announces a body.
    pub(super) fn announced(&self) -> bool {
        self.seen.framing != Framing::None
    }

    /// Whether there is more to read.
    pub(super) fn unfinished(&self) -> bool {
        self.next != Next::Nothing
    }

    /// What came so far.
    pub(super) fn seen(&self) -> Received {
        Received {
            crc: self.crc.clone().finalize(),
            wrong: self.checker.wrong(),
            complete: !self.unfinished(),
            ..self.seen.clone()
        }
    }

    /// What came so far, the first time that this is asked about an announced body.
    pub(super) fn note(&mut self) -> Option<Received> {
        let first = self.announced() && !self.noted;
        self.noted = true;
        first.then(|| self.seen())
    }

    fn take(&mut self, octets: &[u8]) {
        self.crc.update(octets);
        self.checker.feed(octets);
        self.seen.octets += octets.len() as u64;
    }
}

impl Received {
    /// The same for people and scripts: a line for each thing.
    pub fn report(&self) -> String {
        let framing = match self.framing {
            Framing::Length(length) => format!("length {length}"),
            Framing::Chunked => "chunked".to_owned(),
            Framing::Close => "tunnel".to_owned(),
            Framing::None => "none".to_owned(),
        };
        let wrong = self.wrong.map_or("none".to_owned(), |at| at.to_string());
        let mut text = format!(
            "request {}\nframing {framing}\noctets {}\ncrc32 {:08x}\nwrong {wrong}\nchunks {}\ncomplete {}\n",
            self.first, self.octets, self.crc, self.chunks, self.complete
        );
        for (name, value) in &self.trailers {
            text += &format!("trailer {name}: {value}\n");
        }
        text
    }
}

/// A fault of what was sent, as against a connection that ended.
fn bad(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

impl Peer<'_> {
    /// The next octets of the present body, at most `limit`; empty at its end. A connection that
    /// ends before is `UnexpectedEof`.
    pub(super) fn body_octets(&mut self, limit: u64) -> io::Result<Vec<u8>> {
        loop {
            let Some(next) = self.body.as_ref().map(|body| body.next) else {
                return Ok(Vec::new());
            };
            let then = match next {
                Next::Nothing => return Ok(Vec::new()),
                Next::Length(_) | Next::Chunk(_) | Next::Close if limit == 0 => {
                    return Ok(Vec::new());
                }
                Next::Length(left) | Next::Chunk(left) => {
                    return self.piece(left.min(limit), next);
                }
                Next::Close => return self.piece(limit, next),
                Next::Size => self.chunk_size()?,
                Next::ChunkEnd => match self.line()?.as_str() {
                    "" => Next::Size,
                    more => return Err(bad(format!("{more:?} after a chunk"))),
                },
                Next::Trailers => {
                    let trailers = self.trailer_section()?;
                    if let Some(body) = &mut self.body {
                        body.seen.trailers = trailers;
                    }
                    Next::Nothing
                }
            };
            self.proceed(then);
        }
    }

    fn proceed(&mut self, next: Next) {
        if let Some(body) = &mut self.body {
            body.next = next;
        }
        // Before any answer, so that whoever has that finds the body noted.
        if next == Next::Nothing {
            self.note_body();
        }
    }

    /// Reads the present body to its end, or as far as `limit` octets.
    pub(super) fn read_body(&mut self, limit: u64) -> io::Result<()> {
        let mut left = limit;
        while left > 0 {
            match self.body_octets(left)?.len() {
                0 => break,
                got => left -= got as u64,
            }
        }
        Ok(())
    }

    /// At most `most` octets, at least one; none only at the end of a tunnel.
    fn piece(&mut self, most: u64, now: Next) -> io::Result<Vec<u8>> {
        let ended = self.inbox.is_empty() && self.fill(65_536)? == 0;
        if ended && now != Next::Close {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let take = most.min(self.inbox.len());
        let piece: Vec<u8> = self.inbox.drain(..take).collect();
        if let Some(body) = &mut self.body {
            body.take(&piece);
        }
        let took = take as u64;
        self.shared.body_octets.fetch_add(took, SeqCst);
        self.proceed(match now {
            Next::Length(left) if left > took => Next::Length(left - took),
            Next::Chunk(left) if left > took => Next::Chunk(left - took),
            Next::Chunk(_) => Next::ChunkEnd,
            Next::Close if !ended => Next::Close,
            _ => Next::Nothing,
        });
        Ok(piece)
    }

    fn chunk_size(&mut self) -> io::Result<Next> {
        let line = self.line()?;
        let digits = !line.is_empty() && line.bytes().all(|b| b.is_ascii_hexdigit());
        // Neither white space nor an extension: those belong to the client's connection.
        let size = u64::from_str_radix(&line, 16).ok().filter(|_| digits);
        match size {
            None => Err(bad(format!("chunk size line {line:?}"))),
            Some(0) => Ok(Next::Trailers),
            Some(size) => {
                if let Some(body) = &mut self.body {
                    body.seen.chunks += 1;
                }
                Ok(Next::Chunk(size))
            }
        }
    }

    fn trailer_section(&mut self) -> io::Result<Vec<(String, String)>> {
        let mut raw = b"trailers\r\n".to_vec();
        loop {
            let line = self.line()?;
            raw.extend_from_slice(line.as_bytes());
            raw.extend_from_slice(b"\r\n");
            if line.is_empty() {
                return Ok(Head::parse(&raw).map_err(bad)?.fields);
            }
        }
    }

    /// One line without its CRLF.
    fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = self.inbox.iter().position(|b| *b == b'\n') {
                let line: Vec<u8> = self.inbox.drain(..=end).collect();
                let line = line.strip_suffix(b"\r\n");
                let line = line.ok_or_else(|| bad("a bare LF in the chunked coding".into()))?;
                return Ok(String::from_utf8_lossy(line).into_owned());
            }
            if self.inbox.len() > LINE_LIMIT {
                return Err(bad("an endless line in the chunked coding".into()));
            }
            if self.fill(65_536)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}
