// SPDX-License-Identifier: GPL-2.0

//! What is written to `cache-clear`.

use crate::cache::clear::Command;
use crate::config::Kind;

#[test]
fn commands_are_those_of_the_document() {
    for (text, command) in [
        ("all\n", Command::All),
        (" expires ", Command::Expired),
        (
            "pattern  ^www\\. \t/images/.*\\.gif$\n",
            Command::Pattern {
                host: b"^www\\.",
                url: b"/images/.*\\.gif$",
            },
        ),
        (
            "pattern all expires",
            Command::Pattern {
                host: b"all",
                url: b"expires",
            },
        ),
    ] {
        assert_eq!(Command::parse(text.as_bytes()), Ok(command), "{text}");
    }
}

#[test]
fn what_is_none_is_refused_with_a_reason() {
    let none = "a command is missing: write all, expires or pattern";
    let missing = "an expression is missing: write pattern HOST-REGEXP URL-REGEXP";
    for (text, why) in [
        ("", none),
        (" \n", none),
        (
            "everything",
            "\"everything\" is not one of all, expires and pattern",
        ),
        ("ALL", "\"ALL\" is not one of all, expires and pattern"),
        ("all of it", "\"of\" is one word too many"),
        ("all\nexpires", "\"expires\" is one word too many"),
        ("pattern", missing),
        ("pattern .*", missing),
        ("pattern a b c", "\"c\" is one word too many"),
        (
            "pattern \u{e4} b",
            "\"\\xc3\\xa4\" has something else than ASCII in it",
        ),
        (
            "pattern a b\0",
            "\"b\\x00\" has something else than ASCII in it",
        ),
    ] {
        let refusal = Command::parse(text.as_bytes()).unwrap_err();
        assert_eq!(refusal.to_string(), why, "{text}");
        assert_eq!(refusal.kind(), Kind::Invalid, "{text}");
    }
}
