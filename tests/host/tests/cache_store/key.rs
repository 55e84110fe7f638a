// SPDX-License-Identifier: GPL-2.0

//! The primary key (RFC 9111 section 2, RFC 9110 section 4.2.3).

use std::hash::Hasher;

use proptest::prelude::*;

use crate::bytes::sip::{SipKey, TableHasher};
use crate::bytes::{eq_ignore_case, Full, Writer};
use crate::cache::key::{parts, Key, Scheme};

const SECRET: SipKey = SipKey(0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210);

fn key<'a>(scheme: Scheme, host: &'a str, path: &'a str) -> Key<'a> {
    Key::new(scheme, host.as_bytes(), b"Fallback:80", path.as_bytes()).unwrap()
}

fn written(key: &Key<'_>) -> String {
    let mut out = [0; 256];
    let mut writer = Writer::new(&mut out);
    key.write(&mut writer).unwrap();
    assert_eq!(writer.len(), key.len());
    String::from_utf8(writer.written().to_vec()).unwrap()
}

#[test]
fn a_key_is_the_normalised_uri() {
    use Scheme::{Http, Https};
    for (scheme, host, path, right) in [
        (Http, "example.com", "/", "http://example.com/"),
        // "An empty path component is equivalent to an absolute path of "/"."
        (Http, "example.com", "", "http://example.com/"),
        (Http, "example.com", "?a", "http://example.com/?a"),
        // "The scheme and host are case-insensitive and normally provided in lowercase".
        (Http, "EXAMPLE.com", "/A?B", "http://example.com/A?B"),
        // "the port is equal to the default port for a scheme, the normal form is to omit [it]".
        (Http, "example.com:80", "/", "http://example.com/"),
        // What nobody writes so may mean something else to an origin.
        (Http, "example.com:", "/", "http://example.com:/"),
        (Http, "example.com:0080", "/", "http://example.com:0080/"),
        (Https, "example.com:443", "/", "https://example.com/"),
        (Https, "example.com:80", "/", "https://example.com:80/"),
        (Http, "example.com:443", "/", "http://example.com:443/"),
        (Http, "example.com:8080", "/", "http://example.com:8080/"),
        (Http, "[::1]", "/", "http://[::1]/"),
        (Http, "[::80]", "/", "http://[::80]/"),
        (Http, "[2001:DB8::80]:80", "/", "http://[2001:db8::80]/"),
        // What a backend is told in the place of none.
        (Http, "", "/x", "http://fallback/x"),
        (Https, "", "/x", "https://fallback:80/x"),
        // Everything else is as it was written.
        (Http, "a", "//b", "http://a//b"),
        (Http, "a", "/%7E/../~?", "http://a/%7E/../~?"),
    ] {
        let key = key(scheme, host, path);
        assert_eq!(written(&key), right);
        assert!(key.is(right.as_bytes()), "{right}");
        assert_eq!(key.scheme(), scheme);
    }
    assert!(Key::new(Http, b"a", b"f", b"*").is_none());
    assert!(Key::new(Http, b"a", b"", b"/").is_some());
    assert!(Key::new(Http, b"", b"", b"/").is_none());
}

#[test]
fn what_differs_is_another_key() {
    use Scheme::{Http, Https};
    let one = key(Http, "example.com", "/a?b");
    for other in [
        key(Https, "example.com", "/a?b"),
        key(Http, "example.org", "/a?b"),
        key(Http, "example.com:81", "/a?b"),
        key(Http, "example.com", "/A?b"),
        key(Http, "example.com", "/a?b="),
        key(Http, "example.com", "/a"),
        key(Http, "example.com", "//a?b"),
        key(Http, "example.co", "m/a?b".trim_start_matches('m')),
    ] {
        assert!(!other.is(written(&one).as_bytes()), "{other:?}");
        assert!(!one.is(written(&other).as_bytes()), "{other:?}");
        assert_ne!(one.hash(SECRET), other.hash(SECRET), "{other:?}");
    }
    assert!(!one.is(b""));
    assert!(!one.is(b"http://example.com#a?b"));
    assert_ne!(one.hash(SECRET), one.hash(SipKey(0, 0)));
}

