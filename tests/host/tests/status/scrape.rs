// SPDX-License-Identifier: GPL-2.0

//! What scrapers get, read by the strict reader.

use proptest::prelude::*;

use super::exposition::{read, Labels, Samples};
use super::{busy_cache, counts};
use crate::lb::{Condition, Why};
use crate::status::{Count, Flavour, Format, State};
use crate::status_sample::{spent, Sample};
use crate::tests::cases;

const BOTH: [(Format, Flavour); 2] = [
    (Format::OpenMetrics, Flavour::OpenMetrics),
    (Format::Prometheus, Flavour::Prometheus),
];

const BACKENDS: [&str; 3] = ["127.0.0.1 6802", "[::1]:80 down", "10.1.2.3:65535 backup"];

fn samples(sample: &Sample, format: Format, flavour: Flavour) -> Samples {
    let text = sample.render(format);
    read(&text, flavour).unwrap_or_else(|why| panic!("{why}\n{text}"))
}

/// The name and labels of a count's sample: `responses{2xx}` is `resin_responses_total`,
/// `class="2xx"`.
fn has(samples: &Samples, name: &str, value: u64) -> bool {
    let (name, label) = match name.split_once('{') {
        Some((name, label)) => (name, label.strip_suffix('}')),
        None => (name, None),
    };
    samples.iter().any(|((sample, labels), number)| {
        let sample = sample.strip_prefix("resin_").unwrap_or("");
        sample.strip_suffix("_total").unwrap_or(sample) == name
            && labels.first().map(|(_, value)| value.as_str()) == label
            && *number == value.to_string()
    })
}

#[test]
fn every_count_is_in_both_with_its_number() {
    let mut number = 0;
    let sample = Sample::filled(&BACKENDS, || {
        number += 1;
        number
    });
    for (format, flavour) in BOTH {
        let samples = samples(&sample, format, flavour);
        for (name, count) in counts() {
            let value = sample.counts[count as usize];
            assert!(
                has(&samples, &name, value),
                "{name} is not {value}: {samples:?}"
            );
        }
    }
}

/// What is not counted, and that nothing is told which a scraper works out by itself.
#[test]
fn the_cache_is_there_without_its_ratios() {
    let mut sample = Sample::new(&[]);
    busy_cache(&mut sample);
    for (format, flavour) in BOTH {
        let samples = samples(&sample, format, flavour);
        for (name, value) in [
            ("cache_evictions", 6),
            ("cache_entries", 24),
            ("cache_bytes", 81_920),
            ("cache_limit_bytes", 67_108_864),
        ] {
            assert!(has(&samples, name, value), "{name} is not {value}");
        }
        assert!(samples.keys().all(|(name, _)| !name.contains("_ratio")));
    }
}

fn of_backend(samples: &Samples, name: &str, number: usize, addr: &str) -> String {
    let labels: Labels = vec![
        ("backend".into(), format!("srun-{number}")),
        ("address".into(), addr.into()),
    ];
    let key = (format!("resin_backend_{name}"), labels);
    samples
        .get(&key)
        .unwrap_or_else(|| panic!("no {key:?}"))
        .clone()
}

#[test]
fn every_backend_is_there_by_number_and_address() {
    let mut sample = Sample::new(&BACKENDS);
    sample.backends[0].numbers = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13];
    sample.backends[0].connecting = spent(&[(100, 1), (1_000, 2), (6_000_000, 3)]);
    sample.backends[2].fail(Why::Probes, 61);
    for (format, flavour) in BOTH {
        let samples = samples(&sample, format, flavour);
        for (name, value) in [
            ("up", "1"),
            ("active", "1"),
            ("pooled", "2"),
            ("queue", "13"),
            ("requests_total", "3"),
            ("connect_failures_total", "4"),
            ("connects_total", "5"),
            ("reuses_total", "6"),
            ("sent_bytes_total", "7"),
            ("received_bytes_total", "8"),
            ("failures_total", "9"),
            ("retries_total", "10"),
            ("probes_total", "11"),
            ("probe_failures_total", "12"),
            ("state_seconds", "0"),
            ("connect_seconds_count", "6"),
            ("connect_seconds_sum", "18.0021"),
            ("response_seconds_count", "0"),
        ] {
            let seen = of_backend(&samples, name, 0, "127.0.0.1:6802");
            assert_eq!(seen, value, "{name}");
        }
        assert_eq!(of_backend(&samples, "up", 1, "[::1]:80"), "0");
        assert_eq!(of_backend(&samples, "up", 2, "10.1.2.3:65535"), "0");
        let lasted = of_backend(&samples, "state_seconds", 2, "10.1.2.3:65535");
        assert_eq!(lasted, "61");
        let bucket = samples.iter().find(|((name, labels), _)| {
            name == "resin_backend_connect_seconds_bucket"
                && labels.contains(&("le".into(), "0.001".into()))
                && labels.contains(&("backend".into(), "srun-0".into()))
        });
        assert_eq!(bucket.expect("a bucket").1, "3");
    }
}

