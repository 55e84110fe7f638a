// SPDX-License-Identifier: GPL-2.0

//! Whether a response may be stored (RFC 9111 section 3).

use super::{asked, at, date, get, lines, response};
use crate::cache::{DeltaSeconds, Rules, SetCookie, Storable, Uncacheable};
use crate::http::Method;

const FRESH: &str = "Cache-Control: max-age=60";

fn stored_with(
    asked: &[&str],
    code: u16,
    fields: &[&str],
    rules: &Rules,
) -> Result<Storable, Uncacheable> {
    let asked = lines(asked);
    response(code, &lines(fields), rules).may_be_stored(&get(&asked), rules, at(0))
}

fn stored(asked: &[&str], code: u16, fields: &[&str]) -> Result<Storable, Uncacheable> {
    stored_with(asked, code, fields, &Rules::DEFAULT)
}

fn stored_under(value: &str) -> Result<Storable, Uncacheable> {
    let control = format!("Cache-Control: {value}");
    stored(&[], 200, &[&control, "ETag: \"x\""])
}

/// "The request method is understood by the cache": only GET is.
#[test]
fn only_answers_to_get_are_stored() {
    let fields = lines(&[FRESH]);
    let found = response(200, &fields, &Rules::DEFAULT);
    for method in [
        Method::Head,
        Method::Post,
        Method::Put,
        Method::Delete,
        Method::Options,
        Method::Patch,
        Method::Trace,
        Method::Other,
    ] {
        let request = asked(method, b"");
        let decision = found.may_be_stored(&request, &Rules::DEFAULT, at(0));
        assert_eq!(decision, Err(Uncacheable::Method), "for {method:?}");
    }
    let decision = found.may_be_stored(&get(b""), &Rules::DEFAULT, at(0));
    assert_eq!(decision, Ok(Storable::Whole));
}

/// "The response status code is final"; 304 only updates, 206 is a part; any other is stored if its
/// sender says how long it is fresh.
#[test]
fn every_final_status_is_stored_with_an_age() {
    for code in 100..1000 {
        let expected = match code {
            100..=199 | 304 => Err(Uncacheable::Status),
            206 => Ok(Storable::Partial),
            _ => Ok(Storable::Whole),
        };
        assert_eq!(stored(&[], code, &[FRESH]), expected, "for {code}");
    }
}

/// RFC 9110 section 15.1: without an age or public, only those that are heuristically cacheable.
#[test]
fn some_statuses_are_stored_without_an_age() {
    let modified = format!("Last-Modified: {}", date(-1000));
    for code in 200..600 {
        let expected = match code {
            206 => Ok(Storable::Partial),
            200 | 203 | 204 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501 => Ok(Storable::Whole),
            304 => Err(Uncacheable::Status),
            _ => Err(Uncacheable::NoFreshness),
        };
        assert_eq!(stored(&[], code, &[&modified]), expected, "for {code}");
    }
    for code in [201, 302, 403, 500, 599] {
        let public = [modified.as_str(), "Cache-Control: public"];
        assert_eq!(
            stored(&[], code, &public),
            Ok(Storable::Whole),
            "for {code}"
        );
    }
}

/// RFC 9111 sections 3 and 5.2.2.
#[test]
fn directives_of_the_response_are_obeyed() {
    for (value, expected) in [
        ("max-age=60", Ok(Storable::Whole)),
        ("s-maxage=60", Ok(Storable::Whole)),
        ("public", Ok(Storable::Whole)),
        ("no-cache", Ok(Storable::Whole)),
        ("must-revalidate", Ok(Storable::Whole)),
        ("max-age=60, private=\"x\"", Ok(Storable::Whole)),
        ("max-age=60, no-cache=\"x\"", Ok(Storable::Whole)),
        ("max-age=60, no-store", Err(Uncacheable::NoStore)),
        ("public, no-store", Err(Uncacheable::NoStore)),
        ("max-age=60, private", Err(Uncacheable::Private)),
        ("public, s-maxage=60, private", Err(Uncacheable::Private)),
        ("private, no-store", Err(Uncacheable::NoStore)),
        // Section 5.2.2.3.
        ("max-age=60, must-understand", Ok(Storable::Whole)),
        ("max-age=60, must-understand, no-store", Ok(Storable::Whole)),
        ("must-understand, private", Err(Uncacheable::Private)),
    ] {
        assert_eq!(stored_under(value), expected, "for {value}");
    }
}

