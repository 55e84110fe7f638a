// SPDX-License-Identifier: GPL-2.0

//! Whether a response may be stored (RFC 9111 section 3).

use super::{answer, asked, date, get, instant, lines, response};
use crate::cache::{DeltaSeconds, Request, Rules, SetCookie, Storable, Uncacheable};
use crate::http::head::BodyLength;
use crate::http::Method;

const FRESH: &str = "Cache-Control: max-age=60";

fn stored_with(
    asked: &[&str],
    code: u16,
    fields: &[&str],
    rules: &Rules<'_>,
) -> Result<Storable, Uncacheable> {
    let asked = lines(asked);
    let request = get(&asked);
    answer(&request, code, &lines(fields), rules).may_be_stored(&request, rules, instant(0))
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
        let decision = found.may_be_stored(&request, &Rules::DEFAULT, instant(0));
        assert_eq!(decision, Err(Uncacheable::Method), "for {method:?}");
    }
    let decision = found.may_be_stored(&get(b""), &Rules::DEFAULT, instant(0));
    assert_eq!(decision, Ok(Storable::Whole));
}

/// RFC 9110 section 9.3.1: content of a GET "might lead some implementations to reject the request"
/// or to answer something else; it is in no key.
#[test]
fn no_answer_to_content_is_stored() {
    let found = response(200, &lines(&[FRESH]), &Rules::DEFAULT);
    for (body, expected) in [
        (BodyLength::None, Ok(Storable::Whole)),
        (BodyLength::Length(0), Ok(Storable::Whole)),
        (BodyLength::Length(1), Err(Uncacheable::Content)),
        (BodyLength::Chunked, Err(Uncacheable::Content)),
    ] {
        let request = Request::of(Method::Get, b"", body, false);
        let decision = found.may_be_stored(&request, &Rules::DEFAULT, instant(0));
        assert_eq!(decision, expected, "for {body:?}");
    }
}

/// "The response status code is final"; 304 only updates; some are about fields of this one request
/// (RFC 9110 section 15.5), or "MUST NOT be stored by a cache" (RFC 6585); any other is stored if its
/// sender says how long it is fresh.
#[test]
fn every_final_status_is_stored_with_an_age() {
    for code in 100..1000 {
        let expected = match code {
            100..=199 | 304 => Err(Uncacheable::Status),
            407 | 412 | 416 | 417 | 421 | 425 | 426 => Err(Uncacheable::Status),
            428 | 429 | 431 | 511 => Err(Uncacheable::Status),
            206 => Err(Uncacheable::Part),
            _ => Ok(Storable::Whole),
        };
        assert_eq!(stored(&[], code, &[FRESH]), expected, "for {code}");
    }
}

/// RFC 9111 section 3.3, RFC 9110 sections 14.4 and 15.3.7: a part that says which one it is.
#[test]
fn a_part_is_stored_if_it_was_asked_for_and_says_what_it_is() {
    const PART: &str = "Content-Range: bytes 0-1/5";
    const RANGE: &str = "Range: bytes=0-1";
    for (asked, fields, expected) in [
        (&[RANGE][..], &[FRESH, PART][..], Ok(Storable::Partial)),
        (
            &[RANGE],
            &[FRESH, "Content-Range: bytes 0-1/*"],
            Ok(Storable::Partial),
        ),
        (&[], &[FRESH, PART], Err(Uncacheable::Part)),
        (&[RANGE], &[FRESH], Err(Uncacheable::Part)),
        (&[RANGE], &[FRESH, PART, PART], Err(Uncacheable::Part)),
        (
            &[RANGE],
            &[FRESH, "Content-Range: bytes */5"],
            Err(Uncacheable::Part),
        ),
        (
            &[RANGE],
            &[FRESH, "Content-Range: bytes 0-5/5"],
            Err(Uncacheable::Part),
        ),
        (
            &[RANGE],
            &[FRESH, "Content-Range: items 0-1/5"],
            Err(Uncacheable::Part),
        ),
        (&[RANGE], &[PART], Err(Uncacheable::NoFreshness)),
    ] {
        assert_eq!(
            stored(asked, 206, fields),
            expected,
            "for {asked:?} {fields:?}"
        );
    }
    // Any other status is what it is.
    assert_eq!(stored(&[RANGE], 200, &[FRESH, PART]), Ok(Storable::Whole));
}

