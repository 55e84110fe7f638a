// SPDX-License-Identifier: GPL-2.0

//! Whether a stored response may be reused (RFC 9111 section 4).

use proptest::prelude::*;

use super::{asked as request_with, at, get, lines, response, status};
use crate::cache::{
    reuse, reuse_on_failure, DeltaSeconds, Excuse, Failure, Forward, RequestControl, Reuse, Rules,
};
use crate::http::Method;

const STALE: Reuse = Reuse::Validate(Forward::Stale);
const ASKED: Reuse = Reuse::Validate(Forward::Request);

/// What is done at a time with a request that has this Cache-Control and a response with that one,
/// which came at the time 0.
fn reused_with(asked: &str, said: &str, now: i64, rules: &Rules) -> Reuse {
    let asked = lines(&[&format!("Cache-Control: {asked}")]);
    let stored = response(200, &lines(&[&format!("Cache-Control: {said}")]), rules);
    reuse(
        &get(&asked),
        Some(&stored),
        Forward::UriMiss,
        rules,
        at(now),
    )
}

fn reused(asked: &str, said: &str, now: i64) -> Reuse {
    reused_with(asked, said, now, &Rules::DEFAULT)
}

#[test]
fn what_is_fresh_is_reused() {
    for (said, now, expected) in [
        ("max-age=10", 0, Reuse::Fresh),
        ("max-age=10", 9, Reuse::Fresh),
        ("max-age=10", 10, STALE),
        ("s-maxage=10, max-age=1", 9, Reuse::Fresh),
        (
            "max-age=10, must-revalidate, proxy-revalidate",
            9,
            Reuse::Fresh,
        ),
        ("max-age=10, no-cache=\"x\"", 9, Reuse::Fresh),
        // RFC 9111 section 5.2.2.4.
        ("max-age=10, no-cache", 0, STALE),
        ("", 0, STALE),
    ] {
        assert_eq!(reused("", said, now), expected, "for {said} at {now}");
    }
}

/// RFC 9111 section 5.2.1.
#[test]
fn clients_have_their_wishes() {
    for (asked, said, now, expected) in [
        ("max-age=5", "max-age=10", 5, Reuse::Fresh),
        ("max-age=5", "max-age=10", 6, ASKED),
        ("max-age=0", "max-age=10", 0, ASKED),
        ("max-age=x", "max-age=10", 0, ASKED),
        ("max-age=20", "max-age=10", 11, STALE),
        ("min-fresh=5", "max-age=10", 5, Reuse::Fresh),
        ("min-fresh=5", "max-age=10", 6, ASKED),
        ("min-fresh=2147483648", "max-age=10", 0, ASKED),
        ("no-cache", "max-age=10", 0, ASKED),
        ("no-cache", "max-age=10, immutable", 0, ASKED),
        ("no-store", "max-age=10", 0, Reuse::Pass(Forward::Request)),
        ("max-stale=5", "max-age=10", 9, Reuse::Fresh),
        (
            "max-stale=5",
            "max-age=10",
            15,
            Reuse::Stale(Excuse::MaxStale),
        ),
        ("max-stale=5", "max-age=10", 16, STALE),
        (
            "max-stale=0",
            "max-age=10",
            10,
            Reuse::Stale(Excuse::MaxStale),
        ),
        (
            "max-stale",
            "max-age=10",
            1_000_000_000,
            Reuse::Stale(Excuse::MaxStale),
        ),
        (
            "max-stale, max-age=12",
            "max-age=10",
            12,
            Reuse::Stale(Excuse::MaxStale),
        ),
        ("max-stale, max-age=12", "max-age=10", 13, ASKED),
        ("max-stale, min-fresh=1", "max-age=10", 12, ASKED),
        // RFC 8246 section 2: reloading is no reason to ask.
        ("max-age=0", "max-age=10, immutable", 9, Reuse::Fresh),
        ("max-age=0", "max-age=10, immutable", 10, ASKED),
        ("min-fresh=5", "max-age=10, immutable", 9, ASKED),
    ] {
        assert_eq!(
            reused(asked, said, now),
            expected,
            "for {asked}; {said} at {now}"
        );
    }
}

