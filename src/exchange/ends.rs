// SPDX-License-Identifier: GPL-2.0

//! What an exchange can ask of the world: little of it is wanted at a time.

use crate::config::Protocol;
use crate::http::Version;
use crate::time::UnixTime;

/// The two connections' ends as they are now, and the time of day. Counts may have grown when they are asked
/// for again.
pub(crate) trait Ends {
    /// The time of day.
    fn date(&self) -> UnixTime;

    /// The Host for a backend when an HTTP/1.0 request names none.
    fn fallback_host(&self) -> &[u8];

    /// What tells a client that it belongs to the backend, if clients are told.
    fn stamp(&self) -> Option<u64>;

    /// What the backend speaks; HTTP without one.
    fn protocol(&self) -> Protocol;

    /// The highest HTTP version of the backend's responses; none before the first.
    fn backend_version(&self) -> Option<Version>;

    /// Octets that the client's end has acknowledged on this connection.
    fn client_acked(&self) -> u64;

    /// Octets that its socket has, and that its end has not acknowledged yet.
    fn client_unacked(&self) -> u64;

    /// Octets that the backend's end has acknowledged on its connection; 0 without one.
    fn upstream_acked(&self) -> u64;
}
