// SPDX-License-Identifier: GPL-2.0

//! The table of what is told of the whole gateway: names for machines, words for people, and where the
//! numbers are.

use super::cache;
use super::{Count, Ratio, Snapshot};

/// How a number behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It only grows, from zero on.
    Counter,
    /// It goes up and down.
    Gauge,
}

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Things, which the name says.
    None,
    /// Octets.
    Bytes,
    /// Seconds.
    Seconds,
}

impl Unit {
    /// The end of the names of such families; empty for [`Unit::None`].
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Unit::None => "",
            Unit::Bytes => "bytes",
            Unit::Seconds => "seconds",
        }
    }
}

/// One thing that is told, with one number or with several of the same kind.
pub(crate) struct Family {
    /// Its name, without what OpenMetrics puts before (`resin_`) and behind it (`_total`).
    pub(crate) name: &'static str,
    /// Its name for people.
    pub(crate) title: &'static str,
    /// One sentence on what it is.
    pub(crate) help: &'static str,
    /// How its numbers behave.
    pub(crate) kind: Kind,
    /// What they count.
    pub(crate) unit: Unit,
    /// Where they are.
    pub(crate) values: Values,
}

/// Where a family's numbers are.
pub(crate) enum Values {
    /// It is this one.
    One(Count),
    /// One for each value of a label.
    By(&'static str, &'static [(&'static str, Count)]),
    /// It is not counted: this knows it.
    Of(fn(&Snapshot<'_>) -> u64),
}

impl Family {
    /// All its numbers together.
    pub(crate) fn total(&self, snapshot: &Snapshot<'_>) -> u64 {
        match &self.values {
            Values::One(count) => snapshot.count(*count),
            Values::By(_, counts) => counts.iter().fold(0, |sum, (_, count)| {
                u64::saturating_add(sum, snapshot.count(*count))
            }),
            Values::Of(get) => get(snapshot),
        }
    }

    const fn of(
        kind: Kind,
        name: &'static str,
        title: &'static str,
        help: &'static str,
        values: Values,
    ) -> Self {
        Self {
            name,
            title,
            help,
            kind,
            unit: unit_of(name),
            values,
        }
    }
}

pub(super) const fn counter(
    name: &'static str,
    title: &'static str,
    help: &'static str,
    values: Values,
) -> Family {
    Family::of(Kind::Counter, name, title, help, values)
}

pub(super) const fn gauge(
    name: &'static str,
    title: &'static str,
    help: &'static str,
    values: Values,
) -> Family {
    Family::of(Kind::Gauge, name, title, help, values)
}

/// The name says it.
pub(super) const fn unit_of(name: &str) -> Unit {
    match name.as_bytes() {
        [.., b'_', b'b', b'y', b't', b'e', b's'] => Unit::Bytes,
        [.., b'_', b's', b'e', b'c', b'o', b'n', b'd', b's'] => Unit::Seconds,
        _ => Unit::None,
    }
}

/// Families that people look at together.
pub(crate) struct Group {
    /// Its heading; empty for what the page shows elsewhere.
    pub(crate) title: &'static str,
    /// What is in it.
    pub(crate) families: &'static [Family],
    /// What people want to know of these numbers. Machines that gather them divide by themselves.
    pub(crate) ratios: &'static [Ratio],
}

impl Group {
    const fn of(title: &'static str, families: &'static [Family]) -> Self {
        Self {
            title,
            families,
            ratios: &[],
        }
    }
}

/// All families but those of backends.
pub(crate) const fn groups() -> &'static [Group] {
    GROUPS
}

const GROUPS: &[Group] = &[
    Group::of("", GATEWAY),
    Group::of("Clients", CLIENTS),
    Group::of("Requests", REQUESTS),
    Group::of("Answers", ANSWERS),
    Group::of("Interruptions", INTERRUPTIONS),
    Group::of("Traffic", TRAFFIC),
    Group::of("Connections to backends", UPSTREAM),
    cache::GROUP,
    Group::of("Memory and log", MEMORY),
];

const GATEWAY: &[Family] = &[gauge(
    "start_time_seconds",
    "Started",
    "When the gateway of this network namespace began, in seconds since 1970.",
    Values::Of(|snapshot| u64::try_from(snapshot.started.as_secs()).unwrap_or(0)),
)];

const CLIENTS: &[Family] = &[
    gauge(
        "client_connections",
        "Open",
        "Connections of clients that are open.",
        Values::One(Count::Open),
    ),
    gauge(
        "client_connections_limit",
        "At most",
        "How many connections of clients may be open: the setting max-connections.",
        Values::Of(|snapshot| snapshot.max_connections),
    ),
    counter(
        "client_connections_accepted",
        "Accepted",
        "Connections of clients that were accepted.",
        Values::One(Count::Accepted),
    ),
    counter(
        "client_connections_refused",
        "Refused",
        "Connections of clients that were closed at once, by the reason.",
        Values::By(
            "reason",
            &[
                ("limit", Count::RefusedLimit),
                ("client_limit", Count::RefusedClient),
                ("memory", Count::RefusedMemory),
            ],
        ),
    ),
    counter(
        "client_connections_reset",
        "Reset",
        "Connections of clients that were reset with no request under way: by the client between \
         requests or after its last answer, or by us as it did not take that in time.",
        Values::By(
            "when",
            &[
                ("idle", Count::ResetIdle),
                ("linger", Count::ResetLinger),
                ("untaken", Count::ResetUntaken),
            ],
        ),
    ),
];

const REQUESTS: &[Family] = &[
    counter(
        "requests",
        "In all",
        "Requests that were dealt with to their end.",
        Values::One(Count::Requests),
    ),
    counter(
        "uploads",
        "With a body",
        "Requests that had a body.",
        Values::One(Count::Uploads),
    ),
    counter(
        "replays",
        "Sent twice",
        "Requests that were sent again since a kept connection to the backend had died.",
        Values::One(Count::Replays),
    ),
    gauge(
        "tunnels",
        "Open tunnels",
        "Upgraded connections, as of WebSocket, that are open.",
        Values::One(Count::Tunnels),
    ),
    counter(
        "tunnels_opened",
        "Tunnels opened",
        "Connections that were upgraded.",
        Values::One(Count::TunnelsOpened),
    ),
];

const ANSWERS: &[Family] = &[
    counter(
        "responses",
        "In all",
        "Final responses to clients, by the class of their status.",
        Values::By(
            "class",
            &[
                ("1xx", Count::Answers1xx),
                ("2xx", Count::Answers2xx),
                ("3xx", Count::Answers3xx),
                ("4xx", Count::Answers4xx),
                ("5xx", Count::Answers5xx),
                ("other", Count::AnswersOther),
            ],
        ),
    ),
    counter(
        "error_pages",
        "Our own error pages",
        "Responses that are error pages of the gateway itself, by their status.",
        Values::By("status", ERROR_PAGES),
    ),
    counter(
        "own_responses",
        "Other pages of our own",
        "Responses of the gateway itself that are no error pages, as this status.",
        Values::One(Count::OwnAnswers),
    ),
];

const ERROR_PAGES: &[(&str, Count)] = &[
    ("400", Count::Page400),
    ("403", Count::Page403),
    ("404", Count::Page404),
    ("405", Count::Page405),
    ("408", Count::Page408),
    ("413", Count::Page413),
    ("414", Count::Page414),
    ("417", Count::Page417),
    ("429", Count::Page429),
    ("431", Count::Page431),
    ("500", Count::Page500),
    ("501", Count::Page501),
    ("502", Count::Page502),
    ("503", Count::Page503),
    ("504", Count::Page504),
    ("505", Count::Page505),
    ("508", Count::Page508),
    ("other", Count::PageOther),
];

const INTERRUPTIONS: &[Family] = &[
    counter(
        "aborts",
        "Cut short",
        "Exchanges that ended before the answer was whole, by who or what did it.",
        Values::By(
            "reason",
            &[
                ("client", Count::AbortedClient),
                ("backend", Count::AbortedBackend),
                ("client_timeout", Count::AbortedClientTimeout),
                ("backend_timeout", Count::AbortedBackendTimeout),
                ("protocol", Count::AbortedProtocol),
                ("memory", Count::AbortedMemory),
                ("other", Count::AbortedOther),
            ],
        ),
    ),
    counter(
        "timeouts",
        "Time limits reached",
        "Time limits that ran out, by the setting.",
        Values::By(
            "limit",
            &[
                ("header", Count::TimeoutHeader),
                ("body", Count::TimeoutBody),
                ("connect", Count::TimeoutConnect),
                ("response", Count::TimeoutResponse),
                ("read", Count::TimeoutRead),
                ("send", Count::TimeoutSend),
                ("tunnel", Count::TimeoutTunnel),
                ("exchange", Count::TimeoutExchange),
            ],
        ),
    ),
];

const TRAFFIC: &[Family] = &[
    counter(
        "client_received_bytes",
        "From clients",
        "Octets received from clients.",
        Values::One(Count::ClientReceived),
    ),
    counter(
        "client_sent_bytes",
        "To clients",
        "Octets sent to clients.",
        Values::One(Count::ClientSent),
    ),
    counter(
        "upstream_received_bytes",
        "From backends",
        "Octets received from all backends that there have been.",
        Values::One(Count::BackendReceived),
    ),
    counter(
        "upstream_sent_bytes",
        "To backends",
        "Octets sent to all backends that there have been.",
        Values::One(Count::BackendSent),
    ),
];

const UPSTREAM: &[Family] = &[
    counter(
        "upstream_connects",
        "Opened",
        "Connections that were begun to all backends that there have been.",
        Values::One(Count::Connects),
    ),
    counter(
        "upstream_connect_failures",
        "Failed",
        "Connections that could not be made, to all backends that there have been.",
        Values::One(Count::ConnectFailures),
    ),
    counter(
        "upstream_reuses",
        "Used again",
        "Requests that went over a connection that had been kept.",
        Values::One(Count::Reuses),
    ),
    gauge(
        "upstream_queue",
        "Waiting",
        "Requests that wait for a place at a backend.",
        Values::Of(|snapshot| snapshot.waiting),
    ),
];

const MEMORY: &[Family] = &[
    gauge(
        "buffer_bytes",
        "Buffers",
        "Memory of the connections and their buffers, in all network namespaces.",
        Values::Of(|snapshot| snapshot.memory),
    ),
    gauge(
        "buffer_limit_bytes",
        "Buffers at most",
        "How much memory the buffers may take.",
        Values::Of(|snapshot| snapshot.memory_limit),
    ),
    counter(
        "log_lost_lines",
        "Log lines lost",
        "Lines of the access log that gave way to newer ones before a reader got to them.",
        Values::Of(|snapshot| snapshot.log_lost),
    ),
];
