// SPDX-License-Identifier: GPL-2.0

//! What is counted in a namespace. Each has its entry in [`groups`](super::groups).

use crate::http::Status;

/// Something that is counted. All but the two that say so only grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Count {
    // Clients' connections.
    /// Open now: goes up and down.
    Open,
    /// Accepted.
    Accepted,
    /// Refused: there were `max-connections`.
    RefusedLimit,
    /// Refused: there were `connections-per-client` from this address.
    RefusedClient,
    /// Refused: no memory.
    RefusedMemory,
    /// Reset by the client between two requests, or before the first one.
    ResetIdle,
    /// Reset by the client after its last answer.
    ResetLinger,
    /// Reset by us: the client did not take its last answer in time.
    ResetUntaken,

    // Exchanges.
    /// Ended.
    Requests,
    /// Requests with a body.
    Uploads,
    /// Requests that went out once more, on another connection to a backend.
    Replays,
    /// Tunnels that are open: goes up and down.
    Tunnels,
    /// Tunnels that were opened.
    TunnelsOpened,

    // Final answers by class.
    /// 101.
    Answers1xx,
    /// 200 to 299.
    Answers2xx,
    /// 300 to 399.
    Answers3xx,
    /// 400 to 499.
    Answers4xx,
    /// 500 to 599.
    Answers5xx,
    /// Anything above, which no standard knows.
    AnswersOther,
    /// Answers of our own that are no error pages: this status, TRACE.
    OwnAnswers,

    // Error pages of our own by status.
    /// 400
    Page400,
    /// 403
    Page403,
    /// 404
    Page404,
    /// 405
    Page405,
    /// 408
    Page408,
    /// 413
    Page413,
    /// 414
    Page414,
    /// 417
    Page417,
    /// 429
    Page429,
    /// 431
    Page431,
    /// 500
    Page500,
    /// 501
    Page501,
    /// 502
    Page502,
    /// 503
    Page503,
    /// 504
    Page504,
    /// 505
    Page505,
    /// 508
    Page508,
    /// Any other.
    PageOther,

    // Exchanges that were cut short, by who or what did it.
    /// The client went away.
    AbortedClient,
    /// The backend went away.
    AbortedBackend,
    /// The client took too long.
    AbortedClientTimeout,
    /// The backend took too long.
    AbortedBackendTimeout,
    /// One of them broke the protocol.
    AbortedProtocol,
    /// There was no memory.
    AbortedMemory,
    /// Anything else.
    AbortedOther,

    // Time limits that ran out, by their setting.
    /// `header-timeout`
    TimeoutHeader,
    /// `body-timeout`
    TimeoutBody,
    /// `connect-timeout`
    TimeoutConnect,
    /// `response-timeout`
    TimeoutResponse,
    /// `read-timeout`
    TimeoutRead,
    /// `send-timeout`
    TimeoutSend,
    /// `tunnel-timeout`
    TimeoutTunnel,
    /// `exchange-timeout`
    TimeoutExchange,

    // Octets.
    /// From clients.
    ClientReceived,
    /// To clients.
    ClientSent,
    /// From backends.
    BackendReceived,
    /// To backends.
    BackendSent,

    // Connections to backends, those that there have been included.
    /// Begun.
    Connects,
    /// That could not be made.
    ConnectFailures,
    /// Exchanges that used a kept one.
    Reuses,

    // Requests that the cache looked at, by what it did.
    /// Answered with what was stored, which was fresh.
    CacheHits,
    /// Answered with what was stored, though it was stale.
    CacheStale,
    /// Answered with what was stored, after the origin had said that it is good.
    CacheRevalidated,
    /// Waited for the answer to another request.
    CacheCollapsed,
    /// The origin was asked, with GET or HEAD.
    CacheMisses,

    // And by whether there was something for their target in the index.
    /// There was.
    CacheKnown,
    /// There was nothing.
    CacheUnknown,

    // What was done to what is stored.
    /// Answers that were stored whole.
    CacheStored,
    /// Answers that could not be stored.
    CacheRefused,
    /// Entries that were removed on request, or by unsafe methods.
    CachePurged,
}

impl Count {
    /// How many there are.
    pub(crate) const LEN: usize = Count::CachePurged as usize + 1;

    /// Whether it goes up and down.
    pub(crate) const fn is_level(self) -> bool {
        matches!(self, Count::Open | Count::Tunnels)
    }

    /// The class of a final answer.
    pub(crate) const fn of_answer(status: Status) -> Count {
        match status.code() {
            100..=199 => Count::Answers1xx,
            200..=299 => Count::Answers2xx,
            300..=399 => Count::Answers3xx,
            400..=499 => Count::Answers4xx,
            500..=599 => Count::Answers5xx,
            _ => Count::AnswersOther,
        }
    }

    /// An error page of our own.
    pub(crate) const fn of_page(status: Status) -> Count {
        match status.code() {
            400 => Count::Page400,
            403 => Count::Page403,
            404 => Count::Page404,
            405 => Count::Page405,
            408 => Count::Page408,
            413 => Count::Page413,
            414 => Count::Page414,
            417 => Count::Page417,
            429 => Count::Page429,
            431 => Count::Page431,
            500 => Count::Page500,
            501 => Count::Page501,
            502 => Count::Page502,
            503 => Count::Page503,
            504 => Count::Page504,
            505 => Count::Page505,
            508 => Count::Page508,
            _ => Count::PageOther,
        }
    }

    /// An exchange that was cut short, by the first letter of how it ended in the access log.
    pub(crate) const fn of_ending(first: u8) -> Count {
        match first {
            b'C' => Count::AbortedClient,
            b'S' => Count::AbortedBackend,
            b'c' => Count::AbortedClientTimeout,
            b's' => Count::AbortedBackendTimeout,
            b'P' => Count::AbortedProtocol,
            b'R' => Count::AbortedMemory,
            _ => Count::AbortedOther,
        }
    }

    /// The limit of time that an exchange ended by, as its two letters in the access log tell.
    pub(crate) const fn of_limit(ending: [u8; 2]) -> Option<Count> {
        match &ending {
            b"cR" => Some(Count::TimeoutHeader),
            b"cB" => Some(Count::TimeoutBody),
            b"sC" => Some(Count::TimeoutConnect),
            b"sB" | b"sH" => Some(Count::TimeoutResponse),
            b"sD" => Some(Count::TimeoutRead),
            b"cD" | b"cL" | b"cH" => Some(Count::TimeoutSend),
            b"cT" => Some(Count::TimeoutTunnel),
            _ => None,
        }
    }

    /// What the cache did with a request, by its word in the access log; none for those that it did
    /// not look at.
    pub(crate) const fn of_cache(word: &str) -> Option<Count> {
        match word.as_bytes() {
            b"HIT" => Some(Count::CacheHits),
            b"STALE" => Some(Count::CacheStale),
            b"REVALID" => Some(Count::CacheRevalidated),
            b"COLLAPSE" => Some(Count::CacheCollapsed),
            b"MISS" => Some(Count::CacheMisses),
            _ => None,
        }
    }
}
