// SPDX-License-Identifier: GPL-2.0

//! Lists with quoted strings and comments in them (RFC 9110 section 5.6).

use proptest::prelude::*;

use crate::http::list::{commented_elements, elements, is_closed, parameters, qvalue};

fn texts<'a>(parts: impl Iterator<Item = &'a [u8]>) -> Vec<&'a str> {
    parts
        .map(|part| std::str::from_utf8(part).unwrap())
        .collect()
}

#[test]
fn commas_separate_outside_of_quoted_strings() {
    for (list, parts) in [
        ("", &[][..]),
        (" ,\t, ,", &[]),
        ("a", &["a"]),
        (" a ,b,\t c d ,", &["a", "b", "c d"]),
        ("a=\"b, c\", d", &["a=\"b, c\"", "d"]),
        ("\",\",\"\\\",\",x", &["\",\"", "\"\\\",\"", "x"]),
        ("\"\\\\\",a", &["\"\\\\\"", "a"]),
        // A backslash means nothing outside, nor does a comment.
        ("a\\,b", &["a\\", "b"]),
        ("(a,b)", &["(a", "b)"]),
        // Strings without an end are none.
        ("a, \"b, c", &["a", "\"b", "c"]),
        ("\"a, b\", \"c, d", &["\"a", "b\"", "\"c", "d"]),
        ("a, \"b\\\", c", &["a", "\"b\\\"", "c"]),
        ("a, \"b\\", &["a", "\"b\\"]),
    ] {
        assert_eq!(texts(elements(list.as_bytes())), parts, "for {list}");
    }
}

#[test]
fn commas_separate_outside_of_comments() {
    for (list, parts) in [
        ("1.0 a, 1.1 b (c, d)", &["1.0 a", "1.1 b (c, d)"][..]),
        ("a (b (c, d), e), f", &["a (b (c, d), e)", "f"]),
        ("a (\\), b), c", &["a (\\), b)", "c"]),
        ("a (\"), b\", c", &["a (\")", "b\"", "c"]),
        ("\"a, b\"", &["\"a", "b\""]),
        ("a), b", &["a)", "b"]),
        ("a (b, c", &["a (b", "c"]),
        ("a (b), c ((d), e", &["a (b)", "c ((d)", "e"]),
    ] {
        assert_eq!(
            texts(commented_elements(list.as_bytes())),
            parts,
            "for {list}"
        );
    }
}

#[test]
fn semicolons_separate_parameters() {
    for (element, parts) in [
        ("a;b=c ; d=\"e;f\"", &["a", "b=c", "d=\"e;f\""][..]),
        (";a", &["a"]),
        ("a;b=\";c", &["a", "b=\"", "c"]),
    ] {
        assert_eq!(
            texts(parameters(element.as_bytes())),
            parts,
            "for {element}"
        );
    }
}

/// RFC 9110 section 12.4.2.
#[test]
fn weights_are_thousandths() {
    for (text, right) in [
        ("0", Some(0)),
        ("0.", Some(0)),
        ("0.5", Some(500)),
        ("0.001", Some(1)),
        ("1", Some(1000)),
        ("1.000", Some(1000)),
        ("", None),
        (".5", None),
        ("00.5", None),
        ("0.0001", None),
        ("0.x", None),
        ("0,5", None),
        ("1.001", None),
        ("2", None),
        ("-1", None),
    ] {
        assert_eq!(qvalue(text.as_bytes()), right, "for {text:?}");
    }
}

#[test]
fn what_is_open_is_known() {
    for (list, closed) in [
        ("", true),
        ("a", true),
        ("\"a\"", true),
        ("\"a\\\"\"", true),
        ("a\\", true),
        ("\"", false),
        ("\"a\\\"", false),
        ("\"a\" \"", false),
        ("\"a\\", false),
    ] {
        assert_eq!(is_closed(list.as_bytes()), closed, "for {list}");
    }
}

/// Any text in which every quoted string ends.
fn closed() -> impl Strategy<Value = String> {
    "[a ,\"\\\\();]{0,12}".prop_map(|mut text| {
        while !is_closed(text.as_bytes()) {
            text.push('"');
        }
        text
    })
}

proptest! {
    #![proptest_config(super::cases(2000))]

    /// The reason for asking whether a list is closed.
    #[test]
    fn closed_lists_can_be_joined(one in closed(), other in closed()) {
        let joined = format!("{one}, {other}");
        let parts = elements(one.as_bytes()).chain(elements(other.as_bytes()));
        prop_assert_eq!(texts(elements(joined.as_bytes())), texts(parts));
    }

    /// Nobody before us hides what we append.
    #[test]
    fn what_is_appended_is_seen(before in "[a ,\"\\\\()]{0,12}") {
        let list = format!("{before}, 1.1 us");
        prop_assert_eq!(texts(commented_elements(list.as_bytes())).pop(), Some("1.1 us"));
        prop_assert_eq!(texts(elements(list.as_bytes())).pop(), Some("1.1 us"));
    }
}
