// SPDX-License-Identifier: GPL-2.0

//! `Cache-Control: private` in the place of Vary, which is Resin's rewrite-vary-as-private.

use super::*;

const PRIVATE: Manner<'static> = Manner {
    private: true,
    ..MANNER
};

fn control(kept: &[&str]) -> Vec<String> {
    of(kept, &[], &PRIVATE).values("Cache-Control")
}

/// RFC 9111 section 4.2.1: "the most restrictive directive should be honored"; what is not as
/// restrictive is left out.
#[test]
fn what_varies_is_private() {
    const VARY: &str = "Vary: Accept";
    assert_eq!(control(&[DATE, VARY]), ["private"]);
    for (said, right) in [
        ("max-age=60", "private, max-age=60"),
        ("public, max-age=60", "private, max-age=60"),
        (
            "max-age=60,Public , s-maxage=5, must-revalidate",
            "private, max-age=60, must-revalidate",
        ),
        ("S-MaxAge = 5", "private"),
        ("private", "private"),
        (
            "private=\"a, public\", x=\"public, b\"",
            "private, x=\"public, b\"",
        ),
        ("no-cache=\"a, b\"", "private, no-cache=\"a, b\""),
        ("publicity, , privates", "private, publicity, privates"),
        ("", "private"),
        // A quoted string that does not end is none.
        ("a=\"b, public, c", "private, a=\"b, c"),
    ] {
        let line = format!("Cache-Control: {said}");
        assert_eq!(control(&[DATE, VARY, &line]), [right]);
    }
    let two = [
        "Cache-Control: public",
        DATE,
        VARY,
        "cache-control: max-age=60",
        "vary: b",
    ];
    let answer = of(&two, &[], &PRIVATE);
    let expected = [
        DATE,
        "Cache-Control: private, max-age=60",
        "Accept-Ranges: bytes",
        "Age: 10",
        "Content-Length: 1000",
    ];
    assert_eq!(answer.said(), (200, expected.map(str::to_owned).to_vec()));
    assert_eq!(answer.content, Content::Whole);
}

/// RFC 9213 section 2.2: caches obey a targeted field in the place of Cache-Control, and nothing says
/// any more that they must not mix the variants up.
#[test]
fn no_other_shared_cache_is_told_otherwise() {
    let kept = [
        DATE,
        "Vary: a",
        "CDN-Cache-Control: max-age=60",
        "Example-CDN-Cache-Control: max-age=60",
        "Surrogate-Control: max-age=60",
        "X-Cache-Controls: a",
        "Expires: 0",
    ];
    let answer = of(&kept, &[], &PRIVATE);
    let expected = [
        DATE,
        "X-Cache-Controls: a",
        "Expires: 0",
        "Cache-Control: private",
        "Accept-Ranges: bytes",
        "Age: 10",
        "Content-Length: 1000",
    ];
    assert_eq!(answer.said(), (200, expected.map(str::to_owned).to_vec()));
}

/// RFC 9110 sections 15.3.7 and 15.4.5: 206 and 304 have what the 200 would have had.
#[test]
fn all_answers_say_the_same() {
    let kept = [DATE, TAG, "Vary: a", "Cache-Control: public, max-age=60"];
    for (method, asked, code) in [
        (Method::Get, "A: b", 200),
        (Method::Head, "A: b", 200),
        (Method::Get, "If-None-Match: \"a\"", 304),
        (Method::Get, "Range: bytes=0-1", 206),
        (Method::Get, "Range: bytes=0-1,3-4", 206),
    ] {
        let answer = made(200, &kept, 1000, method, &[asked], &PRIVATE);
        assert_eq!(answer.head.status.code(), code);
        assert_eq!(answer.values("Cache-Control"), ["private, max-age=60"]);
        assert!(!answer.has("Vary"));
    }
}

#[test]
fn what_does_not_vary_stays_as_it_is() {
    let kept = [DATE, "Cache-Control: public", "CDN-Cache-Control: public"];
    let found = of(&kept, &[], &PRIVATE);
    assert_eq!(found.said(), of(&kept, &[], &MANNER).said());
    // Nor does what varies, where it is not set.
    let kept = [DATE, "Cache-Control: public", "Vary: a"];
    let found = of(&kept, &[], &MANNER);
    assert_eq!(found.values("Cache-Control"), ["public"]);
    assert_eq!(found.values("Vary"), ["a"]);
}
