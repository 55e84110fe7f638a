// SPDX-License-Identifier: GPL-2.0

//! Cache-Control, CDN-Cache-Control and Pragma (RFC 9111 section 5, RFC 9213).

use proptest::prelude::*;

use super::{control, lines, said};
use crate::cache::{DeltaSeconds, Directives, RequestControl, ResponseControl};

/// What a directive sets.
type Sets<T> = fn(&mut T);

fn secs(secs: u64) -> Option<DeltaSeconds> {
    Some(DeltaSeconds::from_secs(secs))
}

fn targeted(value: &str) -> ResponseControl {
    let target = format!("CDN-Cache-Control: {value}");
    said(&lines(&["Cache-Control: no-store", &target]))
}

fn request(fields: &[&str]) -> RequestControl {
    RequestControl::of(&lines(fields))
}

/// RFC 9111 section 5.2: the directives are case-insensitive, those that are not known are ignored.
#[test]
fn each_directive_of_a_response_is_known() {
    let table: [(&str, Sets<ResponseControl>); 18] = [
        ("", |_| {}),
        (" , ,", |_| {}),
        ("x, y=\"no-store, private\", no-transform", |_| {}),
        ("max-stale, min-fresh=5, only-if-cached", |_| {}),
        ("no-store", |it| it.no_store = true),
        ("nO-StOrE", |it| it.no_store = true),
        ("x,no-store", |it| it.no_store = true),
        ("no-cache", |it| it.no_cache = true),
        ("private", |it| it.private = true),
        ("public", |it| it.public = true),
        ("must-revalidate", |it| {
            (it.must_revalidate, it.is_must_revalidate_bare) = (true, true)
        }),
        ("proxy-revalidate", |it| it.proxy_revalidate = true),
        ("must-understand", |it| it.must_understand = true),
        ("immutable", |it| it.immutable = true),
        ("max-age=7", |it| it.max_age = secs(7)),
        ("s-maxage=7", |it| {
            (it.s_maxage, it.is_s_maxage_number) = (secs(7), true)
        }),
        ("stale-while-revalidate=7", |it| {
            it.stale_while_revalidate = secs(7)
        }),
        ("stale-if-error=7", |it| it.stale_if_error = secs(7)),
    ];
    for (value, change) in table {
        let mut expected = ResponseControl::NONE;
        change(&mut expected);
        assert_eq!(control(value), expected, "for {value}");
    }
}

/// RFC 9111 sections 1.2.2, 4.2.1 and 5.2: both forms of an argument, overflow, and "caches are
/// encouraged to consider responses that have invalid freshness information [...] to be stale".
#[test]
fn numbers_are_read_or_mean_stale() {
    for (value, max_age) in [
        ("max-age=0", secs(0)),
        ("max-age=3600", secs(3600)),
        ("MaX-aGe=3600", secs(3600)),
        ("max-age=\"3600\"", secs(3600)),
        ("max-age=003600", secs(3600)),
        // Resin's.
        ("max-age=15s", secs(15)),
        ("max-age=\"15s\"", secs(15)),
        ("max-age=2147483647", secs(2_147_483_647)),
        ("max-age=2147483648", secs(1 << 31)),
        ("max-age=4294967296", secs(1 << 31)),
        ("max-age=99999999999999999999999999", secs(1 << 31)),
        // Nothing but digits.
        ("max-age", secs(0)),
        ("max-age=", secs(0)),
        ("max-age=\"\"", secs(0)),
        ("max-age=-1", secs(0)),
        ("max-age=+1", secs(0)),
        ("max-age=s", secs(0)),
        ("max-age=15ss", secs(0)),
        ("max-age=15m", secs(0)),
        ("max-age=a100", secs(0)),
        ("max-age=100a", secs(0)),
        ("max-age=3600.0", secs(0)),
        ("max-age='3600'", secs(0)),
        ("max-age=\"3600", secs(0)),
        ("max-age=\"36\\00\"", secs(0)),
        ("max-age=\"", secs(0)),
        ("max-age=36 00", secs(0)),
        // No white space around the sign.
        ("max-age =3600", secs(0)),
        ("max-age= 3600", secs(0)),
        ("max-age=\t3600", secs(0)),
        ("max-age\t=3600", secs(0)),
        // The first one of several.
        ("max-age=1, max-age=1800", secs(1)),
        ("max-age=1800, max-age=1", secs(1800)),
        ("max-age=x, max-age=1800", secs(0)),
        // Not in another's argument.
        ("extension=\"max-age=3600\", max-age=1", secs(1)),
        ("max-age=1, extension=\"max-age=3600\"", secs(1)),
        ("max-ages=1", None),
        ("xmax-age=1", None),
    ] {
        assert_eq!(control(value).max_age, max_age, "for {value}");
        let shared = value.to_lowercase().replace("max-age", "s-maxage");
        assert_eq!(control(&shared).s_maxage, max_age, "for {shared}");
        let stale = value.to_lowercase().replace("max-age", "stale-if-error");
        assert_eq!(control(&stale).stale_if_error, max_age, "for {stale}");
    }
}

