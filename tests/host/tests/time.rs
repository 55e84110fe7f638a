// SPDX-License-Identifier: GPL-2.0

//! Time: arithmetic at its ends, and settings that read back as printed.

use proptest::prelude::*;

use crate::time::{Duration, Instant, UnixTime};

#[test]
fn arithmetic_saturates() {
    let now = Instant::from_nanos(5_000_000_000);
    assert_eq!((now + Duration::from_secs(2)).as_nanos(), 7_000_000_000);
    assert_eq!(now + Duration::MAX, Instant::MAX);
    assert_eq!(
        (now + Duration::from_millis(1)) - now,
        Duration::from_millis(1)
    );
    assert_eq!(now - (now + Duration::from_millis(1)), Duration::ZERO);
    assert_eq!(now.since(Instant::MAX), Duration::ZERO);
    assert_eq!(Duration::from_secs(u64::MAX), Duration::MAX);
    assert_eq!(Duration::from_millis(u64::MAX), Duration::MAX);
    assert_eq!(
        Duration::MAX.saturating_add(Duration::from_nanos(1)),
        Duration::MAX
    );
    assert_eq!(Duration::ZERO.saturating_sub(Duration::MAX), Duration::ZERO);
    assert_eq!(
        Duration::from_secs(3).saturating_mul(2),
        Duration::from_secs(6)
    );
    assert_eq!(Duration::from_millis(2999).as_secs(), 2);
    assert_eq!(Duration::from_micros(2999).as_millis(), 2);
    assert!(Duration::ZERO.is_zero() && UnixTime::from_secs(-1) < UnixTime::default());
}

#[test]
fn settings_are_read_and_printed() {
    for (text, span, printed) in [
        ("0", Duration::ZERO, "0s"),
        ("60", Duration::from_secs(60), "1m"),
        ("60s", Duration::from_secs(60), "1m"),
        ("90s", Duration::from_secs(90), "90s"),
        ("500ms", Duration::from_millis(500), "500ms"),
        ("1500ms", Duration::from_millis(1500), "1500ms"),
        ("5m", Duration::from_secs(300), "5m"),
        ("1h", Duration::from_secs(3600), "1h"),
        ("48h", Duration::from_secs(172_800), "2d"),
        ("7us", Duration::from_micros(7), "7us"),
        ("7ns", Duration::from_nanos(7), "7ns"),
    ] {
        assert_eq!(Duration::parse(text.as_bytes()), Some(span), "for {text}");
        assert_eq!(span.to_string(), printed);
    }
    for text in [
        "", "s", "5 s", "5S", "-5s", "+5s", "5.5s", "5s ", "5ss", "5x", "213504d", "0x5s",
    ] {
        assert_eq!(Duration::parse(text.as_bytes()), None, "for {text:?}");
    }
    assert_eq!(
        Duration::parse(b"213503d").map(Duration::as_secs),
        Some(213_503 * 86_400)
    );
}

proptest! {
    #![proptest_config(super::cases(256))]

    #[test]
    fn settings_read_back_as_printed(nanos: u64, zeros in 0..16u32) {
        let nanos = nanos / 10u64.pow(zeros) * 10u64.pow(zeros);
        let span = Duration::from_nanos(nanos);
        prop_assert_eq!(Duration::parse(span.to_string().as_bytes()), Some(span));
    }
}
