// SPDX-License-Identifier: GPL-2.0

//! The settings of `config`: what each takes, and that what is printed can be written back.

use super::{assert_refused, Random};
use crate::config::Kind::{Invalid, Range};
use crate::config::{Forwarding, Log, Refusal, Settings};
use crate::time::Duration;

pub(super) const DEFAULTS: &str = "\
header-timeout 10s
body-timeout 30s
keepalive-timeout 1m
connect-timeout 5s
response-timeout 1m
read-timeout 1m
send-timeout 1m
min-rate 500
tunnel-timeout 1h
exchange-timeout 0s
linger-timeout 2s
head-size 16K
header-fields 100
target-size 8K
body-size 0
receive-buffer 192K
max-connections 100000
connections-per-client 10000
requests-per-connection 0
idle-per-cpu 32
idle-timeout 55s
tcp-keepalive 1m
tcp-user-timeout 0s
defer-accept 0s
softirq on
trusted-proxies none
x-forwarded-for append
x-forwarded-proto append
x-forwarded-host append
forwarded remove
via
cdn-loop off
balance round-robin
sticky on
session-cookie JSESSIONID
session-path ;jsessionid=
sticky-cookie
sticky-key
queue-timeout 30s
recover-time 15s
warmup-time 1m
error-limit 20
pause-time 2s
health-interval 0s
health-timeout 5s
health-path
health-status 200-399
status-allow none
log combined
log-cache off
page-400
page-408
page-413
page-414
page-429
page-431
page-500
page-501
page-502
page-503
page-504
page-505
";

/// The settings with the lines of `text` applied.
pub(super) fn applied(settings: &Settings, text: &[u8]) -> Result<Settings, Refusal> {
    let mut settings = *settings;
    settings.apply(text).map(|()| settings)
}

/// What is printed after the name of a setting.
pub(super) fn line(settings: &Settings, name: &str) -> String {
    let printed = settings.to_string();
    let mut lines = printed.lines();
    let rest = lines.find_map(|line| line.strip_prefix(name)).expect(name);
    rest.trim_start().to_owned()
}

#[test]
fn settings_print_their_defaults() {
    let settings = Settings::default();
    assert_eq!(settings.to_string(), DEFAULTS);
    assert_eq!(settings.header_timeout, Duration::from_secs(10));
    assert_eq!(settings.head_size, 16 << 10);
    assert_eq!(settings.max_connections, 100_000);
}

#[test]
fn settings_take_lines_comments_and_blanks() {
    let text = "\n# a comment\n  head-size   32k \r\n\t#head-size 1K\nread-timeout\t500ms\n\
                receive-buffer 2M";
    let settings = applied(&Settings::default(), text.as_bytes()).expect(text);
    let expected = Settings {
        head_size: 32 << 10,
        receive_buffer: 2 << 20,
        read_timeout: Duration::from_millis(500),
        ..Settings::default()
    };
    assert_eq!(settings, expected);
}

#[test]
fn settings_without_a_line_change_nothing() {
    let settings = Settings {
        header_fields: 7,
        ..Settings::default()
    };
    for text in ["", "\n", "# nothing\n", " \r\n\n"] {
        assert_eq!(applied(&settings, text.as_bytes()), Ok(settings));
    }
}

#[test]
fn settings_refusals_name_the_line_and_say_why() {
    let apply = |text: &[u8]| applied(&Settings::default(), text);
    assert_refused(
        apply,
        &[
            (
                "head-size 2K\nfoo 1",
                Invalid,
                r#"line 2: unknown setting "foo""#,
            ),
            (
                "#\n\nhead_size 2K",
                Invalid,
                r#"line 3: unknown setting "head_size""#,
            ),
            (
                "head-size",
                Invalid,
                "line 1: head-size: a value is missing",
            ),
            (
                "head-size 2K 3K",
                Invalid,
                r#"line 1: head-size: "3K" is one word too many"#,
            ),
            (
                "head-size 2K\nhead-size 2K",
                Invalid,
                "line 2: head-size: set twice in one text",
            ),
            (
                "head-size 16KB",
                Invalid,
                "line 1: head-size: \"16KB\" is not a size: \
                 write one such as 16K, 64M or a plain number",
            ),
            (
                "head-size 512",
                Range,
                r#"line 1: head-size: "512" is out of range: write 1K to 64K"#,
            ),
            (
                "head-size 99999999999999999999G",
                Range,
                "line 1: head-size: \"99999999999999999999G\" is out of range: write 1K to 64K",
            ),
            (
                "receive-buffer 0",
                Range,
                r#"line 1: receive-buffer: "0" is out of range: write 16K to 16M"#,
            ),
            (
                "read-timeout 10sec",
                Invalid,
                "line 1: read-timeout: \"10sec\" is not a time: \
                 write one such as 60s, 500ms, 5m or 1h",
            ),
            (
                "header-timeout 2h",
                Range,
                r#"line 1: header-timeout: "2h" is out of range: write 100ms to 1h"#,
            ),
            (
                "max-connections 1k",
                Invalid,
                r#"line 1: max-connections: "1k" is not a number"#,
            ),
        ],
    );
    let refusal = apply(b"\n\nfoo").expect_err("an unknown name");
    assert_eq!(refusal.line(), 3);
}

