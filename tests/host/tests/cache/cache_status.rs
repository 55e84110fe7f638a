// SPDX-License-Identifier: GPL-2.0

//! Cache-Status (RFC 9211) and Age (RFC 9111 section 5.1).

use super::status;
use crate::bytes::{Full, Writer};
use crate::cache::{put_age, CacheStatus, DeltaSeconds, Forward, Handling};

fn written(write: impl Fn(&mut Writer<'_>) -> Result<(), Full>) -> String {
    let mut room = [0; 200];
    let mut out = Writer::new(&mut room);
    write(&mut out).unwrap();
    let text = String::from_utf8(out.written().to_vec()).unwrap();
    // It fits, or it says that it does not.
    for len in 0..text.len() {
        assert_eq!(
            write(&mut Writer::new(&mut room[..len])),
            Err(Full),
            "in {len} octets"
        );
    }
    text
}

fn forwarded(why: Forward) -> Handling {
    Handling::Forwarded {
        why,
        status: None,
        is_stored: false,
        is_collapsed: false,
    }
}

#[test]
fn a_member_says_how_a_request_was_handled() {
    let full = Handling::Forwarded {
        why: Forward::Stale,
        status: Some(status(304)),
        is_stored: true,
        is_collapsed: true,
    };
    for (handling, ttl, expected) in [
        (Handling::Hit, None, "resin; hit"),
        (Handling::Hit, Some(376), "resin; hit; ttl=376"),
        (Handling::Hit, Some(-412), "resin; hit; ttl=-412"),
        (Handling::Hit, Some(0), "resin; hit; ttl=0"),
        (
            Handling::Hit,
            Some(i64::MIN),
            "resin; hit; ttl=-999999999999999",
        ),
        (
            Handling::Hit,
            Some(i64::MAX),
            "resin; hit; ttl=999999999999999",
        ),
        (forwarded(Forward::Bypass), None, "resin; fwd=bypass"),
        (forwarded(Forward::Method), None, "resin; fwd=method"),
        (forwarded(Forward::UriMiss), None, "resin; fwd=uri-miss"),
        (forwarded(Forward::VaryMiss), None, "resin; fwd=vary-miss"),
        (forwarded(Forward::Miss), None, "resin; fwd=miss"),
        (forwarded(Forward::Request), None, "resin; fwd=request"),
        (forwarded(Forward::Stale), None, "resin; fwd=stale"),
        (forwarded(Forward::Partial), None, "resin; fwd=partial"),
        (
            full,
            Some(1),
            "resin; fwd=stale; fwd-status=304; stored; collapsed; ttl=1",
        ),
    ] {
        let line = written(|out| CacheStatus { handling, ttl }.put(b"resin", out));
        assert_eq!(line, format!("Cache-Status: {expected}\r\n"));
    }
}

/// RFC 9211 section 2: a member is a Token or a String.
#[test]
fn a_name_that_is_no_token_is_quoted() {
    let hit = CacheStatus {
        handling: Handling::Hit,
        ttl: None,
    };
    for (name, expected) in [
        ("resin", "resin"),
        ("*x", "*x"),
        ("1.example", "\"1.example\""),
        ("-", "\"-\""),
        ("", "\"\""),
    ] {
        let line = written(|out| hit.put(name.as_bytes(), out));
        assert_eq!(line, format!("Cache-Status: {expected}; hit\r\n"));
    }
}

#[test]
fn age_is_written() {
    assert_eq!(
        written(|out| put_age(DeltaSeconds::ZERO, out)),
        "Age: 0\r\n"
    );
    assert_eq!(
        written(|out| put_age(DeltaSeconds::MAX, out)),
        "Age: 2147483648\r\n"
    );
}
