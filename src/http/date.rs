// SPDX-License-Identifier: GPL-2.0

//! Dates of HTTP (RFC 9110 section 5.6.7).

use crate::time::UnixTime;

/// Octets of an IMF-fixdate.
pub(crate) const LEN: usize = 29;

/// `Sun, 06 Nov 1994 08:49:37 GMT`
pub(crate) fn format(time: UnixTime) -> [u8; LEN] {
    let _ = time;
    todo!()
}

/// Reads an IMF-fixdate, an RFC 850 date or an asctime date. The two-digit year of RFC 850 is
/// taken as the one that is at most 50 years after `now`.
pub(crate) fn parse(text: &[u8], now: UnixTime) -> Option<UnixTime> {
    let _ = (text, now);
    todo!()
}
