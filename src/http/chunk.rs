// SPDX-License-Identifier: GPL-2.0

//! The chunked transfer coding (RFC 9112 section 7.1), read octet by octet between the chunks.
//!
//! ```text
//! chunked-body   = *chunk last-chunk trailer-section CRLF
//! chunk          = chunk-size [ chunk-ext ] CRLF chunk-data CRLF
//! last-chunk     = 1*("0") [ chunk-ext ] CRLF
//! chunk-ext      = *( BWS ";" BWS token [ BWS "=" BWS ( token / quoted-string ) ] )
//! trailer-section = *( field-line CRLF )
//! ```
//!
//! Extensions are checked, counted and dropped; trailers are given out line by line.

use super::body::Step;
use super::field::{self, Line};
use super::{Status, Violation};
use crate::bytes;

/// How many octets of extensions a message may have: nobody needs them, and they must not become a
/// stream of their own.
const MAX_EXTENSIONS: usize = 4096;

/// How many octets the trailers may have. Each line of them must fit in the caller's buffer.
pub(crate) const MAX_TRAILERS: usize = 2048;

/// Digits that a chunk size has at most, leading zeros included.
const MAX_DIGITS: u8 = 16;

/// Where in a chunked body its reader is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Chunked {
    state: State,
    /// What is left of the chunk's data; the size so far while it is being read.
    left: u64,
    digits: u8,
    /// Octets of extensions; from the last chunk on, octets of trailers.
    overhead: usize,
}

/// What the next octet belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// The chunk size.
    Size,
    /// White space before the semicolon of an extension.
    BeforeSemicolon,
    /// White space or the first octet of an extension's name.
    BeforeName,
    /// The rest of the name.
    Name,
    /// White space after the name.
    AfterName,
    /// White space or the first octet of an extension's value.
    BeforeValue,
    /// The rest of a value that is a token.
    Value,
    /// A quoted value.
    Quoted,
    /// The octet after a backslash in a quoted value.
    Escaped,
    /// What follows a quoted value.
    AfterValue,
    /// The LF after size and extensions.
    SizeLf,
    /// Data.
    Data,
    /// The CR after the data.
    DataCr,
    /// The LF after the data.
    DataLf,
    /// A trailer, or the empty line that ends the message.
    Trailer,
    /// The message has ended.
    End,
}

impl Chunked {
    /// A chunked body at its beginning.
    pub(super) const fn new() -> Chunked {
        Chunked {
            state: State::Size,
            left: 0,
            digits: 0,
            overhead: 0,
        }
    }

    /// Reads framing up to the next data, the next trailer or the end of the message. See
    /// [`Body::next`](super::body::Body::next).
    pub(super) fn next(&mut self, input: &[u8]) -> Result<Step, Violation> {
        let mut octets = input.iter();
        while !matches!(self.state, State::Data | State::Trailer | State::End) {
            match octets.next() {
                Some(octet) => self.state = self.read(*octet)?,
                None => break,
            }
        }
        let rest = octets.as_slice();
        let mut step = Step {
            skip: input.len().saturating_sub(rest.len()),
            ..Step::default()
        };
        match self.state {
            State::Data => {
                step.data = usize::try_from(self.left)
                    .unwrap_or(usize::MAX)
                    .min(rest.len());
                self.left = self.left.saturating_sub(step.data as u64);
                if self.left == 0 {
                    self.state = State::DataCr;
                }
            }
            State::Trailer => self.read_trailer(rest, &mut step)?,
            _ => {}
        }
        step.done = self.state == State::End;
        Ok(step)
    }

    /// Looks for a whole trailer at the front of `rest`, or for the end of the message.
    fn read_trailer(&mut self, rest: &[u8], step: &mut Step) -> Result<(), Violation> {
        let counted = match field::line(rest)? {
            Line::End => {
                self.state = State::End;
                step.skip = step.skip.saturating_add(2);
                return Ok(());
            }
            // It may be the last line's.
            Line::Partial if rest.starts_with(b"\r") => return Ok(()),
            Line::Partial => rest.len(),
            Line::Field { rest: after, .. } => {
                step.trailer = bytes::before(rest, after).len();
                step.trailer
            }
        };
        let overhead = self.overhead.saturating_add(counted);
        if overhead > MAX_TRAILERS {
            return Err(TOO_MANY_TRAILERS);
        }
        if step.trailer > 0 {
            self.overhead = overhead;
        }
        Ok(())
    }

