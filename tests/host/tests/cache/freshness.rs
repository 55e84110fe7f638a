// SPDX-License-Identifier: GPL-2.0

//! Ages and lifetimes (RFC 9111 section 4.2).

use proptest::prelude::*;

use super::{answer, at, date, get, instant, lines, status, times};
use crate::cache::{age, Basis, DeltaSeconds, Freshness, Request, Response, Rules, Times};
use crate::http::head::BodyLength;
use crate::http::Method;
use crate::time::{Instant, UnixTime};

const DAY: i64 = 86_400;

/// The freshness of a response that was asked for and came at the same time.
fn freshness_of(code: u16, fields: &[String], rules: &Rules<'_>) -> Freshness {
    answered(&get(b""), code, fields, rules)
}

/// The same of an answer to this request.
fn answered(request: &Request<'_>, code: u16, fields: &[String], rules: &Rules<'_>) -> Freshness {
    let lines = lines(&fields.iter().map(String::as_str).collect::<Vec<_>>());
    answer(request, code, &lines, rules).freshness
}

fn lifetime(code: u16, fields: &[String]) -> (u32, Basis) {
    let freshness = freshness_of(code, fields, &Rules::DEFAULT);
    (freshness.lifetime.as_secs(), freshness.basis)
}

fn field(name: &str, value: impl ToString) -> String {
    format!("{name}: {}", value.to_string())
}

/// RFC 9111 section 4.2.1: the first match of s-maxage (in a shared cache), max-age, Expires minus
/// Date, heuristics.
#[test]
fn the_lifetime_is_of_the_first_that_says_it() {
    let expires = field("Expires", date(100));
    let dated = field("Date", date(0));
    let modified = field("Last-Modified", date(-1000));
    for (fields, expected) in [
        (vec![], (0, Basis::Nothing)),
        (
            vec![field("Cache-Control", "max-age=7, s-maxage=9")],
            (9, Basis::SMaxage),
        ),
        (
            vec![field("Cache-Control", "s-maxage=0, max-age=7")],
            (0, Basis::SMaxage),
        ),
        (
            vec![field("Cache-Control", "max-age=7"), expires.clone()],
            (7, Basis::MaxAge),
        ),
        (
            vec![field("Cache-Control", "max-age=x"), expires.clone()],
            (0, Basis::MaxAge),
        ),
        (
            vec![field("Cache-Control", "max-age=7"), field("Expires", 0)],
            (7, Basis::MaxAge),
        ),
        (vec![expires.clone(), dated.clone()], (100, Basis::Expires)),
        (
            vec![expires.clone(), modified.clone(), dated.clone()],
            (100, Basis::Expires),
        ),
        (
            vec![modified.clone(), dated.clone()],
            (100, Basis::Heuristic),
        ),
        // RFC 9213 section 2.2.
        (
            vec![field("CDN-Cache-Control", "max-age=7"), expires.clone()],
            (7, Basis::MaxAge),
        ),
        (
            vec![field("CDN-Cache-Control", "x"), expires.clone()],
            (0, Basis::Nothing),
        ),
        (
            vec![
                field("CDN-Cache-Control", "x"),
                expires,
                field("Cache-Control", "max-age=5"),
                modified,
            ],
            (100, Basis::Heuristic),
        ),
    ] {
        assert_eq!(lifetime(200, &fields), expected, "for {fields:?}");
    }
    for (basis, is_explicit) in [
        (Basis::SMaxage, true),
        (Basis::MaxAge, true),
        (Basis::Expires, true),
        (Basis::Mapped, false),
        (Basis::Heuristic, false),
        (Basis::Nothing, false),
    ] {
        assert_eq!(basis.is_explicit(), is_explicit);
    }
}

/// RFC 9111 section 5.3 and RFC 9110 section 5.6.7: three forms of dates, and all else is past.
#[test]
fn expires_is_read_in_all_forms_or_is_past() {
    // Dates of the year 2050 on a clock of 1994.
    let future = |text: &str| lifetime(200, &[field("Expires", text), field("Date", date(0))]);
    for text in ["Thu, 18 Aug 2050 02:01:18 GMT", "Thu Aug 18 02:01:18 2050"] {
        assert_eq!(future(text), (1_760_289_101, Basis::Expires), "for {text}");
    }
    assert_eq!(
        future("Sunday, 06-Nov-94 08:49:47 GMT"),
        (10, Basis::Expires)
    );
    assert_eq!(future("Sun Nov  6 08:49:47 1994"), (10, Basis::Expires));
    for text in [
        "0",
        "-1",
        "",
        "now",
        "THU, 18 Aug 2050 02:01:18 GMT",
        "Thu, 18 AUG 2050 02:01:18 GMT",
        "Thu, 18 Aug 2050 02:01:18 gMT",
        "Thu, 18 Aug 2050 02:01:18 UTC",
        "Thu, 18 Aug 50 02:01:18 GMT",
        "Thu 18 Aug 2050 02:01:18 GMT",
        "Thu, 18  Aug  2050 02:01:18 GMT",
        "Thu, 18-Aug-2050 02:01:18 GMT",
        "Thu, 18 Aug 2050 02.01.18 GMT",
        "Thu, 18 Aug 2050 2:01:18 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:36 GMT",
    ] {
        assert_eq!(future(text), (0, Basis::Expires), "for {text}");
    }
}

