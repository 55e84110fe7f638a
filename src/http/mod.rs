// SPDX-License-Identifier: GPL-2.0

//! HTTP/1.1 on the wire (RFC 9110, RFC 9112): the words that every part of it uses.

pub(crate) mod body;
mod chunk;
pub(crate) mod date;
pub(crate) mod encode;
pub(crate) mod exceptions;
mod facts;
pub(crate) mod field;
pub(crate) mod forward;
pub(crate) mod head;
pub(crate) mod list;
pub(crate) mod named;
mod start;
pub(crate) mod target;

/// The protocol versions that this gateway speaks (RFC 9112 section 2.3).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Version {
    /// HTTP/1.0.
    Http10,
    /// HTTP/1.1.
    Http11,
}

/// A status code (RFC 9110 section 15), always within 100..=999.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Status(u16);

/// Declares the status codes that the gateway itself uses or names, and those that a cache stores
/// most.
macro_rules! statuses {
    ($($name:ident = $code:literal $reason:literal,)*) => {
        impl Status {
            $(#[doc = concat!(stringify!($code), " ", $reason, ".")]
            pub(crate) const $name: Status = Status($code);)*

            /// The usual reason phrase, empty for a code that has none here.
            pub(crate) const fn reason(self) -> &'static str {
                match self.0 {
                    $($code => $reason,)*
                    _ => "",
                }
            }
        }
    };
}

statuses! {
    CONTINUE = 100 "Continue",
    SWITCHING_PROTOCOLS = 101 "Switching Protocols",
    EARLY_HINTS = 103 "Early Hints",
    OK = 200 "OK",
    NON_AUTHORITATIVE_INFORMATION = 203 "Non-Authoritative Information",
    NO_CONTENT = 204 "No Content",
    RESET_CONTENT = 205 "Reset Content",
    PARTIAL_CONTENT = 206 "Partial Content",
    MULTIPLE_CHOICES = 300 "Multiple Choices",
    MOVED_PERMANENTLY = 301 "Moved Permanently",
    FOUND = 302 "Found",
    SEE_OTHER = 303 "See Other",
    NOT_MODIFIED = 304 "Not Modified",
    TEMPORARY_REDIRECT = 307 "Temporary Redirect",
    PERMANENT_REDIRECT = 308 "Permanent Redirect",
    BAD_REQUEST = 400 "Bad Request",
    FORBIDDEN = 403 "Forbidden",
    NOT_FOUND = 404 "Not Found",
    METHOD_NOT_ALLOWED = 405 "Method Not Allowed",
    REQUEST_TIMEOUT = 408 "Request Timeout",
    GONE = 410 "Gone",
    LENGTH_REQUIRED = 411 "Length Required",
    PRECONDITION_FAILED = 412 "Precondition Failed",
    CONTENT_TOO_LARGE = 413 "Content Too Large",
    URI_TOO_LONG = 414 "URI Too Long",
    RANGE_NOT_SATISFIABLE = 416 "Range Not Satisfiable",
    EXPECTATION_FAILED = 417 "Expectation Failed",
    UPGRADE_REQUIRED = 426 "Upgrade Required",
    TOO_MANY_REQUESTS = 429 "Too Many Requests",
    HEAD_TOO_LARGE = 431 "Request Header Fields Too Large",
    INTERNAL_SERVER_ERROR = 500 "Internal Server Error",
    NOT_IMPLEMENTED = 501 "Not Implemented",
    BAD_GATEWAY = 502 "Bad Gateway",
    SERVICE_UNAVAILABLE = 503 "Service Unavailable",
    GATEWAY_TIMEOUT = 504 "Gateway Timeout",
    VERSION_NOT_SUPPORTED = 505 "HTTP Version Not Supported",
    LOOP_DETECTED = 508 "Loop Detected",
}

impl Status {
    /// A status of the given code, none when it has not three digits.
    pub(crate) const fn new(code: u16) -> Option<Status> {
        match code {
            100..=999 => Some(Status(code)),
            _ => None,
        }
    }

    /// The three-digit code.
    pub(crate) const fn code(self) -> u16 {
        self.0
    }

    /// An interim response (RFC 9110 section 15.2): another response follows it, save for 101.
    pub(crate) const fn is_informational(self) -> bool {
        self.0 < 200
    }
}

/// What is wrong with a message, and what to say about it.
///
/// For a request `status` is the answer to its sender; for a response it is what the client gets
/// in its place (502). Either way the connection that the message came on must be closed: where
/// the message ends is no longer certain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Violation {
    /// The status to answer with: 400, 414, 431, 501, 505, or 502 for a response.
    pub(crate) status: Status,
    /// A short reason for people, lower case, without a full stop.
    pub(crate) reason: &'static str,
}

impl Violation {
    /// A violation that is answered with `status`.
    pub(crate) const fn new(status: Status, reason: &'static str) -> Violation {
        Violation { status, reason }
    }

    /// A message that breaks the grammar: 400.
    pub(crate) const fn bad(reason: &'static str) -> Violation {
        Violation::new(Status::BAD_REQUEST, reason)
    }

    /// The same fault found in a response: the client gets a 502 (RFC 9110 section 15.6.3).
    pub(crate) const fn of_response(self) -> Violation {
        Violation::new(Status::BAD_GATEWAY, self.reason)
    }
}

/// Request methods (RFC 9110 section 9, RFC 5789). Their names are case-sensitive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Method {
    /// GET.
    Get,
    /// HEAD.
    Head,
    /// POST.
    Post,
    /// PUT.
    Put,
    /// DELETE.
    Delete,
    /// OPTIONS.
    Options,
    /// PATCH.
    Patch,
    /// TRACE.
    Trace,
    /// CONNECT, which the parser refuses.
    Connect,
    /// Any other token; its name is in [`head::RequestHead::method_span`].
    Other,
}

impl Method {
    /// The method of this name.
    pub(crate) const fn of(name: &[u8]) -> Method {
        match name {
            b"GET" => Method::Get,
            b"HEAD" => Method::Head,
            b"POST" => Method::Post,
            b"PUT" => Method::Put,
            b"DELETE" => Method::Delete,
            b"OPTIONS" => Method::Options,
            b"PATCH" => Method::Patch,
            b"TRACE" => Method::Trace,
            b"CONNECT" => Method::Connect,
            _ => Method::Other,
        }
    }

    /// Safe: it asks for no change at the origin (RFC 9110 section 9.2.1).
    pub(crate) const fn is_safe(self) -> bool {
        matches!(
            self,
            Method::Get | Method::Head | Method::Options | Method::Trace
        )
    }

    /// Idempotent: twice is as good as once (RFC 9110 section 9.2.2).
    pub(crate) const fn is_idempotent(self) -> bool {
        self.is_safe() || matches!(self, Method::Put | Method::Delete)
    }
}

/// How large a message head may be. Each is a setting.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Limits {
    /// Octets of the whole head, start line and last empty line included (else 431).
    pub(crate) head: usize,
    /// Field lines (else 431).
    pub(crate) fields: usize,
    /// Octets of the request target (else 414).
    pub(crate) target: usize,
}