#[test]
fn a_key_that_does_not_fit_is_not_written() {
    let key = key(Scheme::Http, "example.com", "/");
    let mut out = [0; 18];
    let mut writer = Writer::new(&mut out);
    assert_eq!(key.write(&mut writer), Err(Full));
    assert!(writer.is_empty());
}

#[test]
fn a_written_key_has_a_host_and_a_path() {
    let split = |text: &'static str| parts(text.as_bytes());
    assert_eq!(split("http://a:81/b?c"), Some((&b"a:81"[..], &b"/b?c"[..])));
    assert_eq!(split("https://[::1]//"), Some((&b"[::1]"[..], &b"//"[..])));
    assert_eq!(split("ftp://a/b"), None);
    assert_eq!(split("http://a"), None);
}

#[test]
fn the_case_of_letters_alone_is_ignored() {
    let text = b"abcdefghijklmnopqrstuvwxyz@[`{0Aa";
    for len in 0..text.len() {
        let one = &text[..len];
        assert!(eq_ignore_case(one, &one.to_ascii_uppercase()));
        for at in 0..len {
            let mut other = one.to_vec();
            other[at] ^= 0x20;
            let right = one[at].is_ascii_alphabetic();
            assert_eq!(eq_ignore_case(one, &other), right, "{at} of {len}");
            assert!(!eq_ignore_case(one, &other[..len - 1]));
        }
    }
}

/// Octets that are no whole words are padded with zeros, wherever they are read from.
#[test]
fn the_table_hasher_pads_with_zeros() {
    let octets: Vec<u8> = (1..40).collect();
    for len in 0..octets.len() {
        let mut padded = octets[..len].to_vec();
        padded.resize(len.next_multiple_of(8), 0);
        let [one, other] = [&octets[..len], &padded].map(|octets| {
            let mut hasher = TableHasher::new(SECRET);
            hasher.octets(octets, |word| word);
            hasher.finish()
        });
        assert_eq!(one, other, "{len} octets");
    }
}

/// The standard library's hasher is SipHash-1-3 with a key of zeros.
#[test]
fn the_table_hasher_is_siphash_1_3() {
    let octets: Vec<u8> = (0..200).collect();
    for len in (0..200).step_by(8) {
        let mut right = std::collections::hash_map::DefaultHasher::new();
        right.write(&octets[..len]);
        let mut hasher = TableHasher::new(SipKey(0, 0));
        hasher.octets(&octets[..len], |word| word);
        assert_eq!(hasher.finish(), right.finish(), "{len} octets");
    }
}

proptest! {
    #![proptest_config(super::super::cases(512))]

    #[test]
    fn equal_keys_are_those_that_are_written_alike(
        one in ("[a-cA-C]{1,9}(:80|:81|:)?", "(/[a-b?/]{0,9}|\\?[ab]?|)"),
        other in ("[a-cA-C]{1,9}(:80|:81|:)?", "(/[a-b?/]{0,9}|\\?[ab]?|)"),
        swap in any::<bool>(),
    ) {
        let one = key(Scheme::Http, &one.0, &one.1);
        let upper;
        let other = if swap {
            upper = written(&one)[7..].to_string();
            let (host, path) = upper.split_at(upper.find('/').unwrap());
            key(Scheme::Http, host, path)
        } else {
            key(Scheme::Http, &other.0, &other.1)
        };
        let alike = written(&one) == written(&other);
        prop_assert!(alike || !swap);
        prop_assert_eq!(one.is(written(&other).as_bytes()), alike);
        prop_assert_eq!(one.hash(SECRET) == other.hash(SECRET), alike);
    }

    #[test]
    fn words_of_any_length_are_compared_as_the_standard_library_does(
        one in "[a-cA-C@`\\[]{0,20}",
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), 0..3), 0..3),
    ) {
        let mut other = one.to_ascii_uppercase().into_bytes();
        for (index, change) in changes {
            match (change, other.len()) {
                (0, 1..) => other[index.index(one.len())] ^= 0x20,
                (1, 1..) => drop(other.pop()),
                _ => {}
            }
            if other.len() < one.len() {
                break;
            }
        }
        let right = one.as_bytes().eq_ignore_ascii_case(&other);
        prop_assert_eq!(eq_ignore_case(one.as_bytes(), &other), right);
    }
}
