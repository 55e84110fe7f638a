// SPDX-License-Identifier: GPL-2.0

//! Dictionaries of Structured Fields (RFC 9651 section 4.2.2).

use proptest::prelude::*;

use crate::cache::structured::{dictionary, Value};

/// The members, or none if it is malformed.
fn members(text: &str) -> Option<Vec<(String, String)>> {
    let mut members = Vec::new();
    let string = |octets: &[u8]| String::from_utf8(octets.to_vec()).unwrap();
    dictionary(text.as_bytes(), &mut |key, value| {
        let value = match value {
            Value::Boolean(value) => format!("?{}", u8::from(value)),
            Value::Integer(digits) => string(digits),
            Value::String(inner) => format!("\"{}\"", string(inner)),
            Value::Token(token) => string(token),
            Value::Other => "...".to_owned(),
        };
        members.push((string(key), value));
    })
    .map(|()| members)
}

#[test]
fn dictionaries_are_read() {
    for (text, expected) in [
        ("", &[][..]),
        ("a", &[("a", "?1")]),
        ("a=?0, b=?1", &[("a", "?0"), ("b", "?1")]),
        (
            "a=1,b=-2 ,\t*c_-.*9=0",
            &[("a", "1"), ("b", "-2"), ("*c_-.*9", "0")],
        ),
        ("a=999999999999999", &[("a", "999999999999999")]),
        ("a=1.5, b=-123456789012.123", &[("a", "..."), ("b", "...")]),
        ("a=\"x, \\\"y\\\\\"", &[("a", "\"x, \\\"y\\\\\"")]),
        ("a=\"\"", &[("a", "\"\"")]),
        ("a=tok/en:x*, b=*", &[("a", "tok/en:x*"), ("b", "*")]),
        ("a=:aGVsbG8=:, b=::", &[("a", "..."), ("b", "...")]),
        ("a=@1659578233, b=@-1", &[("a", "..."), ("b", "...")]),
        ("a=%\"f%c3%bc\", b=%\"\"", &[("a", "..."), ("b", "...")]),
        (
            "a=(), b=( 1  \"x\";y=1 z );w",
            &[("a", "..."), ("b", "...")],
        ),
        ("a;x;  y=1;z=\"b, c\", d=5;e=?0", &[("a", "?1"), ("d", "5")]),
        // Nobody sorts out which of several counts.
        ("a=1, a=2", &[("a", "1"), ("a", "2")]),
        ("a=1 ", &[("a", "1")]),
    ] {
        let expected = expected
            .iter()
            .map(|(key, value)| (key.to_string(), value.to_string()));
        assert_eq!(members(text), Some(expected.collect()), "for {text}");
    }
}

#[test]
fn what_breaks_the_grammar_is_malformed() {
    for text in [
        ",",
        "a,",
        "a, ",
        "a,,b",
        " a",
        "A",
        "1",
        "-a",
        "a b",
        "a =1",
        "a= 1",
        "a=",
        "a=,b",
        "=1",
        // Numbers.
        "a=-",
        "a=1000000000000000",
        "a=1.",
        "a=1.1234",
        "a=1234567890123.1",
        "a=.5",
        "a=--1",
        "a=1x",
        // Strings.
        "a=\"",
        "a=\"x",
        "a=\"\\",
        "a=\"\\x\"",
        "a=\"\u{e9}\"",
        "a=\"\t\"",
        "a=\"x\"y",
        // Booleans, octets, dates, display strings.
        "a=?",
        "a=?2",
        "a=?t",
        "a=?11",
        "a=:",
        "a=:a",
        "a=:!:",
        "a=@",
        "a=@1.5",
        "a=@x",
        "a=%",
        "a=%x",
        "a=%\"",
        "a=%\"%\"",
        "a=%\"%C3\"",
        "a=%\"%c\"",
        "a=%\"%c",
        "a=%\"\u{e9}\"",
        // Lists and parameters.
        "a=(",
        "a=(1",
        "a=(1,2)",
        "a=(1)2",
        "a=((1))",
        "a=(1\"x\")",
        "a=(1;)",
        "a=(\t)",
        "a=)",
        "a;",
        "a;X",
        "a;x=",
        "a;x=(1)",
        "a ;x",
        "a;x =1",
        "a=1;\tx",
        "a=&",
        "a=1;x=&",
    ] {
        assert_eq!(members(text), None, "for {text}");
    }
}

proptest! {
    #![proptest_config(crate::tests::cases(512))]

    #[test]
    fn any_text_is_read_or_refused(text in "[a-c=,;?01 \"\\\\():@%*.&\t-]{0,24}") {
        if let Some(found) = members(&text) {
            prop_assert!(found.iter().all(|(key, _)| !key.is_empty()));
            // A line more is a comma more.
            if !text.is_empty() {
                let twice = members(&format!("{text} , {text}"));
                prop_assert_eq!(twice, Some([found.clone(), found].concat()));
            }
        }
    }
}