/// RFC 9111 section 5.2.1.7.
#[test]
fn only_if_cached_never_asks() {
    for (asked, said, now, expected) in [
        ("only-if-cached", "max-age=10", 9, Reuse::Fresh),
        ("only-if-cached", "max-age=10", 10, Reuse::GatewayTimeout),
        (
            "only-if-cached, max-stale",
            "max-age=10",
            10,
            Reuse::Stale(Excuse::MaxStale),
        ),
        (
            "only-if-cached, no-cache",
            "max-age=10",
            0,
            Reuse::GatewayTimeout,
        ),
        (
            "only-if-cached, no-store",
            "max-age=10",
            0,
            Reuse::GatewayTimeout,
        ),
        (
            "only-if-cached",
            "max-age=10, no-cache",
            0,
            Reuse::GatewayTimeout,
        ),
    ] {
        assert_eq!(
            reused(asked, said, now),
            expected,
            "for {asked}; {said} at {now}"
        );
    }
    let asked = lines(&["Cache-Control: only-if-cached"]);
    let found = reuse(&get(&asked), None, Forward::UriMiss, &Rules::DEFAULT, at(0));
    assert_eq!(found, Reuse::GatewayTimeout);
}

#[test]
fn what_is_not_there_is_asked_for() {
    for missed in [Forward::UriMiss, Forward::VaryMiss] {
        for asked in [&[][..], &["Cache-Control: no-cache"], &["If-Match: *"]] {
            let asked = lines(asked);
            let found = reuse(&get(&asked), None, missed, &Rules::DEFAULT, at(0));
            assert_eq!(found, Reuse::Pass(missed));
        }
    }
}

/// RFC 9111 section 4: GET answers GET and HEAD; others are written through.
#[test]
fn only_get_and_head_reuse() {
    let stored = response(200, &lines(&["Cache-Control: max-age=10"]), &Rules::DEFAULT);
    for (method, expected) in [
        (Method::Get, Reuse::Fresh),
        (Method::Head, Reuse::Fresh),
        (Method::Post, Reuse::Pass(Forward::Method)),
        (Method::Put, Reuse::Pass(Forward::Method)),
        (Method::Options, Reuse::Pass(Forward::Method)),
        (Method::Other, Reuse::Pass(Forward::Method)),
    ] {
        let asked = lines(&["Cache-Control: only-if-cached"]);
        let request = request_with(method, &asked);
        let found = reuse(
            &request,
            Some(&stored),
            Forward::UriMiss,
            &Rules::DEFAULT,
            at(0),
        );
        assert_eq!(found, expected, "for {method:?}");
    }
}

/// RFC 9110 sections 13.1.1 and 13.1.4: they are about what the origin has now.
#[test]
fn conditions_on_the_state_of_the_origin_go_there() {
    let stored = response(200, &lines(&["Cache-Control: max-age=10"]), &Rules::DEFAULT);
    for (field, expected) in [
        ("If-Match: \"x\"", Reuse::Pass(Forward::Request)),
        (
            "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT",
            Reuse::Pass(Forward::Request),
        ),
        ("If-None-Match: \"x\"", Reuse::Fresh),
        (
            "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT",
            Reuse::Fresh,
        ),
        ("Range: bytes=0-1", Reuse::Fresh),
        ("Host: h", Reuse::Fresh),
    ] {
        let asked = lines(&[field]);
        let request = get(&asked);
        assert_eq!(request.has_range, field.starts_with("Range"));
        let found = reuse(
            &request,
            Some(&stored),
            Forward::UriMiss,
            &Rules::DEFAULT,
            at(0),
        );
        assert_eq!(found, expected, "for {field}");
    }
}

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
        "s-maxage=10",
        "no-cache",
    ] {
        let said = format!("max-age=10, {allowances}, {forbidding}");
        for asked in ["", "max-stale", "stale-if-error=100"] {
            let found = reused_with(asked, &said, 11, &generous);
            assert_eq!(found, STALE, "for {asked}; {said}");
            let stored = response(200, &lines(&[&format!("Cache-Control: {said}")]), &generous);
            let asked = RequestControl::of(&lines(&[&format!("Cache-Control: {asked}")]));
            let failed = reuse_on_failure(&asked, &stored, Failure::NoAnswer, &generous, at(11));
            assert_eq!(failed, None, "for {said}");
        }
    }
}

