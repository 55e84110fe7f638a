// SPDX-License-Identifier: GPL-2.0

//! What the fields of a head say about framing and about the connection, gathered line by line.
//!
//! Where two readers could understand a head differently it is refused (RFC 9112 section 11.2).

use super::exceptions::Exceptions;
use super::field::Name;
use super::head::{BodyLength, Options, MAX_OPTIONS};
use super::{forward, list, target, Status, Version, Violation};
use crate::bytes::{self, Span};

/// The facts so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    /// Field lines.
    pub(super) fields: usize,
    /// The value of Host.
    pub(super) host: Option<Span>,
    /// The value of the first Referer; empty at the beginning of the buffer if there is none.
    pub(super) referer: Span,
    /// The same of User-Agent.
    pub(super) user_agent: Span,
    /// Content-Length.
    length: Option<u64>,
    /// Transfer-Encoding: chunked.
    chunked: bool,
    /// Connection.
    pub(super) options: Options,
    /// All options of Connection.
    option_count: usize,
    /// An Upgrade that may be passed on.
    upgrade: bool,
    /// Expect: 100-continue.
    pub(super) expect_continue: bool,
    /// TE: trailers.
    pub(super) te_trailers: bool,
    /// Via or CDN-Loop.
    pub(super) has_hops: bool,
    /// Date.
    pub(super) has_date: bool,
    /// Lines that have to be looked at again.
    pub(super) exceptions: Exceptions,
}

impl Facts {
    /// Nothing is known yet.
    pub(super) const NONE: Facts = Facts {
        fields: 0,
        host: None,
        referer: Span::EMPTY,
        user_agent: Span::EMPTY,
        length: None,
        chunked: false,
        options: Options {
            close: false,
            keep_alive: false,
            upgrade: false,
            named: 0,
        },
        option_count: 0,
        upgrade: false,
        expect_continue: false,
        te_trailers: false,
        has_hops: false,
        has_date: false,
        exceptions: Exceptions::NONE,
    };

    /// Takes a field line of `buf` into account, whose value has white space around it.
    #[inline(always)]
    pub(super) fn note(&mut self, name: &[u8], padded: &[u8], buf: &[u8]) -> Result<(), Violation> {
        let known = Name::recognized(name);
        // As `put_field` would write it.
        let is_neat = matches!(padded, [b' ', first, ..] if *first > b' ')
            && padded.last().is_some_and(|last| *last > b' ');
        if !(is_neat && known.passes()) {
            self.exceptions.note(Span::within(buf, name).start());
        }
        match known {
            Name::Other => Ok(()),
            Name::UserAgent => {
                note_first(&mut self.user_agent, padded, buf);
                Ok(())
            }
            Name::Referer => {
                note_first(&mut self.referer, padded, buf);
                Ok(())
            }
            known => self.note_known(known, bytes::trim_ows(padded), buf),
        }
    }

    #[inline(never)] // Few are: it must not make the pass over the others larger.
    fn note_known(&mut self, name: Name, value: &[u8], buf: &[u8]) -> Result<(), Violation> {
        match name {
            Name::Host => return self.note_host(value, buf),
            Name::ContentLength => return self.note_length(value),
            Name::TransferEncoding => return self.note_coding(value),
            Name::Connection => return self.note_connection(value),
            Name::Date => self.has_date = true,
            Name::Via | Name::CdnLoop => self.has_hops = true,
            Name::Expect | Name::Te | Name::Upgrade => self.note_wish(name, value),
            _ => {}
        }
        Ok(())
    }

    /// What a sender would like, and may not get.
    fn note_wish(&mut self, name: Name, text: &[u8]) {
        match name {
            Name::Expect => self.expect_continue |= list::elements(text).any(forward::is_continue),
            // RFC 9110 section 10.1.4: `trailers` stands among the transfer codings.
            Name::Te => {
                let mut elements = list::elements(text);
                self.te_trailers |= elements.any(|one| bytes::eq_ignore_case(one, b"trailers"));
            }
            _ => self.upgrade |= forward::protocols(text).next().is_some(),
        }
    }

