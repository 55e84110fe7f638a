// SPDX-License-Identifier: GPL-2.0

//! The lines of `cache-mapping`.

use crate::cache::mapping::{Command, Lifetimes, Mapping, Selector};
use crate::cache::DeltaSeconds;

fn mapping(line: &str) -> Mapping<'_> {
    match Command::parse(line.as_bytes()) {
        Ok(Command::Add(mapping)) => mapping,
        other => panic!("{line}: {other:?}"),
    }
}

fn secs(count: u64) -> Option<DeltaSeconds> {
    Some(DeltaSeconds::from_secs(count))
}

#[test]
fn lines_say_what_resin_let_them_say() {
    for (line, selector, max_age, s_max_age, printed) in [
        (
            "url-pattern *.gif expires 24h",
            Selector::Pattern(b"*.gif"),
            secs(86_400),
            None,
            "url-pattern *.gif max-age 86400s",
        ),
        (
            "url-regexp ^/wiki/[^?]*$  max-age 10  s-max-age 5m",
            Selector::Regexp(b"^/wiki/[^?]*$"),
            secs(10),
            secs(300),
            "url-regexp ^/wiki/[^?]*$ max-age 10s s-max-age 300s",
        ),
        (
            "url-pattern /\ts-max-age\t1D",
            Selector::Pattern(b"/"),
            None,
            secs(86_400),
            "url-pattern / s-max-age 86400s",
        ),
        (
            "url-pattern /a/* max-age 99999999999999999999Y",
            Selector::Pattern(b"/a/*"),
            secs(1 << 31),
            None,
            "url-pattern /a/* max-age 2147483648s",
        ),
        (
            "url-pattern /a max-age 0",
            Selector::Pattern(b"/a"),
            secs(0),
            None,
            "url-pattern /a max-age 0s",
        ),
    ] {
        let read = mapping(line);
        let lifetimes = Lifetimes { max_age, s_max_age };
        assert_eq!(
            read,
            Mapping {
                selector,
                lifetimes
            },
            "{line}"
        );
        assert_eq!(read.to_string(), printed);
        assert_eq!(
            mapping(printed),
            read,
            "what is printed can be written back"
        );
        assert_eq!(lifetimes.ours(), s_max_age.or(max_age));
    }
    assert_eq!(Command::parse(b"clear"), Ok(Command::Clear));
    for (unit, length) in [
        ("s", 1),
        ("m", 60),
        ("h", 3600),
        ("W", 604_800),
        ("M", 2_592_000),
    ] {
        let line = format!("url-pattern *.x max-age 2{unit}");
        assert_eq!(mapping(&line).lifetimes.max_age, secs(2 * length), "{line}");
    }
}

#[test]
fn lines_that_are_none_say_why() {
    for (line, why) in [
        ("", "\"\" is not one of url-pattern, url-regexp and clear"),
        ("clear all", "\"all\" is one word too many"),
        ("url-pattern", "a pattern is missing"),
        ("url-regexp", "a pattern is missing"),
        (
            "url *.gif",
            "\"url\" is not one of url-pattern, url-regexp and clear",
        ),
        (
            "url-pattern a*b max-age 1s",
            "\"a*b\" is not a pattern: write one such as *.gif, /images/*, /index.jsp or /",
        ),
        (
            "url-regexp \u{e4} max-age 1s",
            "\"\\xc3\\xa4\" has something else than ASCII in it",
        ),
        (
            "url-pattern *.gif",
            "write max-age or s-max-age, and a time",
        ),
        ("url-pattern *.gif max-age", "\"max-age\" says no time"),
        (
            "url-pattern *.gif max-age 1x",
            "\"1x\" is not a time: write one such as 15s, 5m, 24h or 7D",
        ),
        (
            "url-pattern *.gif max-age s",
            "\"s\" is not a time: write one such as 15s, 5m, 24h or 7D",
        ),
        (
            "url-pattern *.gif age 1s",
            "\"age\" is not one of max-age, expires and s-max-age",
        ),
        (
            "url-pattern *.gif max-age 1s expires 2s",
            "\"expires\" is said twice",
        ),
    ] {
        let refusal = Command::parse(line.as_bytes()).unwrap_err().to_string();
        assert_eq!(refusal, why, "{line}");
    }
}
