// SPDX-License-Identifier: GPL-2.0

//! Lists of networks: who is in them, and how they are written.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::settings::{applied, line};
use super::{assert_refused, Random};
use crate::config::Kind::{Invalid, Range};
use crate::config::{Networks, Settings};

fn networks(text: &str) -> Networks {
    let text = format!("trusted-proxies {text}");
    applied(&Settings::default(), text.as_bytes())
        .expect(&text)
        .trusted_proxies
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect(text)
}

#[test]
fn a_network_contains_what_begins_with_its_bits() {
    for (list, inside, outside) in [
        (
            "10.0.0.0/8",
            &["10.0.0.0", "10.255.255.255", "::ffff:10.1.2.3"][..],
            &["9.255.255.255", "11.0.0.0", "::10.1.2.3", "::1"][..],
        ),
        (
            "192.168.0.128/25",
            &["192.168.0.128", "192.168.0.255"],
            &["192.168.0.127", "192.168.1.128"],
        ),
        ("127.0.0.1", &["127.0.0.1"], &["127.0.0.0", "127.0.0.3"]),
        ("0.0.0.0/0", &["0.0.0.0", "255.255.255.255"], &["::", "::1"]),
        (
            "::/0",
            &["::", "::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"],
            &["0.0.0.0", "127.0.0.1", "::ffff:1.2.3.4"],
        ),
        (
            "2001:db8::/33",
            &["2001:db8::", "2001:db8:7fff:ffff::1"],
            &["2001:db8:8000::", "2001:db7::"],
        ),
        ("::1/128", &["::1"], &["::", "::2", "127.0.0.1"]),
        (
            "::ffff:10.0.0.0/104",
            &["10.9.8.7", "::ffff:10.0.0.1"],
            &["11.0.0.0"],
        ),
        (
            "10.0.0.0/8 fd00::/8, 1.2.3.4",
            &["10.1.1.1", "fdab::1", "1.2.3.4"],
            &["1.2.3.5", "fc00::1"],
        ),
        ("none", &[], &["0.0.0.0", "::", "127.0.0.1"]),
    ] {
        let networks = networks(list);
        for address in inside {
            assert!(networks.contains(ip(address)), "{address} in {list}");
        }
        for address in outside {
            assert!(!networks.contains(ip(address)), "{address} not in {list}");
        }
    }
}

/// The same question, asked bit by bit.
#[test]
fn containing_is_comparing_the_first_bits() {
    let mut random = Random(4);
    for _ in 0..20_000 {
        let bits = (u128::from(random.next()) << 64) | u128::from(random.next());
        let (list, other, expected) = if random.below(2) == 0 {
            let prefix = random.below(33) as u32;
            let mask = u32::MAX.checked_shl(32 - prefix).unwrap_or(0);
            let network = bits as u32 & mask;
            let other = network
                ^ (random.next() as u32)
                    .checked_shr(random.below(40) as u32)
                    .unwrap_or(0);
            (
                format!("{}/{prefix}", Ipv4Addr::from_bits(network)),
                IpAddr::V4(Ipv4Addr::from_bits(other)),
                other & mask == network,
            )
        } else {
            // Not in ::ffff:0:0/96, whose addresses are IPv4.
            let prefix = 1 + random.below(128) as u32;
            let mask = u128::MAX << (128 - prefix);
            let network = (bits | (1 << 127)) & mask;
            let other = network ^ (u128::from(random.next()) << random.below(65));
            (
                format!("{}/{prefix}", Ipv6Addr::from_bits(network)),
                IpAddr::V6(Ipv6Addr::from_bits(other)),
                other & mask == network,
            )
        };
        assert_eq!(
            networks(&list).contains(other),
            expected,
            "{other} in {list}"
        );
    }
}