/// Every limit of every number, as the refusal itself prints it: the bounds are taken, and what
/// lies one step outside is not.
#[test]
fn settings_bounds_are_exact() {
    let mut numbers = 0;
    for line in DEFAULTS.lines() {
        let (name, value) = line.split_once(' ').unwrap_or((line, ""));
        if !value.starts_with(|first: char| first.is_ascii_digit()) || value.contains('-') {
            continue;
        }
        numbers += 1;
        let apply = |value: &str| {
            let text = format!("{name} {value}");
            applied(&Settings::default(), text.as_bytes())
        };
        let huge = u64::MAX / 1_000_000_000;
        let unit = if value.ends_with(['s', 'm', 'h']) {
            "s"
        } else {
            "000000000"
        };
        let message = apply(&format!("{huge}{unit}")).expect_err(name).to_string();
        let (_, bounds) = message.split_once("write ").expect("bounds");
        let (min, max) = bounds.split_once(" to ").expect("two bounds");
        for bound in [min, max] {
            let printed = apply(bound).expect(name).to_string();
            assert!(printed.contains(&format!("{name} {bound}\n")), "{printed}");
        }
        for outside in [below(min), above(max)] {
            let refusal = outside.map(|value| apply(&value).expect_err(&value));
            assert!(
                refusal.is_none_or(|refusal| refusal.kind() == Range),
                "{name}"
            );
        }
    }
    assert_eq!(numbers, 31);
}

/// A value one step under a printed one; nothing is under zero.
fn below(value: &str) -> Option<String> {
    let digits = value.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let number: u64 = digits.parse().expect("a number");
    match value.get(digits.len()..) {
        Some("K") => Some((number * 1024 - 1).to_string()),
        suffix => Some(format!(
            "{}{}",
            number.checked_sub(1)?,
            suffix.unwrap_or("")
        )),
    }
}

/// A value one step over a printed one.
fn above(value: &str) -> Option<String> {
    let digits = value.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let number: u64 = digits.parse().expect("a number");
    match value.get(digits.len()..) {
        Some("K") => Some((number * 1024 + 1).to_string()),
        Some("G") => Some(((number << 30) + 1).to_string()),
        Some("d") => Some(format!("{}ms", number * 86_400_000 + 1)),
        Some("h") => Some(format!("{}ms", number * 3_600_000 + 1)),
        Some("m") => Some(format!("{}ms", number * 60_000 + 1)),
        suffix => Some(format!("{}{}", number + 1, suffix.unwrap_or(""))),
    }
}

#[test]
fn every_setting_reads_back_as_printed() {
    let mut random = Random(2);
    for _ in 0..5_000 {
        let text = random.settings_text();
        let settings = applied(&Settings::default(), text.as_bytes()).expect(&text);
        let printed = settings.to_string();
        let again = applied(&Settings::default(), printed.as_bytes());
        assert_eq!(again, Ok(settings), "{printed}");
    }
}

#[test]
fn choices_are_taken_by_name() {
    for (text, expected) in [
        ("forwarded append", Forwarding::Append),
        ("forwarded replace", Forwarding::Replace),
        ("forwarded off", Forwarding::Off),
        ("forwarded remove", Forwarding::Remove),
    ] {
        let settings = applied(&Settings::default(), text.as_bytes()).expect(text);
        assert_eq!(settings.forwarded, expected);
        assert_eq!(settings.x_forwarded_for, Forwarding::Append);
    }
    let text = b"log json\ncdn-loop on\nx-forwarded-for off";
    let settings = applied(&Settings::default(), text).expect("choices");
    assert_eq!(settings.log, Log::Json);
    assert!(settings.cdn_loop);
    assert_eq!(settings.x_forwarded_for, Forwarding::Off);
}

#[test]
fn texts_go_to_the_end_of_the_line() {
    let text = "via \tgate-1.example \npage-503\tBack  soon, # \"promise\".  \r\npage-404\n";
    let refusal = applied(&Settings::default(), text.as_bytes()).expect_err("there is no page-404");
    assert_eq!(refusal.line(), 3);
    let text = text.replace("404", "400");
    let settings = applied(&Settings::default(), text.as_bytes()).expect("texts");
    assert_eq!(settings.via.as_bytes(), b"gate-1.example");
    assert_eq!(settings.page(503), b"Back  soon, # \"promise\".");
    assert_eq!(settings.page(400), b"");
    assert_eq!(settings.page(404), b"");
    // A shorter text leaves nothing of the longer one.
    let shorter = applied(&settings, b"page-503 Soon").expect("a text");
    assert_eq!(shorter.page(503), b"Soon");
    let none = applied(&shorter, b"page-503\nvia").expect("no texts");
    assert_eq!(none, Settings::default());
}

