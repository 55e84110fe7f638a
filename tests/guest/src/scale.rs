//! How slow this machine is. `RESIN_SLOW` is 1 on the stock kernel under emulation; on the debug
//! kernel time limits grow by it and the biggest sizes and counts shrink by it.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// The factor.
pub fn slow() -> u32 {
    static SLOW: OnceLock<u32> = OnceLock::new();
    *SLOW.get_or_init(|| {
        let setting = std::env::var("RESIN_SLOW").ok();
        setting
            .and_then(|text| text.parse().ok())
            .unwrap_or(1)
            .clamp(1, 100)
    })
}

/// A time limit.
pub fn time(limit: Duration) -> Duration {
    limit * slow()
}

/// A time limit in seconds.
pub fn secs(limit: u64) -> Duration {
    time(Duration::from_secs(limit))
}

/// A count or size that is a matter of stress, not of meaning: smaller on a slow kernel.
pub fn count(full: u64, least: u64) -> u64 {
    (full / u64::from(slow())).max(least)
}

/// Waits until `condition` holds, looking often; false if it never does within `limit` (scaled).
pub fn wait_until(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + time(limit);
    loop {
        if condition() {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
