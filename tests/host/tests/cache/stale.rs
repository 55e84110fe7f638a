// SPDX-License-Identifier: GPL-2.0

//! Whether a stale response may be reused (RFC 9111 section 4.2.4, RFC 5861).

use super::reuse::{excused, reused, reused_with, ABSENT, ASKED, STALE};
use super::{get, instant, lines, response, status};
use crate::cache::{reuse_on_failure, DeltaSeconds, Excuse, Failure, Reuse, Rules};

/// RFC 5861 section 3, and grace where the sender says nothing.
#[test]
fn what_is_stale_may_be_reused_while_it_is_validated() {
    let grace = Rules {
        grace: DeltaSeconds::from_secs(3),
        ..Rules::DEFAULT
    };
    const EXCUSED: Reuse = Reuse::Stale(Excuse::WhileRevalidate);
    for (asked, said, now, expected, graced) in [
        (
            "",
            "max-age=10, stale-while-revalidate=5",
            9,
            Reuse::Fresh,
            Reuse::Fresh,
        ),
        (
            "",
            "max-age=10, stale-while-revalidate=5",
            10,
            EXCUSED,
            EXCUSED,
        ),
        (
            "",
            "max-age=10, stale-while-revalidate=5",
            15,
            EXCUSED,
            EXCUSED,
        ),
        ("", "max-age=10, stale-while-revalidate=5", 16, STALE, STALE),
        ("", "max-age=10, stale-while-revalidate=0", 10, STALE, STALE),
        ("", "max-age=10, stale-while-revalidate=x", 10, STALE, STALE),
        // How stale it may be is for the client to say, where it says so.
        (
            "max-stale=1",
            "max-age=10, stale-while-revalidate=5",
            13,
            STALE,
            STALE,
        ),
        ("", "max-age=10", 13, STALE, EXCUSED),
        ("", "max-age=10", 14, STALE, STALE),
        // RFC 9111 section 5.2.1: who wants it fresh gets it fresh.
        (
            "max-age=20",
            "max-age=10, stale-while-revalidate=5",
            11,
            STALE,
            STALE,
        ),
        (
            "min-fresh=0",
            "max-age=10, stale-while-revalidate=5",
            11,
            ASKED,
            ASKED,
        ),
        (
            "max-stale=0",
            "max-age=10, stale-while-revalidate=5",
            11,
            STALE,
            STALE,
        ),
        (
            "no-cache",
            "max-age=10, stale-while-revalidate=5",
            11,
            ASKED,
            ASKED,
        ),
    ] {
        assert_eq!(
            reused(asked, said, now),
            expected,
            "for {asked}; {said} at {now}"
        );
        assert_eq!(
            reused_with(asked, said, now, &grace),
            graced,
            "for {asked}; {said} at {now}"
        );
    }
}

/// RFC 9111 section 4.2.4: nobody excuses what the response forbids.
#[test]
fn what_must_be_validated_is() {
    let generous = Rules {
        grace: DeltaSeconds::MAX,
        stale_if_error: DeltaSeconds::MAX,
        ..Rules::DEFAULT
    };
    let allowances = "stale-while-revalidate=100, stale-if-error=100";
    for forbidding in [
        "must-revalidate",
        "proxy-revalidate",
        "s-maxage=10, must-revalidate",
        "no-cache",
        // Section 5.2.2.7: it should never have been there.
        "private",
        "no-store",
    ] {
        let said = format!("max-age=10, {allowances}, {forbidding}");
        for asked in ["", "max-stale", "stale-if-error=100"] {
            let found = reused_with(asked, &said, 11, &generous);
            let is_there = !matches!(forbidding, "private" | "no-store");
            let expected = if is_there { STALE } else { ABSENT };
            assert_eq!(found, expected, "for {asked}; {said}");
            let stored = response(200, &lines(&[&format!("Cache-Control: {said}")]), &generous);
            let asked = lines(&[&format!("Cache-Control: {asked}")]);
            let (asked, failure) = (get(&asked), Failure::NoAnswer);
            let failed = reuse_on_failure(&asked, &stored, failure, &generous, instant(11));
            assert_eq!(failed, None, "for {said}");
        }
    }
}

