// SPDX-License-Identifier: GPL-2.0

//! Dates, against those of RFC 9110 and against a calendar that counts day by day.

use proptest::prelude::*;

use crate::http::date::{format, format_log, format_rfc3339, parse};
use crate::time::UnixTime;

const EXAMPLE: i64 = 784_111_777;

/// 2026-11-22.
const NOW: UnixTime = UnixTime::from_secs(1_795_305_600);

fn printed(secs: i64) -> String {
    String::from_utf8(format(UnixTime::from_secs(secs)).to_vec()).unwrap()
}

fn parsed(text: &str) -> Option<i64> {
    parse(text.as_bytes(), NOW).map(UnixTime::as_secs)
}

#[test]
fn the_three_forms_of_the_rfc_are_read() {
    // RFC 9110 section 5.6.7.
    assert_eq!(parsed("Sun, 06 Nov 1994 08:49:37 GMT"), Some(EXAMPLE));
    assert_eq!(parsed("Sunday, 06-Nov-94 08:49:37 GMT"), Some(EXAMPLE));
    assert_eq!(parsed("Sun Nov  6 08:49:37 1994"), Some(EXAMPLE));
    assert_eq!(
        parsed("Sun Nov 16 08:49:37 1994"),
        Some(EXAMPLE + 10 * 86_400)
    );
    assert_eq!(printed(EXAMPLE), "Sun, 06 Nov 1994 08:49:37 GMT");
}

#[test]
fn known_days_are_right() {
    for (secs, text) in [
        (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (68_169_599, "Mon, 28 Feb 1972 23:59:59 GMT"),
        (68_169_600, "Tue, 29 Feb 1972 00:00:00 GMT"),
        (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
        (2_147_483_648, "Tue, 19 Jan 2038 03:14:08 GMT"),
        (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 GMT"),
        (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
        (4_294_967_296, "Sun, 07 Feb 2106 06:28:16 GMT"),
        (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"),
    ] {
        assert_eq!(printed(secs), text);
        assert_eq!(parsed(text), Some(secs));
    }
    assert_eq!(printed(-1), printed(0));
    for (secs, in_logs, rfc3339) in [
        (0, "01/Jan/1970:00:00:00 +0000", "1970-01-01T00:00:00Z"),
        (
            EXAMPLE,
            "06/Nov/1994:08:49:37 +0000",
            "1994-11-06T08:49:37Z",
        ),
        (
            68_169_600,
            "29/Feb/1972:00:00:00 +0000",
            "1972-02-29T00:00:00Z",
        ),
        (
            i64::MAX,
            "31/Dec/9999:23:59:59 +0000",
            "9999-12-31T23:59:59Z",
        ),
    ] {
        let time = UnixTime::from_secs(secs);
        assert_eq!(format_log(time), in_logs.as_bytes());
        assert_eq!(format_rfc3339(time), rfc3339.as_bytes());
    }
    assert_eq!(printed(i64::MIN), printed(0));
    assert_eq!(printed(i64::MAX), "Fri, 31 Dec 9999 23:59:59 GMT");
    assert_eq!(parsed("Wed, 31 Dec 1969 23:59:59 GMT"), Some(-1));
    assert_eq!(
        parsed("Thu, 01 Jan 1970 23:59:60 GMT"),
        Some(86_400),
        "a leap second"
    );
}

#[test]
fn every_day_from_1970_to_2200_is_right() {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let mut number = 0;
    for year in 1970..2200 {
        let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let lengths = [
            31,
            28 + i64::from(is_leap),
            31,
            30,
            31,
            30,
            31,
            31,
            30,
            31,
            30,
            31,
        ];
        for (month, length) in MONTHS.iter().zip(lengths) {
            for day in 1..=length {
                let name = DAYS[number as usize % 7];
                let text = format!("{name}, {day:02} {month} {year} 12:34:56 GMT");
                let secs = number * 86_400 + 45_296;
                assert_eq!(printed(secs), text);
                assert_eq!(parsed(&text), Some(secs));
                number += 1;
            }
            let after = format!("Mon, {:02} {month} {year} 00:00:00 GMT", length + 1);
            assert_eq!(parsed(&after), None, "{after}");
        }
    }
}

#[test]
fn two_digit_years_are_at_most_fifty_years_ahead() {
    let year = |digits: &str, now: i64| {
        let text = format!("Sunday, 06-Nov-{digits} 08:49:37 GMT");
        let secs = parse(text.as_bytes(), UnixTime::from_secs(now)).unwrap();
        String::from_utf8(format(secs)[12..16].to_vec()).unwrap()
    };
    let now = NOW.as_secs();
    assert_eq!(year("26", now), "2026");
    assert_eq!(year("76", now), "2076");
    assert_eq!(year("77", now), "1977");
    assert_eq!(year("99", now), "1999");
    assert_eq!(year("00", now), "2000");
    assert_eq!(year("10", 3_900_000_000), "2110", "in 2093");
    assert_eq!(year("90", 3_900_000_000), "2090", "in 2093");
    assert_eq!(year("70", 0), "1970");
}

#[test]
fn what_is_no_date_is_refused() {
    for text in [
        "",
        "0",
        "-1",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        " Sun, 06 Nov 1994 08:49:37 GMT",
        "Sun,06 Nov 1994 08:49:37 GMT",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "sun, 06 nov 1994 08:49:37 gmt",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Sun, 29 Feb 1994 08:49:37 GMT",
        "Sun, 29 Feb 2100 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 06 Nov 94 08:49:37 GMT",
        "Xun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nox 1994 08:49:37 GMT",
        "Sun, -6 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-1994 08:49:37 GMT",
        "Sunday, 06 Nov 94 08:49:37 GMT",
        "Sun Nov 6 08:49:37 1994",
        "Sun Nov  6 08:49:37 1994 GMT",
    ] {
        assert_eq!(parsed(text), None, "for {text:?}");
    }
}

proptest! {
    #![proptest_config(super::cases(256))]

    #[test]
    fn dates_read_back_as_printed(secs in 0..253_402_300_800i64) {
        prop_assert_eq!(parsed(&printed(secs)), Some(secs));
    }

    #[test]
    fn garbage_is_no_date(text: Vec<u8>, now: i64) {
        prop_assert_eq!(parse(&text, UnixTime::from_secs(now)), None);
    }
}
