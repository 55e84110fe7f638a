// SPDX-License-Identifier: GPL-2.0

//! Invalidation by unsafe requests (RFC 9111 section 4.4).

use proptest::prelude::*;

use super::{lines, status};
use crate::cache::key::Scheme;
use crate::cache::{invalidates, references, Base};
use crate::http::Method;

#[test]
fn unsafe_methods_invalidate_unless_they_fail() {
    for code in 100..1000 {
        let is_error = !(200..400).contains(&code);
        for (method, is_safe) in [
            (Method::Get, true),
            (Method::Head, true),
            (Method::Options, true),
            (Method::Trace, true),
            (Method::Post, false),
            (Method::Put, false),
            (Method::Delete, false),
            (Method::Patch, false),
            // "Including methods whose safety is unknown".
            (Method::Other, false),
        ] {
            let expected = !is_safe && !is_error;
            assert_eq!(
                invalidates(method, status(code)),
                expected,
                "for {method:?} {code}"
            );
        }
    }
}

#[test]
fn location_and_content_location_are_references() {
    let lines = lines(&[
        "Host: h",
        "location: /a",
        "Content-Location: b",
        "Link: </c>",
        "Location: ",
    ]);
    let found: Vec<_> = references(&lines).collect();
    assert_eq!(found, [&b"/a"[..], b"b", b""]);
}

fn resolved(base: &Base<'_>, reference: &str) -> Option<String> {
    let mut room = [0; 64];
    let found = base.resolve(reference.as_bytes(), &mut room);
    found.map(|path| String::from_utf8(path.to_vec()).unwrap())
}

/// RFC 3986 sections 5.4.1 and 5.4.2, in the scheme http.
#[test]
fn references_are_resolved() {
    let base = Base {
        scheme: Scheme::Http,
        host: b"a",
        path: b"/b/c/d;p?q",
    };
    for (reference, expected) in [
        ("g:h", None),
        ("g", Some("/b/c/g")),
        ("./g", Some("/b/c/g")),
        ("g/", Some("/b/c/g/")),
        ("/g", Some("/g")),
        ("//g", None),
        ("//a", Some("/")),
        ("//a/", Some("/")),
        ("//a?y", Some("/?y")),
        ("?y", Some("/b/c/d;p?y")),
        ("g?y", Some("/b/c/g?y")),
        ("#s", Some("/b/c/d;p?q")),
        ("g#s", Some("/b/c/g")),
        ("g?y#s", Some("/b/c/g?y")),
        (";x", Some("/b/c/;x")),
        ("g;x?y#s", Some("/b/c/g;x?y")),
        ("", Some("/b/c/d;p?q")),
        (".", Some("/b/c/")),
        ("./", Some("/b/c/")),
        ("..", Some("/b/")),
        ("../", Some("/b/")),
        ("../g", Some("/b/g")),
        ("../..", Some("/")),
        ("../../", Some("/")),
        ("../../g", Some("/g")),
        ("../../../g", Some("/g")),
        ("../../../../g", Some("/g")),
        ("/./g", Some("/g")),
        ("/../g", Some("/g")),
        ("/..", Some("/")),
        ("/.", Some("/")),
        ("g.", Some("/b/c/g.")),
        (".g", Some("/b/c/.g")),
        ("g..", Some("/b/c/g..")),
        ("..g", Some("/b/c/..g")),
        ("./../g", Some("/b/g")),
        ("./g/.", Some("/b/c/g/")),
        ("g/./h", Some("/b/c/g/h")),
        ("g/../h", Some("/b/c/h")),
        ("g;x=1/./y", Some("/b/c/g;x=1/y")),
        ("g;x=1/../y", Some("/b/c/y")),
        ("g?y/./x", Some("/b/c/g?y/./x")),
        ("g?y/../x", Some("/b/c/g?y/../x")),
        ("g#s/../x", Some("/b/c/g")),
        ("http:g", None),
        ("g//h", Some("/b/c/g//h")),
        ("http://a/x y", None),
        ("x\u{e9}", None),
    ] {
        assert_eq!(
            resolved(&base, reference).as_deref(),
            expected,
            "for {reference}"
        );
    }
    for (path, reference, expected) in [
        ("/", "g", "/g"),
        ("/x", "g", "/g"),
        ("/?q/r", "g", "/g"),
        ("//x", "g", "//g"),
        ("*", "g", "/g"),
        ("", "g", "/g"),
        ("/x/y/", "../g", "/x/g"),
    ] {
        let base = Base {
            path: path.as_bytes(),
            ..base
        };
        assert_eq!(
            resolved(&base, reference).as_deref(),
            Some(expected),
            "{reference} at {path}"
        );
    }
    // What does not fit is left alone.
    assert_eq!(resolved(&base, &"x".repeat(59)).unwrap().len(), 64);
    assert_eq!(resolved(&base, &"x".repeat(60)), None);
    for (reference, whole) in [
        ("", 10),
        ("?y", 10),
        ("//a", 1),
        ("/g?y", 4),
        ("/g/.", 3),
        ("g", 6),
        ("g/..", 6),
    ] {
        let mut room = [0; 10];
        let found = base.resolve(reference.as_bytes(), &mut room[..whole]);
        assert!(found.is_some(), "for {reference}");
        for len in 0..whole {
            let found = base.resolve(reference.as_bytes(), &mut room[..len]);
            assert_eq!(found, None, "for {reference} in {len} octets");
        }
    }
}