/// The first of several, RFC 9111 section 4.2.1.
#[test]
fn the_first_of_several_dates_counts() {
    let two = [
        field("Expires", date(10)),
        field("Expires", date(20)),
        field("Date", date(0)),
    ];
    assert_eq!(lifetime(200, &two).0, 10);
    let bad = [
        field("Expires", 0),
        field("Expires", date(20)),
        field("Date", date(0)),
    ];
    assert_eq!(lifetime(200, &bad).0, 0);
    let dates = [
        field("Expires", date(10)),
        field("Date", date(-5)),
        field("Date", date(0)),
    ];
    assert_eq!(lifetime(200, &dates).0, 15);
}

/// RFC 9110 section 6.6.1: without a valid Date it is of when it came.
#[test]
fn a_missing_date_is_the_time_it_came() {
    for fields in [
        vec![field("Expires", date(10))],
        vec![field("Expires", date(10)), field("Date", "foo")],
        vec![
            field("Expires", date(10)),
            field("Date", "foo"),
            field("Date", date(-50)),
        ],
    ] {
        assert_eq!(
            lifetime(200, &fields),
            (10, Basis::Expires),
            "for {fields:?}"
        );
        let freshness = freshness_of(200, &fields, &Rules::DEFAULT);
        assert_eq!(freshness.initial_age, DeltaSeconds::ZERO);
    }
}

/// RFC 9111 section 4.2.2, RFC 9110 section 15.1.
#[test]
fn heuristics_are_for_some_statuses_or_for_what_is_public() {
    let modified = field("Last-Modified", date(-DAY));
    let public = field("Cache-Control", "public");
    for code in 200..600 {
        let may = matches!(
            code,
            200 | 203 | 204 | 206 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501
        );
        let expected = match may {
            true => (8640, Basis::Heuristic),
            false => (0, Basis::Nothing),
        };
        assert_eq!(lifetime(code, &[modified.clone()]), expected, "for {code}");
        let with_public = lifetime(code, &[modified.clone(), public.clone()]);
        assert_eq!(with_public, (8640, Basis::Heuristic), "for {code}");
    }
}

#[test]
fn heuristics_are_a_tenth_and_capped() {
    let capped = |secs| Rules {
        heuristic_cap: DeltaSeconds::from_secs(secs),
        ..Rules::DEFAULT
    };
    for (modified, rules, expected) in [
        (-5, Rules::DEFAULT, 0),
        (-10, Rules::DEFAULT, 1),
        (-10 * DAY, Rules::DEFAULT, DAY),
        (-11 * DAY, Rules::DEFAULT, DAY),
        (-7000 * DAY, Rules::DEFAULT, DAY),
        (-7000 * DAY, capped(u64::MAX), 700 * DAY),
        (-1000, capped(0), 0),
        // From the future.
        (1000, Rules::DEFAULT, 0),
    ] {
        let fields = [
            field("Last-Modified", date(modified)),
            field("Date", date(0)),
        ];
        let found = freshness_of(200, &fields, &rules);
        assert_eq!(
            i64::from(found.lifetime.as_secs()),
            expected,
            "for {modified}"
        );
        assert_eq!(found.basis, Basis::Heuristic);
    }
    assert_eq!(
        lifetime(200, &[field("Last-Modified", "x")]),
        (0, Basis::Nothing)
    );
    assert_eq!(
        lifetime(200, &[field("ETag", "\"x\"")]),
        (0, Basis::Nothing)
    );
}