    /// Reads one octet of framing and says what the next one belongs to.
    fn read(&mut self, octet: u8) -> Result<State, Violation> {
        match (self.state, octet) {
            (State::Size, _) => self.read_size(octet),
            (State::SizeLf, b'\n') => Ok(self.begin_chunk()),
            (State::DataCr, b'\r') => Ok(State::DataLf),
            (State::DataLf, b'\n') => Ok(State::Size),
            (State::DataCr | State::DataLf, _) => {
                Err(Violation::bad("chunk data longer than its size"))
            }
            (State::SizeLf, _) => Err(Violation::bad("bare CR in chunked framing")),
            _ => self.read_extension(octet),
        }
    }

    fn read_size(&mut self, octet: u8) -> Result<State, Violation> {
        if let Some(digit) = bytes::hex_digit(octet) {
            self.digits = self.digits.saturating_add(1);
            self.left = (self.left << 4) | u64::from(digit);
            if self.digits > MAX_DIGITS || self.left > i64::MAX as u64 {
                return Err(Violation::bad("chunk size too large"));
            }
            return Ok(State::Size);
        }
        match octet {
            _ if self.digits == 0 => Err(BAD_SIZE),
            b'\r' => Ok(State::SizeLf),
            b';' => self.count(State::BeforeName),
            b' ' | b'\t' => self.count(State::BeforeSemicolon),
            _ => Err(BAD_SIZE),
        }
    }

    fn begin_chunk(&mut self) -> State {
        self.digits = 0;
        if self.left > 0 {
            State::Data
        } else {
            self.overhead = 0;
            State::Trailer
        }
    }

    fn read_extension(&mut self, octet: u8) -> Result<State, Violation> {
        let next = match (self.state, octet) {
            (State::BeforeSemicolon | State::Name | State::AfterName, b';')
            | (State::Value | State::AfterValue, b';') => State::BeforeName,
            (State::Name | State::Value | State::AfterValue, b'\r') => return Ok(State::SizeLf),
            (State::BeforeName, b' ' | b'\t') => State::BeforeName,
            (State::BeforeName, _) if bytes::is_tchar(octet) => State::Name,
            (State::Name, _) if bytes::is_tchar(octet) => State::Name,
            (State::Name | State::AfterName, b'=') => State::BeforeValue,
            (State::Name | State::AfterName, b' ' | b'\t') => State::AfterName,
            (State::BeforeValue, b' ' | b'\t') => State::BeforeValue,
            (State::BeforeValue, b'"') => State::Quoted,
            (State::BeforeValue, _) if bytes::is_tchar(octet) => State::Value,
            (State::Value, _) if bytes::is_tchar(octet) => State::Value,
            (State::Quoted, b'"') => State::AfterValue,
            (State::Quoted, b'\\') => State::Escaped,
            (State::Quoted | State::Escaped, _) if bytes::is_field_content(octet) => State::Quoted,
            // White space that only another extension may follow.
            (State::BeforeSemicolon | State::Value | State::AfterValue, b' ' | b'\t') => {
                State::BeforeSemicolon
            }
            _ => return Err(Violation::bad("bad chunk extension")),
        };
        self.count(next)
    }

    /// Counts an octet of an extension.
    fn count(&mut self, next: State) -> Result<State, Violation> {
        if self.overhead >= MAX_EXTENSIONS {
            return Err(TOO_MANY_EXTENSIONS);
        }
        self.overhead = self.overhead.saturating_add(1);
        Ok(next)
    }
}

const BAD_SIZE: Violation = Violation::bad("bad chunk size");
const TOO_MANY_EXTENSIONS: Violation = Violation::bad("chunk extensions too long");
const TOO_MANY_TRAILERS: Violation = Violation::new(Status::HEAD_TOO_LARGE, "trailers too long");