#[test]
fn lists_print_as_they_are_meant() {
    for (written, printed) in [
        ("none", "none"),
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("10.0.0.0/8,127.0.0.1/32", "10.0.0.0/8 127.0.0.1"),
        ("  ::1/128 ,,\t2001:DB8:0::/32 ", "::1 2001:db8::/32"),
        ("0.0.0.0/0 ::/0", "0.0.0.0/0 ::/0"),
        ("::ffff:10.0.0.0/104 ::ffff:1.2.3.4", "10.0.0.0/8 1.2.3.4"),
        ("1.1.1.1 1.1.1.1", "1.1.1.1 1.1.1.1"),
        (
            "1.0.0.0 2.0.0.0 3.0.0.0 4.0.0.0 5.0.0.0 6.0.0.0 7.0.0.0 8.0.0.0",
            "1.0.0.0 2.0.0.0 3.0.0.0 4.0.0.0 5.0.0.0 6.0.0.0 7.0.0.0 8.0.0.0",
        ),
    ] {
        let text = format!("status-allow {written}");
        let settings = applied(&Settings::default(), text.as_bytes()).expect(written);
        assert_eq!(line(&settings, "status-allow"), printed);
    }
}

#[test]
fn a_list_replaces_the_one_before() {
    let first = applied(&Settings::default(), b"status-allow 1.1.1.1 2.2.2.2").expect("a list");
    let second = applied(&first, b"status-allow 3.3.3.3").expect("a list");
    assert_eq!(line(&second, "status-allow"), "3.3.3.3");
    let third = applied(&second, b"status-allow none").expect("an empty list");
    assert_eq!(third, Settings::default());
}

#[test]
fn refusals_of_networks_say_why() {
    let parse = |text: &[u8]| applied(&Settings::default(), &[b"status-allow ", text].concat());
    let missing = "line 1: status-allow: a value is missing: \
                   write networks such as 10.0.0.0/8, or none";
    let malformed = |word| {
        format!(
            "line 1: status-allow: \"{word}\" is not a network: \
             write one such as 10.0.0.0/8 or 2001:db8::/32"
        )
    };
    let prefix = |word| {
        format!(
            "line 1: status-allow: the prefix length of \"{word}\" is wrong: \
             write /0 to /32, for IPv6 to /128"
        )
    };
    let host_bits =
        |word| format!("line 1: status-allow: \"{word}\" has bits set after its prefix length");
    assert_refused(
        parse,
        &[
            ("", Invalid, missing),
            (" , ", Invalid, missing),
            ("None", Invalid, &malformed("None")),
            ("none 1.2.3.4", Invalid, &malformed("none")),
            ("10.0.0.0/8 none", Invalid, &malformed("none")),
            ("localhost", Invalid, &malformed("localhost")),
            ("10.0.0/8", Invalid, &malformed("10.0.0/8")),
            ("fe80::1%eth0", Invalid, &malformed("fe80::1%eth0")),
            ("[::1]", Invalid, &malformed("[::1]")),
            ("/8", Invalid, &malformed("/8")),
            ("10.0.0.0/", Invalid, &prefix("10.0.0.0/")),
            ("10.0.0.0/33", Invalid, &prefix("10.0.0.0/33")),
            ("10.0.0.0/08", Invalid, &prefix("10.0.0.0/08")),
            ("10.0.0.0/+8", Invalid, &prefix("10.0.0.0/+8")),
            ("10.0.0.0/8/8", Invalid, &prefix("10.0.0.0/8/8")),
            ("10.0.0.0/255.0.0.0", Invalid, &prefix("10.0.0.0/255.0.0.0")),
            ("::/129", Invalid, &prefix("::/129")),
            ("::/256", Invalid, &prefix("::/256")),
            ("::ffff:0:0/80", Invalid, &prefix("::ffff:0:0/80")),
            ("10.0.0.1/8", Invalid, &host_bits("10.0.0.1/8")),
            ("10.0.0.1/31", Invalid, &host_bits("10.0.0.1/31")),
            ("10.0.0.0/0", Invalid, &host_bits("10.0.0.0/0")),
            ("2001:db8::1/127", Invalid, &host_bits("2001:db8::1/127")),
            (
                "1.0.0.1 1.0.0.2 1.0.0.3 1.0.0.4 1.0.0.5 1.0.0.6 1.0.0.7 1.0.0.8 1.0.0.9",
                Range,
                "line 1: status-allow: \"1.0.0.9\" is one too many: a list holds up to 8 networks",
            ),
        ],
    );
}
