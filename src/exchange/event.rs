// SPDX-License-Identifier: GPL-2.0

//! What an exchange and the glue tell each other.

use super::Outcome;
use super::Ready;
use crate::status::Format;

/// What happened outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// Octets from the client were added to `buffers.request`.
    ClientData,
    /// The client sends nothing more.
    ClientEof,
    /// The client's connection is gone (reset, timed out).
    ClientLost,
    /// A backend connection is up; `reused` if it has carried an exchange before.
    UpstreamReady { reused: bool },
    /// No backend connection could be had.
    UpstreamRefused(Refusal),
    /// All backends have enough to do: the request is in the waiting line.
    UpstreamQueued,
    /// It has left the line: a connection is on its way.
    UpstreamChosen,
    /// In the place of a backend connection: the answer is stored. Its head, but for the end, was put
    /// into `buffers.to_client`.
    Stored(Ready),
    /// So many octets of the stored answer's content are here now.
    StoredGrew(u64),
    /// Octets from the backend were added to `buffers.response`.
    UpstreamData,
    /// The backend takes no more octets; there may be some to read from it. It had `finished`
    /// sending before its connection was gone.
    UpstreamDeaf { finished: bool },
    /// The backend sends nothing more. If the connection is gone too, FIN came first.
    UpstreamEof,
    /// The backend's connection is gone, or what was to be stored will not come.
    UpstreamLost,
    /// The clock was looked at: something may be due.
    Tick,
}

/// Why there is no backend connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The backend refused it or is not reachable: another one is asked for.
    Unreachable,
    /// No backend may be asked any more: 503, or what went wrong with those that were.
    NoBackend,
    /// There is no memory for it here: 503.
    NoMemory,
    /// The client wants what is stored or nothing, and nothing is: 504 (RFC 9111 section 5.2.1.7).
    NotStored,
}

/// What the glue is to do. Actions come in the order in which they must be carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Send FIN to the backend: the client sends nothing more through the tunnel.
    ShutdownUpstream,
    /// Let go of the backend connection: keep it for later exchanges, or close it.
    Release { reuse: bool },
    /// Count and log this exchange: it is over.
    Finish(Outcome),
    /// Count this: the client's connection is reset, and no exchange is under way that would say so.
    Reset(Reset),
    /// Write the status of the gateway, and call [`Exchange::answer`](super::Exchange::answer) with it.
    Report(Format),
    /// Get a backend connection; not a pooled one if `fresh`, and not to a backend that had a bad
    /// [verdict](super::Exchange::verdict) in this exchange. Answer with `UpstreamReady`, `Stored`
    /// or `UpstreamRefused`, perhaps `UpstreamQueued` and `UpstreamChosen` before, unless a `Release`
    /// comes first.
    Connect { fresh: bool },
    /// Send FIN to the client: there will be no more answers.
    ShutdownClient,
    /// Close the client's connection, with RST if `abort`. Nothing comes after this.
    CloseClient { abort: bool },
}

/// How a client's connection comes to be reset while no exchange is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reset {
    /// By the client, before its first request or between two; or it answered no probe.
    Idle,
    /// Likewise, when it had been sent its last answer and had time to end the connection.
    Linger,
    /// By us: it has not taken its last answer in time.
    Untaken,
}
