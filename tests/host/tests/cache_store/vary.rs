// SPDX-License-Identifier: GPL-2.0

//! The secondary key (RFC 9111 section 4.1).

use proptest::prelude::*;

use crate::bytes::sip::SipKey;
use crate::bytes::Writer;
use crate::cache::vary::{is_same, matches, select, Matcher, Tag};
use crate::cache::{Cookies, Kept, Request, Uncacheable};
use crate::http::forward::Treatment;
use crate::http::head::BodyLength;
use crate::http::Method;

const SECRET: SipKey = SipKey(0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210);

fn asker(fields: &str) -> Request<'_> {
    Request::of(Method::Get, fields.as_bytes(), BodyLength::None, false)
}

/// The selector of a response with this Vary to a request.
fn selector(vary: &str, asker: Request<'_>, cookies: Cookies) -> Result<String, Uncacheable> {
    let mut out = [0; 256];
    let mut writer = Writer::new(&mut out);
    let fields = format!("Server: x\r\n{vary}");
    select(fields.as_bytes(), &asker, cookies, &mut writer)?;
    Ok(String::from_utf8(writer.written().to_vec()).unwrap())
}

fn compared(vary: &str, fields: &str) -> String {
    selector(vary, asker(fields), Cookies::Compared).unwrap()
}

/// Whether what was stored for one request may be sent to the other.
fn alike(vary: &str, stored_for: &str, other: &str) -> bool {
    let selector = compared(vary, stored_for);
    assert!(matches(
        selector.as_bytes(),
        &asker(stored_for),
        Cookies::Compared
    ));
    let matched = matches(selector.as_bytes(), &asker(other), Cookies::Compared);
    assert_eq!(matched, selector == compared(vary, other), "both ways");
    matched
}

#[test]
fn a_selector_has_a_line_for_each_nominated_field() {
    assert_eq!(compared("", "Accept: a\r\n"), "");
    assert_eq!(compared("Vary:\r\n", "Accept: a\r\n"), "");
    assert_eq!(compared("Vary: Foo\r\n", "Foo: a\r\n"), "foo:a\n");
    assert_eq!(compared("Vary: Foo\r\n", "Bar: a\r\n"), "foo\n");
    assert_eq!(compared("Vary: Foo\r\n", "foo:\r\n"), "foo:\n");
    assert_eq!(
        compared("vary: b , a\r\nVARY: ,C\r\n", "A: 1\r\nB: 2\r\nC: 3\r\n"),
        "b:2\na:1\nc:3\n"
    );
    // The host is in the primary key.
    assert_eq!(compared("Vary: Host, A\r\n", "Host: x\r\n"), "a\n");
}

#[test]
fn every_request_matches_a_response_without_vary() {
    assert!(matches(b"", &asker("Foo: 1\r\n"), Cookies::Compared));
    assert!(matches(b"", &asker("Cookie: 1\r\n"), Cookies::Anonymous));
}

/// "A stored response with a Vary header field value containing a member "*" always fails to match."
#[test]
fn what_varies_by_everything_is_not_stored() {
    for vary in [
        "Vary: *\r\n",
        "Vary: Accept, *\r\n",
        "Vary: Accept\r\nVary: *\r\n",
        "Vary: a b\r\n",
        "Vary: \"a\"\r\n",
    ] {
        let refused = selector(vary, asker(""), Cookies::Compared);
        assert_eq!(refused, Err(Uncacheable::VaryAny), "{vary}");
    }
    let long = format!("Vary: {}\r\n", "x".repeat(300));
    let refused = selector(&long, asker(""), Cookies::Compared);
    assert_eq!(refused, Err(Uncacheable::VaryTooLong));
}