/// RFC 9111 section 5.2.2.10 and RFC 5861: beside s-maxage only what the origin says itself counts.
#[test]
fn s_maxage_leaves_it_to_the_origin() {
    let generous = Rules {
        grace: DeltaSeconds::MAX,
        stale_if_error: DeltaSeconds::MAX,
        ..Rules::DEFAULT
    };
    const EXCUSED: Reuse = Reuse::Stale(Excuse::WhileRevalidate);
    for (asked, said, now, expected, on_failure) in [
        ("", "s-maxage=10", 11, STALE, false),
        ("max-stale", "s-maxage=10", 11, STALE, false),
        ("stale-if-error=100", "s-maxage=10", 11, STALE, false),
        (
            "",
            "s-maxage=10, stale-while-revalidate=5",
            15,
            EXCUSED,
            false,
        ),
        (
            "",
            "s-maxage=10, stale-while-revalidate=5",
            16,
            STALE,
            false,
        ),
        ("", "s-maxage=10, stale-if-error=5", 15, STALE, true),
        ("", "s-maxage=10, stale-if-error=5", 16, STALE, false),
        (
            "max-stale, stale-if-error=100",
            "s-maxage=10, stale-if-error=5",
            16,
            STALE,
            false,
        ),
        (
            "",
            "s-maxage=10, proxy-revalidate, stale-while-revalidate=5, stale-if-error=5",
            11,
            STALE,
            false,
        ),
    ] {
        let found = reused_with(asked, said, now, &generous);
        assert_eq!(found, expected, "for {asked}; {said} at {now}");
        let found = excused(asked, said, Failure::NoAnswer, now, &generous);
        assert_eq!(found, on_failure, "for {asked}; {said} at {now}");
    }
}

/// Our rules prolong a life, they do not give one; nor do the wishes of clients. What the origin says
/// counts.
#[test]
fn what_never_was_fresh_has_no_grace() {
    let generous = Rules {
        grace: DeltaSeconds::MAX,
        stale_if_error: DeltaSeconds::MAX,
        ..Rules::DEFAULT
    };
    assert_eq!(reused_with("", "", 0, &generous), STALE);
    assert!(!excused("", "", Failure::NoAnswer, 0, &generous));
    for wish in ["max-stale", "max-stale=100", "stale-if-error=100"] {
        for said in ["", "public", "max-age=0", "public, max-age=0"] {
            assert_eq!(reused_with(wish, said, 0, &generous), STALE);
            assert!(!excused(wish, said, Failure::NoAnswer, 0, &generous));
        }
    }
    let said = "stale-while-revalidate=5, stale-if-error=5";
    let while_revalidate = Reuse::Stale(Excuse::WhileRevalidate);
    assert_eq!(reused_with("", said, 5, &Rules::DEFAULT), while_revalidate);
    assert!(excused("", said, Failure::NoAnswer, 5, &Rules::DEFAULT));
    assert_eq!(reused_with("", "max-age=0", 0, &generous), STALE);
    assert!(!excused("", "max-age=0", Failure::NoAnswer, 0, &generous));
    let excuse = Reuse::Stale(Excuse::WhileRevalidate);
    assert_eq!(reused_with("", "max-age=1", 2, &generous), excuse);
    assert!(excused("", "max-age=1", Failure::NoAnswer, 2, &generous));
}

/// RFC 5861 section 4: what a failure is.
#[test]
fn some_answers_are_failures() {
    let said = "max-age=10, stale-if-error=5";
    let rules = &Rules::DEFAULT;
    assert!(excused("", said, Failure::NoAnswer, 12, rules));
    for code in 200..600 {
        let is_failure = matches!(code, 500 | 502 | 503 | 504);
        let failure = Failure::Answer(status(code));
        assert_eq!(
            excused("", said, failure, 12, rules),
            is_failure,
            "for {code}"
        );
    }
}

/// RFC 5861 section 4: as directive of either side, and a setting where the sender says nothing.
#[test]
fn failures_excuse_what_is_stale() {
    let lenient = Rules {
        stale_if_error: DeltaSeconds::from_secs(3),
        ..Rules::DEFAULT
    };
    for (asked, said, now, expected, lenient_expected) in [
        ("", "max-age=10, stale-if-error=5", 15, true, true),
        ("", "max-age=10, stale-if-error=5", 16, false, false),
        (
            "stale-if-error=7",
            "max-age=10, stale-if-error=5",
            17,
            true,
            true,
        ),
        (
            "stale-if-error=2",
            "max-age=10, stale-if-error=5",
            15,
            true,
            true,
        ),
        ("stale-if-error=5", "max-age=10", 15, true, true),
        ("", "max-age=10, stale-if-error=0", 10, false, false),
        ("", "max-age=10", 10, false, true),
        ("", "max-age=10", 13, false, true),
        ("", "max-age=10", 14, false, false),
        // What is fresh was asked for in vain.
        ("max-age=5", "max-age=10, must-revalidate", 9, true, true),
        ("min-fresh=5", "max-age=10", 9, true, true),
        ("no-cache", "max-age=10, stale-if-error=5", 9, false, false),
        ("no-store", "max-age=10, stale-if-error=5", 9, false, false),
        (
            "",
            "max-age=10, stale-if-error=5, no-cache",
            9,
            false,
            false,
        ),
    ] {
        let failure = Failure::NoAnswer;
        let found = excused(asked, said, failure, now, &Rules::DEFAULT);
        assert_eq!(found, expected, "for {asked}; {said} at {now}");
        let found = excused(asked, said, failure, now, &lenient);
        assert_eq!(
            found, lenient_expected,
            "for {asked}; {said} at {now}, lenient"
        );
    }
}