/// Who forbids is obeyed whatever he adds; who allows must say it right.
#[test]
fn odd_arguments_never_allow() {
    for value in ["no-store=1", "no-store=\"x\"", "no-store=", "no-store = 1"] {
        assert!(control(value).no_store, "for {value}");
    }
    for value in ["must-revalidate=0", "must-revalidate =0"] {
        let said = control(value);
        assert!(
            said.must_revalidate && !said.allows_authorized(),
            "for {value}"
        );
    }
    assert!(control("proxy-revalidate=no").proxy_revalidate);
    for value in [
        "public=1",
        "must-understand=1",
        "immutable=1",
        "public =",
        "immutable=\"\"",
    ] {
        assert_eq!(control(value), ResponseControl::NONE, "for {value}");
    }
}

/// RFC 9111 section 3.5: three directives allow what is forbidden with Authorization, if they are what
/// they should be.
#[test]
fn leave_is_given_by_well_formed_directives() {
    for (value, is_allowed) in [
        ("max-age=60", false),
        ("proxy-revalidate", false),
        ("public", true),
        ("public=1", false),
        ("must-revalidate", true),
        ("must-revalidate=x", false),
        ("must-revalidate=\"\"", false),
        ("must-revalidate=x, must-revalidate", true),
        ("s-maxage=0", true),
        ("s-maxage=\"5\"", true),
        ("s-maxage=abc", false),
        ("s-maxage", false),
        ("s-maxage= 5", false),
        // The first one is the one that counts.
        ("s-maxage=abc, s-maxage=5", false),
        ("s-maxage=5, s-maxage=abc", true),
    ] {
        assert_eq!(
            control(value).allows_authorized(),
            is_allowed,
            "for {value}"
        );
    }
    for (value, is_allowed) in [
        ("must-revalidate", true),
        ("must-revalidate=1", false),
        ("must-revalidate, must-revalidate=?0", false),
        ("s-maxage=5", true),
        ("s-maxage=\"5\"", false),
        ("s-maxage=5, s-maxage=x", false),
        ("s-maxage=x, s-maxage=5", true),
    ] {
        assert_eq!(
            targeted(value).allows_authorized(),
            is_allowed,
            "for {value}"
        );
    }
}

/// Without some fields nobody knows any more what is stored. RFC 9111 sections 5.2.2.4 and 5.2.2.7:
/// "the special handling for the qualified form is not widely implemented"; who names them has named
/// all.
#[test]
fn a_field_that_is_needed_is_not_withheld() {
    for name in [
        "Date",
        "dATE",
        "Vary",
        "Cache-Control",
        "CDN-Cache-Control",
        "Content-Encoding",
        "ETag",
        "Expires",
        "Last-Modified",
        "a, Date",
        "Vary,a",
    ] {
        for field in ["Cache-Control", "CDN-Cache-Control"] {
            let with = |directive| lines(&[&format!("{field}: {directive}=\"{name}\"")]);
            let (no_cache, private) = (with("no-cache"), with("private"));
            assert!(said(&no_cache).no_cache && !said(&no_cache).is_qualified);
            assert!(said(&private).private && !said(&private).is_qualified);
            for name in name.split(',').map(str::trim) {
                let is_withheld = Directives::of(&no_cache).withholds(name.as_bytes());
                assert!(!is_withheld, "for {name}");
            }
        }
    }
    assert!(control("no-cache=\"Dated, X-Vary\"").is_qualified);
}

