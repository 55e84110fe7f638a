// SPDX-License-Identifier: GPL-2.0

//! What has to hold for every chunked body: the body of the fuzz target `chunked_grammar`.
//!
//! A second decoder, written for plainness, reads the whole text at once; the one of the gateway
//! must understand the same, however the octets are cut.

use crate::http::body::{Body, MAX_TRAILERS};
use crate::http::head::BodyLength;

/// What a decoder makes of a text.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Decoded {
    /// The data, and the octets of the text that the message has.
    Complete(Vec<u8>, usize),
    /// The message is not at its end; the data so far. A trailer is an LF and its line.
    Partial(Vec<u8>),
    /// It is no chunked message.
    Refused,
}

/// Reads `text` as a chunked body.
pub fn check(text: &[u8]) {
    let expected = decode_plainly(text);
    assert_eq!(decode(text, [text.len()]), expected);
    assert_eq!(decode(text, 0..=text.len()), expected);
    for step in [2, 3, 5, 64] {
        let ends = (0..text.len()).step_by(step).chain([text.len()]);
        assert_eq!(decode(text, ends), expected);
    }
}

/// Decodes with the gateway's decoder; `ends` says how many octets have come, each time.
pub(crate) fn decode(text: &[u8], ends: impl IntoIterator<Item = usize>) -> Decoded {
    let mut body = Body::of_request(BodyLength::Chunked);
    let (mut at, mut data) = (0, Vec::new());
    for end in ends {
        loop {
            let Ok(step) = body.next(&text[at..end]) else {
                return Decoded::Refused;
            };
            let start = at + step.skip;
            at = start + step.data;
            data.extend_from_slice(&text[start..at]);
            assert_eq!(step.done, body.is_done());
            if step.trailer > 0 {
                assert_eq!(step.data, 0);
                at += step.trailer;
                data.extend_from_slice(b"\n");
                data.extend_from_slice(&text[start..at]);
            }
            if step.done {
                return Decoded::Complete(data, at);
            }
            if step.skip + step.data + step.trailer == 0 {
                break;
            }
        }
        assert!(
            end - at <= MAX_TRAILERS,
            "a decoder that needs more has left no more than a trailer"
        );
    }
    assert!(body.eof().is_err());
    Decoded::Partial(data)
}

/// Why the plain decoder stops.
enum Stop {
    More,
    Bad,
}

