// SPDX-License-Identifier: GPL-2.0

//! The grammar of the proc files: what is taken, what is refused and with which words, and that
//! printing and parsing are each other's inverse.

mod cache;
mod networks;
mod settings;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::config::Kind::{self, Invalid, Range, Unsupported};
use crate::config::{
    parse_count, parse_port, Admin, Backend, Protocol, Refusal, Text, MAX_BACKENDS,
};
use crate::proc_grammar;

/// What a refused text should say, with the kind that becomes the error number.
type Refused<'a> = (&'a str, Kind, &'a str);

fn assert_refused<T: std::fmt::Debug>(
    parse: impl Fn(&[u8]) -> Result<T, Refusal>,
    table: &[Refused<'_>],
) {
    for &(text, kind, message) in table {
        let refusal = parse(text.as_bytes()).expect_err(text);
        assert_eq!(refusal.to_string(), message, "for {text:?}");
        assert_eq!(refusal.kind(), kind, "for {text:?}");
    }
}

#[test]
fn port_is_a_number_in_white_space() {
    for (text, port) in [
        ("80", 80),
        ("81\n", 81),
        ("  8080 \t\r\n", 8080),
        ("0", 0),
        ("0080", 80),
        ("65535\n", 65535),
    ] {
        assert_eq!(parse_port(text.as_bytes()), Ok(port), "for {text:?}");
    }
    for port in 0..=u16::MAX {
        assert_eq!(parse_port(format!("{port}\n").as_bytes()), Ok(port));
    }
}

#[test]
fn port_refusals_say_why() {
    let missing = "a port is missing: write a number from 0 to 65535";
    assert_refused(
        parse_port,
        &[
            ("", Invalid, missing),
            (" \n", Invalid, missing),
            ("http", Invalid, r#""http" is not a number"#),
            ("-1", Invalid, r#""-1" is not a number"#),
            ("+80", Invalid, r#""+80" is not a number"#),
            ("0x50", Invalid, r#""0x50" is not a number"#),
            ("80\0", Invalid, r#""80\x00" is not a number"#),
            ("80 81", Invalid, r#""81" is one word too many"#),
            ("80\n81", Invalid, r#""81" is one word too many"#),
            (
                "65536",
                Range,
                r#""65536" is out of range: write 0 to 65535"#,
            ),
            (
                "99999999999999999999999",
                Range,
                r#""99999999999999999999999" is out of range: write 0 to 65535"#,
            ),
        ],
    );
}

#[test]
fn count_is_limited() {
    for count in 0..=MAX_BACKENDS {
        assert_eq!(parse_count(format!("{count}\n").as_bytes()), Ok(count));
    }
    assert_refused(
        parse_count,
        &[
            ("65", Range, r#""65" is out of range: write 0 to 64"#),
            ("two", Invalid, r#""two" is not a number"#),
            (
                "",
                Invalid,
                "a count is missing: write a number from 0 to 64",
            ),
        ],
    );
}

#[test]
fn backend_defaults_to_a_resin_on_this_machine() {
    assert_eq!(Backend::default().to_string(), "127.0.0.1 6802");
}

#[test]
fn backend_prints_what_is_not_default() {
    for (text, printed) in [
        ("127.0.0.1 6802\n", "127.0.0.1 6802"),
        ("192.168.0.3:6810", "192.168.0.3 6810"),
        ("  10.0.2.2 \t 6810  ", "10.0.2.2 6810"),
        ("::1 6802", "::1 6802"),
        ("[::1]:6802", "::1 6802"),
        ("[::1] 6802", "::1 6802"),
        ("2001:DB8:0:0::7 80", "2001:db8::7 80"),
        ("::ffff:10.0.0.1 80", "10.0.0.1 80"),
        ("1.2.3.4 80 http weight=1 max=0 up", "1.2.3.4 80"),
        ("1.2.3.4 80 hmux", "1.2.3.4 80 hmux"),
        ("1.2.3.4 80 down", "1.2.3.4 80 down"),
        (
            "1.2.3.4:80 drain backup max=7 weight=256 srun",
            "1.2.3.4 80 srun weight=256 max=7 backup drain",
        ),
    ] {
        let backend = Backend::parse(text.as_bytes()).expect(text);
        assert_eq!(backend.to_string(), printed);
    }
}

#[test]
fn backend_refusals_of_addresses_say_why() {
    let missing = "an address is missing: write IP PORT, such as 192.168.0.3 6802";
    let range = r#"port: "0" is out of range: write 1 to 65535"#;
    let malformed =
        |word| format!(r#""{word}" is not an address: write IP PORT, such as 192.168.0.3 6802"#);
    let name = |word| {
        format!(r#""{word}" is a host name: names are resolved in user space, write an address"#)
    };
    let scope = |word| {
        format!(r#""{word}" needs an interface: link-local addresses are not supported yet"#)
    };
    let one_host = |word| format!(r#""{word}" is not the address of one host"#);
    assert_refused(
        Backend::parse,
        &[
            ("", Invalid, missing),
            ("\n", Invalid, missing),
            ("1.2.3.4", Invalid, r#"a port is missing after "1.2.3.4""#),
            ("::1", Invalid, r#"a port is missing after "::1""#),
            ("::1:6802", Invalid, r#"a port is missing after "::1:6802""#),
            ("1.2.3.4 0", Range, range),
            ("1.2.3.4:0", Range, range),
            ("[::1]:0", Range, range),
            ("1.2.3.4:", Invalid, r#"port: "" is not a number"#),
            ("1.2.3.4 http", Invalid, r#"port: "http" is not a number"#),
            ("1.2.3.4 80 81", Invalid, r#"unknown option "81""#),
            ("1.2.3.4:80 81", Invalid, r#"unknown option "81""#),
            ("1.2.3 80", Invalid, &malformed("1.2.3")),
            ("1.2.3.256 80", Invalid, &malformed("1.2.3.256")),
            ("01.2.3.4 80", Invalid, &malformed("01.2.3.4")),
            ("[1.2.3.4]:80", Invalid, &malformed("[1.2.3.4]:80")),
            ("[::1:80", Invalid, &malformed("[::1:80")),
            ("[::1]80", Invalid, &malformed("[::1]80")),
            (":::1 80", Invalid, &malformed(":::1")),
            ("http://1.2.3.4/ 80", Invalid, &malformed("http://1.2.3.4/")),
            ("localhost 80", Invalid, &name("localhost")),
            ("db1.example.com:80", Invalid, &name("db1.example.com:80")),
            ("fe80::1 80", Unsupported, &scope("fe80::1")),
            ("[fe80::1%2]:80", Unsupported, &scope("[fe80::1%2]:80")),
            ("febf::1%eth0 80", Unsupported, &scope("febf::1%eth0")),
            ("0.0.0.0 80", Invalid, &one_host("0.0.0.0")),
            (":: 80", Invalid, &one_host("::")),
            ("224.0.0.1 80", Invalid, &one_host("224.0.0.1")),
            ("ff02::1 80", Invalid, &one_host("ff02::1")),
            ("255.255.255.255 80", Invalid, &one_host("255.255.255.255")),
        ],
    );
}

#[test]
fn backend_refusals_of_options_say_why() {
    let again = |word| format!(r#""{word}" repeats or contradicts an earlier option"#);
    let one_line = "write one line: a file is one backend";
    assert_refused(
        Backend::parse,
        &[
            ("1.2.3.4 80\n1.2.3.5 80\n", Invalid, one_line),
            ("1.2.3.4 80 https", Invalid, r#"unknown option "https""#),
            ("1.2.3.4 80 HTTP", Invalid, r#"unknown option "HTTP""#),
            ("1.2.3.4 80 http hmux", Invalid, &again("hmux")),
            ("1.2.3.4 80 http http", Invalid, &again("http")),
            ("1.2.3.4 80 up down", Invalid, &again("down")),
            ("1.2.3.4 80 backup backup", Invalid, &again("backup")),
            ("1.2.3.4 80 max=1 max=1", Invalid, &again("max=1")),
            ("1.2.3.4 80 weight=1 weight=2", Invalid, &again("weight=2")),
            ("1.2.3.4 80 weight", Invalid, r#"unknown option "weight""#),
            (
                "1.2.3.4 80 weight=",
                Invalid,
                r#"weight: "" is not a number"#,
            ),
            (
                "1.2.3.4 80 weight=x",
                Invalid,
                r#"weight: "x" is not a number"#,
            ),
            (
                "1.2.3.4 80 weight=0",
                Range,
                r#"weight: "0" is out of range: write 1 to 256"#,
            ),
            (
                "1.2.3.4 80 weight=257",
                Range,
                r#"weight: "257" is out of range: write 1 to 256"#,
            ),
            (
                "1.2.3.4 80 max=4294967296",
                Range,
                r#"max: "4294967296" is out of range: write 0 to 1000000"#,
            ),
        ],
    );
}

#[test]
fn every_backend_reads_back_as_printed() {
    let mut random = Random(1);
    for _ in 0..20_000 {
        let backend = random.backend();
        let printed = backend.to_string();
        assert_eq!(Backend::parse(printed.as_bytes()), Ok(backend), "{printed}");
    }
}

/// Texts that are taken, as material for the tests that damage them.
const GOOD: [&str; 10] = [
    "8080\n",
    "64\n",
    "192.168.0.3 6810 srun weight=3 max=100 backup drain\n",
    "[2001:db8::7]:6802 http up\n",
    "# saved\nhead-size 32K\nread-timeout 1500ms\n\nidle-per-cpu 0\n",
    "::ffff:10.0.0.1 80 down\r\n",
    "trusted-proxies 10.0.0.0/8, ::1 fd00::/8\nforwarded replace\nlog json\ncdn-loop on\n",
    "via a-name\npage-503 Wir sind gleich zur\u{fc}ck\nbody-size 5G\npage-400\n",
    "url-pattern *.gif expires 24h\nurl-regexp ^/(a|b)*[^?]$ s-max-age 5m\nclear\n",
    settings::DEFAULTS,
];

#[test]
fn damaged_texts_are_judged_without_panic() {
    for text in GOOD {
        let text = text.as_bytes();
        for cut in 0..=text.len() {
            proc_grammar::check(&text[..cut]);
            proc_grammar::check(&text[cut..]);
        }
        for at in 0..text.len() {
            let mut damaged = text.to_vec();
            for octet in 0..=u8::MAX {
                damaged[at] = octet;
                proc_grammar::check(&damaged);
            }
        }
    }
}

#[test]
fn garbage_is_judged_without_panic() {
    let mut random = Random(3);
    for round in 0..50_000 {
        let len = random.below(200) as usize;
        let octets: Vec<u8> = (0..len)
            .map(|_| match round % 2 {
                0 => random.below(256) as u8,
                _ => b"0123456789.:[]%=KMsmh \n#weightmaxupdrain-/,"[random.below(43) as usize],
            })
            .collect();
        proc_grammar::check(&octets);
    }
    proc_grammar::check(&[b'9'; 16_384]);
    proc_grammar::check(&[0xff; 16_384]);
    proc_grammar::check(&[b'\n'; 16_384]);
}

/// SplitMix64: the same values on every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// Within bounds, both of them more often than by chance.
    fn within(&mut self, min: u64, max: u64) -> u64 {
        match self.below(8) {
            0 => min,
            1 => max,
            _ => min + self.below(max - min + 1),
        }
    }

    fn backend(&mut self) -> Backend {
        let bits = (u128::from(self.next()) << 64) | u128::from(self.next());
        let ip = match self.below(2) {
            0 => IpAddr::V4(Ipv4Addr::from_bits((bits as u32 & 0x7fff_ffff) | 1)),
            // 2000::/4, with runs of zeros to shorten.
            _ => IpAddr::V6(Ipv6Addr::from_bits(
                ((bits & (u128::MAX << self.below(100))) >> 4) | (2 << 124),
            )),
        };
        let port = self.within(1, 65_535) as u16;
        Backend {
            addr: SocketAddr::new(ip, port),
            protocol: [Protocol::Http, Protocol::Hmux, Protocol::Srun][self.below(3) as usize],
            weight: self.within(1, 256) as u16,
            max: self.within(0, 1_000_000) as u32,
            route: [Text::EMPTY, Text::of("tom1")][self.below(2) as usize],
            backup: self.below(2) == 0,
            admin: [Admin::Up, Admin::Drain, Admin::Down][self.below(3) as usize],
        }
    }
}
