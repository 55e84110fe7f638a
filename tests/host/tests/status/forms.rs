// SPDX-License-Identifier: GPL-2.0

//! JSON and the table for a terminal, and what all forms have in common.

use std::fmt::{self, Write};

use serde_json::Value;

use super::{busy_cache, counts};
use crate::lb::Why;
use crate::status::{render, Count, Format};
use crate::status_sample::{page, spent, Sample};
use crate::time::Duration;

const BACKENDS: [&str; 3] = ["127.0.0.1 6802", "[::1]:80 down", "10.1.2.3:65535 backup"];

fn json(sample: &Sample) -> Value {
    let text = sample.render(Format::Json);
    serde_json::from_str(&text).unwrap_or_else(|why| panic!("{why}\n{text}"))
}

#[test]
fn json_has_every_count_with_its_number() {
    let mut number = u64::MAX;
    let sample = Sample::filled(&BACKENDS, || {
        number -= 1;
        number
    });
    let object = json(&sample);
    for (name, count) in counts() {
        let value = match name.split_once('{') {
            Some((name, label)) => &object[name][label.trim_end_matches('}')],
            None => &object[name.as_str()],
        };
        assert_eq!(
            value.as_u64(),
            Some(sample.counts[count as usize]),
            "{name}"
        );
    }
}

#[test]
fn json_has_the_rest() {
    let mut sample = Sample::new(&BACKENDS);
    sample.durations = spent(&[(100, 1), (1_000, 2), (500_000, 3)]);
    sample.backends[1].numbers = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13];
    sample.backends[2].fail(Why::Errors, 61);
    let object = json(&sample);
    assert_eq!(object["port"], 80);
    assert_eq!(object["now_seconds"], 1_795_328_405);
    assert_eq!(object["uptime_seconds"], 0);
    assert_eq!(object["start_time_seconds"], 1_795_000_000);
    assert_eq!(object["client_connections_limit"], 100_000);
    assert_eq!(object["request_duration_seconds"]["count"], 6);
    assert_eq!(object["request_duration_seconds"]["sum"], 1.5021);
    assert_eq!(object["request_duration_seconds"]["p50"], 0.001);
    assert_eq!(object["request_duration_seconds"]["p90"], 0.5);
    assert_eq!(object["request_duration_seconds"]["p99"], 0.5);
    assert_eq!(object["request_duration_seconds"]["buckets"]["0.001"], 3);
    assert_eq!(object["request_duration_seconds"]["buckets"]["+Inf"], 6);
    let backends = object["backends"].as_array().expect("a list");
    assert_eq!(backends.len(), 3);
    let second = &backends[1];
    for (name, value) in [
        ("name", Value::from("srun-1")),
        ("address", "[::1]:80".into()),
        ("protocol", "http".into()),
        ("state", "down".into()),
        ("backup", false.into()),
        ("up", 0.into()),
        ("active", 1.into()),
        ("pooled", 2.into()),
        ("queue", 13.into()),
        ("requests", 3.into()),
        ("connect_failures", 4.into()),
        ("connects", 5.into()),
        ("reuses", 6.into()),
        ("sent_bytes", 7.into()),
        ("received_bytes", 8.into()),
        ("failures", 9.into()),
        ("retries", 10.into()),
        ("probes", 11.into()),
        ("probe_failures", 12.into()),
        ("why", Value::Null),
        ("state_seconds", 0.into()),
    ] {
        assert_eq!(second[name], value, "{name}");
    }
    assert_eq!(second["connect_seconds"]["count"], 0);
    assert_eq!(second["connect_seconds"]["p99"], Value::Null);
    assert_eq!(backends[2]["backup"], true);
    assert_eq!(backends[2]["state"], "failing");
    assert_eq!(backends[2]["why"], "errors");
    assert_eq!(backends[2]["state_seconds"], 61);
    assert_eq!(json(&Sample::new(&[]))["backends"], Value::Array(vec![]));
}

#[test]
fn json_has_the_cache_and_its_ratios() {
    let mut sample = Sample::new(&[]);
    let ratio = |miss: u64, total: u64| serde_json::json!({"miss": miss, "total": total});
    let object = json(&sample);
    for name in [
        "proxy_cache_miss_ratio",
        "block_cache_miss_ratio",
        "invocation_miss_ratio",
    ] {
        assert_eq!(object[name], ratio(0, 0), "{name}");
    }
    busy_cache(&mut sample);
    let object = json(&sample);
    for (name, value) in [
        (
            "cache_requests",
            serde_json::json!({"hit": 800, "stale": 3, "revalidated": 9, "collapsed": 0, "miss": 40}),
        ),
        (
            "cache_lookups",
            serde_json::json!({"known": 832, "unknown": 20}),
        ),
        ("cache_stored", 31.into()),
        ("cache_refused", 4.into()),
        ("cache_purged", 1.into()),
        ("cache_evictions", 6.into()),
        ("cache_entries", 24.into()),
        ("cache_bytes", 81_920.into()),
        ("cache_limit_bytes", 67_108_864.into()),
        ("proxy_cache_miss_ratio", ratio(31, 843)),
        ("block_cache_miss_ratio", ratio(0, 812)),
        ("invocation_miss_ratio", ratio(20, 852)),
    ] {
        assert_eq!(object[name], value, "{name}");
    }
}