/// The plain decoder: each line is looked at as a whole, once it is there.
fn decode_plainly(text: &[u8]) -> Decoded {
    let mut data = Vec::new();
    let mut reader = Reader { text, at: 0 };
    match reader.message(&mut data) {
        Ok(()) => Decoded::Complete(data, reader.at),
        Err(Stop::More) => Decoded::Partial(data),
        Err(Stop::Bad) => Decoded::Refused,
    }
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn message(&mut self, data: &mut Vec<u8>) -> Result<(), Stop> {
        let mut extensions = 0;
        loop {
            let size = self.chunk_size()?;
            self.extensions(&mut extensions)?;
            if size == 0 {
                return self.trailers(data);
            }
            for _ in 0..size {
                data.push(self.take()?);
            }
            self.crlf()?;
        }
    }

    fn peek(&self) -> Result<u8, Stop> {
        self.text.get(self.at).copied().ok_or(Stop::More)
    }

    fn take(&mut self) -> Result<u8, Stop> {
        let octet = self.peek()?;
        self.at += 1;
        Ok(octet)
    }

    fn expect(&mut self, expected: &[u8]) -> Result<u8, Stop> {
        let octet = self.take()?;
        expected.contains(&octet).then_some(octet).ok_or(Stop::Bad)
    }

    fn crlf(&mut self) -> Result<(), Stop> {
        self.expect(b"\r")?;
        self.expect(b"\n").map(drop)
    }

    fn chunk_size(&mut self) -> Result<u64, Stop> {
        let mut digits = String::new();
        while digits.is_empty() || self.peek()?.is_ascii_hexdigit() {
            digits.push(char::from(self.expect(b"0123456789abcdefABCDEF")?));
            let size = i64::from_str_radix(&digits, 16);
            if digits.len() > 16 || size.is_err() {
                return Err(Stop::Bad);
            }
        }
        Ok(u64::from_str_radix(&digits, 16).unwrap())
    }

    /// All extensions of one chunk and the CRLF after them.
    fn extensions(&mut self, total: &mut usize) -> Result<(), Stop> {
        let start = self.at;
        let rest = self.text.iter().skip(start);
        // Nothing of an extension may be a control, so it ends at the first CR.
        let line: Vec<u8> = rest.copied().take_while(|octet| *octet != b'\r').collect();
        let ended = start + line.len() < self.text.len();
        let room = 4096 - *total;
        *total += line.len();
        let state = judge_extensions(&line[..line.len().min(room)]);
        if matches!(state, Ext::Bad) || line.len() > room {
            return Err(Stop::Bad);
        }
        self.at += line.len();
        match (ended, state) {
            (false, _) => Err(Stop::More),
            (true, Ext::MayEnd) => self.crlf(),
            (true, _) => Err(Stop::Bad),
        }
    }

    fn trailers(&mut self, data: &mut Vec<u8>) -> Result<(), Stop> {
        let mut total = 0;
        loop {
            if self.peek()? == b'\r' {
                return self.crlf();
            }
            let start = self.at;
            let mut in_name = true;
            while in_name || self.peek()? != b'\r' {
                let good = match self.take()? {
                    b':' if in_name && self.at > start + 1 => {
                        in_name = false;
                        true
                    }
                    octet if in_name => is_tchar(octet),
                    octet => octet == b'\t' || octet >= b' ' && octet != 0x7f,
                };
                self.trailer_octet(&mut total, good)?;
            }
            for expected in [b"\r", b"\n"] {
                self.expect(expected)?;
                self.trailer_octet(&mut total, true)?;
            }
            data.extend_from_slice(b"\n");
            data.extend_from_slice(&self.text[start..self.at]);
        }
    }

    fn trailer_octet(&self, total: &mut usize, good: bool) -> Result<(), Stop> {
        *total += 1;
        if good && *total <= MAX_TRAILERS {
            Ok(())
        } else {
            Err(Stop::Bad)
        }
    }
}

fn is_tchar(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&octet)
}

/// What a piece of extensions is.
enum Ext {
    /// It may be followed by CRLF.
    MayEnd,
    /// It is the beginning of something.
    Unfinished,
    /// It is wrong.
    Bad,
}

/// `*( BWS ";" BWS token [ BWS "=" BWS ( token / quoted-string ) ] )`
fn judge_extensions(mut line: &[u8]) -> Ext {
    fn skip<'a>(line: &mut &'a [u8], class: impl Fn(u8) -> bool) -> &'a [u8] {
        let len = line.iter().take_while(|octet| class(**octet)).count();
        let (head, tail) = line.split_at(len);
        *line = tail;
        head
    }
    let is_bws = |octet| octet == b' ' || octet == b'\t';
    while !line.is_empty() {
        skip(&mut line, is_bws);
        match line {
            [] => return Ext::Unfinished,
            [b';', rest @ ..] => line = rest,
            _ => return Ext::Bad,
        }
        skip(&mut line, is_bws);
        if skip(&mut line, is_tchar).is_empty() {
            return if line.is_empty() {
                Ext::Unfinished
            } else {
                Ext::Bad
            };
        }
        let mut after_name = line;
        let bws = skip(&mut after_name, is_bws);
        match after_name {
            [] if !bws.is_empty() => return Ext::Unfinished,
            [b'=', rest @ ..] => line = rest,
            _ => continue,
        }
        skip(&mut line, is_bws);
        match line {
            [] => return Ext::Unfinished,
            [b'"', rest @ ..] => match quoted_string_end(rest) {
                Ok(end) => line = &rest[end..],
                Err(unfinished) => return unfinished,
            },
            _ => {
                if skip(&mut line, is_tchar).is_empty() {
                    return Ext::Bad;
                }
            }
        }
    }
    Ext::MayEnd
}

fn quoted_string_end(text: &[u8]) -> Result<usize, Ext> {
    let mut escaped = false;
    for (index, octet) in text.iter().enumerate() {
        match octet {
            0..=8 | 10..=31 | 127 => return Err(Ext::Bad),
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Ok(index + 1),
            _ => {}
        }
    }
    Err(Ext::Unfinished)
}