fn keeping(mut request: Request<'_>, kept: Kept) -> Request<'_> {
    request.kept = kept;
    request
}

/// RFC 9110 section 12.5.5: the origin chooses by what it sees, and that is what the gateway writes,
/// unless it keeps what came.
#[test]
fn what_the_gateway_writes_selects_nothing() {
    for name in [
        "X-Forwarded-For",
        "forwarded",
        "X-Forwarded-Host",
        "x-forwarded-proto",
    ] {
        let vary = format!("Vary: Foo, {name}\r\n");
        let fields = format!("{name}: a\r\n");
        let came = asker(&fields);
        let refused = selector(&vary, came, Cookies::Compared);
        assert_eq!(refused, Err(Uncacheable::VaryClient), "{vary}");
        for treatment in [Treatment::Append, Treatment::Replace, Treatment::Remove] {
            let kept = Kept::of([treatment; 4]);
            let request = keeping(came, kept);
            let refused = selector(&vary, request, Cookies::Compared);
            assert_eq!(refused, Err(Uncacheable::VaryClient), "{vary}");
        }
        let kept = Kept::of([Treatment::Keep; 4]);
        let request = keeping(came, kept);
        let stored = selector(&vary, request, Cookies::Compared).unwrap();
        assert_eq!(stored, format!("foo\n{}:a\n", name.to_lowercase()));
        let is_for = |request| matches(stored.as_bytes(), &request, Cookies::Compared);
        assert!(is_for(request));
        let other = asker("");
        assert!(!is_for(keeping(other, kept)));
        // Nobody gets it whom the origin would not have seen say so.
        assert!(!is_for(came));
        let tag = Tag::of(stored.as_bytes(), SECRET);
        for (request, right) in [(request, true), (came, false)] {
            let mut matcher = Matcher::new(&request, Cookies::Compared, SECRET);
            assert_eq!(matcher.matches(stored.as_bytes(), tag), right);
        }
    }
    // Each for itself.
    let [x_for, x_proto, forwarded] = [Treatment::Replace; 3];
    let kept = Kept::of([x_for, x_proto, Treatment::Keep, forwarded]);
    let asker = asker("");
    for (name, is_kept) in [("X-Forwarded-Host", true), ("X-Forwarded-Proto", false)] {
        let request = keeping(asker, kept);
        let found = selector(&format!("Vary: {name}\r\n"), request, Cookies::Compared);
        assert_eq!(found.is_ok(), is_kept, "{name}");
    }
}

/// RFC 9110 section 7.6.1: the origin has not seen what Connection names, and has chosen without it.
/// What is stored of those it has seen is not what it would have said, nor is it updated by it.
#[test]
fn what_the_origin_has_not_seen_selects_nothing() {
    let vary = "Vary: Foo, Accept-Encoding\r\n";
    for (fields, is_unseen) in [
        ("Foo: 1\r\nConnection: foo\r\n", true),
        (
            "Connection: close, Accept-Encoding\r\nAccept-Encoding: gzip\r\n",
            true,
        ),
        ("Connection: a\r\nConnection: b, FOO\r\n", true),
        ("Foo: 1\r\nConnection: close, bar\r\n", false),
        ("Foo: 1\r\nConnection:\r\n", false),
        ("Foo: 1\r\nX-Connection: foo\r\n", false),
    ] {
        let found = selector(vary, asker(fields), Cookies::Compared);
        let refused = is_unseen.then_some(Uncacheable::VaryUnseen);
        assert_eq!(found.err(), refused, "{fields}");
        let seen: String = fields
            .split_inclusive("\r\n")
            .filter(|line| !line.starts_with("Connection"))
            .collect();
        let stored = compared(vary, &seen);
        let is_match = matches(stored.as_bytes(), &asker(fields), Cookies::Compared);
        assert_eq!(is_match, !is_unseen, "{fields}");
        assert!(matches(b"baz\n", &asker(fields), Cookies::Compared));
    }
    // What Connection cannot take away.
    let kept = asker("Connection: cookie\r\nCookie: a\r\n");
    assert!(selector("Vary: Cookie\r\n", kept, Cookies::Compared).is_ok());
}

/// RFC 9111 section 3.2: an update may change Vary, and the selector is no longer one then.
#[test]
fn responses_vary_by_the_same_or_not() {
    for (one, other, right) in [
        ("", "", true),
        ("Vary:\r\n", "", true),
        (
            "Vary: A, b\r\n",
            "Server: x\r\nvary: a\r\nVary: ,B\r\n",
            true,
        ),
        ("Vary: a\r\n", "", false),
        ("Vary: a\r\n", "Vary: a, b\r\n", false),
        ("Vary: a\r\n", "Vary: b\r\n", false),
        // It would be the same; to see that is not worth it.
        ("Vary: a, b\r\n", "Vary: b, a\r\n", false),
    ] {
        for (one, other) in [(one, other), (other, one)] {
            let found = is_same(one.as_bytes(), other.as_bytes());
            assert_eq!(found, right, "{one} {other}");
        }
    }
}

#[test]
fn requests_match_when_every_nominated_field_does() {
    let vary = "Vary: Foo, Bar\r\n";
    assert!(alike(
        vary,
        "Foo: 1\r\nBar: 2\r\n",
        "bar:2\r\nX: 3\r\nfoo: 1 \r\n"
    ));
    assert!(!alike(vary, "Foo: 1\r\nBar: 2\r\n", "Foo: 1\r\nBar: 3\r\n"));
    assert!(!alike(vary, "Foo: 1\r\nBar: 2\r\n", "Foo: 1\r\n"));
    // "it can only match a request if ... absent from a request ... also absent".
    assert!(alike(vary, "Foo: 1\r\n", "Foo: 1\r\n"));
    assert!(!alike(vary, "Foo: 1\r\n", "Foo: 1\r\nBar:\r\n"));
    assert!(!alike(vary, "Foo: 1\r\n", "Foo: 12\r\n"));
    assert!(!alike(vary, "Foo: 12\r\n", "Foo: 1\r\n"));
    assert!(!alike(vary, "Foo: a\r\n", "Foo: A\r\n"));
    // A value cannot look like another line or another field.
    assert!(!alike(vary, "Foo: 1,bar:2\r\n", "Foo: 1\r\nBar: 2\r\n"));
    assert!(!alike(vary, "Foo: a:b\r\n", "Foo: a\r\n"));
}

/// "adding or removing whitespace, where allowed", "combining multiple header field lines",
/// "normalizing both header field values in a way that is known to have identical semantics".
#[test]
fn values_that_say_the_same_are_the_same() {
    let same = [
        ("Foo", "Foo: a\r\nFoo: b\r\n", "Foo: a, b\r\n"),
        ("Foo", "Foo: \t a \t\r\n", "Foo:a\r\n"),
        (
            "Accept",
            "Accept: a/b ; q=0.5 , c/d\r\n",
            "Accept: a/b;q=0.5,c/d\r\n",
        ),
        (
            "Accept",
            "Accept: a/b\r\nAccept: c/d\r\n",
            "Accept: a/b,,c/d,\r\n",
        ),
        (
            "Accept-Language",
            "Accept-Language: de-DE, EN;Q=0.5\r\n",
            "Accept-Language: de-de,en; q=0.5\r\n",
        ),
        (
            "Cookie",
            "Cookie: a=b\r\nCookie: c=d\r\n",
            "Cookie: a=b; c=d\r\n",
        ),
        (
            "Accept-Encoding",
            "Accept-Encoding: gzip, deflate, br\r\n",
            "Accept-Encoding: br,GZIP;q=1.0\r\nAccept-Encoding: deflate;q=1\r\n",
        ),
        (
            "Accept-Encoding",
            "Accept-Encoding: x-gzip, X-Compress\r\n",
            "Accept-Encoding: compress, gzip\r\n",
        ),
        (
            "Accept-Encoding",
            "Accept-Encoding: X-COMPRESS\r\nConnection: close, keep-alive\r\n",
            "Accept-Encoding: compress\r\nConnection: close\r\n",
        ),
        (
            "Accept-Encoding",
            "Accept-Encoding:\r\n",
            "Accept-Encoding: identity;q=0.3\r\n",
        ),
        (
            "Accept-Encoding",
            "Accept-Encoding: gzip;q=0.5, *;q=0\r\n",
            "Accept-Encoding: *; q=0.000 , gzip; Q=0.50\r\n",
        ),
        (
            "Accept-Encoding",
            "Accept-Encoding: foo , GZIP\r\n",
            "Accept-Encoding: FOO,gzip\r\n",
        ),
    ];
    for (name, one, other) in same {
        let vary = format!("Vary: {name}\r\n");
        assert!(alike(&vary, one, other), "{one} {other}");
    }
}

#[test]
fn values_that_may_differ_are_different() {
    let different = [
        // Nobody knows whether it is a list, and in a comment white space counts.
        (
            "Accept-Encoding",
            "Accept-Encoding: x-br\r\n",
            "Accept-Encoding: br\r\n",
        ),
        (
            "User-Agent",
            "User-Agent: a (b, c)\r\n",
            "User-Agent: a (b,c)\r\n",
        ),
        // Some take the order for a preference (RFC 9110 section 12.5.4).
        (
            "Accept-Language",
            "Accept-Language: de, en\r\n",
            "Accept-Language: en, de\r\n",
        ),
        (
            "Accept",
            "Accept: a/b;c=\"d, e\"\r\n",
            "Accept: a/b;c=\"d,e\"\r\n",
        ),
        (
            "Accept-Encoding",
            "Accept-Encoding: gzip\r\n",
            "Accept-Encoding: br\r\n",
        ),
        (
            "Accept-Encoding",
            "Accept-Encoding: gzip\r\n",
            "Accept-Encoding: gzip, br\r\n",
        ),
        (
            "Accept-Encoding",
            "Accept-Encoding: gzip\r\n",
            "Accept-Encoding: gzip;q=0.5\r\n",
        ),
        (
            "Accept-Encoding",
            "Accept-Encoding: gzip;q=0\r\n",
            "Accept-Encoding: gzip;q=0.001\r\n",
        ),
        // No field: all codings are welcome. An empty one: none is.
        ("Accept-Encoding", "", "Accept-Encoding:\r\n"),
        (
            "Accept-Encoding",
            "Accept-Encoding: identity;q=0\r\n",
            "Accept-Encoding:\r\n",
        ),
        // Not well-formed: nobody knows what the origin server makes of it.
        (
            "Accept-Encoding",
            "Accept-Encoding: gzip;q=2\r\n",
            "Accept-Encoding: gzip\r\n",
        ),
        (
            "Accept-Encoding",
            "Accept-Encoding: gzip, gzip\r\n",
            "Accept-Encoding: gzip\r\n",
        ),
        (
            "Accept-Encoding",
            "Accept-Encoding: gzip;q=0.0001\r\n",
            "Accept-Encoding: gzip;q=0\r\n",
        ),
        (
            "Accept-Encoding",
            "Accept-Encoding: gzip;x=1\r\n",
            "Accept-Encoding: gzip\r\n",
        ),
        (
            "Accept-Encoding",
            "Accept-Encoding: gzip;q=0;x\r\n",
            "Accept-Encoding: gzip;q=0\r\n",
        ),
        (
            "Accept-Encoding",
            "Accept-Encoding: gzip;q=0.x\r\n",
            "Accept-Encoding: gzip;q=0\r\n",
        ),
    ];
    for (name, one, other) in different {
        let vary = format!("Vary: {name}\r\n");
        assert!(!alike(&vary, one, other), "{one} {other}");
        assert!(!alike(&vary, other, one), "{other} {one}");
    }
}

/// Resin's rule: what varies by Cookie is for those who have none.
#[test]
fn anonymous_users_share_and_users_with_cookies_do_not() {
    let vary = "Vary: Accept-Encoding, COOKIE\r\n";
    let anonymous = asker("Accept-Encoding: gzip\r\n");
    let stored = selector(vary, anonymous, Cookies::Anonymous).unwrap();
    assert_eq!(stored, "accept-encoding:gzip\ncookie\n");
    let is_for = |asker| matches(stored.as_bytes(), &asker, Cookies::Anonymous);
    assert!(is_for(anonymous));
    let session = Request::of(Method::Get, anonymous.lines, BodyLength::None, true);
    for known in [
        asker("Accept-Encoding: gzip\r\nCookie: a=b\r\n"),
        asker("Accept-Encoding: gzip\r\ncookie:\r\n"),
        session,
    ] {
        assert!(!is_for(known));
        let refused = selector(vary, known, Cookies::Anonymous);
        assert_eq!(refused, Err(Uncacheable::VaryCookie));
        // What does not vary by it is everyone's.
        assert!(selector("Vary: Foo\r\n", known, Cookies::Anonymous).is_ok());
        assert!(matches(b"foo\n", &known, Cookies::Anonymous));
    }
    // What was stored by the RFC's rule is not given away when the setting changes.
    let known = asker("Cookie: a=b\r\n");
    let stored = selector("Vary: Cookie\r\n", known, Cookies::Compared).unwrap();
    assert!(matches(stored.as_bytes(), &known, Cookies::Compared));
    assert!(!matches(stored.as_bytes(), &known, Cookies::Anonymous));
}

#[test]
fn a_tag_is_a_selector_in_short() {
    let tag = |selector: &str| Tag::of(selector.as_bytes(), SECRET);
    let selectors = [
        "", "a\n", "a:\n", "a:b\n", "a:c\n", "a:b\nc\n", "c\na:b\n", "aa:b\n",
    ];
    for (index, one) in selectors.iter().enumerate() {
        let word = tag(one).word();
        assert_ne!(word, 0);
        assert_eq!(Tag::of_word(word), tag(one));
        for other in &selectors[index + 1..] {
            assert_ne!(word, tag(other).word(), "{one:?} {other:?}");
        }
        let other = Tag::of(one.as_bytes(), SipKey(1, 2));
        assert_ne!(word, other.word(), "it is keyed");
    }
    // Those with the same names have the same upper half.
    let list = |selector| tag(selector).word() >> 32;
    assert!(list("a\n") == list("a:b\n") && list("a\n") != list("b\n"));
    assert!(list("a:x\nb\n") == list("a\nb:y\n") && list("a\nb\n") != list("ab\n"));
}

/// Of many selectors with the same names a request is compared with few: one tells what it has, and
/// after that only its own may match.
#[test]
fn a_request_is_compared_once_for_each_list_of_names() {
    let asker = asker("A: 7\r\nB: 3\r\n");
    let mut matcher = Matcher::new(&asker, Cookies::Compared, SECRET);
    for name in ["a", "b"] {
        let mut compared = 0;
        for value in 0..32 {
            let selector = format!("{name}:{value}\n");
            let tag = Tag::of(selector.as_bytes(), SECRET);
            let may_match = matcher.may_match(tag);
            compared += u32::from(may_match);
            let is_match = matcher.matches(selector.as_bytes(), tag);
            assert_eq!(
                is_match,
                matches(selector.as_bytes(), &asker, Cookies::Compared)
            );
            assert!(may_match || !is_match);
        }
        assert_eq!(compared, 2, "the first and its own");
    }
    // A response without Vary has a list, too.
    let none = Tag::of(b"", SECRET);
    assert!(matcher.matches(b"", none) && matcher.matches(b"", none));
    // If nothing that varies by Cookie is for it, nothing is looked at.
    let known = self::asker("Cookie: x\r\n");
    let mut matcher = Matcher::new(&known, Cookies::Anonymous, SECRET);
    for (selector, may_match) in [
        ("cookie\n", true),
        ("cookie:x\n", false),
        ("cookie\n", false),
    ] {
        let tag = Tag::of(selector.as_bytes(), SECRET);
        assert_eq!(matcher.may_match(tag), may_match);
        assert!(!matcher.matches(selector.as_bytes(), tag));
    }
}

proptest! {
    #![proptest_config(super::super::cases(512))]

    /// Matching compares with what selecting writes, octet for octet.
    #[test]
    fn a_request_matches_if_its_own_selector_would_be_the_same(
        one in "((A|Accept|Accept-Encoding|Cookie): ?[ab,;\"q=01.\\*]{0,7}\r\n){0,3}",
        other in "((A|Accept|Accept-Encoding|Cookie): ?[ab,;\"q=01.\\*]{0,7}\r\n){0,3}",
    ) {
        let vary = "Vary: a, accept, accept-encoding, cookie\r\n";
        alike(vary, &one, &other);
        alike(vary, &other, &one);
    }

    /// However many lists there are, and in whatever order one comes to them.
    #[test]
    fn a_matcher_says_what_matching_says(
        one in "((A|B|Cookie): ?[ab,]{0,2}\r\n){0,3}",
        others in proptest::collection::vec("((A|B|Cookie): ?[ab,]{0,2}\r\n){0,3}", 0..20),
        lists in proptest::collection::vec("(a|b|accept|cookie)(,(a|b|cookie)){0,2}", 1..7),
        anonymous in any::<bool>(),
    ) {
        let cookies = if anonymous { Cookies::Anonymous } else { Cookies::Compared };
        let request = asker(&one);
        let mut matcher = Matcher::new(&request, cookies, SECRET);
        let lists = lists.iter().cycle();
        for (other, list) in others.iter().chain([&one]).zip(lists) {
            let stored = compared(&format!("Vary: {list}\r\n"), other);
            let tag = Tag::of(stored.as_bytes(), SECRET);
            let right = matches(stored.as_bytes(), &request, cookies);
            prop_assert!(matcher.may_match(tag) || !right);
            prop_assert_eq!(matcher.matches(stored.as_bytes(), tag), right);
        }
    }
}