/// RFC 9110 section 15.1: without an age or public, only those that are heuristically cacheable.
#[test]
fn some_statuses_are_stored_without_an_age() {
    let modified = format!("Last-Modified: {}", date(-1000));
    for code in 200..600 {
        let expected = match code {
            407 | 412 | 416 | 417 | 421 | 425 | 426 => Err(Uncacheable::Status),
            428 | 429 | 431 | 511 => Err(Uncacheable::Status),
            206 => Err(Uncacheable::Part),
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
            let fields = [
                &format!("Cache-Control: {value}"),
                "Content-Range: bytes 0-1/5",
            ];
            let decision = stored(&["Range: bytes=0-1"], code, &fields);
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
        // What allows must be what it should be.
        ("max-age=60, public=x", false),
        ("max-age=60, must-revalidate=x", false),
        ("max-age=60, s-maxage=abc", false),
    ] {
        let decision = stored(&asked, 200, &[&format!("Cache-Control: {value}")]);
        let expected = match is_stored {
            true => Ok(Storable::Whole),
            false => Err(Uncacheable::Authorization),
        };
        assert_eq!(decision, expected, "for {value}");
    }
}

/// A rule of ours: what somebody gets who is known is his own unless the origin says that it is not, by
/// an age or in so many words, or a mapping does. Whoever takes stale responses would get it else.
#[test]
fn pages_of_those_who_are_known_need_an_age() {
    let modified = format!("Last-Modified: {}", date(-1000));
    let (etag, dated) = ("ETag: \"x\"", format!("Date: {}", date(0)));
    let expires = format!("Expires: {}", date(60));
    let (modified, dated, expires) = (&modified[..], &dated[..], &expires[..]);
    let mapped = Rules {
        mapped: Some(DeltaSeconds::from_secs(60)),
        ..Rules::DEFAULT
    };
    let rules = Rules::DEFAULT;
    for (fields, rules, is_stored) in [
        (vec![etag], &rules, false),
        (vec![modified], &rules, false),
        (vec![etag, "Cache-Control: must-revalidate"], &rules, false),
        (vec![etag, "Cache-Control: no-cache"], &rules, false),
        (vec![etag, "Cache-Control: public"], &rules, true),
        (vec![modified, "Cache-Control: public"], &rules, true),
        // Who says that it is never fresh has not said that others may have it.
        (vec![etag, "Cache-Control: max-age=0"], &rules, false),
        (
            vec![etag, "Cache-Control: max-age=0, must-revalidate"],
            &rules,
            false,
        ),
        (vec![etag, "Expires: 0"], &rules, false),
        (
            vec![etag, "Cache-Control: max-age=0, stale-if-error=9"],
            &rules,
            true,
        ),
        (vec![etag, "Cache-Control: max-age=0, public"], &rules, true),
        (vec![FRESH], &rules, true),
        (vec![expires, dated], &rules, true),
        (vec![etag], &mapped, true),
    ] {
        for asked in ["Cookie: a=b", "Authorization: Basic eDp5", "Accept: a/b"] {
            // Section 3.5 has more to say of those.
            let is_public = fields.iter().any(|field| field.contains("public"));
            if asked.starts_with("Auth") && is_stored && !is_public {
                continue;
            }
            let decision = stored_with(&[asked], 200, &fields, rules);
            let is_right = is_stored || asked.starts_with("Accept");
            assert_eq!(decision.is_ok(), is_right, "for {asked} {fields:?}");
            if asked.starts_with("Cookie") && !is_stored {
                assert_eq!(decision, Err(Uncacheable::Personal), "for {fields:?}");
            }
        }
        let lines = lines(&fields);
        let session = Request::of(Method::Get, b"", BodyLength::None, true);
        let decision = answer(&session, 200, &lines, rules);
        let decision = decision.may_be_stored(&session, rules, instant(0));
        assert_eq!(decision.is_ok(), is_stored, "for {fields:?}");
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
            Ok(Storable::Whole),
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
    let decision = stored_with(&[], 200, &["Cache-Control: max-age=1", "Age: 9"], &grace);
    assert_eq!(decision, Ok(Storable::Whole));
    let decision = stored_with(&[], 200, &["Cache-Control: max-age=0"], &grace);
    assert_eq!(decision, Err(Uncacheable::NoValidator));
}

/// RFC 9111 section 7.3, and Resin's rule.
#[test]
fn cookies_are_as_the_rule_says() {
    let modified = format!("Last-Modified: {}", date(-1000));
    for name in ["Set-Cookie: a=b", "Set-Cookie2: a=b"] {
        for (rule, fields, is_stored) in [
            (SetCookie::Explicit, [name, FRESH], true),
            (SetCookie::Explicit, [name, &modified], false),
            (
                SetCookie::Explicit,
                [name, "Cache-Control: max-age=0, stale-if-error=9"],
                false,
            ),
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

/// RFC 9111 section 5.2.2.4: a cookie that is not stored harms nobody.
#[test]
fn cookies_that_are_withheld_do_not_count() {
    let modified = format!("Last-Modified: {}", date(-1000));
    for (value, expected) in [
        ("no-cache=\"Set-Cookie\"", Ok(Storable::Whole)),
        ("private=\"x, set-cookie\"", Ok(Storable::Whole)),
        ("private=\"x\"", Err(Uncacheable::SetCookie)),
        ("no-cache=\"Set-Cookie2\"", Err(Uncacheable::SetCookie)),
    ] {
        let control = format!("Cache-Control: {value}");
        let decision = stored(&[], 200, &["Set-Cookie: a=b", &control, &modified]);
        assert_eq!(decision, expected, "for {value}");
    }
}

/// Resin's rule: whoever gets a new session gets his own page with it, whatever that says.
#[test]
fn a_new_session_is_private() {
    let rules = Rules {
        session_cookies: [b"JSESSIONID", b"home"],
        ..Rules::DEFAULT
    };
    for (cookie, is_session) in [
        ("Set-Cookie: JSESSIONID=x; Path=/", true),
        ("set-cookie:JSESSIONID=", true),
        ("Set-Cookie: JSESSIONID", true),
        ("Set-Cookie:  JSESSIONID = x", true),
        ("Set-Cookie: home=x", true),
        ("Set-Cookie2: a=b; Version=1, JSESSIONID=x", true),
        ("Set-Cookie: a=JSESSIONID", false),
        ("Set-Cookie: XJSESSIONID=x", false),
        ("Set-Cookie: jsessionid=x", false),
        (
            "Set-Cookie: a=b; Expires=Sun, 06 Nov 1994 08:49:37 GMT",
            false,
        ),
        ("Set-Cookie: =x", false),
        ("Set-Cookie: ", false),
        ("Cookie: JSESSIONID=x", false),
    ] {
        for said in ["public, s-maxage=60", "max-age=60, no-cache=\"Set-Cookie\""] {
            for rule in [SetCookie::Explicit, SetCookie::Strip] {
                let rules = Rules {
                    set_cookie: rule,
                    ..rules
                };
                let control = format!("Cache-Control: {said}");
                let fields = ["Set-Cookie: b=c", cookie, &control];
                let expected = match is_session {
                    true => Err(Uncacheable::Session),
                    false => Ok(Storable::Whole),
                };
                let decision = stored_with(&[], 200, &fields, &rules);
                assert_eq!(decision, expected, "for {cookie} {said}");
            }
        }
    }
    let none = Rules {
        session_cookies: [b"", b""],
        ..Rules::DEFAULT
    };
    let decision = stored_with(&[], 200, &["Set-Cookie: =x", FRESH], &none);
    assert_eq!(decision, Ok(Storable::Whole));
}

/// What is no validator does not count for one (RFC 9110 sections 8.8.2 and 8.8.3).
#[test]
fn a_validator_is_one_that_the_origin_can_be_asked_with() {
    for (field, expected) in [
        ("ETag: \"x\"", Ok(Storable::Whole)),
        ("ETag: x", Ok(Storable::Whole)),
        ("ETag: ", Err(Uncacheable::NoValidator)),
        ("ETag: \"x", Err(Uncacheable::NoValidator)),
        ("Last-Modified: yesterday", Err(Uncacheable::NoValidator)),
    ] {
        let decision = stored(&[], 200, &["Cache-Control: max-age=0", field]);
        assert_eq!(decision, expected, "for {field}");
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