/// RFC 9111 sections 5.2.2.4 and 5.2.2.7: with names of fields, only those are kept from others.
#[test]
fn qualified_forms_withhold_fields() {
    for (value, named, others) in [
        ("no-cache=\"a\"", &["a", "A"][..], &["b", ""][..]),
        ("private=\"a\"", &["a"], &["b"]),
        (
            "no-cache=\"a, Set-Cookie ,,c\"",
            &["a", "set-cookie", "c"],
            &["b", "cookie"],
        ),
        (
            "private=\"a\", no-cache=\"b\", max-age=5",
            &["a", "b"],
            &["max-age", "private"],
        ),
        ("Private=\"a\", private=\"b\"", &["a", "b"], &["c"]),
    ] {
        let text = lines(&[&format!("Cache-Control: {value}")]);
        let control = said(&text);
        assert!(
            control.is_qualified && !control.no_cache && !control.private,
            "for {value}"
        );
        let directives = Directives::of(&text);
        for name in named {
            assert!(directives.withholds(name.as_bytes()), "{name} by {value}");
        }
        for name in others {
            assert!(!directives.withholds(name.as_bytes()), "{name} by {value}");
        }
    }
    let plain = lines(&["Cache-Control: public, max-age=5"]);
    assert!(!Directives::of(&plain).withholds(b"a"));
}

/// RFC 9111 section 3.2: a field that an update has takes the place of the stored one, and only
/// then.
#[test]
fn an_update_has_the_directives_of_both() {
    for (stored, newer, is_private, withheld) in [
        ("", "", false, ""),
        ("Cache-Control: private=\"a\"", "ETag: x", false, "a"),
        (
            "Cache-Control: private=\"a\"",
            "Cache-Control: private",
            true,
            "",
        ),
        (
            "Cache-Control: private=\"a\"",
            "Cache-Control: private=\"b\"",
            false,
            "b",
        ),
        ("Cache-Control: private=\"a\"", "Cache-Control: ", false, ""),
        ("ETag: x", "Cache-Control: private=\"a\"", false, "a"),
        // RFC 9213 section 2.2: whoever has it.
        (
            "CDN-Cache-Control: private=\"a\"",
            "Cache-Control: private",
            false,
            "a",
        ),
        (
            "Cache-Control: private",
            "CDN-Cache-Control: private=\"a\"",
            false,
            "a",
        ),
        (
            "CDN-Cache-Control: private=\"a\"",
            "CDN-Cache-Control: max-age=1",
            false,
            "",
        ),
        // One that is to be ignored is there all the same.
        (
            "CDN-Cache-Control: private=\"a\"",
            "CDN-Cache-Control: &",
            false,
            "",
        ),
    ] {
        let (stored_lines, newer_lines) = (lines(&[stored]), lines(&[newer]));
        let directives = Directives::merged(&stored_lines, &newer_lines);
        let control = directives.control();
        assert_eq!(control.private, is_private, "for {stored}; {newer}");
        assert_eq!(control.is_qualified, !withheld.is_empty());
        for name in ["a", "b"] {
            let is_withheld = directives.withholds(name.as_bytes());
            assert_eq!(is_withheld, name == withheld, "for {stored}; {newer}");
        }
    }
}

/// What is no list of field names does not make the directive weaker: "caches often handle the
/// qualified form as if an unqualified directive was received".
#[test]
fn bad_qualified_forms_are_unqualified() {
    for argument in [
        "=",
        "=\"\"",
        "=\", ,\"",
        "=\"a b\"",
        "=\"a/b\"",
        "=\"a",
        "=\"a\\,b\"",
        "= a",
        // "This directive uses the quoted-string form of the argument syntax" (section 5.2.2.4).
        "=a",
        "=1",
        "=Set-Cookie",
    ] {
        let no_cache = control(&format!("no-cache{argument}"));
        assert!(
            no_cache.no_cache && !no_cache.is_qualified,
            "for {argument}"
        );
        let private = control(&format!("private{argument}"));
        assert!(private.private && !private.is_qualified, "for {argument}");
    }
    let both = control("private=\"a\", private");
    assert!(both.private && both.is_qualified);
}