/// The words of a family that are 1 for a backend.
fn words(samples: &Samples, name: &str, number: usize) -> Vec<String> {
    let name = format!("resin_backend_{name}");
    let backend = ("backend".into(), format!("srun-{number}"));
    let of_it = samples.iter().filter(|((sample, labels), value)| {
        *sample == name && labels.contains(&backend) && *value == "1"
    });
    of_it.map(|((_, labels), _)| labels[2].1.clone()).collect()
}

#[test]
fn the_state_is_one_of_all_and_so_is_the_reason() {
    let mut sample = Sample::new(&BACKENDS);
    for (format, flavour) in BOTH {
        for (why, reason) in [
            (Why::Refused, "refused"),
            (Why::Errors, "errors"),
            (Why::Probes, "probes"),
        ] {
            sample.backends[1].fail(why, 1);
            sample.backends[2].fail(why, 1);
            let samples = samples(&sample, format, flavour);
            let states = [0, 1, 2].map(|number| words(&samples, "state", number));
            assert_eq!(states, [["ok"], ["down"], ["failing"]]);
            let reasons = [0, 1, 2].map(|number| words(&samples, "failing", number));
            assert_eq!(reasons, [vec![], vec![], vec![reason.to_owned()]]);
            let all = samples
                .keys()
                .filter(|(name, _)| name == "resin_backend_state");
            assert_eq!(all.count(), 3 * State::ALL.len());
        }
    }
}

/// Who is woken by `up == 0` has something to do.
#[test]
fn only_who_gets_nothing_to_do_is_not_up() {
    for (text, condition, up) in [
        ("127.0.0.1 1", Condition::Up, "1"),
        ("127.0.0.1 1", Condition::Warming, "1"),
        ("127.0.0.1 1", Condition::Paused, "1"),
        ("127.0.0.1 1", Condition::Failed, "0"),
        ("127.0.0.1 1", Condition::Due, "0"),
        ("127.0.0.1 1", Condition::Tried, "0"),
        ("127.0.0.1 1 drain", Condition::Up, "0"),
        ("127.0.0.1 1 down", Condition::Up, "0"),
    ] {
        let mut sample = Sample::new(&[text]);
        sample.backends[0].condition = condition;
        let samples = samples(&sample, Format::OpenMetrics, Flavour::OpenMetrics);
        let seen = of_backend(&samples, "up", 0, "127.0.0.1:1");
        assert_eq!(seen, up, "{text} {condition:?}");
    }
}

#[test]
fn without_a_backend_there_are_no_families_of_backends() {
    let sample = Sample::new(&[]);
    for (format, flavour) in BOTH {
        let samples = samples(&sample, format, flavour);
        assert!(samples.keys().all(|(name, _)| !name.contains("_backend_")));
        assert!(has(&samples, "start_time_seconds", 1_795_000_000));
    }
}

#[test]
fn the_two_differ_in_what_their_standards_differ() {
    let sample = Sample::new(&BACKENDS);
    let [new, old] = [Format::OpenMetrics, Format::Prometheus].map(|format| sample.render(format));
    assert!(new.contains("# TYPE resin_requests counter\n"));
    assert!(old.contains("# TYPE resin_requests_total counter\n"));
    assert!(new.contains("# UNIT resin_client_sent_bytes bytes\n"));
    assert!(!old.contains("# UNIT"));
    assert!(new.ends_with("# EOF\n") && !old.contains("EOF"));
    let lines = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines.map(str::to_owned).collect()
    };
    assert_eq!(lines(&new), lines(&old));
}

/// As many names as node_exporter's or HAProxy's: whoever stores them pays for each. Of a backend's, half
/// are its two histograms, and nine its state and why it is failing.
#[test]
fn the_number_of_series_is_bounded() {
    let few = samples(&Sample::new(&[]), Format::OpenMetrics, Flavour::OpenMetrics).len();
    let more = samples(
        &Sample::new(&BACKENDS),
        Format::OpenMetrics,
        Flavour::OpenMetrics,
    )
    .len();
    assert!(few < 120, "{few}");
    assert!((more - few) / 3 <= 50, "{more}");
}

proptest! {
    #![proptest_config(cases(60))]

    /// Whatever the numbers, it is an exposition, and the numbers are in it.
    #[test]
    fn any_numbers_can_be_scraped(
        numbers in proptest::collection::vec(any::<u64>(), 40),
        backends in 0usize..4,
    ) {
        let mut next = numbers.iter().cycle();
        let sample = Sample::filled(&BACKENDS[..backends.min(3)], || *next.next().unwrap_or(&0));
        for (format, flavour) in BOTH {
            let samples = samples(&sample, format, flavour);
            let requests = sample.counts[Count::Requests as usize];
            prop_assert!(has(&samples, "requests", requests));
        }
    }
}