fn excused(asked: &str, said: &str, failure: Failure, now: i64, rules: &Rules) -> bool {
    let asked = RequestControl::of(&lines(&[&format!("Cache-Control: {asked}")]));
    let stored = response(200, &lines(&[&format!("Cache-Control: {said}")]), rules);
    let excuse = reuse_on_failure(&asked, &stored, failure, rules, at(now));
    assert!(matches!(excuse, None | Some(Excuse::IfError)));
    excuse.is_some()
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

proptest! {
    #![proptest_config(crate::tests::cases(1024))]

    /// What RFC 9111 section 4 forbids, whatever else is said.
    #[test]
    fn nothing_forbidden_is_reused(
        asked in prop::collection::vec(0usize..8, 0..4),
        said in prop::collection::vec(0usize..9, 0..5),
        (lifetime, now, number) in (0u32..40, 0i64..80, 0u32..40),
        (grace, if_error) in (0u64..40, 0u64..40),
    ) {
        let asked: Vec<_> = asked.into_iter().map(|index| [
            "no-cache".to_owned(), "no-store".to_owned(), "only-if-cached".to_owned(),
            format!("max-age={number}"), format!("min-fresh={number}"), "max-stale".to_owned(),
            format!("max-stale={number}"), format!("stale-if-error={number}"),
        ][index].clone()).collect();
        let said: Vec<_> = said.into_iter().map(|index| [
            "no-cache".to_owned(), "must-revalidate".to_owned(), "proxy-revalidate".to_owned(),
            "s-maxage=9".to_owned(), "immutable".to_owned(), "public".to_owned(),
            format!("stale-while-revalidate={number}"), format!("stale-if-error={number}"),
            "no-cache=\"x\"".to_owned(),
        ][index].clone()).collect();
        let rules = Rules {
            grace: DeltaSeconds::from_secs(grace),
            stale_if_error: DeltaSeconds::from_secs(if_error),
            ..Rules::DEFAULT
        };
        let (asked, said) = (asked.join(", "), format!("max-age={lifetime}, {}", said.join(", ")));
        let found = reused_with(&asked, &said, now, &rules);
        let stored = response(200, &lines(&[&format!("Cache-Control: {said}")]), &rules);
        let control = RequestControl::of(&lines(&[&format!("Cache-Control: {asked}")]));
        let failed = reuse_on_failure(&control, &stored, Failure::NoAnswer, &rules, at(now));
        let is_used = matches!(found, Reuse::Fresh | Reuse::Stale(_));
        let is_fresh = stored.freshness.is_fresh(at(now));
        let must_be_fresh = stored.control.must_revalidate
            || stored.control.proxy_revalidate
            || stored.control.s_maxage.is_some();
        if stored.control.no_cache || control.no_cache || control.no_store {
            prop_assert!(!is_used && failed.is_none());
        }
        prop_assert!(!is_used || is_fresh || !must_be_fresh);
        prop_assert!(failed.is_none() || is_fresh || !must_be_fresh);
        prop_assert_eq!(found == Reuse::Fresh, is_used && is_fresh);
        if control.only_if_cached {
            prop_assert!(is_used || found == Reuse::GatewayTimeout);
        } else {
            prop_assert_ne!(found, Reuse::GatewayTimeout);
        }
    }
}
