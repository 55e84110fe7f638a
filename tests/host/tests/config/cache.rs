// SPDX-License-Identifier: GPL-2.0

//! The settings of `cache`: Resin's names and defaults, and that what is printed can be written back.

use super::assert_refused;
use crate::cache::{Cookies, DeltaSeconds, Rules, SetCookie};
use crate::config::Kind::{Invalid, Range};
use crate::config::{CacheSettings, Refusal, Settings};
use crate::time::Duration;

const DEFAULTS: &str = "\
enable on
memory-size 8M
entries 8192
max-entry-size 1M
enable-range on
rewrite-vary-as-private off
path cache/
disk-size 1G
vary-cookie anonymous
set-cookie explicit
heuristic-age 1d
grace 0s
stale-if-error 0s
purge-allow none
cache-status off
";

fn applied(text: &[u8]) -> Result<CacheSettings, Refusal> {
    let mut settings = CacheSettings::default();
    settings.apply(text).map(|()| settings)
}

/// "entries: Maximum number of pages stored in the cache. 8192", and so on.
#[test]
fn the_defaults_are_those_of_the_document() {
    assert_eq!(CacheSettings::default().to_string(), DEFAULTS);
    assert_eq!(applied(DEFAULTS.as_bytes()), Ok(CacheSettings::default()));
}

#[test]
fn the_example_of_the_document() {
    let text = "entries 16384\ndisk-size 2G\nmemory-size 256M\nenable true\n";
    let settings = applied(text.as_bytes()).unwrap();
    let right = CacheSettings {
        enable: true,
        entries: 16_384,
        disk_size: 2 << 30,
        memory_size: 256 << 20,
        ..CacheSettings::default()
    };
    assert_eq!(settings, right);
    assert!(!applied(b"enable false").unwrap().enable);
}

#[test]
fn what_is_set_is_what_the_rules_are() {
    let text =
        "vary-cookie compared\nset-cookie strip\nheuristic-age 90s\ngrace 1m\nstale-if-error 1h";
    let cache = applied(text.as_bytes()).unwrap();
    let mut settings = Settings::default();
    settings.apply(b"sticky-cookie home").unwrap();
    let secs = DeltaSeconds::from_secs;
    let right = Rules {
        heuristic_cap: secs(90),
        mapped: Some(secs(7)),
        set_cookie: SetCookie::Strip,
        session_cookies: [b"JSESSIONID", b"home"],
        vary_cookie: Cookies::Compared,
        grace: secs(60),
        stale_if_error: secs(3600),
    };
    assert_eq!(Rules::of(&cache, &settings, Some(secs(7))), right);
    let (cache, settings) = (CacheSettings::default(), Settings::default());
    assert_eq!(Rules::of(&cache, &settings, None), Rules::DEFAULT);
    assert_eq!(cache.heuristic_age, Duration::from_secs(86_400));
}

#[test]
fn refusals_say_why() {
    assert_refused(
        applied,
        &[
            (
                "enable yes",
                Invalid,
                r#"line 1: enable: "yes" is neither off nor on"#,
            ),
            (
                "entries 1",
                Range,
                r#"line 1: entries: "1" is out of range: write 16 to 4194304"#,
            ),
            (
                "memory-size 1K",
                Range,
                r#"line 1: memory-size: "1K" is out of range: write 1M to 1024G"#,
            ),
            (
                "grace 1m\ngrace 2m",
                Invalid,
                "line 2: grace: set twice in one text",
            ),
            (
                "vary-cookie rfc",
                Invalid,
                r#"line 1: vary-cookie: "rfc" is neither anonymous nor compared"#,
            ),
            (
                "set-cookie store",
                Invalid,
                r#"line 1: set-cookie: "store" is not one of explicit, strip and refuse"#,
            ),
            (
                "path a b",
                Invalid,
                r#"line 1: path: "a b" has a blank in it, or something else than ASCII"#,
            ),
            (
                "header-timeout 1s",
                Invalid,
                r#"line 1: unknown setting "header-timeout""#,
            ),
        ],
    );
}
