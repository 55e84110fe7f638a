// SPDX-License-Identifier: GPL-2.0

//! The settings of the `config` file.
//!
//! [`Settings`] is larger than a stack frame may be in the kernel: there it stays where it is
//! allocated, and is changed in place.

use super::{
    choice::{
        Balance,
        Forwarding,
        Log, //
    },
    networks::Networks,
    refusal::Refusal,
    statuses::Statuses,
    table::{
        self,
        count,
        days,
        millis,
        secs,
        settings,
        size,
        time,
        Value, //
    },
    text::{
        Alphabet,
        Text, //
    }, //
};
use crate::time::Duration;

settings! {
    /// Every setting with its present value. `Copy`, so that it may be duplicated in memory; it is too
    /// large to be passed by value in the kernel.
    struct Settings;
    /// What is in force until somebody sets something else.
    static DEFAULTS;

    /// A client has this long to send a whole request head, from its first octet or, on a new
    /// connection, from being accepted.
    header_timeout: Duration = "header-timeout", secs(10), time(millis(100), secs(3600));
    /// A client may pause for this long within a request's body.
    body_timeout: Duration = "body-timeout", secs(30), time(millis(100), days(1));
    /// A client's connection may be idle between two requests for this long.
    keepalive_timeout: Duration = "keepalive-timeout", secs(60), time(millis(100), secs(3600));
    /// A backend has this long to accept a connection.
    connect_timeout: Duration = "connect-timeout", secs(5), time(millis(100), secs(3600));
    /// A backend has this long from the end of a request to the first octet of its response.
    response_timeout: Duration = "response-timeout", secs(60), time(millis(100), days(1));
    /// A backend may pause for this long within a response.
    read_timeout: Duration = "read-timeout", secs(60), time(millis(100), days(1));
    /// A client may take no octet of a response for this long.
    send_timeout: Duration = "send-timeout", secs(60), time(millis(100), days(1));
    /// The least octets per second, on average, at which a client must send a body or take a
    /// response once `body_timeout` or `send_timeout` has passed; 0 asks for nothing.
    min_rate: u64 = "min-rate", 500, count(0, 1_000_000_000);
    /// A tunnel may be silent in both directions for this long.
    tunnel_timeout: Duration = "tunnel-timeout", secs(3600), time(millis(100), days(7));
    /// A whole exchange may take this long; 0 for ever.
    exchange_timeout: Duration = "exchange-timeout", Duration::ZERO, time(Duration::ZERO, days(7));
    /// A connection that is ended here drains what the client still sends for this long, once the
    /// client has taken all that it was sent, lest a reset destroy the response on its way.
    linger_timeout: Duration = "linger-timeout", secs(2), time(Duration::ZERO, secs(60));

    /// The most octets of a request's or a response's head.
    head_size: usize = "head-size", 16 << 10, size(1 << 10, 64 << 10);
    /// The most field lines of a request's or a response's head.
    header_fields: usize = "header-fields", 100, count(1, 1000);
    /// The most octets of a request's target; a smaller `head-size` limits it too.
    target_size: usize = "target-size", 8 << 10, size(64, 64 << 10);
    /// The most octets of a request's body; 0 for no limit.
    body_size: u64 = "body-size", 0, size(0, 1 << 62);
    /// The most octets that may have come from a client and wait to be read: with the round trip
    /// it bounds how fast an upload comes in. For connections that begin after it is set.
    receive_buffer: usize = "receive-buffer", 192 << 10, size(16 << 10, 16 << 20);

    /// The most client connections at a time.
    max_connections: usize = "max-connections", 100_000, count(1, 1_000_000);
    /// The most connections at a time from one client address, for IPv6 from one /64; 0 for no
    /// limit.
    connections_per_client: usize = "connections-per-client", 10_000, count(0, 1_000_000);
    /// The most requests on one client connection; 0 for no limit.
    requests_per_connection: usize = "requests-per-connection", 0, count(0, 1_000_000_000);
    /// Idle connections kept for each backend on each CPU; 0 keeps none.
    idle_per_cpu: usize = "idle-per-cpu", 32, count(0, 1024);
    /// An idle connection to a backend is kept for this long.
    idle_timeout: Duration = "idle-timeout", secs(55), time(millis(100), secs(3600));
    /// A connection that has been silent for this long is probed; 0 for never.
    tcp_keepalive: Duration = "tcp-keepalive", secs(60), time(Duration::ZERO, secs(32_767));
    /// A client may leave what it is sent unacknowledged for this long; 0 for what the kernel does.
    tcp_user_timeout: Duration = "tcp-user-timeout", Duration::ZERO, time(Duration::ZERO, days(1));
    /// A connection is accepted once its first octets have come, or after about this long; 0
    /// accepts it at once.
    defer_accept: Duration = "defer-accept", Duration::ZERO, time(Duration::ZERO, secs(60));
    /// What packets have to do with is done where they come in, in softirq, as far as nothing sleeps;
    /// else work items do all.
    softirq: bool = "softirq", true, ();

    /// Whose `X-Forwarded-*` and `Forwarded` are believed.
    trusted_proxies: Networks = "trusted-proxies", Networks::NONE, ();
    x_forwarded_for: Forwarding = "x-forwarded-for", Forwarding::Append, ();
    x_forwarded_proto: Forwarding = "x-forwarded-proto", Forwarding::Append, ();
    x_forwarded_host: Forwarding = "x-forwarded-host", Forwarding::Append, ();
    forwarded: Forwarding = "forwarded", Forwarding::Remove, ();
    /// Our name in `Via` and `CDN-Loop`; empty for one that is drawn by lot.
    via: Text<32> = "via", Text::EMPTY, Alphabet::Token;
    /// Whether our name is added to `CDN-Loop`.
    cdn_loop: bool = "cdn-loop", false, ();

    /// How a backend is chosen for a request that belongs to no session.
    balance: Balance = "balance", Balance::RoundRobin, ();
    /// Whether requests of a session go to the backend that has it.
    sticky: bool = "sticky", true, ();
    /// The cookie that a JVM names its sessions in.
    session_cookie: Text<32> = "session-cookie", Text::of("JSESSIONID"), Alphabet::Token;
    /// What comes before a session's name in a path; empty: there is none in paths.
    session_path: Text<32> = "session-path", Text::of(";jsessionid="), Alphabet::Visible;
    /// The cookie that we tell a client its backend in, for backends whose sessions do not; empty for
    /// none.
    sticky_cookie: Text<32> = "sticky-cookie", Text::EMPTY, Alphabet::Token;
    /// The secret that its values are made with, for gateways that are to understand each other's;
    /// empty for one that is drawn by lot.
    sticky_key: Text<32> = "sticky-key", Text::EMPTY, Alphabet::Secret;
    /// A request may wait for so long for a place at a backend; 0: not at all.
    queue_timeout: Duration = "queue-timeout", secs(30), time(Duration::ZERO, secs(3600));
    /// The longest time for which a backend that has failed is left alone.
    recover_time: Duration = "recover-time", secs(15), time(millis(100), secs(3600));
    /// A backend that has recovered gets more and more to do for so long; 0: all at once.
    warmup_time: Duration = "warmup-time", secs(60), time(Duration::ZERO, secs(3600));
    /// A backend has failed after so many errors on end; 0: never for errors.
    error_limit: u32 = "error-limit", 20, count(0, 1_000_000);
    /// A backend whose exchanges all stand still for so long has a pause, and gets no new sessions;
    /// 0: that is never so.
    pause_time: Duration = "pause-time", secs(2), time(Duration::ZERO, secs(3600));
    /// Each backend is asked that often how it is; 0: never.
    health_interval: Duration = "health-interval", Duration::ZERO, time(Duration::ZERO, secs(3600));
    /// A backend has this long to answer that.
    health_timeout: Duration = "health-timeout", secs(5), time(millis(100), secs(3600));
    /// What it is asked for; empty: it is enough that it accepts a connection.
    health_path: Text<96> = "health-path", Text::EMPTY, Alphabet::Path;
    /// The statuses that say that it is well.
    health_status: Statuses = "health-status", Statuses::FINE, ();

    /// Who may see `/caucho-status`.
    status_allow: Networks = "status-allow", Networks::NONE, ();
    log: Log = "log", Log::Combined, ();
    /// The log says what the cache does, too.
    log_cache: bool = "log-cache", false, ();

    page_400: Text<160> = "page-400", Text::EMPTY, Alphabet::Readable;
    page_408: Text<160> = "page-408", Text::EMPTY, Alphabet::Readable;
    page_413: Text<160> = "page-413", Text::EMPTY, Alphabet::Readable;
    page_414: Text<160> = "page-414", Text::EMPTY, Alphabet::Readable;
    page_429: Text<160> = "page-429", Text::EMPTY, Alphabet::Readable;
    page_431: Text<160> = "page-431", Text::EMPTY, Alphabet::Readable;
    page_500: Text<160> = "page-500", Text::EMPTY, Alphabet::Readable;
    page_501: Text<160> = "page-501", Text::EMPTY, Alphabet::Readable;
    page_502: Text<160> = "page-502", Text::EMPTY, Alphabet::Readable;
    page_503: Text<160> = "page-503", Text::EMPTY, Alphabet::Readable;
    page_504: Text<160> = "page-504", Text::EMPTY, Alphabet::Readable;
    page_505: Text<160> = "page-505", Text::EMPTY, Alphabet::Readable;
}

impl Settings {
    /// See [`table::apply`].
    pub(crate) fn apply(&mut self, text: &[u8]) -> Result<(), Refusal> {
        table::apply(self, text)
    }

    /// The text that an error page of this status carries; empty for the status' own reason.
    pub(crate) fn page(&self, code: u16) -> &[u8] {
        let text = match code {
            400 => &self.page_400,
            408 => &self.page_408,
            413 => &self.page_413,
            414 => &self.page_414,
            429 => &self.page_429,
            431 => &self.page_431,
            500 => &self.page_500,
            501 => &self.page_501,
            502 => &self.page_502,
            503 => &self.page_503,
            504 => &self.page_504,
            505 => &self.page_505,
            _ => return b"",
        };
        text.as_bytes()
    }
}
