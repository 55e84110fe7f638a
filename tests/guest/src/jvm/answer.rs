//! The origin's answer on its way to the gateway: heads and content become frames.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::Ordering::SeqCst;
use std::sync::Mutex;

use super::{lock, Manners, Shared, Wire};
use crate::http::{self, Framing, Head};

/// Content in one data frame: what Resin 3 takes for its buffer, and Resin 4.
const OLD_DATA: usize = 16_384;
const NEW_DATA: usize = 4096;

/// Relays one answer. Returns whether the connection ends with it.
///
/// An answer that breaks off ends the connection without a word. One that is no HTTP goes on as it
/// is.
pub(super) fn relay(
    method: &str,
    origin: TcpStream,
    out: &Mutex<TcpStream>,
    shared: &Shared,
) -> io::Result<bool> {
    let mut answer = Answer {
        origin,
        inbox: Vec::new(),
    };
    let relayed = answer.relay(method, out, shared);
    if let Ok(false) = relayed {
        return Ok(false);
    }
    let _ = lock(out).shutdown(Shutdown::Write);
    Ok(true)
}

struct Answer {
    origin: TcpStream,
    inbox: Vec<u8>,
}

impl Answer {
    fn relay(&mut self, method: &str, out: &Mutex<TcpStream>, shared: &Shared) -> io::Result<bool> {
        let Some(head) = self.head()? else {
            lock(out).write_all(&self.inbox)?;
            return Ok(true);
        };
        let (_, status, reason) = head.words();
        let code = status.parse().unwrap_or(0);
        let framing = http::framing(method, code, &head).map_err(super::bad)?;
        send_head(&head, &format!("{status} {reason}"), out, shared)?;
        let most = match shared.manners {
            Manners::New => NEW_DATA,
            Manners::Old => OLD_DATA,
        };
        let mut send = |octets: &[u8]| {
            octets.chunks(most).try_for_each(|piece| {
                let frame = shared.wire.frame(b'D', piece);
                lock(out).write_all(&frame)
            })
        };
        match framing {
            Framing::None => {}
            Framing::Length(length) => self.exactly(length, &mut send)?,
            Framing::Chunked => self.chunks(&mut send)?,
            Framing::Close => while self.piece(u64::MAX, &mut send)? > 0 {},
        }
        let closes = shared.closes.load(SeqCst);
        let end = shared.wire.frame(if closes { b'X' } else { b'Q' }, b"");
        lock(out).write_all(&end)?;
        Ok(closes)
    }

    /// The final head; none if what comes is none. Interim ones have no place on these wires.
    fn head(&mut self) -> io::Result<Option<Head>> {
        loop {
            if let Some(end) = http::head_end(&self.inbox, 0) {
                let Ok(head) = Head::parse(&self.inbox[..end]) else {
                    return Ok(None);
                };
                if !head.first.starts_with("HTTP/1.") {
                    return Ok(None);
                }
                self.inbox.drain(..end);
                if !head.words().1.starts_with('1') {
                    return Ok(Some(head));
                }
            } else if self.fill()? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    fn fill(&mut self) -> io::Result<usize> {
        let mut room = [0; 16_384];
        let got = self.origin.read(&mut room)?;
        self.inbox.extend_from_slice(&room[..got]);
        Ok(got)
    }

    /// Sends at most `most` octets; none at the end.
    fn piece(
        &mut self,
        most: u64,
        send: &mut impl FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<u64> {
        if self.inbox.is_empty() && self.fill()? == 0 {
            return Ok(0);
        }
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let piece: Vec<u8> = self.inbox.drain(..most.min(self.inbox.len())).collect();
        send(&piece)?;
        Ok(piece.len() as u64)
    }

    fn exactly(
        &mut self,
        length: u64,
        send: &mut impl FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut left = length;
        while left > 0 {
            match self.piece(left, send)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                sent => left -= sent,
            }
        }
        Ok(())
    }

    fn chunks(&mut self, send: &mut impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        loop {
            let line = self.line()?;
            let size = u64::from_str_radix(&line, 16).map_err(|_| super::bad("a chunk"))?;
            if size == 0 {
                return Ok(());
            }
            self.exactly(size, send)?;
            self.line()?;
        }
    }

    fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = self.inbox.iter().position(|octet| *octet == b'\n') {
                let line: Vec<u8> = self.inbox.drain(..=end).collect();
                return Ok(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
            if self.fill()? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

fn send_head(head: &Head, status: &str, out: &Mutex<TcpStream>, shared: &Shared) -> io::Result<()> {
    let wire = shared.wire;
    let mut frames = Vec::new();
    if (wire, shared.manners) == (Wire::Hmux, Manners::Old) {
        frames.extend(b"C\0\x02");
    }
    match wire {
        Wire::Hmux => frames.extend(wire.frame(b's', status.as_bytes())),
        Wire::Srun => frames.extend(wire.frame(b's', format!("HTTP/1.1 {status}").as_bytes())),
    }
    if (wire, shared.manners) == (Wire::Hmux, Manners::New) {
        frames.extend(wire.frame(b'M', b"cpu-load"));
        frames.extend(wire.frame(b'S', b"0"));
    }
    for (name, value) in &head.fields {
        // What a servlet's container keeps to itself.
        let lower = name.to_ascii_lowercase();
        if !["connection", "transfer-encoding", "date", "trailer"].contains(&lower.as_str()) {
            frames.extend(wire.frame(b'H', name.as_bytes()));
            frames.extend(wire.frame(b'S', value.as_bytes()));
        }
    }
    // Resin 3 says that a 304 has none.
    if shared.manners == Manners::Old && status.starts_with("304") {
        frames.extend(wire.frame(b'H', b"Content-Length"));
        frames.extend(wire.frame(b'S', b"0"));
    }
    frames.extend(wire.frame(b'G', b""));
    frames.extend(wire.frame(b'f', b""));
    lock(out).write_all(&frames)
}
