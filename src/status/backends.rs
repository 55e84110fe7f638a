// SPDX-License-Identifier: GPL-2.0

//! The table of what is told of each backend.

use super::family::{unit_of, Kind, Unit};
use super::state::{self, State};
use super::{Backend, Histogram};
use crate::lb::Why;
use crate::time::Duration;

/// One thing that is told of each backend.
pub(crate) struct BackendFamily {
    /// Its name, without what OpenMetrics puts before (`resin_backend_`) and behind it.
    pub(crate) name: &'static str,
    /// One sentence on what it is.
    pub(crate) help: &'static str,
    /// How the number behaves.
    pub(crate) kind: Kind,
    /// What it counts.
    pub(crate) unit: Unit,
    /// Where it is.
    pub(crate) value: fn(&Backend<'_>) -> u64,
}

/// One thing of each backend that is one of several words.
pub(crate) struct BackendWord {
    /// Its name, without what OpenMetrics puts before it (`resin_backend_`).
    pub(crate) name: &'static str,
    /// One sentence on what it is.
    pub(crate) help: &'static str,
    /// What the words are.
    pub(crate) label: &'static str,
    /// All of them.
    pub(crate) words: &'static [&'static str],
    /// Which one it is; any other for none.
    pub(crate) value: fn(&Backend<'_>) -> &'static str,
}

/// One span of time that is measured of each backend.
pub(crate) struct BackendTime {
    /// Its name, without what OpenMetrics puts before it (`resin_backend_`).
    pub(crate) name: &'static str,
    /// One sentence on what it is.
    pub(crate) help: &'static str,
    /// Where it is.
    pub(crate) value: for<'a> fn(&Backend<'a>) -> Histogram<'a>,
}

/// What is told of each backend.
pub(crate) const fn backend_families() -> &'static [BackendFamily] {
    BACKEND
}

/// What words are told of each backend.
pub(crate) const fn backend_words() -> &'static [BackendWord] {
    BACKEND_WORDS
}

/// What is measured of each backend.
pub(crate) const fn backend_times() -> &'static [BackendTime] {
    BACKEND_TIMES
}

const fn of_backend(
    kind: Kind,
    name: &'static str,
    help: &'static str,
    value: fn(&Backend<'_>) -> u64,
) -> BackendFamily {
    BackendFamily {
        name,
        help,
        kind,
        unit: unit_of(name),
        value,
    }
}

const BACKEND: &[BackendFamily] = &[
    of_backend(
        Kind::Gauge,
        "up",
        "1 if the backend is in use, be it warming or paused; 0 if it is failing, or not to be used.",
        |backend| {
            let state = backend.state();
            u64::from(matches!(state, State::Ok | State::Warming | State::Paused))
        },
    ),
    of_backend(
        Kind::Gauge,
        "state_seconds",
        "For how long the backend has been in its state; 0 if the administrator put it there.",
        |backend| backend.lasted().unwrap_or(Duration::ZERO).as_secs(),
    ),
    of_backend(
        Kind::Counter,
        "failures",
        "Times that the backend was found to be failing, for whatever reason.",
        |backend| backend.failures,
    ),
    of_backend(
        Kind::Counter,
        "retries",
        "Requests that another backend was given after this one had failed them.",
        |backend| backend.retries,
    ),
    of_backend(
        Kind::Counter,
        "probes",
        "Times that the backend was asked how it is.",
        |backend| backend.probes,
    ),
    of_backend(
        Kind::Counter,
        "probe_failures",
        "Times that the backend was asked how it is, and did not answer that it is well.",
        |backend| backend.probe_failures,
    ),
    of_backend(
        Kind::Gauge,
        "active",
        "Exchanges and connection attempts that are under way with the backend.",
        |backend| backend.active,
    ),
    of_backend(
        Kind::Gauge,
        "queue",
        "Requests of sessions of the backend that wait for a place there.",
        |backend| backend.waiting,
    ),
    of_backend(
        Kind::Gauge,
        "pooled",
        "Idle connections to the backend that are kept.",
        |backend| backend.pooled,
    ),
    of_backend(
        Kind::Counter,
        "requests",
        "Requests that were given to the backend.",
        |backend| backend.requests,
    ),
    of_backend(
        Kind::Counter,
        "connect_failures",
        "Connections to the backend that could not be made.",
        |backend| backend.connect_failures,
    ),
    of_backend(
        Kind::Counter,
        "connects",
        "Connections to the backend that were begun.",
        |backend| backend.connects,
    ),
    of_backend(
        Kind::Counter,
        "reuses",
        "Requests to the backend that went over a connection that had been kept.",
        |backend| backend.reuses,
    ),
    of_backend(
        Kind::Counter,
        "received_bytes",
        "Octets received from the backend.",
        |backend| backend.received,
    ),
    of_backend(
        Kind::Counter,
        "sent_bytes",
        "Octets sent to the backend.",
        |backend| backend.sent,
    ),
];

const BACKEND_WORDS: &[BackendWord] = &[
    BackendWord {
        name: "state",
        help: "1 for the state that the backend is in, 0 for the others.",
        label: "state",
        words: &[
            State::Ok.name(),
            State::Warming.name(),
            State::Paused.name(),
            State::Failing.name(),
            State::Drain.name(),
            State::Down.name(),
        ],
        value: |backend| backend.state().name(),
    },
    BackendWord {
        name: "failing",
        help: "1 for the reason that the backend is failing for, 0 for the others.",
        label: "reason",
        words: &[
            state::reason(Why::Refused),
            state::reason(Why::Errors),
            state::reason(Why::Probes),
        ],
        value: |backend| backend.why().map_or("", state::reason),
    },
];

const BACKEND_TIMES: &[BackendTime] = &[
    BackendTime {
        name: "connect_seconds",
        help: "How long the backend took to accept a connection.",
        value: |backend| backend.connecting,
    },
    BackendTime {
        name: "response_seconds",
        help: "From when the backend began to get a request to the first octet of its response.",
        value: |backend| backend.responding,
    },
];
