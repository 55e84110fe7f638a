// SPDX-License-Identifier: GPL-2.0

//! Octets: each piece against its plain definition.

use std::fmt::Write;

use proptest::prelude::*;

use crate::bytes::{
    eq_ignore_case, hex_digit, is_field_content, is_host_char, is_target_char, is_tchar, is_token,
    parse_decimal, parse_hex, parse_saturating, tokens, trim_ows, Buffer, Full, Span, Writer,
};

#[test]
fn spans_never_leave_their_buffer() {
    let buf = b"0123456789";
    assert_eq!(Span::between(2, 5).of(buf), b"234");
    assert_eq!(Span::between(2, 5).shifted(3).of(buf), b"567");
    assert_eq!(Span::between(0, 10).of(buf), buf);
    assert!(Span::between(5, 11).of(buf).is_empty());
    assert!(Span::between(5, 2).of(buf).is_empty());
    assert!(Span::between(usize::MAX, usize::MAX).is_empty());
    assert!(Span::between(0, 1 << 32).is_empty());
    assert!(Span::between(1, u32::MAX as usize)
        .shifted(usize::MAX)
        .is_empty());
    assert_eq!(Span::within(buf, &buf[3..5]), Span::between(3, 5));
    assert!(Span::within(&buf[3..], &buf[..5]).of(&buf[3..]).is_empty());
    assert!(Span::EMPTY.of(buf).is_empty() && Span::default() == Span::EMPTY);
    let span = Span::between(3, 7);
    assert_eq!((span.start(), span.end(), span.len()), (3, 7, 4));
}

#[test]
fn a_buffer_moves_its_octets_when_its_end_is_reached() {
    let mut buffer = Buffer::new(vec![0; 8]);
    assert_eq!((buffer.capacity(), buffer.len()), (8, 0));
    buffer.spare()[..6].copy_from_slice(b"abcdef");
    buffer.advance(6);
    buffer.consume(4);
    assert_eq!(buffer.filled(), b"ef");
    assert_eq!(buffer.spare().len(), 2, "the end of the store comes first");
    buffer.spare().copy_from_slice(b"gh");
    buffer.advance(2);
    assert_eq!(buffer.spare().len(), 4, "then its front is used again");
    buffer.spare().copy_from_slice(b"ijkl");
    buffer.advance(4);
    assert_eq!(buffer.filled(), b"efghijkl");
    assert!(buffer.is_full() && buffer.spare().is_empty());
    buffer.advance(100);
    assert_eq!(buffer.len(), 8);
    buffer.consume(100);
    assert!(buffer.is_empty() && buffer.spare().len() == 8);
    assert_eq!(buffer.into_store().len(), 8);
}

#[test]
fn an_append_is_whole_or_not_at_all() {
    let mut store = [0; 8];
    let mut buffer = Buffer::new(&mut store[..]);
    assert_eq!(buffer.append(|out| out.put(b"abcdef")), Ok(()));
    buffer.consume(2);
    let too_much = buffer.append(|out| {
        out.put(b"gh")?;
        out.put(b"ijk")
    });
    assert_eq!(too_much, Err(Full));
    assert_eq!(buffer.filled(), b"cdef");
    assert_eq!(buffer.append(|out| out.put(b"ghij")), Ok(()));
    assert_eq!(buffer.filled(), b"cdefghij");
}

#[test]
fn a_writer_stops_at_the_end_of_its_slice() {
    let mut room = [0; 10];
    let mut out = Writer::new(&mut room);
    assert!(out.is_empty());
    assert_eq!(out.put(b"abc"), Ok(()));
    assert_eq!(out.put_decimal(12345), Ok(()));
    assert_eq!(out.put_hex(0xfff), Err(Full));
    assert_eq!((out.len(), out.room()), (8, 2));
    assert_eq!(out.put(b"de"), Ok(()));
    assert!(write!(out, "x").is_err());
    assert_eq!(out.written(), b"abc12345de");
}