/// RFC 9111 section 5.2.2.3.
#[test]
fn what_must_be_understood_is() {
    for (code, is_understood) in [
        (200, true),
        (206, true),
        (207, false),
        (226, false),
        (299, false),
        (302, true),
        (306, false),
        (404, true),
        (418, false),
        (422, true),
        (426, true),
        (451, false),
        (500, true),
        (505, true),
        (506, false),
        (599, false),
    ] {
        for value in [
            "max-age=60, must-understand",
            "max-age=60, must-understand, no-store",
        ] {
            let decision = stored(&[], code, &[&format!("Cache-Control: {value}")]);
            assert_eq!(decision.is_ok(), is_understood, "for {code} {value}");
            if !is_understood {
                assert_eq!(decision, Err(Uncacheable::NotUnderstood));
            }
        }
    }
}

/// RFC 9111 section 5.2.1.5.
#[test]
fn no_store_of_the_request_is_obeyed() {
    let asked = ["Cache-Control: no-store"];
    assert_eq!(
        stored(&asked, 200, &[FRESH]),
        Err(Uncacheable::RequestNoStore)
    );
    assert_eq!(
        stored(&["Cache-Control: no-cache"], 200, &[FRESH]),
        Ok(Storable::Whole)
    );
}

/// RFC 9111 section 3.5.
#[test]
fn authorized_responses_need_leave() {
    let asked = ["Authorization: Basic eDp5"];
    for (value, is_stored) in [
        ("max-age=60", false),
        ("max-age=60, proxy-revalidate", false),
        ("max-age=60, immutable", false),
        ("max-age=60, public", true),
        ("max-age=60, must-revalidate", true),
        ("s-maxage=60", true),
    ] {
        let decision = stored(&asked, 200, &[&format!("Cache-Control: {value}")]);
        let expected = match is_stored {
            true => Ok(Storable::Whole),
            false => Err(Uncacheable::Authorization),
        };
        assert_eq!(decision, expected, "for {value}");
    }
}

/// RFC 9213 section 2.2.
#[test]
fn a_targeted_field_decides_alone() {
    for (fields, expected) in [
        (
            ["Cache-Control: no-store", "CDN-Cache-Control: max-age=60"],
            Ok(Storable::Whole),
        ),
        (
            ["Cache-Control: private", "CDN-Cache-Control: max-age=60"],
            Ok(Storable::Whole),
        ),
        (
            ["Cache-Control: max-age=60", "CDN-Cache-Control: no-store"],
            Err(Uncacheable::NoStore),
        ),
        (
            ["Cache-Control: max-age=60", "CDN-Cache-Control: private"],
            Err(Uncacheable::Private),
        ),
        (
            [
                "Cache-Control: no-store",
                "CDN-Cache-Control: max-age=60, &",
            ],
            Err(Uncacheable::NoStore),
        ),
        (
            ["Cache-Control: no-store", "CDN-Cache-Control: "],
            Err(Uncacheable::NoStore),
        ),
        (
            ["Cache-Control: max-age=60", "CDN-Cache-Control: x"],
            Err(Uncacheable::NoFreshness),
        ),
    ] {
        assert_eq!(stored(&[], 200, &fields), expected, "for {fields:?}");
    }
}

