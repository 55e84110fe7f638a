//! A client's requests with a body: sent while the response is read, as browsers do.

use std::io::Write;
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use crc32fast::Hasher;

use crate::conn::{Conn, Fault, Response};
use crate::pattern;

/// How a request says where its body ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// Content-Length.
    Length,
    /// Transfer-Encoding: chunked, in chunks of so many octets.
    Chunked(u64),
}

/// A request with a body of the pattern.
#[derive(Debug, Clone)]
pub struct Upload<'a> {
    /// Its method.
    pub method: &'a str,
    /// Its target; should name `seed`.
    pub target: &'a str,
    /// More fields, each with its CRLF.
    pub fields: &'a str,
    /// How it is framed.
    pub framing: Sent,
    /// Which body.
    pub seed: u64,
    /// How long it is.
    pub len: u64,
    /// How many octets are really sent, if that is less: then a FIN.
    pub cut: Option<u64>,
    /// Trailer fields of a chunked one, each with its CRLF.
    pub trailers: &'a str,
    /// A chunk extension on every chunk, with its semicolon.
    pub extension: &'a str,
    /// Waits so long after every piece of this many octets.
    pub pace: Option<(u64, Duration)>,
    /// Asks for a 100 and waits for an answer before the body.
    pub expect: bool,
}

impl<'a> Upload<'a> {
    /// A POST of that much to that target, with Content-Length.
    pub fn new(target: &'a str, seed: u64, len: u64) -> Self {
        Upload {
            method: "POST",
            target,
            fields: "",
            framing: Sent::Length,
            seed,
            len,
            cut: None,
            trailers: "",
            extension: "",
            pace: None,
            expect: false,
        }
    }

    /// The same in chunks.
    pub fn chunked(self, chunk: u64) -> Self {
        Upload {
            framing: Sent::Chunked(chunk.max(1)),
            ..self
        }
    }

    /// The head, with its empty line.
    pub fn head(&self) -> String {
        let framing = match self.framing {
            Sent::Length => format!("Content-Length: {}\r\n", self.len),
            Sent::Chunked(_) => "Transfer-Encoding: chunked\r\n".to_owned(),
        };
        let expect = match self.expect {
            true => "Expect: 100-continue\r\n",
            false => "",
        };
        let (method, target, fields) = (self.method, self.target, self.fields);
        format!("{method} {target} HTTP/1.1\r\nHost: test\r\n{framing}{expect}{fields}\r\n")
    }

    /// The CRC-32 of the whole body: what the origin reports.
    pub fn crc(&self) -> u32 {
        let mut crc = Hasher::new();
        let mut at = 0;
        while at < self.len {
            let piece = pattern::octets(self.seed, at, self.len - at);
            crc.update(piece);
            at += piece.len() as u64;
        }
        crc.finalize()
    }

    /// All of the request, as it goes out if nobody waits for anything.
    pub fn octets(&self) -> Vec<u8> {
        let mut all = self.head().into_bytes();
        let mut out = Pace::new(&mut all, None);
        // A vector takes everything.
        let _ = self.send_body(&mut out);
        all
    }

    /// Sends the body, and only the body, as the request says.
    fn send_body(&self, out: &mut Pace<'_>) -> std::io::Result<()> {
        let end = self.cut.unwrap_or(self.len).min(self.len);
        match self.framing {
            Sent::Length => self.send_range(out, 0, end)?,
            Sent::Chunked(chunk) => {
                let mut at = 0;
                while at < end {
                    let size = chunk.min(self.len - at);
                    out.write(format!("{size:x}{}\r\n", self.extension).as_bytes())?;
                    self.send_range(out, at, end.min(at + size))?;
                    at += size;
                    if at <= end {
                        out.write(b"\r\n")?;
                    }
                }
                if self.cut.is_none() {
                    out.write(format!("0\r\n{}\r\n", self.trailers).as_bytes())?;
                }
            }
        }
        out.flush()
    }

    fn send_range(&self, out: &mut Pace<'_>, from: u64, to: u64) -> std::io::Result<()> {
        let mut at = from;
        while at < to {
            let piece = pattern::octets(self.seed, at, to - at);
            out.write(piece)?;
            at += piece.len() as u64;
        }
        Ok(())
    }
}

/// What came of an upload.
#[derive(Debug)]
pub struct Uploaded {
    /// The final response.
    pub response: Response,
    /// Whether a 100 came before the body was sent; false too if nobody waited for it.
    pub continued: bool,
    /// Whether the whole body (up to a cut) could be sent.
    pub sent: bool,
}

impl Conn {
    /// Sends a request with a body and reads its response. Fails only if there is no proper
    /// response; a body that could not be sent because the other side answered early is no fault.
    pub fn upload(&mut self, upload: &Upload<'_>) -> Result<Uploaded, Fault> {
        let mut body = Vec::new();
        let mut uploaded = self.upload_into(upload, &mut |piece| body.extend_from_slice(piece))?;
        uploaded.response.body = body;
        Ok(uploaded)
    }

    /// The same; the response's body goes to `sink` as it comes in.
    pub fn upload_into(
        &mut self,
        upload: &Upload<'_>,
        sink: &mut dyn FnMut(&[u8]),
    ) -> Result<Uploaded, Fault> {
        self.send(upload.head().as_bytes())?;
        let continued = upload.expect && self.continued()?;
        if upload.expect && !continued {
            let response = self.response_into(upload.method, sink)?;
            return Ok(Uploaded {
                response,
                continued,
                sent: false,
            });
        }
        let stream = self.stream().try_clone().map_err(Fault::Io)?;
        thread::scope(|scope| {
            let sender = scope.spawn(|| send_all(upload, stream));
            let response = self.response_into(upload.method, sink);
            if response.is_err() || response.as_ref().is_ok_and(|r| !r.persistent()) {
                // Nobody reads any more: the sender must not wait for it.
                let _ = self.stream().shutdown(std::net::Shutdown::Both);
            }
            let sent = sender.join().unwrap_or(false);
            Ok(Uploaded {
                response: response?,
                continued,
                sent,
            })
        })
    }
}

/// Whether all could be sent.
fn send_all(upload: &Upload<'_>, mut stream: TcpStream) -> bool {
    let mut out = Pace::new(&mut stream, upload.pace);
    let sent = upload.send_body(&mut out);
    if upload.cut.is_some() {
        let _ = stream.shutdown(std::net::Shutdown::Write);
    }
    sent.is_ok()
}

/// Gathers small writes and waits between pieces.
struct Pace<'a> {
    stream: &'a mut dyn Write,
    waiting: Vec<u8>,
    piece: usize,
    pause: Duration,
}

impl<'a> Pace<'a> {
    fn new(stream: &'a mut dyn Write, pace: Option<(u64, Duration)>) -> Self {
        let (piece, pause) = pace.unwrap_or((pattern::RUN as u64, Duration::ZERO));
        Pace {
            stream,
            waiting: Vec::new(),
            piece: piece.max(1) as usize,
            pause,
        }
    }

    fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.waiting.extend_from_slice(bytes);
        let mut from = 0;
        while self.waiting.len() - from >= self.piece {
            self.stream
                .write_all(&self.waiting[from..from + self.piece])?;
            from += self.piece;
            if !self.pause.is_zero() {
                thread::sleep(self.pause);
            }
        }
        self.waiting.drain(..from);
        Ok(())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.stream.write_all(&self.waiting)?;
        self.waiting.clear();
        Ok(())
    }
}
