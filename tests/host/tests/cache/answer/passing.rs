// SPDX-License-Identifier: GPL-2.0

//! What the origin has just brought, and what the client is told of it.

use super::*;
use crate::cache::answer::Passing;
use crate::cache::mapping::{Command, Lifetimes};

const PLAIN: Passing<'static> = Passing {
    lines: b"Vary: Accept\r\nCache-Control: public, max-age=60\r\nX: y\r\n",
    private: false,
    mapped: None,
    told: None,
};

/// The lines that it gets, and the names of its own that are left out.
fn told(passing: &Passing<'_>) -> (String, Vec<&'static str>) {
    let mut room = vec![0; passing.room()];
    let mut out = Writer::new(&mut room);
    passing.put(&mut out).expect("too little room");
    let hides = passing.hides();
    let names = [
        "Vary",
        "cache-control",
        "CDN-Cache-Control",
        "Surrogate-Control",
        "X",
        "ETag",
    ];
    let hidden = names.into_iter().filter(|name| hides(name.as_bytes()));
    (
        String::from_utf8(out.written().to_vec()).unwrap(),
        hidden.collect(),
    )
}

#[test]
fn nothing_is_told_unless_there_is_something() {
    let none = Lifetimes::default();
    for passing in [
        PLAIN,
        Passing {
            mapped: Some(none),
            ..PLAIN
        },
    ] {
        assert_eq!(told(&passing), (String::new(), vec![]));
    }
    // What does not vary is as it was.
    let lines = b"Cache-Control: max-age=60\r\n";
    let passing = Passing {
        lines,
        private: true,
        ..PLAIN
    };
    assert_eq!(told(&passing), (String::new(), vec![]));
}

#[test]
fn what_varies_becomes_private() {
    let passing = Passing {
        private: true,
        ..PLAIN
    };
    let hidden = vec![
        "Vary",
        "cache-control",
        "CDN-Cache-Control",
        "Surrogate-Control",
    ];
    assert_eq!(
        told(&passing),
        ("Cache-Control: private, max-age=60\r\n".to_owned(), hidden)
    );
    // However many there are of them, there is room.
    let elements = "a,".repeat(500);
    let lines = format!("Vary: x\r\nCache-Control: {elements}\r\n");
    let passing = Passing {
        lines: lines.as_bytes(),
        private: true,
        ..PLAIN
    };
    let line = format!("Cache-Control: private{}\r\n", ", a".repeat(500));
    assert_eq!(told(&passing).0, line);
}

/// "the most restrictive directive should be honored", but not everyone may know.
#[test]
fn what_is_for_one_client_is_not_told_to_be_for_all() {
    let Ok(Command::Add(mapping)) = Command::parse(b"url-pattern / max-age 5s s-max-age 9s") else {
        panic!("no mapping");
    };
    let mapped = Some(mapping.lifetimes);
    for name in ["Set-Cookie", "set-cookie2", "SET-COOKIE"] {
        let lines = format!("ETag: a\r\n{name}: a=b\r\n");
        let passing = Passing {
            lines: lines.as_bytes(),
            mapped,
            ..PLAIN
        };
        assert_eq!(told(&passing).0, "");
    }
    let passing = Passing {
        lines: b"Vary: a\r\n",
        private: true,
        mapped,
        told: None,
    };
    let said = "Cache-Control: private\r\nCache-Control: max-age=5\r\n";
    assert_eq!(told(&passing).0, said);
}

#[test]
fn each_lifetime_of_a_mapping_is_told() {
    for (text, said) in [
        ("max-age 60s", "max-age=60"),
        ("s-max-age 1h", "s-maxage=3600"),
        ("expires 1D s-max-age 5", "max-age=86400, s-maxage=5"),
        (
            "max-age 100000D s-max-age 100000D",
            "max-age=2147483648, s-maxage=2147483648",
        ),
    ] {
        let line = format!("url-pattern / {text}");
        let Ok(Command::Add(mapping)) = Command::parse(line.as_bytes()) else {
            panic!("{line}");
        };
        let handling = Handling::Forwarded {
            why: Forward::VaryMiss,
            status: None,
            is_stored: true,
            is_collapsed: true,
        };
        let name = [b'n'; 64];
        let passing = Passing {
            mapped: Some(mapping.lifetimes),
            told: Some((&name, handling)),
            ..PLAIN
        };
        let (lines, _) = told(&passing);
        let (first, second) = lines.split_once("\r\n").unwrap();
        assert_eq!(first, format!("Cache-Control: {said}"));
        assert!(
            second.ends_with("n; fwd=vary-miss; stored; collapsed\r\n"),
            "{second}"
        );
    }
}