#[test]
fn statuses_are_one_or_a_range() {
    let apply = |text: &[u8]| applied(&Settings::default(), text);
    for (text, printed, least, most) in [
        ("200", "200", 200, 200),
        ("204-204", "204", 204, 204),
        ("200-599", "200-599", 200, 599),
    ] {
        let settings = apply(format!("health-status {text}").as_bytes()).expect(text);
        assert_eq!(line(&settings, "health-status"), printed);
        let within: Vec<_> = (0..=999)
            .filter(|code| settings.health_status.contains(*code))
            .collect();
        assert_eq!(within, (least..=most).collect::<Vec<u16>>());
    }
    assert_refused(
        apply,
        &[
            (
                "health-status",
                Invalid,
                "line 1: health-status: a value is missing",
            ),
            (
                "health-status 200-",
                Invalid,
                r#"line 1: health-status: "" is not a number"#,
            ),
            (
                "health-status 200-100-300",
                Invalid,
                r#"line 1: health-status: "100-300" is not a number"#,
            ),
            (
                "health-status 199",
                Range,
                r#"line 1: health-status: "199" is out of range: write 200 to 599"#,
            ),
            (
                "health-status 300-299",
                Invalid,
                r#"line 1: health-status: "300-299" ends before it begins"#,
            ),
            (
                "health-path well",
                Invalid,
                "line 1: health-path: \"well\" is not a path: \
                 it begins with / and has no blank and no # in it",
            ),
            (
                &format!("health-path /{}", "x".repeat(96)),
                Range,
                &format!(
                    r#"line 1: health-path: "/{}..." is too long: write up to 96 octets"#,
                    "x".repeat(39)
                ),
            ),
            (
                "health-path /a b",
                Invalid,
                "line 1: health-path: \"/a b\" is not a path: \
                 it begins with / and has no blank and no # in it",
            ),
        ],
    );
}

/// Each page has a setting of its own, and no other is taken.
#[test]
fn pages_are_found_by_their_status() {
    for code in 0..=999_u16 {
        let text = format!("page-{code} {code}");
        let Ok(settings) = applied(&Settings::default(), text.as_bytes()) else {
            assert_eq!(Settings::default().page(code), b"");
            assert!(!DEFAULTS.contains(&format!("page-{code}\n")), "{code}");
            continue;
        };
        assert_eq!(settings.page(code), code.to_string().as_bytes());
        let others = (0..=999).filter(|other| *other != code);
        assert!(others
            .into_iter()
            .all(|other| settings.page(other).is_empty()));
    }
}