/// Resin's cache-mapping: "only for responses with a validator and no age of their own".
#[test]
fn a_mapping_is_for_what_has_a_validator_and_no_age() {
    let rules = Rules {
        mapped: Some(DeltaSeconds::from_secs(77)),
        ..Rules::DEFAULT
    };
    for (fields, expected) in [
        (vec![field("ETag", "\"x\"")], (77, Basis::Mapped)),
        (
            vec![field("Last-Modified", date(-1000))],
            (77, Basis::Mapped),
        ),
        (vec![field("Last-Modified", "x")], (0, Basis::Nothing)),
        (vec![field("ETag", "\"x")], (0, Basis::Nothing)),
        (vec![], (0, Basis::Nothing)),
        (
            vec![field("ETag", "\"x\""), field("Cache-Control", "max-age=5")],
            (5, Basis::MaxAge),
        ),
        (
            vec![field("ETag", "\"x\""), field("Expires", 0)],
            (0, Basis::Expires),
        ),
    ] {
        let found = freshness_of(200, &fields, &rules);
        assert_eq!(
            (found.lifetime.as_secs(), found.basis),
            expected,
            "for {fields:?}"
        );
    }
    assert_eq!(
        freshness_of(201, &[field("ETag", "\"x\"")], &rules).basis,
        Basis::Nothing
    );
}

/// RFC 9111 section 5.1.
#[test]
fn age_is_a_number_or_in_doubt() {
    const OLD: u32 = 1 << 31;
    for (fields, expected) in [
        (&[][..], 0),
        (&["Age: 5"], 5),
        (&["Age: 0005"], 5),
        (&["Age: 0,7200"], 0),
        (&["Age: 7200,0"], 7200),
        (&["Age: 5,5,5"], 5),
        (&["Age: 7200, 0"], OLD),
        (&["Age: 0,"], OLD),
        (&["Age: ,0"], OLD),
        (&["Age: "], OLD),
        (&["Age: 0", "Age: 0"], OLD),
        (&["Age: 7200", "Age: 0"], OLD),
        (&["Age: ", "Age: 7200"], OLD),
        (&["Age: 5,abc"], OLD),
        (&["Age: abc"], OLD),
        (&["Age: -7200"], OLD),
        (&["Age: 7200.0"], OLD),
        (&["Age: \"7200\""], OLD),
        (&["Age: 5s"], OLD),
        (&["Age: 2147483648"], OLD),
        (&["Age: 99999999999999999999999"], OLD),
    ] {
        assert_eq!(age(&lines(fields)).as_secs(), expected, "for {fields:?}");
    }
}

/// RFC 9111 section 4.2.3.
#[test]
fn ages_are_corrected() {
    for (dated, age_value, request, response, expected) in [
        // No delay, no Age, no difference of clocks.
        (0, 0, 0, 0, 0),
        // apparent_age: its clock is behind, or it has been on its way.
        (-10, 0, 0, 0, 10),
        // Its clock is ahead.
        (10, 0, 0, 0, 0),
        (10, 15, 0, 0, 15),
        // corrected_age_value: Age and the delay.
        (-10, 25, 0, 0, 25),
        (-10, 5, 0, 0, 10),
        (0, 5, -7, 0, 12),
        (0, 0, -7, 0, 7),
        (0, 5, 7, 0, 5),
        (0, i64::from(u32::MAX), -7, 0, 1 << 31),
    ] {
        let fields = lines(&[&field("Date", date(dated)), &field("Age", age_value)]);
        let (times, rules) = (times(request, response), &Rules::DEFAULT);
        let found = Response::of(&get(b""), status(200), &fields, age(&fields), &times, rules);
        assert_eq!(
            i64::from(found.freshness.initial_age.as_secs()),
            expected,
            "for {dated} {age_value}"
        );
    }
}

/// RFC 9111 section 4.2: fresh while the lifetime is longer than the age.
#[test]
fn it_grows_stale() {
    let fields = [field("Cache-Control", "max-age=10"), field("Age", 4)];
    let freshness = freshness_of(200, &fields, &Rules::DEFAULT);
    for (now, age, is_fresh, staleness, ttl) in [
        (0, 4, true, 0, 6),
        (5, 9, true, 0, 1),
        (6, 10, false, 0, 0),
        (7, 11, false, 1, -1),
        (1_000_000, 1_000_004, false, 999_994, -999_994),
        // Before it came: it is not younger than it was.
        (-100, 4, true, 0, 6),
    ] {
        assert_eq!(
            freshness.current_age(instant(now)).as_secs(),
            age,
            "at {now}"
        );
        assert_eq!(freshness.is_fresh(instant(now)), is_fresh, "at {now}");
        assert_eq!(
            freshness.staleness(instant(now)).as_secs(),
            staleness,
            "at {now}"
        );
        assert_eq!(freshness.ttl(instant(now)), ttl, "at {now}");
    }
}