/// RFC 9213 section 2.2: CDN-Cache-Control is in the place of Cache-Control.
#[test]
fn a_targeted_field_comes_first() {
    const NONE: ResponseControl = ResponseControl {
        is_targeted: true,
        ..ResponseControl::NONE
    };
    let table: [(&str, Sets<ResponseControl>); 25] = [
        ("max-age=3600", |it| it.max_age = secs(3600)),
        ("max-age=99999999999", |it| it.max_age = secs(1 << 31)),
        ("foobar, max-age=5;x=y", |it| it.max_age = secs(5)),
        ("max-age=-5", |it| it.max_age = secs(0)),
        ("max-age=5.0", |it| it.max_age = secs(0)),
        ("max-age=\"5\"", |it| it.max_age = secs(0)),
        ("max-age=t5", |it| it.max_age = secs(0)),
        ("max-age", |it| it.max_age = secs(0)),
        ("max-age=?0", |_| {}),
        // The last one of several: RFC 9651 section 4.2.2.
        ("max-age=1, max-age=5", |it| it.max_age = secs(5)),
        ("no-store, no-store=?0", |_| {}),
        ("no-store=?0, no-store", |it| it.no_store = true),
        ("no-store=1", |it| it.no_store = true),
        ("public=1, immutable=?1", |it| it.immutable = true),
        ("private, private=?0, no-cache, no-cache=?0", |_| {}),
        ("public, public=?0, immutable, immutable=?0", |_| {}),
        (
            "must-revalidate, must-revalidate=?0, must-understand, must-understand=?0",
            |_| {},
        ),
        (
            "proxy-revalidate, proxy-revalidate=?0, s-maxage=5, s-maxage=?0",
            |_| {},
        ),
        ("stale-if-error=5, stale-if-error=?0, max-stale", |_| {}),
        (
            "stale-while-revalidate=5, stale-while-revalidate=?0",
            |_| {},
        ),
        ("private=(\"a\")", |it| it.private = true),
        ("private=5", |it| it.private = true),
        ("private=a", |it| it.private = true),
        ("no-cache=a", |it| it.no_cache = true),
        ("foo", |_| {}),
    ];
    for (value, change) in table {
        let mut expected = NONE;
        change(&mut expected);
        assert_eq!(targeted(value), expected, "for {value}");
    }
    let text = lines(&[
        "CDN-Cache-Control: private=\"a, b\"",
        "CDN-Cache-Control: no-cache=\"c\"",
    ]);
    let control = said(&text);
    assert_eq!(
        control,
        ResponseControl {
            is_qualified: true,
            ..NONE
        }
    );
    for (name, is_withheld) in [("a", true), ("B", true), ("c", true), ("d", false)] {
        assert_eq!(
            Directives::of(&text).withholds(name.as_bytes()),
            is_withheld,
            "for {name}"
        );
    }
}

/// RFC 9213 section 2.1: one that is empty or that does not parse is ignored.
#[test]
fn a_bad_targeted_field_is_ignored() {
    for value in [
        "",
        "max-age=10000, &&&&&",
        "MaX-aGe=3600",
        "max-age =100",
        "max-age= 100",
        "a,",
    ] {
        let expected = ResponseControl {
            no_store: true,
            ..ResponseControl::NONE
        };
        assert_eq!(targeted(value), expected, "for {value}");
    }
    let two = ["CDN-Cache-Control: max-age=5", "CDN-Cache-Control: &"];
    assert_eq!(said(&lines(&two)), ResponseControl::NONE);
}

/// RFC 9111 section 5.2.1.
#[test]
fn each_directive_of_a_request_is_known() {
    let table: [(&str, Sets<RequestControl>); 20] = [
        ("", |_| {}),
        ("x, private, s-maxage=5, no-transform", |_| {}),
        ("no-cache", |it| it.no_cache = true),
        ("no-cache=\"a\"", |it| it.no_cache = true),
        ("No-Store", |it| it.no_store = true),
        ("only-if-cached", |it| it.only_if_cached = true),
        ("max-age=5", |it| it.max_age = secs(5)),
        ("max-age=5, max-age=6", |it| it.max_age = secs(5)),
        ("max-age=x", |it| it.max_age = secs(0)),
        ("max-age", |it| it.max_age = secs(0)),
        ("min-fresh=5", |it| it.min_fresh = secs(5)),
        ("min-fresh=x", |_| {}),
        ("min-fresh", |_| {}),
        ("max-stale", |it| it.max_stale = secs(1 << 31)),
        ("max-stale=5, max-stale", |it| it.max_stale = secs(5)),
        ("max-stale=\"5\"", |it| it.max_stale = secs(5)),
        ("max-stale=x", |_| {}),
        ("max-stale=", |_| {}),
        ("stale-if-error=5", |it| it.stale_if_error = secs(5)),
        ("stale-if-error", |_| {}),
    ];
    for (value, change) in table {
        let mut expected = RequestControl::NONE;
        change(&mut expected);
        let found = request(&[&format!("Cache-Control: {value}")]);
        assert_eq!(found, expected, "for {value}");
    }
}

