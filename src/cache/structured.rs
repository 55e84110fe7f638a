// SPDX-License-Identifier: GPL-2.0

//! Dictionaries of Structured Fields (RFC 9651 section 3.2), as targeted cache control has them.

use crate::bytes;

/// The value of a member, as far as a directive may have one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Value<'a> {
    /// A Boolean; a key alone is true.
    Boolean(bool),
    /// An Integer: its digits, perhaps after a minus.
    Integer(&'a [u8]),
    /// A String: what is between the quotes, escapes and all.
    String(&'a [u8]),
    /// A Token.
    Token(&'a [u8]),
    /// Any other item, or an inner list.
    Other,
}

/// Reads a Dictionary (RFC 9651 section 4.2.2) and shows its members in their order, those of one
/// key too. None if it is malformed; some members may have been shown then.
///
/// `text` is one field line: its members end with it, since nothing that a line begins may be
/// relied on to end in another (RFC 9651 section 4.2).
pub(crate) fn dictionary<'a>(
    text: &'a [u8],
    show: &mut dyn FnMut(&'a [u8], Value<'a>),
) -> Option<()> {
    let mut reader = Reader(text);
    if text.is_empty() {
        return Some(());
    }
    loop {
        let key = reader.key()?;
        let value = match reader.take(b'=') {
            Some(()) => reader.member()?,
            None => Value::Boolean(true),
        };
        reader.parameters()?;
        show(key, value);
        reader.skip(|octet| matches!(octet, b' ' | b'\t'));
        if reader.0.is_empty() {
            return Some(());
        }
        reader.take(b',')?;
        reader.skip(|octet| matches!(octet, b' ' | b'\t'));
    }
}

/// What is left to read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, octet: u8) -> Option<()> {
        self.0 = self.0.strip_prefix(&[octet])?;
        Some(())
    }

    /// The octets at the front for which it holds.
    fn skip(&mut self, holds: impl Fn(u8) -> bool) -> &'a [u8] {
        let end = self.0.iter().position(|octet| !holds(*octet));
        let (skipped, rest) = self
            .0
            .split_at_checked(end.unwrap_or(self.0.len()))
            .unwrap_or((&[], &[]));
        self.0 = rest;
        skipped
    }

    /// `key = ( lcalpha / "*" ) *( lcalpha / DIGIT / "_" / "-" / "." / "*" )`
    fn key(&mut self) -> Option<&'a [u8]> {
        let first = *self.0.first()?;
        if !first.is_ascii_lowercase() && first != b'*' {
            return None;
        }
        Some(self.skip(|octet| {
            octet.is_ascii_lowercase()
                || octet.is_ascii_digit()
                || matches!(octet, b'_' | b'-' | b'.' | b'*')
        }))
    }

    /// An item or an inner list, without its parameters.
    fn member(&mut self) -> Option<Value<'a>> {
        if self.take(b'(').is_none() {
            return self.item();
        }
        loop {
            self.skip(|octet| octet == b' ');
            if self.take(b')').is_some() {
                return Some(Value::Other);
            }
            self.item()?;
            self.parameters()?;
            if !matches!(self.0.first(), Some(b' ' | b')')) {
                return None;
            }
        }
    }

    /// `*( ";" *SP key [ "=" bare-item ] )`
    fn parameters(&mut self) -> Option<()> {
        while self.take(b';').is_some() {
            self.skip(|octet| octet == b' ');
            self.key()?;
            if self.take(b'=').is_some() {
                self.item()?;
            }
        }
        Some(())
    }

    /// A bare item (RFC 9651 section 4.2.3.1).
    fn item(&mut self) -> Option<Value<'a>> {
        match *self.0.first()? {
            b'-' | b'0'..=b'9' => self.number(),
            b'"' => self.string(),
            b'*' | b'a'..=b'z' | b'A'..=b'Z' => {
                Some(Value::Token(self.skip(|octet| {
                    bytes::is_tchar(octet) || matches!(octet, b':' | b'/')
                })))
            }
            b'?' => {
                self.take(b'?')?;
                let is_true = self.take(b'1').is_some();
                if !is_true {
                    self.take(b'0')?;
                }
                Some(Value::Boolean(is_true))
            }
            b':' => self.octets(),
            b'@' => {
                self.take(b'@')?;
                let date = self.number()?;
                matches!(date, Value::Integer(_)).then_some(Value::Other)
            }
            b'%' => self.display_string(),
            _ => None,
        }
    }

    /// At most 15 digits, or 12 and after the point 3 (RFC 9651 section 4.2.4).
    fn number(&mut self) -> Option<Value<'a>> {
        let text = self.0;
        let sign = usize::from(self.take(b'-').is_some());
        let whole = self.skip(|octet| octet.is_ascii_digit()).len();
        if self.take(b'.').is_some() {
            let decimals = self.skip(|octet| octet.is_ascii_digit()).len();
            let is_valid = matches!((whole, decimals), (1..=12, 1..=3));
            return is_valid.then_some(Value::Other);
        }
        let integer = text.get(..sign.saturating_add(whole))?;
        matches!(whole, 1..=15).then_some(Value::Integer(integer))
    }

    /// RFC 9651 section 4.2.5.
    fn string(&mut self) -> Option<Value<'a>> {
        self.take(b'"')?;
        let text = self.0;
        loop {
            self.skip(|octet| matches!(octet, b' '..=b'~') && !matches!(octet, b'"' | b'\\'));
            if self.take(b'\\').is_some() {
                self.take(b'"').or_else(|| self.take(b'\\'))?;
                continue;
            }
            let len = text.len().saturating_sub(self.0.len());
            self.take(b'"')?;
            return Some(Value::String(text.get(..len)?));
        }
    }

    /// A Byte Sequence: base64 between colons (RFC 9651 section 4.2.7). Nothing decodes it.
    fn octets(&mut self) -> Option<Value<'a>> {
        self.take(b':')?;
        self.skip(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'/' | b'='));
        self.take(b':')?;
        Some(Value::Other)
    }

    /// A Display String (RFC 9651 section 4.2.10). Nothing looks whether it is UTF-8.
    fn display_string(&mut self) -> Option<Value<'a>> {
        self.take(b'%')?;
        self.take(b'"')?;
        loop {
            self.skip(|octet| matches!(octet, b' '..=b'~') && !matches!(octet, b'"' | b'%'));
            if self.take(b'"').is_some() {
                return Some(Value::Other);
            }
            self.take(b'%')?;
            self.hex_digit()?;
            self.hex_digit()?;
        }
    }

    fn hex_digit(&mut self) -> Option<()> {
        let (digit, rest) = self.0.split_first()?;
        self.0 = rest;
        matches!(digit, b'0'..=b'9' | b'a'..=b'f').then_some(())
    }
}