#[test]
fn no_name_is_twice_in_json() {
    let text = Sample::new(&BACKENDS[..1]).render(Format::Json);
    let top: Vec<_> = text
        .lines()
        .filter(|line| line.starts_with("  \""))
        .collect();
    let mut names: Vec<_> = top.iter().map(|line| line.split('"').nth(1)).collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all);
}

#[test]
fn the_table_is_as_it_was() {
    let mut sample = Sample::new(&BACKENDS);
    sample.set(Count::Open, 3);
    sample.set(Count::Accepted, 12);
    sample.set(Count::RefusedLimit, 1);
    sample.set(Count::RefusedMemory, 1);
    sample.set(Count::ResetIdle, 4);
    sample.set(Count::ResetUntaken, 1);
    sample.set(Count::Requests, 90);
    sample.set(Count::AbortedClient, 2);
    sample.set(Count::Answers2xx, 80);
    sample.set(Count::Answers5xx, 8);
    sample.set(Count::Page502, 7);
    sample.set(Count::Connects, 4);
    busy_cache(&mut sample);
    sample.backends[0].lasted = Duration::from_secs(86_400 * 1000 + 3600 * 12);
    sample.backends[2].numbers = [1, 22, 333, 0, 0, 0, 0, 0, 4444, 55, 0, 0, 6];
    sample.backends[2].fail(Why::Refused, 250);
    sample.backends[2].responding = spent(&[(900, 98), (2_300, 1), (5_000_000, 1)]);
    let text = sample.render(Format::Text);
    let lines: Vec<_> = text.lines().collect();
    for line in [
        "port         80",
        "up           0 s",
        "clients      3 open, 12 accepted, 2 refused, 5 reset",
        "requests     90 (2 aborted), 0 with a body, 0 tunnels (0 open)",
        "answers      2xx 80 5xx 8",
        "own pages    502 7",
        "aborted      client 2",
        "timeouts     none",
        "backends     4 connects (0 failed), 0 reuses, 0 replays",
        "cache        hit 800 stale 3 revalidated 9 miss 40",
        "entries      24 in the cache, 31 stored, 4 refused, 6 evicted, 1 purged",
        "cache memory 81920 octets, 67108864 at most",
        "memory       4194304 octets in buffers, 1073741824 at most",
        "log          12 lines lost",
        "proxy cache miss ratio   3.68% (31 / 843)",
        "block cache miss ratio   0.00% (0 / 812)",
        "invocation miss ratio    2.35% (20 / 852)",
        "srun     state    why          for   active  waiting   pooled   requests failures  retries      p50      p99  address",
        "srun-0   ok       -       1000d12h        0        0        0          0        0        0        -        -  127.0.0.1:6802",
        "srun-1   down     -              -        0        0        0          0        0        0        -        -  [::1]:80",
        "srun-2   failing  refused    4m10s        1        6       22        333     4444       55    902us    2.5ms  10.1.2.3:65535",
    ] {
        assert!(lines.contains(&line), "{line:?} is missing in\n{text}");
    }
    assert_eq!(lines[0], "port         80");
    assert!(text.ends_with('\n') && !text.contains('\r'));
}

#[test]
fn a_cache_that_was_never_asked_has_ratios_too() {
    let text = Sample::new(&[]).render(Format::Text);
    let lines: Vec<_> = text.lines().collect();
    for line in [
        "cache        none",
        "entries      0 in the cache, 0 stored, 0 refused, 0 evicted, 0 purged",
        "cache memory 0 octets, 0 at most",
        "proxy cache miss ratio   0.00% (0 / 0)",
        "block cache miss ratio   0.00% (0 / 0)",
        "invocation miss ratio    0.00% (0 / 0)",
    ] {
        assert!(lines.contains(&line), "{line:?} is missing in\n{text}");
    }
}

/// Takes so many octets and no more.
struct Small(usize);

impl Write for Small {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 = self.0.checked_sub(text.len()).ok_or(fmt::Error)?;
        Ok(())
    }
}

#[test]
fn a_form_that_does_not_fit_fails() {
    for format in Format::ALL {
        let sample = Sample::new(&BACKENDS);
        let len = sample.render(format).len();
        for room in (0..len).step_by(7).chain([len - 1]) {
            let outcome = sample.with(|snapshot| render(snapshot, format, &mut Small(room)));
            assert_eq!(outcome, Err(fmt::Error), "{format:?} in {room} of {len}");
        }
        let outcome = sample.with(|snapshot| render(snapshot, format, &mut Small(len)));
        assert_eq!(outcome, Ok(()), "{format:?} in {len}");
    }
}

#[test]
fn forms_are_small_and_plain() {
    let many: Vec<_> = (1..=64).map(|port| format!("127.0.0.1 {port}")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    for format in Format::ALL {
        let full = Sample::filled(&many, || u64::MAX).render(format);
        assert!(full.len() < 512 * 1024, "{format:?}: {}", full.len());
        assert!(
            full.chars().all(|c| c == '\n' || !c.is_control()),
            "{format:?}"
        );
        assert_eq!(page(format.name()).map(|text| text.is_empty()), Some(false));
    }
    assert!(Sample::new(&many[..1]).render(Format::Html).len() < 12 * 1024);
    assert_eq!(page("xml"), None);
}
