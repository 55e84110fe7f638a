// SPDX-License-Identifier: GPL-2.0

//! Numbers and text within the forms.

use std::fmt::Write;

use proptest::prelude::*;

use crate::status::escape::{html, json, label, Escaper, Rule};
use crate::status::numbers::{Ago, Grouped, Lasted, Octets, Percent, Seconds, Took, TookWord};
use crate::tests::cases;
use crate::time::Duration;

#[test]
fn seconds_have_a_point_and_no_idle_zeros() {
    for (micros, text) in [
        (0, "0.0"),
        (1, "0.000001"),
        (10, "0.00001"),
        (271, "0.000271"),
        (100_000, "0.1"),
        (1_000_000, "1.0"),
        (12_345_678, "12.345678"),
        (u64::MAX, "18446744073709.551615"),
    ] {
        assert_eq!(Seconds(micros).to_string(), text);
    }
}

#[test]
fn large_numbers_are_grouped() {
    for (number, text) in [
        (0, "0"),
        (999, "999"),
        (1000, "1,000"),
        (1_000_000, "1,000,000"),
        (12_003_045, "12,003,045"),
        (u64::MAX, "18,446,744,073,709,551,615"),
    ] {
        assert_eq!(Grouped(number).to_string(), text);
    }
}

#[test]
fn parts_are_in_hundredths_of_a_percent() {
    const HUGE: u64 = 1 << 63;
    for (part, total, text) in [
        (0, 0, "0.00%"),
        (0, 1, "0.00%"),
        (1, 1, "100.00%"),
        (1, 3, "33.33%"),
        (2, 3, "66.67%"),
        (31, 843, "3.68%"),
        (1, 20_000, "0.01%"),
        (1, 20_001, "0.00%"),
        (1, 800, "0.13%"),
        (99_995, 100_000, "100.00%"),
        (99_994, 100_000, "99.99%"),
        (HUGE / 4, HUGE, "25.00%"),
        ((1 << 49) - 1, (1 << 49) - 1, "100.00%"),
        (1 << 48, 1 << 49, "50.00%"),
        (u64::MAX, u64::MAX, "100.00%"),
        (u64::MAX - 1, u64::MAX, "100.00%"),
        (u64::MAX / 3, u64::MAX, "33.33%"),
        (1, u64::MAX, "0.00%"),
    ] {
        let percent = Percent { part, total };
        assert_eq!(percent.to_string(), text, "{part} of {total}");
    }
}

#[test]
fn octets_are_in_the_largest_unit() {
    for (octets, text) in [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (1_048_575, "1023.9 KiB"),
        (1_048_576, "1.0 MiB"),
        (37_582_113_042, "35.0 GiB"),
        (u64::MAX, "15.9 EiB"),
    ] {
        assert_eq!(Octets(octets).to_string(), text);
    }
}

#[test]
fn spans_are_in_two_units() {
    for (seconds, text) in [
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min 0 s"),
        (3599, "59 min 59 s"),
        (3600, "1 h 0 min"),
        (86_399, "23 h 59 min"),
        (86_400, "1 d 0 h"),
        (90_000_000, "1041 d 16 h"),
    ] {
        let span = Duration::from_secs(seconds);
        assert_eq!(Ago(span).to_string(), text);
        let word = text.replace("min", "m").replace(' ', "");
        assert_eq!(Lasted(span).to_string(), word);
    }
    assert!(!Ago(Duration::MAX).to_string().is_empty());
}

#[test]
fn short_times_are_in_a_fitting_unit() {
    for (micros, text) in [
        (0, "0 µs"),
        (999, "999 µs"),
        (1000, "1.0 ms"),
        (4_250, "4.2 ms"),
        (999_999, "999.9 ms"),
        (1_000_000, "1.0 s"),
        (61_350_000, "61.3 s"),
    ] {
        assert_eq!(Took(micros).to_string(), text);
        let word = text.replace(' ', "").replace('µ', "u");
        assert_eq!(TookWord(micros).to_string(), word);
    }
}

fn escaped(rule: Rule, text: &str) -> String {
    let mut out = String::new();
    Escaper::new(&mut out, rule).write_str(text).expect("room");
    out
}

#[test]
fn text_is_escaped_for_its_place() {
    assert_eq!(escaped(label, "a\\b\"c\nd\té<"), "a\\\\b\\\"c\\nd\té<");
    assert_eq!(escaped(json, "a\\b\"c\nd\u{1}é"), "a\\\\b\\\"c\\nd\\ufffdé");
    assert_eq!(
        escaped(html, "<a b=\"c\">&amp;'"),
        "&lt;a b=&quot;c&quot;&gt;&amp;amp;'"
    );
    for rule in [label, json, html] {
        assert_eq!(escaped(rule, ""), "");
        assert_eq!(escaped(rule, "\"\""), escaped(rule, "\"").repeat(2));
    }
}

proptest! {
    #![proptest_config(cases(500))]

    /// What a reader of the syntax makes of it is the text again.
    #[test]
    fn escaped_text_reads_as_itself(text in "[\u{20}-\u{2fff}\n\\\\\"<>&]{0,20}") {
        let quoted = format!("\"{}\"", escaped(json, &text));
        let read: String = serde_json::from_str(&quoted).expect("a JSON string");
        prop_assert_eq!(&read, &text);
        let page = format!("<a b=\"{0}\">{0}</a>", escaped(html, &text.replace('\n', " ")));
        let page = roxmltree::Document::parse(&page).expect("well-formed");
        let wanted = text.replace('\n', " ");
        prop_assert_eq!(page.root_element().attribute("b"), Some(wanted.as_str()));
        prop_assert_eq!(page.root_element().text().unwrap_or(""), wanted.as_str());
    }

    /// Half a hundredth off at most, as it is rounded; of huge numbers a little more.
    #[test]
    fn percents_are_near(part: u64, more: u64, bits in 0u32..63) {
        let (part, more) = (part >> 1 >> bits, more >> 1 >> bits);
        let total = (part + more).max(1);
        let percent = Percent { part, total }.to_string();
        let digits = percent.trim_end_matches('%').replace('.', "");
        let hundredths: u128 = digits.parse().expect("digits");
        prop_assert_eq!(percent.len() - percent.find('.').expect("a point"), 4);
        let (part, total) = (u128::from(part), u128::from(total));
        let off = (hundredths * total).abs_diff(part * 10_000);
        prop_assert!(off * 2 <= total + (total >> 30), "{part} of {total}: {percent}");
    }

    #[test]
    fn numbers_are_what_they_were(number: u64) {
        prop_assert_eq!(Grouped(number).to_string().replace(',', ""), number.to_string());
        let seconds = Seconds(number).to_string();
        let (whole, rest) = seconds.split_once('.').expect("a point");
        let micros: u64 = format!("{rest:0<6}").parse().expect("digits");
        prop_assert_eq!(whole.parse::<u64>().expect("digits") * 1_000_000 + micros, number);
    }
}