/// RFC 9111 section 5.4.
#[test]
fn pragma_counts_without_cache_control() {
    for (fields, no_cache) in [
        (&["Pragma: no-cache"][..], true),
        (&["Pragma: x, NO-CACHE"], true),
        (&["Pragma: x", "pragma: no-cache"], true),
        (&["Pragma: no-cache", "Cache-Control: max-age=5"], false),
        (&["Cache-Control: ", "Pragma: no-cache"], false),
        (&["Pragma: x"], false),
        (&["Pragma: \"no-cache\""], false),
        (&["Host: no-cache"], false),
    ] {
        assert_eq!(request(fields).no_cache, no_cache, "for {fields:?}");
    }
    // It means nothing in a response.
    let response = said(&lines(&["Pragma: no-cache"]));
    assert_eq!(response, ResponseControl::NONE);
}

/// RFC 9111 section 1.2.2: nothing overflows.
#[test]
fn seconds_are_capped() {
    let max = DeltaSeconds::MAX;
    assert_eq!(max.as_secs(), 1 << 31);
    assert_eq!(DeltaSeconds::from_secs(u64::MAX), max);
    assert_eq!(
        DeltaSeconds::from_secs((1 << 31) - 1).as_secs(),
        (1 << 31) - 1
    );
    assert_eq!(max.saturating_add(max), max);
    assert_eq!(DeltaSeconds::ZERO.saturating_sub(max), DeltaSeconds::ZERO);
    assert_eq!(max.saturating_sub(max), DeltaSeconds::ZERO);
    assert_eq!(DeltaSeconds::parse(b""), None);
}

fn directive() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec![
        "max-age",
        "s-maxage",
        "no-cache",
        "no-store",
        "private",
        "public",
        "must-revalidate",
        "proxy-revalidate",
        "must-understand",
        "immutable",
        "stale-while-revalidate",
        "stale-if-error",
        "max-stale",
        "min-fresh",
        "only-if-cached",
        "x",
    ]);
    let argument = prop::sample::select(vec![
        "",
        "=",
        "=5",
        "=\"6\"",
        "=x",
        "=\"a, b\"",
        "=\"\"",
        "=99999999999",
        "=-1",
        "= 1",
        "=7s",
    ]);
    (name, argument).prop_map(|(name, argument)| format!("{name}{argument}"))
}

proptest! {
    #![proptest_config(crate::tests::cases(512))]

    /// RFC 9110 section 5.3: several lines are one list.
    #[test]
    fn several_lines_are_one_list(directives in prop::collection::vec(directive(), 1..8)) {
        let apart: Vec<_> = directives.iter().map(|one| format!("cache-control: {one}")).collect();
        let apart = lines(&apart.iter().map(String::as_str).collect::<Vec<_>>());
        let joined = lines(&[&format!("Cache-Control: {}", directives.join(" ,"))]);
        let response = said(&joined);
        prop_assert_eq!(said(&apart), response);
        prop_assert_eq!(RequestControl::of(&apart), RequestControl::of(&joined));
        for name in ["a", "b", "c"] {
            let withheld = Directives::of(&joined).withholds(name.as_bytes());
            prop_assert_eq!(Directives::of(&apart).withholds(name.as_bytes()), withheld);
        }
    }

    /// Whatever else is said, what forbids is obeyed.
    #[test]
    fn nothing_takes_back_what_forbids(before in directive(), after in directive()) {
        let said = control(&format!("{before}, no-store, private, no-cache, {after}"));
        prop_assert!(said.no_store && said.private && said.no_cache);
    }

    #[test]
    fn any_value_is_read(value in "[ -~\u{80}-\u{ff}\t]{0,60}") {
        let text = lines(&[&format!("Cache-Control: {value}"), &format!("CDN-Cache-Control: {value}")]);
        let _ = said(&text);
        let _ = Directives::of(&text).withholds(b"a");
        let _ = RequestControl::of(&text);
    }

    #[test]
    fn any_sum_is_capped(one: u64, other: u64) {
        let (a, b) = (DeltaSeconds::from_secs(one), DeltaSeconds::from_secs(other));
        let sum = a.saturating_add(b);
        let exact = u64::from(a.as_secs()) + u64::from(b.as_secs());
        prop_assert_eq!(u64::from(sum.as_secs()), exact.min(1 << 31));
        prop_assert!(sum.saturating_sub(b) <= a);
    }

    #[test]
    fn digits_are_read_as_far_as_they_count(digits in "[0-9]{1,30}") {
        let exact: u128 = digits.parse().unwrap();
        let read = DeltaSeconds::parse(digits.as_bytes()).unwrap().as_secs();
        prop_assert_eq!(u128::from(read), exact.min(1 << 31));
    }
}