/// What can never be reused is not stored: stale at once, and nothing to ask the origin with.
#[test]
fn what_is_of_no_use_is_not_stored() {
    let past = format!("Expires: {}", date(-10));
    let dated = format!("Date: {}", date(0));
    let modified = format!("Last-Modified: {}", date(-1));
    for (fields, expected) in [
        (&[][..], Err(Uncacheable::NoFreshness)),
        (&["Cache-Control: public"], Err(Uncacheable::NoFreshness)),
        (&["Cache-Control: max-age=0"], Err(Uncacheable::NoValidator)),
        (
            &["Cache-Control: max-age=60", "Age: 60"],
            Err(Uncacheable::NoValidator),
        ),
        (
            &["Cache-Control: max-age=60, no-cache"],
            Err(Uncacheable::NoValidator),
        ),
        (
            &["Cache-Control: no-cache, stale-if-error=60"],
            Err(Uncacheable::NoValidator),
        ),
        (
            &["Cache-Control: s-maxage=0, stale-if-error=60"],
            Err(Uncacheable::NoValidator),
        ),
        (&[&past, &dated], Err(Uncacheable::NoValidator)),
        (&["Expires: 0"], Err(Uncacheable::NoValidator)),
        (
            &["Cache-Control: max-age=60", "Age: 59"],
            Ok(Storable::Whole),
        ),
        (
            &["Cache-Control: max-age=0, stale-while-revalidate=60"],
            Ok(Storable::Whole),
        ),
        (
            &["Cache-Control: max-age=0, stale-if-error=60"],
            Ok(Storable::Whole),
        ),
        (&["ETag: \"x\""], Ok(Storable::Whole)),
        (&["Expires: 0", "ETag: \"x\""], Ok(Storable::Whole)),
        (&[&modified], Ok(Storable::Whole)),
        (
            &["Cache-Control: no-cache", "ETag: \"x\""],
            Ok(Storable::Whole),
        ),
    ] {
        assert_eq!(stored(&[], 200, fields), expected, "for {fields:?}");
    }
    let grace = Rules {
        grace: DeltaSeconds::from_secs(10),
        ..Rules::DEFAULT
    };
    let decision = stored_with(&[], 200, &["Cache-Control: max-age=0"], &grace);
    assert_eq!(decision, Ok(Storable::Whole));
}

/// RFC 9111 section 4.1.
#[test]
fn what_varies_on_everything_is_not_stored() {
    for (vary, is_stored) in [
        ("*", false),
        ("Accept, *", false),
        (",*,", false),
        ("Accept", true),
        ("**", true),
        ("", true),
    ] {
        let decision = stored(&[], 200, &[FRESH, "Vary: Cookie", &format!("Vary: {vary}")]);
        let expected = match is_stored {
            true => Ok(Storable::Whole),
            false => Err(Uncacheable::VaryAny),
        };
        assert_eq!(decision, expected, "for {vary}");
    }
}

/// RFC 9111 section 7.3, and Resin's rule.
#[test]
fn cookies_are_as_the_rule_says() {
    let modified = format!("Last-Modified: {}", date(-1000));
    for name in ["Set-Cookie: a=b", "Set-Cookie2: a=b"] {
        for (rule, fields, is_stored) in [
            (SetCookie::Explicit, [name, FRESH], true),
            (SetCookie::Explicit, [name, &modified], false),
            (SetCookie::Strip, [name, &modified], true),
            (SetCookie::Refuse, [name, FRESH], false),
        ] {
            let rules = Rules {
                set_cookie: rule,
                ..Rules::DEFAULT
            };
            let expected = match is_stored {
                true => Ok(Storable::Whole),
                false => Err(Uncacheable::SetCookie),
            };
            assert_eq!(
                stored_with(&[], 200, &fields, &rules),
                expected,
                "for {rule:?}"
            );
        }
        let public = [name, &modified, "Cache-Control: public"];
        assert_eq!(stored(&[], 200, &public), Ok(Storable::Whole));
    }
}

#[test]
fn each_reason_has_its_words() {
    let mut words: Vec<_> = Uncacheable::ALL
        .iter()
        .map(|reason| reason.as_str())
        .collect();
    assert!(words.iter().all(|words| !words.is_empty()));
    let count = words.len();
    words.sort_unstable();
    words.dedup();
    assert_eq!(words.len(), count);
}
