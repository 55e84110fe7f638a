// SPDX-License-Identifier: GPL-2.0

//! What has to hold for whatever a client says of its session: the body of the fuzz target
//! `sticky_grammar`, also run over its corpus by the tests.

use crate::lb::{route, write_stamp, Homes, Names, Session};

const NAMES: Names<'_> = Names {
    cookie: b"JSESSIONID",
    prefix: b";jsessionid=",
    stamp: b"route",
};

/// Takes the first line of `input` for a path, the others for the values of Cookie fields.
pub fn check(input: &[u8]) {
    let mut lines = input.split(|octet| *octet == b'\n');
    let path = lines.next().unwrap_or(b"");
    let cookies: Vec<_> = lines.collect();
    let session = NAMES.find(path, cookies.iter().copied());
    check_name(&session, path, &cookies);
    check_stamp(&session, &cookies);
    check_owner(&session);
    // Nothing is looked for that has no name.
    let nothing = Names {
        cookie: b"",
        prefix: b"",
        stamp: b"",
    };
    let cookies = cookies
        .iter()
        .copied()
        .filter(|value| !value.contains(&b'='));
    assert_eq!(nothing.find(path, cookies), Session::default());
}

/// The cookies that are there, as RFC 6265 section 4.2.1 has them.
fn pairs<'a>(cookies: &[&'a [u8]]) -> Vec<(&'a [u8], &'a [u8])> {
    let parts = cookies
        .iter()
        .flat_map(|value| value.split(|octet| *octet == b';'));
    parts
        .filter_map(|part| {
            let equals = part.iter().position(|octet| *octet == b'=')?;
            let value = part[equals + 1..].trim_ascii();
            let bare = match value {
                [b'"', bare @ .., b'"'] => bare,
                value => value,
            };
            Some((part[..equals].trim_ascii(), bare))
        })
        .collect()
}

/// The first cookie that has one, else the path.
fn check_name(session: &Session<'_>, path: &[u8], cookies: &[&[u8]]) {
    let mut named = pairs(cookies).into_iter();
    let cookie = named.find(|(name, value)| *name == NAMES.cookie && !value.is_empty());
    if let Some((_, value)) = cookie {
        return assert_eq!(session.name, Some(value));
    }
    let Some(name) = session.name else {
        return;
    };
    assert!(!name.is_empty());
    assert!(
        !name.iter().any(|octet| b";/?#".contains(octet)),
        "{name:?}"
    );
    let whole = [NAMES.prefix, name].concat();
    assert!(path.windows(whole.len()).any(|part| part == whole));
}

/// Sixteen digits, and nothing else; what is written is read again.
fn check_stamp(session: &Session<'_>, cookies: &[&[u8]]) {
    let ours: Vec<_> = pairs(cookies)
        .into_iter()
        .filter(|(name, _)| *name == NAMES.stamp)
        .map(|(_, value)| value)
        .collect();
    let is_stamp = |value: &&&[u8]| value.len() == 16 && value.iter().all(u8::is_ascii_hexdigit);
    let first = ours.iter().find(is_stamp);
    assert_eq!(session.stamp.is_some(), first.is_some(), "{ours:?}");
    let (Some(stamp), Some(first)) = (session.stamp, first) else {
        return;
    };
    let text = write_stamp(stamp);
    assert!(first.eq_ignore_ascii_case(&text));
    let again = [b"route=", &text[..]].concat();
    assert_eq!(
        NAMES.find(b"/", [&again[..]].into_iter()).stamp,
        Some(stamp)
    );
}

/// A stamp that is known decides, then a route that is known, then a letter; and whoever it is, he
/// is one of those that there are.
fn check_owner(session: &Session<'_>) {
    let claim = session.claim();
    let mut routes = [(route(b"tom1"), 0), (route(b"tom2"), 2)];
    routes.sort_unstable();
    let known = session.stamp.unwrap_or(7);
    let mut behind = session
        .name
        .unwrap_or(b"")
        .splitn(2, |octet| *octet == b'.');
    let behind = behind.nth(1);
    for count in [0, 1, 3, 64] {
        let of = |routes: &[(u64, u8)], stamps: &[(u64, u8)]| {
            let homes = Homes {
                routes,
                stamps,
                count,
            };
            homes.owner(&claim)
        };
        assert!(of(&[], &[]).is_none_or(|slot| slot < count));
        let stamped = of(&routes, &[(known, 1)]);
        match (session.stamp, behind) {
            (Some(_), _) => assert_eq!(stamped, Some(1)),
            (None, Some(b"tom1")) => assert_eq!(stamped, Some(0)),
            (None, Some(b"tom2")) => assert_eq!(stamped, Some(2)),
            (None, _) => assert_eq!(stamped, of(&[], &[])),
        }
        if session.name.is_none() && session.stamp.is_none() {
            assert_eq!(stamped, None);
        }
    }
}