/// RFC 9111 section 4.2.3: delay and residence are spans. The wall clock, which people set, is only
/// compared with the dates of the origin.
#[test]
fn a_clock_that_is_set_makes_nothing_younger() {
    for (wall, expected) in [
        // An hour back, at the moment between request and response.
        (-3600, 7),
        // Right.
        (0, 7),
        // An hour too late: its Date seems to be old.
        (3600, 3600),
    ] {
        let fields = lines(&[&field("Date", date(0)), "Cache-Control: max-age=10"]);
        let times = Times {
            response_wall: at(wall),
            ..times(-7, 0)
        };
        let rules = &Rules::DEFAULT;
        let found = Response::of(&get(b""), status(200), &fields, age(&fields), &times, rules);
        let freshness = found.freshness;
        assert_eq!(freshness.initial_age.as_secs(), expected, "for {wall}");
        assert_eq!(freshness.current_age(instant(5)).as_secs(), expected + 5);
    }
}

/// A rule of ours: what somebody got who is known is not guessed to be good for all. What is said
/// (RFC 9111 section 4.2.1) counts, by the origin or in a mapping.
#[test]
fn nothing_is_guessed_for_those_who_are_known() {
    let modified = field("Last-Modified", date(-1000));
    let mapped = Rules {
        mapped: Some(DeltaSeconds::from_secs(77)),
        ..Rules::DEFAULT
    };
    let cookie = lines(&["Cookie: a=b"]);
    let empty = lines(&["cookie:"]);
    let basic = lines(&["Authorization: Basic eDp5"]);
    for (lines, session_in_path, is_known) in [
        (&b""[..], false, false),
        (b"", true, true),
        (&cookie, false, true),
        (&empty, false, true),
        // Who has credentials is as well known.
        (&basic, false, true),
    ] {
        let request = Request::of(Method::Get, lines, BodyLength::None, session_in_path);
        let found = answered(&request, 200, &[modified.clone()], &Rules::DEFAULT);
        let expected = match is_known {
            true => (0, Basis::Nothing),
            false => (100, Basis::Heuristic),
        };
        assert_eq!((found.lifetime.as_secs(), found.basis), expected);
        let said = [modified.clone(), field("Cache-Control", "max-age=5")];
        let found = answered(&request, 200, &said, &Rules::DEFAULT);
        assert_eq!((found.lifetime.as_secs(), found.basis), (5, Basis::MaxAge));
        let found = answered(&request, 200, &[modified.clone()], &mapped);
        assert_eq!((found.lifetime.as_secs(), found.basis), (77, Basis::Mapped));
    }
}

fn any_time() -> impl Strategy<Value = UnixTime> {
    prop_oneof![
        any::<i64>().prop_map(UnixTime::from_secs),
        (-5_000_000_000i64..5_000_000_000).prop_map(UnixTime::from_secs),
    ]
}

proptest! {
    #![proptest_config(crate::tests::cases(512))]

    /// Whatever the clocks and numbers are, ages stay in their range and only grow.
    #[test]
    fn nothing_overflows(
        (request, response, now, later) in any::<(u64, u64, u64, u64)>(),
        wall in any_time(),
        (max_age, age_value) in any::<(u64, u64)>(),
        (date, expires, is_said) in ("[ -~]{0,30}", -10_000i64..300_000_000_000, any::<bool>()),
    ) {
        let name = if is_said { "max-age" } else { "stale-if-error" };
        let fields = lines(&[
            &field("Date", date),
            &field("Expires", super::date(expires)),
            &field("Cache-Control", format!("{name}={max_age}")),
            &field("Age", age_value),
        ]);
        let [request, response, now, later] = [request, response, now, later].map(Instant::from_nanos);
        let times = Times {
            request_boottime: request,
            response_boottime: response,
            response_wall: wall,
        };
        let rules = &Rules::DEFAULT;
        let freshness = Response::of(&get(b""), status(200), &fields, age(&fields), &times, rules).freshness;
        prop_assert!(freshness.current_age(now) >= freshness.initial_age);
        prop_assert!(freshness.current_age(now) <= DeltaSeconds::MAX);
        prop_assert_eq!(freshness.is_fresh(now), freshness.ttl(now) > 0);
        prop_assert_eq!(freshness.staleness(now).as_secs() > 0, freshness.ttl(now) < 0);
        let (first, last) = (now.min(later), now.max(later));
        prop_assert!(freshness.current_age(first) <= freshness.current_age(last));
    }

    /// Nobody becomes younger by what he adds to his Age.
    #[test]
    fn what_is_added_to_an_age_does_not_make_it_less(first in 0..100_000u32, more in "[0-9a, ;-]{0,4}") {
        let alone = age(&lines(&[&field("Age", first)]));
        prop_assert_eq!(alone.as_secs(), first);
        let longer = age(&lines(&[&field("Age", format!("{first}{more}"))]));
        prop_assert!(longer >= alone);
        prop_assert_eq!(age(&lines(&[&field("Age", first), &field("Age", more)])), DeltaSeconds::MAX);
    }
}