#[test]
fn refusals_of_choices_and_texts_say_why() {
    let apply = |text: &[u8]| applied(&Settings::default(), text);
    let long = "x".repeat(161);
    let long_page = format!("page-502 {long}");
    let long_via = format!("via {}", "x".repeat(33));
    let excerpt = "x".repeat(40);
    assert_refused(
        apply,
        &[
            (
                "forwarded",
                Invalid,
                "line 1: forwarded: a value is missing",
            ),
            (
                "forwarded on",
                Invalid,
                r#"line 1: forwarded: "on" is not one of off, append, replace and remove"#,
            ),
            (
                "forwarded off off",
                Invalid,
                r#"line 1: forwarded: "off" is one word too many"#,
            ),
            (
                "log Combined",
                Invalid,
                r#"line 1: log: "Combined" is not one of off, combined and json"#,
            ),
            (
                "cdn-loop 1",
                Invalid,
                r#"line 1: cdn-loop: "1" is neither off nor on"#,
            ),
            (
                "via a b",
                Invalid,
                "line 1: via: \"a b\" is not a token: \
                 write letters, digits and marks such as - . _",
            ),
            (
                "page-500 a\tb",
                Invalid,
                r#"line 1: page-500: "a\x09b" has a control character, or is not UTF-8"#,
            ),
            (
                "page-500 a\u{85}b",
                Invalid,
                r#"line 1: page-500: "a\xc2\x85b" has a control character, or is not UTF-8"#,
            ),
            (
                &long_page,
                Range,
                &format!(r#"line 1: page-502: "{excerpt}..." is too long: write up to 160 octets"#),
            ),
            (
                &long_via,
                Range,
                &format!(
                    r#"line 1: via: "{}" is too long: write up to 32 octets"#,
                    "x".repeat(33)
                ),
            ),
        ],
    );
    // What is refused of a secret is in no log.
    assert_refused(
        apply,
        &[
            (
                "sticky-key two words",
                Invalid,
                "line 1: sticky-key: it has a blank in it, or something else than ASCII",
            ),
            (
                &format!("sticky-key {}", "s".repeat(33)),
                Range,
                "line 1: sticky-key: it is too long: write up to 32 octets",
            ),
        ],
    );
    let refusal = apply(b"page-500 \xff").expect_err("not UTF-8");
    assert_eq!(refusal.kind(), Invalid);
    assert!(apply(format!("page-502 {}", &long[1..]).as_bytes()).is_ok());
    assert!(apply(&long_via.as_bytes()[..36]).is_ok());
}

/// Whatever is set, `cat config > file; cat file > config` is one write.
#[test]
fn the_longest_text_is_one_write() {
    let mut settings = Settings::default();
    let page = "w".repeat(160);
    let networks = ["2001:db8:1000:1000:1000:1000:1000:1001/128"; 8].join(" ");
    for line in DEFAULTS.lines() {
        let (name, value) = line.split_once(' ').unwrap_or((line, ""));
        let value = match (name, value) {
            ("via" | "sticky-cookie" | "sticky-key" | "session-cookie" | "session-path", _) => {
                &page[..32]
            }
            ("health-path", _) => &page.replacen('w', "/", 1)[..96],
            (_, "") => &page,
            (_, "none") => &networks.replace("/128", "").replace("1001", "1000/127"),
            ("health-status", _) => "200-599",
            ("log", _) => "combined",
            ("cdn-loop" | "sticky" | "softirq" | "log-cache", _) => "off",
            ("balance", _) => "least-connections",
            (_, "remove" | "append") => "replace",
            (_, value) if value.ends_with(['s', 'm', 'h']) => {
                // The most digits that are within the limits.
                let mut values = [
                    "604799999999999ns",
                    "86399999999999ns",
                    "32766999999999ns",
                    "3599999999999ns",
                    "59999999999ns",
                ]
                .into_iter();
                values
                    .find(|value| applied(&settings, format!("{name} {value}").as_bytes()).is_ok())
                    .expect(name)
            }
            _ => {
                let mut values = [
                    "4611686018427387903",
                    "999999999",
                    "999999",
                    "65535",
                    "1023",
                    "999",
                ]
                .into_iter();
                values
                    .find(|value| applied(&settings, format!("{name} {value}").as_bytes()).is_ok())
                    .expect(name)
            }
        };
        settings = applied(&settings, format!("{name} {value}").as_bytes()).expect(line);
    }
    let printed = settings.to_string();
    assert!(
        (3500..=16_384).contains(&printed.len()),
        "{}: {printed}",
        printed.len()
    );
    assert_eq!(
        applied(&Settings::default(), printed.as_bytes()),
        Ok(settings)
    );
}

impl Random {
    /// A text that sets everything to something.
    fn settings_text(&mut self) -> String {
        let lines = DEFAULTS.lines().map(|line| {
            let (name, value) = line.split_once(' ').unwrap_or((line, ""));
            let value = match (name, value) {
                ("head-size", _) => self.within(1 << 10, 64 << 10).to_string(),
                ("target-size", _) => self.within(64, 64 << 10).to_string(),
                ("header-fields", _) => self.within(1, 1000).to_string(),
                ("idle-per-cpu", _) => self.within(0, 1024).to_string(),
                ("body-size", _) => self.within(0, 1 << 62).to_string(),
                ("receive-buffer", _) => self.within(16 << 10, 16 << 20).to_string(),
                ("log", _) => self.pick(&["off", "combined", "json"]),
                ("health-path", _) => self.pick(&["", "/", "/status?all"]),
                ("health-status", _) => self.pick(&["200", "204-204", "200-599"]),
                ("cdn-loop" | "sticky" | "softirq" | "log-cache", _) => self.pick(&["off", "on"]),
                ("balance", _) => self.pick(&["path", "latency", "round-robin"]),
                ("session-cookie" | "session-path", _) => self.pick(&["", "id", "sid"]),
                (_, "remove" | "append") => self.pick(&["off", "append", "replace", "remove"]),
                (_, "none") => self.pick(&["none", "10.0.0.0/8, ::1", "::/0,0.0.0.0/0 1.2.3.4"]),
                (_, "") => self.pick(&["", "some-name", "x"]),
                (_, value) if value.ends_with(['s', 'm', 'h']) => {
                    format!("{}ms", self.within(100, 60_000))
                }
                _ => self.within(1, 1_000_000).to_string(),
            };
            format!("{name} {value}\n")
        });
        lines.collect()
    }

    fn pick(&mut self, words: &[&str]) -> String {
        words[self.below(words.len() as u64) as usize].to_owned()
    }
}
