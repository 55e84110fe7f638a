// SPDX-License-Identifier: GPL-2.0

//! Regular expressions, beside those of the crate `regex`.

use super::random::Random;
use crate::cache::regexp::{room, Malformed, Regexp, Scratch, State};

fn parse(text: &str) -> Result<Regexp<Vec<State>>, Malformed> {
    let states = vec![State::EMPTY; room(text.as_bytes())];
    let mut scratch = Scratch::NEW;
    Regexp::parse(text.as_bytes(), states, &mut scratch)
}

fn is_in(expression: &str, text: &str) -> bool {
    let parsed = parse(expression).unwrap_or_else(|why| panic!("{expression}: {why:?}"));
    parsed.is_in(text.as_bytes())
}

fn peer(expression: &str) -> regex::bytes::Regex {
    let mut builder = regex::bytes::RegexBuilder::new(expression);
    builder
        .unicode(false)
        .build()
        .unwrap_or_else(|why| panic!("{expression}: {why}"))
}

#[test]
fn what_people_write() {
    for (expression, yes, no) in [
        (r"\.gif$", "/images/logo.gif", "/images/logo.gif?x"),
        (r"^/wiki/", "/wiki/Main", "/w/wiki/Main"),
        (r"\.(gif|png|jpe?g)(\?.*)?$", "/a/b.jpg?v=1", "/a/b.jpgs"),
        (r"^/a/[^/]+/c$", "/a/b/c", "/a/b/b/c"),
        (r"/v\d+/", "/api/v12/x", "/api/v/x"),
        (r"^$", "", "/"),
        (
            r"(^|/)index\.(html|jsp)($|\?)",
            "index.jsp",
            "/my_index.jsp",
        ),
        (r"[a-c_-]x", "-x", "dx"),
        (r"[]x]y", "]y", "yy"),
        (r"a.*?b", "xxaccb", "b a"),
        ("", "anything", ""),
    ] {
        assert!(is_in(expression, yes), "{expression} in {yes}");
        if !expression.is_empty() {
            assert!(!is_in(expression, no), "{expression} in {no}");
        }
    }
}

#[test]
fn what_is_none_is_refused_with_a_reason() {
    for (expression, why) in [
        ("(a", Malformed::Unbalanced),
        ("a)", Malformed::Unbalanced),
        ("[a", Malformed::Unbalanced),
        ("[", Malformed::Unbalanced),
        ("[^]", Malformed::Unbalanced),
        ("*a", Malformed::NothingToRepeat),
        ("(|+)", Malformed::NothingToRepeat),
        ("a**", Malformed::NothingToRepeat),
        ("a{2}", Malformed::Unsupported),
        ("{", Malformed::Unsupported),
        ("a*+", Malformed::Unsupported),
        ("(?=a)", Malformed::Unsupported),
        ("(?", Malformed::Unsupported),
        ("[a&&b]", Malformed::Unsupported),
        ("[a[b]]", Malformed::Unsupported),
        ("a\\", Malformed::Escape),
        ("\\b", Malformed::Escape),
        ("\\1", Malformed::Escape),
        ("[b-a]", Malformed::Class),
        ("[a-\\d]", Malformed::Class),
        ("(((((((((a)))))))))", Malformed::TooDeep),
        (&"a".repeat(129), Malformed::TooLong),
    ] {
        assert_eq!(parse(expression).err(), Some(why), "{expression}");
        assert!(!why.as_str().is_empty());
    }
    assert!(parse("((((((((a))))))))").is_ok());
    assert!(is_in(&"a".repeat(128), &"a".repeat(128)));
    assert!(!is_in(&"a".repeat(128), &"a".repeat(127)));
}

/// An expression of a few letters, at most so deep.
fn expression(random: &mut Random, depth: usize, out: &mut String) {
    for number in 0..1 + random.below(3) {
        if number > 0 && random.below(4) == 0 {
            out.push('|');
        }
        let repeats = match random.below(if depth == 0 { 9 } else { 12 }) {
            0..=3 => {
                out.push(['a', 'b', '/', 'c'][random.below(4) as usize]);
                true
            }
            4 => {
                out.push('.');
                true
            }
            5 => {
                out.push_str(
                    ["[ab]", "[^a]", "[b-c/]", "\\w", "\\W", "\\.", "[\\d/a]"]
                        [random.below(7) as usize],
                );
                true
            }
            6 => {
                out.push_str(["a", "/"][random.below(2) as usize]);
                true
            }
            7 if number == 0 => {
                out.push('^');
                false
            }
            7 | 8 => {
                out.push('$');
                false
            }
            _ => {
                out.push_str(["(", "(?:"][random.below(2) as usize]);
                expression(random, depth - 1, out);
                out.push(')');
                true
            }
        };
        if repeats {
            out.push_str(["", "", "", "*", "+", "?", "*?", "+?", "??"][random.below(9) as usize]);
        }
    }
}

/// The same as everybody else's, for as many expressions and texts as there is time for.
#[test]
fn as_others_have_it() {
    let mut random = Random(7);
    let (mut found, mut missed) = (0, 0);
    for _ in 0..4000 {
        let mut text = String::new();
        expression(&mut random, 3, &mut text);
        let (own, other) = match parse(&text) {
            Ok(own) => (own, peer(&text)),
            Err(Malformed::TooLong) => continue,
            Err(why) => panic!("{text}: {why:?}"),
        };
        for _ in 0..25 {
            let len = random.below(7);
            let subject: Vec<u8> = (0..len)
                .map(|_| b"abc/.1\n"[random.below(7) as usize])
                .collect();
            let right = other.is_match(&subject);
            assert_eq!(own.is_in(&subject), right, "{text} in {subject:?}");
            *(if right { &mut found } else { &mut missed }) += 1;
        }
    }
    assert!(found > 10_000 && missed > 10_000, "{found} {missed}");
}

/// Whatever somebody writes: a reason, or something that can be compared.
#[test]
fn anything_is_read() {
    let mut random = Random(9);
    let mut good = 0;
    for _ in 0..200_000 {
        let len = random.below(12);
        let text: Vec<u8> = (0..len)
            .map(|_| br"ab.^$[]-\()|*+?{}:d&,"[random.below(21) as usize])
            .collect();
        let states = vec![State::EMPTY; room(&text)];
        let mut scratch = Scratch::NEW;
        if let Ok(parsed) = Regexp::parse(&text, states, &mut scratch) {
            parsed.is_in(&text);
            good += 1;
        }
    }
    assert!(good > 1000, "{good}");
}

/// What takes others exponential time takes a step for each octet here.
#[test]
fn there_is_no_slow_text() {
    let slow = parse("(a*)*(a|a)*(a?)*(aa|a)*$b").unwrap();
    let text = "a".repeat(100_000);
    assert!(!slow.is_in(text.as_bytes()));
}