#[test]
fn numbers_at_their_limits() {
    assert_eq!(parse_decimal(b"18446744073709551615"), Some(u64::MAX));
    for text in [
        "",
        "18446744073709551616",
        "99999999999999999999",
        "000000000000000000001",
    ] {
        assert_eq!(parse_decimal(text.as_bytes()), None, "for {text:?}");
    }
    for (text, right) in [
        ("", None),
        ("18446744073709551614", Some(u64::MAX - 1)),
        ("18446744073709551616", Some(u64::MAX)),
        ("99999999999999999999999999999999", Some(u64::MAX)),
        ("000000000000000000000000000000001", Some(1)),
    ] {
        assert_eq!(parse_saturating(text.as_bytes()), right, "for {text:?}");
    }
    for text in ["+1", "-1", " 1", "1 ", "1_0", "a", "1/", ":", "\u{661}"] {
        assert_eq!(parse_decimal(text.as_bytes()), None, "for {text:?}");
        assert_eq!(parse_saturating(text.as_bytes()), None, "for {text:?}");
        assert_eq!(
            parse_hex(text.as_bytes()).filter(|_| text != "a"),
            None,
            "for {text:?}"
        );
    }
    assert_eq!(parse_hex(b"fFffFFFFffffffff"), Some(u64::MAX));
    assert_eq!(parse_hex(b"0000000000000000f"), None);
    assert_eq!(parse_hex(b""), None);
    assert_eq!(parse_hex(b"0x1"), None);
    assert_eq!(parse_hex(b"g"), None);
}

#[test]
fn classes_are_those_of_the_rfcs() {
    for octet in 0..=255u8 {
        let is_alphanumeric = octet.is_ascii_alphanumeric();
        let tchar = is_alphanumeric || b"!#$%&'*+-.^_`|~".contains(&octet);
        assert_eq!(is_tchar(octet), tchar, "{octet:#x}");
        let content = matches!(octet, b'\t' | 0x20..=0x7e | 0x80..);
        assert_eq!(is_field_content(octet), content, "{octet:#x}");
        let target = matches!(octet, 0x21..=0x7e) && octet != b'#';
        assert_eq!(is_target_char(octet), target, "{octet:#x}");
        let host = is_alphanumeric || b"-._~!$&'()*+;=".contains(&octet);
        assert_eq!(is_host_char(octet), host, "{octet:#x}");
        let digit = char::from(octet).to_digit(16);
        assert_eq!(hex_digit(octet).map(u32::from), digit, "{octet:#x}");
    }
    assert!(is_token(b"keep-alive") && !is_token(b"") && !is_token(b"a b"));
}

#[test]
fn lists_are_split_and_trimmed() {
    let split = |list: &'static str| tokens(list.as_bytes()).collect::<Vec<_>>();
    // RFC 9110 section 5.6.1.2.
    assert_eq!(split("foo,bar"), [b"foo", b"bar"]);
    assert_eq!(split("foo ,bar,"), [b"foo", b"bar"]);
    assert_eq!(split("foo , ,\tbar,charlie").len(), 3);
    assert!(split("").is_empty() && split(",").is_empty() && split(", \t ,").is_empty());
    assert_eq!(trim_ows(b" \t a b\t "), b"a b");
    assert_eq!(trim_ows(b" \t "), b"");
    assert_eq!(trim_ows(b"\r\n"), b"\r\n");
    assert!(eq_ignore_case(b"Close", b"cLOSE") && !eq_ignore_case(b"close", b"closed"));
}

proptest! {
    #![proptest_config(super::cases(256))]

    #[test]
    fn numbers_read_back_as_written(number: u64) {
        let mut room = [0; 64];
        let mut out = Writer::new(&mut room);
        out.put_decimal(number).unwrap();
        assert_eq!(out.written(), number.to_string().as_bytes());
        prop_assert_eq!(parse_decimal(out.written()), Some(number));
        let mut out = Writer::new(&mut room);
        out.put_hex(number).unwrap();
        assert_eq!(out.written(), format!("{number:x}").as_bytes());
        prop_assert_eq!(parse_hex(out.written()), Some(number));
    }

    /// A buffer is a queue: whatever is done to it, a `VecDeque` that has it done says the same.
    #[test]
    fn a_buffer_is_a_queue(steps in proptest::collection::vec((0..4, 0..20usize, any::<u8>()), 0..40)) {
        let mut model = std::collections::VecDeque::new();
        let mut buffer = Buffer::new(vec![0; 16]);
        for (kind, count, octet) in steps {
            match kind {
                0 => {
                    buffer.consume(count);
                    model.drain(..count.min(model.len()));
                }
                1 => {
                    let fits = model.len() + count <= 16;
                    let result = buffer.append(|out| out.put(&vec![octet; count]));
                    prop_assert_eq!(result.is_ok(), fits);
                    if fits {
                        model.extend(vec![octet; count]);
                    }
                }
                _ => {
                    let spare = buffer.spare();
                    let count = count.min(spare.len());
                    spare[..count].fill(octet);
                    buffer.advance(count);
                    model.extend(vec![octet; count]);
                }
            }
            prop_assert_eq!(buffer.filled(), model.make_contiguous());
            prop_assert_eq!(buffer.len(), model.len());
            prop_assert_eq!(buffer.is_full(), model.len() == 16);
            prop_assert_eq!(buffer.spare().is_empty(), model.len() == 16);
        }
    }
}