/// "MUST NOT trigger an invalidation [...] if the origin of the URI to be invalidated differs".
#[test]
fn only_the_same_origin_is_invalidated() {
    for (is_https, host, reference, is_same) in [
        (false, "h", "http://h/x", true),
        (false, "h", "HTTP://H/x", true),
        (false, "h", "http://h:80/x", true),
        (false, "h:80", "http://h/x", true),
        (false, "h", "http://h:/x", true),
        // Ports are numbers, as in keys.
        (false, "h", "http://h:0080/x", true),
        (false, "h:8080", "http://h:8080/x", true),
        (false, "h:8080", "//h:8080/x", true),
        (false, "[::1]", "http://[::1]:80/x", true),
        (true, "h", "https://h:443/x", true),
        (true, "h:443", "//h/x", true),
        (true, "h", "http://h/x", false),
        (true, "h", "https://h:80/x", false),
        (false, "h", "https://h/x", false),
        (false, "h", "http://h:443/x", false),
        (false, "h", "http://h:8080/x", false),
        (false, "h", "http://g/x", false),
        (false, "h", "http://h.g/x", false),
        (false, "h", "http://g@h/x", false),
        (false, "h", "http://h@g/x", false),
        (false, "h", "ftp://h/x", false),
        (false, "h", "http:/h/x", false),
        (false, "h", "http:///x", false),
        (false, "h", "///x", false),
        (false, "h", "http", true),
        (false, "h", "x/y:z", true),
        (false, "h", "?x:z", true),
    ] {
        let base = Base {
            scheme: match is_https {
                true => Scheme::Https,
                false => Scheme::Http,
            },
            host: host.as_bytes(),
            path: b"/",
        };
        assert_eq!(
            resolved(&base, reference).is_some(),
            is_same,
            "{reference} at {host}"
        );
    }
}

proptest! {
    #![proptest_config(crate::tests::cases(1024))]

    #[test]
    fn a_resolved_path_is_a_path(
        path in "(/[a.]{0,3}){1,4}(\\?[a/.]{0,3})?",
        reference in "[a./?#:h]{0,12}",
    ) {
        let base = Base { scheme: Scheme::Http, host: b"h", path: path.as_bytes() };
        if let Some(found) = resolved(&base, &reference) {
            prop_assert!(found.starts_with('/'), "{}", found);
            let resolved_path = found.split('?').next().unwrap();
            // An own path is taken as it is.
            let is_own = reference.split(['#', '?']).next() == Some("");
            let has_dots = resolved_path.split('/').any(|one| one == "." || one == "..");
            prop_assert!(is_own || !has_dots, "{}", found);
        }
    }
}
