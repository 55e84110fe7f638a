// SPDX-License-Identifier: GPL-2.0

//! What kind of world a run happens in.

use super::choices::Choices;
use crate::config::{Forwarding, Settings};
use crate::time::Duration;

/// What is drawn at the beginning of a run.
pub(super) struct Mood {
    /// Client, backend, memory and clock may fail. Otherwise each request gets its answer.
    pub(super) faults: bool,
    /// Octets are damaged at random: nothing is known of what has to come out.
    pub(super) wild: bool,
    /// Octets that the socket to the client holds.
    pub(super) window: usize,
    /// Octets that the socket to a backend holds.
    pub(super) upstream_window: usize,
    /// The longest body of an answer.
    pub(super) longest: usize,
    /// And of a request.
    pub(super) longest_upload: usize,
    /// Octets that there is room for to keep bodies, if anybody keeps them.
    pub(super) keeps: Option<usize>,
    pub(super) settings: Settings,
}

impl Mood {
    pub(super) fn new(choices: &mut Choices) -> Self {
        let kind = choices.below(4);
        let window = *choices.pick(&[65536, 1, 5, 100, 5000]);
        let upstream_window = *choices.pick(&[4096, 3, 100, 65536]);
        Self {
            faults: kind != 0,
            wild: kind == 3,
            window,
            upstream_window,
            longest: if window < 1000 { 400 } else { 60_000 },
            longest_upload: if upstream_window < 1000 { 400 } else { 60_000 },
            settings: settings(choices, kind != 0),
            keeps: *choices.pick(&[None, Some(usize::MAX), Some(200), Some(20_000)]),
        }
    }
}

/// Settings as they may be written, and now and then no time at all.
fn settings(choices: &mut Choices, faults: bool) -> Settings {
    let mut settings = Settings {
        x_forwarded_for: Forwarding::Off,
        x_forwarded_proto: Forwarding::Off,
        x_forwarded_host: Forwarding::Off,
        ..Settings::default()
    };
    if choices.once_in(2) {
        settings.head_size = *choices.pick(&[16384, 1024, 5000, 65536]);
        settings.header_fields = *choices.pick(&[100, 20, 1000]);
    }
    for time in [
        &mut settings.header_timeout,
        &mut settings.body_timeout,
        &mut settings.tunnel_timeout,
        &mut settings.keepalive_timeout,
        &mut settings.connect_timeout,
        &mut settings.response_timeout,
        &mut settings.read_timeout,
        &mut settings.send_timeout,
        &mut settings.linger_timeout,
    ] {
        if choices.once_in(4) {
            let most = if faults { 4 } else { 2 };
            let millis = [100, 86_400_000, 7, 0][choices.below(most)];
            *time = Duration::from_millis(millis);
        }
    }
    settings.min_rate = *choices.pick(&[0, 1, 500]);
    if faults && choices.once_in(8) {
        settings.exchange_timeout = Duration::from_millis(700);
    }
    settings
}

/// The longest of all limits of time.
pub(super) fn longest_limit(settings: &Settings) -> Duration {
    [
        settings.header_timeout,
        settings.body_timeout,
        settings.tunnel_timeout,
        settings.keepalive_timeout,
        settings.connect_timeout,
        settings.response_timeout,
        settings.read_timeout,
        settings.send_timeout,
        settings.linger_timeout,
    ]
    .into_iter()
    .fold(Duration::ZERO, Ord::max)
}