    /// RFC 9112 section 3.2: 400 for "more than one Host header field line or a Host header field
    /// with an invalid field value".
    fn note_host(&mut self, text: &[u8], buf: &[u8]) -> Result<(), Violation> {
        if self.host.is_some() {
            return Err(Violation::bad("more than one Host"));
        }
        if !target::is_host(text) {
            return Err(Violation::bad("bad Host"));
        }
        self.host = Some(Span::within(buf, text));
        Ok(())
    }

    /// RFC 9110 section 8.6 lets a recipient take repetitions of one length for one or refuse
    /// them; they are refused, in one line (`5, 5`) as in two.
    fn note_length(&mut self, text: &[u8]) -> Result<(), Violation> {
        if self.length.is_some() {
            return Err(Violation::bad("more than one Content-Length"));
        }
        let length = bytes::parse_decimal(text).filter(|length| *length <= MAX_LENGTH);
        self.length = Some(length.ok_or(Violation::bad("bad Content-Length"))?);
        Ok(())
    }

    /// RFC 9112 section 6.1: 501 for "a transfer coding it does not understand", and chunked "only
    /// once".
    fn note_coding(&mut self, text: &[u8]) -> Result<(), Violation> {
        if !bytes::eq_ignore_case(text, b"chunked") {
            return Err(match text {
                [] => Violation::bad("empty Transfer-Encoding"),
                _ => Violation::new(Status::NOT_IMPLEMENTED, "unknown transfer coding"),
            });
        }
        if self.chunked {
            return Err(Violation::bad("more than one Transfer-Encoding"));
        }
        self.chunked = true;
        Ok(())
    }

    /// RFC 9110 section 7.6.1.
    fn note_connection(&mut self, text: &[u8]) -> Result<(), Violation> {
        // Nearly always it is one.
        if bytes::is_token(text) {
            return self.note_option(text);
        }
        bytes::tokens(text).try_for_each(|option| {
            if !bytes::is_token(option) {
                return Err(Violation::bad("bad Connection option"));
            }
            self.note_option(option)
        })
    }

    fn note_option(&mut self, option: &[u8]) -> Result<(), Violation> {
        if self.option_count >= MAX_OPTIONS {
            return Err(Violation::bad("too many Connection options"));
        }
        self.option_count = self.option_count.saturating_add(1);
        if bytes::eq_ignore_case(option, b"close") {
            self.options.close = true;
        } else if bytes::eq_ignore_case(option, b"keep-alive") {
            self.options.keep_alive = true;
        } else if bytes::eq_ignore_case(option, b"upgrade") {
            self.options.upgrade = true;
        } else if !Name::of(option).is_hop_by_hop() {
            self.options.named = self.options.named.saturating_add(1);
        }
        Ok(())
    }

    /// The declared framing (RFC 9112 sections 6.1 to 6.3).
    pub(super) fn body(&self, version: Version) -> Result<BodyLength, Violation> {
        match (self.chunked, self.length) {
            (true, Some(_)) => Err(Violation::bad("both Transfer-Encoding and Content-Length")),
            // "MUST treat the message as if the framing is faulty".
            (true, None) if version == Version::Http10 => {
                Err(Violation::bad("Transfer-Encoding in HTTP/1.0"))
            }
            (true, None) => Ok(BodyLength::Chunked),
            (false, Some(length)) => Ok(BodyLength::Length(length)),
            (false, None) => Ok(BodyLength::None),
        }
    }

    /// Whether another protocol is offered or taken. RFC 9110 section 7.8: Upgrade must have its
    /// option in Connection, and "a server MUST ignore an Upgrade header field that is received in
    /// an HTTP/1.0 request".
    pub(super) fn upgrade(&self, version: Version) -> bool {
        self.upgrade && self.options.upgrade && version == Version::Http11
    }

    /// Whether the sender lets the connection last (RFC 9112 section 9.3).
    pub(super) fn keep_alive(&self, version: Version) -> bool {
        !self.options.close && (version == Version::Http11 || self.options.keep_alive)
    }
}

/// Notes where the value of a field is, unless it was there before.
#[inline(never)] // As above.
fn note_first(span: &mut Span, padded: &[u8], buf: &[u8]) {
    if *span == Span::EMPTY {
        *span = Span::within(buf, bytes::trim_ows(padded));
    }
}

/// The longest body: what a signed file offset holds.
const MAX_LENGTH: u64 = i64::MAX as u64;
