// SPDX-License-Identifier: GPL-2.0

//! Where a session belongs.

use crate::lb::{route, stamp, write_stamp, Homes, Names, Session, SipKey};

const NAMES: Names<'_> = Names {
    cookie: b"JSESSIONID",
    prefix: b";jsessionid=",
    stamp: b"",
};

fn name(path: &str, cookies: &[&str]) -> Option<String> {
    let cookies = cookies.iter().map(|value| value.as_bytes());
    let found = NAMES.find(path.as_bytes(), cookies);
    let name = found.name.map(|name| String::from_utf8_lossy(name));
    name.map(String::from)
}

#[test]
fn the_cookie_is_matched_exactly() {
    let table: &[(&[&str], Option<&str>)] = &[
        (&["JSESSIONID=abc"], Some("abc")),
        (&["a=b; JSESSIONID=abc; c=d"], Some("abc")),
        (&["a=b;JSESSIONID=abc"], Some("abc")),
        (&["a=b", "JSESSIONID=abc"], Some("abc")),
        (&["JSESSIONID=\"abc\""], Some("abc")),
        (&["JSESSIONID = abc "], Some("abc")),
        (&["JSESSIONID=first; JSESSIONID=second"], Some("first")),
        (&["JSESSIONID=; JSESSIONID=second"], Some("second")),
        (&["XJSESSIONID=abc"], None),
        (&["JSESSIONIDX=abc"], None),
        (&["jsessionid=abc"], None),
        (&["a=JSESSIONID=abc"], None),
        (&["JSESSIONID"], None),
        (&["", ";", "=", ";=;"], None),
        (&[], None),
    ];
    for (cookies, right) in table {
        assert_eq!(name("/", cookies).as_deref(), *right, "{cookies:?}");
    }
}

#[test]
fn the_path_comes_second() {
    let table = [
        ("/a;jsessionid=abc", Some("abc")),
        ("/a;jsessionid=abc?x=1", Some("abc")),
        ("/a;jsessionid=abc;v=2/b", Some("abc")),
        ("/a;jsessionid=abc/b", Some("abc")),
        ("/a;jsessionid=", None),
        ("/a?x=;jsessionid=abc", None),
        ("/a;JSESSIONID=abc", None),
        ("/", None),
        ("", None),
    ];
    for (path, right) in table {
        assert_eq!(name(path, &[]).as_deref(), right, "{path:?}");
        let both = name(path, &["JSESSIONID=cookie"]);
        assert_eq!(both.as_deref(), Some("cookie"), "{path:?}");
    }
    let nothing = Names {
        prefix: b"",
        ..NAMES
    };
    let found = nothing.find(b"/a;jsessionid=abc", std::iter::empty());
    assert_eq!(found, Session::default());
}

fn owner(name: &str, routes: &[&str], count: usize) -> Option<usize> {
    let mut sorted: Vec<_> = (0u8..)
        .zip(routes)
        .map(|(slot, name)| (route(name.as_bytes()), slot))
        .collect();
    sorted.sort_unstable();
    let homes = Homes {
        routes: &sorted,
        stamps: &[],
        count,
    };
    let session = Session {
        name: Some(name.as_bytes()),
        stamp: None,
    };
    homes.owner(&session.claim())
}

/// The alphabet of srun.md section 3.
#[test]
fn resins_letters() {
    let alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    for (value, letter) in alphabet.chars().enumerate() {
        for count in [1, 2, 3, 5, 64] {
            let name = format!("{letter}X8ZwooOz");
            assert_eq!(owner(&name, &[], count), Some(value % count), "{name}");
        }
    }
    for name in ["", "*abc", "\u{e9}a", "/abc", "+abc"] {
        assert_eq!(owner(name, &[], 3), None, "{name:?}");
    }
    assert_eq!(owner("abc", &[], 0), None);
    // As measured with real Resins.
    for letter in "umqGkO6".chars() {
        assert_eq!(owner(&format!("{letter}abc"), &[], 2), Some(0));
    }
    for letter in "BRV3p".chars() {
        assert_eq!(owner(&format!("{letter}abc"), &[], 2), Some(1));
    }
}

#[test]
fn routes_of_tomcat_and_jetty() {
    let routes = ["tom1", "tom2", "app.example.com", "node0"];
    for (name, right) in [
        ("6A5F0E.tom1", 0),
        ("6A5F0E.tom2", 1),
        ("6A5F0E.app.example.com", 2),
        ("node01h8d9k.node0", 3),
        // Nobody's: as Resin would.
        ("aA5F0E.tom3", 0),
        ("bA5F0E.tom", 1),
        ("b.", 1),
        ("btom1", 1),
    ] {
        assert_eq!(owner(name, &routes, 4), Some(right), "{name}");
    }
}

#[test]
fn stamps_are_known_again_and_nothing_else_is() {
    let key = SipKey::of_text(b"secret");
    let stamps: Vec<_> = (0..64u8)
        .map(|slot| (stamp(key, format!("10.0.0.{slot}:80").as_bytes()), slot))
        .collect();
    let mut sorted = stamps.clone();
    sorted.sort_unstable();
    let homes = Homes {
        routes: &[],
        stamps: &sorted,
        count: 64,
    };
    let names = Names {
        stamp: b"resin",
        ..NAMES
    };
    let asked = |cookie: String| {
        let found = names.find(b"/", std::iter::once(cookie.as_bytes()));
        homes.owner(&found.claim())
    };
    for (stamp, slot) in &stamps {
        let text = String::from_utf8(write_stamp(*stamp).to_vec()).unwrap();
        assert_eq!(asked(format!("resin={text}")), Some(usize::from(*slot)));
        // It is believed before anything else.
        let both = format!("JSESSIONID=a; resin={text}");
        assert_eq!(asked(both), Some(usize::from(*slot)));
    }
    let text = String::from_utf8(write_stamp(stamps[0].0 ^ 1).to_vec()).unwrap();
    assert_eq!(asked(format!("resin={text}")), None);
    assert_eq!(asked("resin=0".into()), None);
    assert_eq!(asked("resin=".into()), None);
    // Another key, other stamps.
    let other = SipKey::of_text(b"Secret");
    assert_ne!(stamp(key, b"10.0.0.1:80"), stamp(other, b"10.0.0.1:80"));
}

/// The vectors of the paper's appendix and of the reference implementation.
#[test]
fn siphash_is_siphash() {
    let key = SipKey(0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908);
    let input: Vec<u8> = (0..64).collect();
    for (len, right) in [
        (0, 0x726f_db47_dd0e_0e31),
        (1, 0x74f8_39c5_93dc_67fd),
        (7, 0xab02_00f5_8b01_d137),
        (8, 0x93f5_f579_9a93_2462),
        (15, 0xa129_ca61_49be_45e5),
        (63, 0x958a_324c_eb06_4572_u64),
    ] {
        assert_eq!(key.hash(&input[..len]), right, "{len} octets");
    }
}
