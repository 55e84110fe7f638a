// SPDX-License-Identifier: GPL-2.0

//! What the gateway tells about itself: the table behind it, its forms, who gets which.

mod asked;
mod exposition;
mod forms;
mod histogram;
mod html;
mod news;
mod numbers;
mod scrape;

use std::collections::BTreeSet;

use crate::http::Status;
use crate::lb::Condition;
use crate::status::{groups, Cache, Count, Histogram, State, Unit, Values};
use crate::status_sample::Sample;

/// Every count of the table with its name in metrics: `responses{2xx}`.
pub(super) fn counts() -> Vec<(String, Count)> {
    let families = groups().iter().flat_map(|group| group.families);
    let mut all = Vec::new();
    for family in families {
        match &family.values {
            Values::One(count) => all.push((family.name.to_owned(), *count)),
            Values::By(_, counts) => {
                for (value, count) in *counts {
                    all.push((format!("{}{{{value}}}", family.name), *count));
                }
            }
            Values::Of(_) => {}
        }
    }
    all
}

/// A cache that has something to tell.
pub(super) fn busy_cache(sample: &mut Sample) {
    sample.cache = Cache {
        entries: 24,
        octets: 81_920,
        limit: 64 << 20,
        evictions: 6,
    };
    for (count, number) in [
        (Count::CacheHits, 800),
        (Count::CacheStale, 3),
        (Count::CacheRevalidated, 9),
        (Count::CacheMisses, 40),
        (Count::CacheKnown, 832),
        (Count::CacheUnknown, 20),
        (Count::CacheStored, 31),
        (Count::CacheRefused, 4),
        (Count::CachePurged, 1),
    ] {
        sample.set(count, number);
    }
}

#[test]
fn everything_that_is_counted_is_told_once() {
    let told: Vec<_> = counts().iter().map(|(_, count)| *count as usize).collect();
    let different: BTreeSet<_> = told.iter().copied().collect();
    assert_eq!(told.len(), different.len(), "told twice: {told:?}");
    let all: BTreeSet<_> = (0..Count::LEN).collect();
    let missing: Vec<_> = all.difference(&different).collect();
    assert!(missing.is_empty(), "counted and not told: {missing:?}");
}

#[test]
fn families_have_names_and_words() {
    let mut names = BTreeSet::new();
    for group in groups() {
        for family in group.families {
            assert!(names.insert(family.name), "{} is there twice", family.name);
            assert!(!family.title.is_empty(), "{}", family.name);
            assert!(
                family.help.ends_with('.'),
                "{}: {}",
                family.name,
                family.help
            );
            let unit = family.unit.name();
            let rest = family.name.strip_suffix(unit);
            assert!(rest.is_some_and(|rest| unit.is_empty() || rest.ends_with('_')));
            assert_eq!(unit == "bytes", family.unit == Unit::Bytes);
        }
        for ratio in group.ratios {
            assert!(names.insert(ratio.name), "{} is there twice", ratio.name);
            assert_eq!(ratio.title.replace(' ', "_"), ratio.name);
            assert!(ratio.help.ends_with('.'), "{}", ratio.help);
        }
    }
}

#[test]
fn answers_and_pages_are_counted_by_their_status() {
    let status = |code| Status::new(code).expect("three digits");
    let by_name = counts();
    for code in 100..=999 {
        let answer = Count::of_answer(status(code));
        let class = match code {
            100..=599 => format!("responses{{{}xx}}", code / 100),
            _ => "responses{other}".to_owned(),
        };
        assert!(by_name.contains(&(class, answer)), "{code} is {answer:?}");
        let page = Count::of_page(status(code));
        let name = format!("error_pages{{{code}}}");
        match by_name.iter().find(|(known, _)| *known == name) {
            Some((_, count)) => assert_eq!(*count, page),
            None => assert_eq!(page, Count::PageOther),
        }
    }
    // Those that have a setting for their text, and the loop.
    for code in [
        400, 408, 413, 414, 429, 431, 500, 501, 502, 503, 504, 505, 508,
    ] {
        assert_ne!(Count::of_page(status(code)), Count::PageOther, "{code}");
    }
    assert_eq!(Count::of_ending(b'C'), Count::AbortedClient);
    assert_eq!(Count::of_ending(b'-'), Count::AbortedOther);
}

#[test]
fn the_words_of_the_log_tell_what_the_cache_did() {
    let by_name = counts();
    for (word, result) in [
        ("HIT", "hit"),
        ("STALE", "stale"),
        ("REVALID", "revalidated"),
        ("COLLAPSE", "collapsed"),
        ("MISS", "miss"),
    ] {
        let count = Count::of_cache(word).expect(word);
        let name = format!("cache_requests{{{result}}}");
        assert!(by_name.contains(&(name, count)), "{word} is {count:?}");
    }
    for word in ["", "-", "PASS", "hit", "HITS", "HI"] {
        assert_eq!(Count::of_cache(word), None, "{word:?}");
    }
}

/// Each of a ratio's misses is one of all that it is of, whatever the numbers.
#[test]
fn no_ratio_is_more_than_all() {
    let ratios = || groups().iter().flat_map(|group| group.ratios);
    assert_eq!(ratios().count(), 3);
    for ratio in ratios() {
        for index in 0..Count::LEN {
            for number in [1, u64::MAX] {
                let mut sample = Sample::new(&[]);
                sample.counts.fill(number / 2);
                sample.counts[index] = number;
                sample.with(|snapshot| {
                    let (miss, total) = ((ratio.miss)(snapshot), (ratio.total)(snapshot));
                    assert!(miss <= total, "{}: {miss} of {total}", ratio.name);
                });
            }
        }
    }
}

#[test]
fn only_levels_go_up_and_down() {
    for group in groups() {
        for family in group.families {
            if let Values::One(count) = family.values {
                let gauge = family.kind == crate::status::Kind::Gauge;
                assert_eq!(gauge, count.is_level(), "{}", family.name);
            }
        }
    }
}

#[test]
fn a_histogram_that_is_too_short_or_overflows_is_no_trouble() {
    let mut sample = Sample::new(&["127.0.0.1 1"]);
    sample.durations = vec![u64::MAX; 3];
    sample.counts.truncate(2);
    sample.backends[0].connecting.clear();
    for format in crate::status::Format::ALL {
        assert!(!sample.render(format).is_empty());
    }
    let _ = Histogram(&[]);
}

#[test]
fn the_state_is_what_the_administrator_wants_and_the_connections_say() {
    for (text, failing, state) in [
        ("127.0.0.1 1", false, State::Ok),
        ("127.0.0.1 1", true, State::Failing),
        ("127.0.0.1 1 drain", true, State::Drain),
        ("127.0.0.1 1 down", false, State::Down),
        ("127.0.0.1 1 down", true, State::Down),
    ] {
        let mut sample = Sample::new(&[text]);
        if failing {
            sample.backends[0].condition = Condition::Failed;
        }
        sample.with(|snapshot| assert_eq!(snapshot.backends[0].state(), state, "{text}"));
    }
}
