// SPDX-License-Identifier: GPL-2.0

//! The url-patterns of `cache-mapping` (Jakarta Servlet 6.0 section 12).

use crate::cache::pattern::{path, Match, Pattern};

/// What of the patterns matches best.
fn best<'a>(patterns: &[&'a str], target: &str) -> Option<&'a str> {
    let matches = patterns.iter().filter_map(|text| {
        let pattern = Pattern::parse(text.as_bytes()).unwrap();
        Some((pattern.matches(path(target.as_bytes()))?, *text))
    });
    matches.max().map(|(_, text)| text)
}

/// The example of section 12.2.2, and what the text says besides.
#[test]
fn paths_are_mapped_as_servlets_are() {
    let patterns = ["/foo/bar/*", "/baz/*", "/catalog", "*.bop"];
    for (path, right) in [
        ("/foo/bar/index.html", Some("/foo/bar/*")),
        ("/foo/bar/index.bop", Some("/foo/bar/*")),
        ("/baz", Some("/baz/*")),
        ("/baz/index.html", Some("/baz/*")),
        ("/bazaar", None),
        ("/catalog", Some("/catalog")),
        ("/catalog/index.html", None),
        ("/catalog/racecar.bop", Some("*.bop")),
        ("/index.bop", Some("*.bop")),
        ("/index.BOP", None),
        ("/index.bop/", None),
    ] {
        assert_eq!(best(&patterns, path), right, "{path}");
        if right.is_none() {
            assert_eq!(best(&["/", "*.bop", "/baz/*"], path), Some("/"), "{path}");
        }
    }
    assert_eq!(
        best(&["/*", "/a/*", "/a/b/*", "*.c"], "/a/b/d.c"),
        Some("/a/b/*")
    );
    assert_eq!(best(&["/*", "/", "*.c"], "/d.c"), Some("/*"));
    assert_eq!(best(&["/*", "/d.c"], "/d.c"), Some("/d.c"));
    assert_eq!(best(&["*.gz", "*.tar.gz"], "/a.tar.gz"), Some("*.tar.gz"));
}

#[test]
fn queries_and_session_parameters_are_not_looked_at() {
    assert_eq!(best(&["*.gif"], "/a.gif?b=c"), Some("*.gif"));
    assert_eq!(best(&["*.gif"], "/a.gif;jsessionid=1?b"), Some("*.gif"));
    assert_eq!(best(&["*.gif"], "/a?b=/c.gif"), None);
    assert_eq!(best(&["*.gif"], "/a;b=c.gif"), None);
    assert_eq!(best(&["/a"], "/a?b"), Some("/a"));
    // Only those of the last segment.
    assert_eq!(best(&["/a;x/b"], "/a;x/b;y"), Some("/a;x/b"));
    assert_eq!(best(&[""], "/"), Some(""));
    assert_eq!(best(&[""], "?q"), Some(""));
    assert_eq!(best(&[""], ""), Some(""));
    assert_eq!(best(&[""], "/a"), None);
}

#[test]
fn a_pattern_that_would_not_do_what_it_says_is_refused() {
    for text in [
        "a", "*", "*gif", "*.", "*.a/b", "/a*", "/*.gif", "/a/*/b", "**.gif", "/a b", "/a?b",
        "/a#", "/a/**", "*.*", "\u{e4}",
    ] {
        assert_eq!(Pattern::parse(text.as_bytes()), None, "{text}");
    }
}

#[test]
fn the_order_of_matches_is_the_specifications() {
    let order = [
        Match::Default,
        Match::Suffix(4),
        Match::Suffix(7),
        Match::Prefix(0),
        Match::Prefix(4),
        Match::Exact,
    ];
    assert!(order.is_sorted());
}
