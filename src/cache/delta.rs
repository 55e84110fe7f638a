// SPDX-License-Identifier: GPL-2.0

//! Ages and lifetimes.

use crate::bytes;
use crate::time::UnixTime;

/// A time span in whole seconds (delta-seconds, RFC 9111 section 1.2.2), never more than 2^31.
///
/// "If a cache receives a delta-seconds value greater than the greatest integer it can represent,
/// or if any of its subsequent calculations overflows, the cache MUST consider the value to be
/// 2147483648 (2^31) or the greatest positive integer it can conveniently represent": all sums are
/// capped there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(crate) struct DeltaSeconds(u32);

impl DeltaSeconds {
    /// Nothing.
    pub(crate) const ZERO: DeltaSeconds = DeltaSeconds(0);

    /// 2^31 seconds, 68 years: the longest.
    pub(crate) const MAX: DeltaSeconds = DeltaSeconds(1 << 31);

    /// So many seconds, or the longest that there is.
    pub(crate) const fn from_secs(secs: u64) -> DeltaSeconds {
        if secs < Self::MAX.0 as u64 {
            DeltaSeconds(secs as u32)
        } else {
            Self::MAX
        }
    }

    /// From one point in time to another; nothing if that is before.
    pub(crate) fn between(from: UnixTime, to: UnixTime) -> DeltaSeconds {
        let secs = to.as_secs().saturating_sub(from.as_secs());
        u64::try_from(secs).map_or(Self::ZERO, Self::from_secs)
    }

    /// Reads `1*DIGIT`, however many there are.
    pub(crate) fn parse(text: &[u8]) -> Option<DeltaSeconds> {
        bytes::parse_saturating(text).map(Self::from_secs)
    }

    /// The seconds.
    pub(crate) const fn as_secs(self) -> u32 {
        self.0
    }

    /// The sum, at most the longest span.
    pub(crate) const fn saturating_add(self, other: DeltaSeconds) -> DeltaSeconds {
        Self::from_secs((self.0 as u64).saturating_add(other.0 as u64))
    }

    /// The difference, at least nothing.
    pub(crate) const fn saturating_sub(self, other: DeltaSeconds) -> DeltaSeconds {
        DeltaSeconds(self.0.saturating_sub(other.0))
    }
}
