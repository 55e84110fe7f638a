// SPDX-License-Identifier: GPL-2.0

//! The simulated client: what it asks for, and how it sends and reads.

use super::choices::Choices;
use super::mood::Mood;
use super::reference::{After, Field};

/// What may come of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Expected {
    /// The backend's answer, or a page that says why not.
    Relayed,
    /// A page of this status.
    Page(u16),
}

/// One request.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) octets: Vec<u8>,
    pub(super) head: bool,
    pub(super) http10: bool,
    /// The connection may go on after it.
    pub(super) keeps: bool,
    pub(super) expected: Expected,
    /// The Host that the backend must see.
    pub(super) host: String,
    /// The fields that the backend must see after it.
    pub(super) fields: Vec<Field>,
}

/// What the client does after its last octet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Finale {
    Stay,
    HalfClose,
    Reset,
}

pub(super) struct Client {
    pub(super) plans: Vec<Plan>,
    stream: Vec<u8>,
    sent: usize,
    /// Where in the stream it waits until nothing else happens.
    pauses: Vec<usize>,
    finale: Finale,
    finished: bool,
    /// It reads no more than so many octets in all.
    pub(super) appetite: usize,
    pub(super) received: Vec<u8>,
    pub(super) after: After,
}

impl Client {
    pub(super) fn new(choices: &mut Choices, mood: &Mood) -> Self {
        let mut stream = Vec::new();
        let mut pauses = Vec::new();
        let mut plans = Vec::new();
        for number in 0..=choices.below(6) {
            let plan = plan(number, choices, mood);
            if choices.once_in(3) {
                pauses.push(stream.len());
            }
            stream.extend_from_slice(&plan.octets);
            plans.push(plan);
        }
        if mood.wild {
            damage(&mut stream, choices);
        }
        if mood.faults && choices.once_in(8) {
            stream.truncate(choices.below(stream.len()));
        }
        let finale = match choices.below(4) {
            1 if mood.faults => Finale::Reset,
            2 => Finale::HalfClose,
            _ => Finale::Stay,
        };
        let starves = mood.faults && choices.once_in(8);
        Self {
            plans,
            stream,
            sent: 0,
            pauses,
            finale,
            finished: false,
            appetite: if starves {
                choices.below(4096)
            } else {
                usize::MAX
            },
            received: Vec::new(),
            after: After::More,
        }
    }

    /// The next octets that it sends, `most` at a time.
    pub(super) fn send(&mut self, most: usize) -> &[u8] {
        let pause = self.pauses.first().copied().unwrap_or(self.stream.len());
        let end = self
            .stream
            .len()
            .min(pause)
            .min(self.sent.saturating_add(most));
        let start = self.sent.min(end);
        self.sent = end;
        &self.stream[start..end]
    }

    /// Nothing else happens: the pause is over. Whether there was one.
    pub(super) fn resume(&mut self) -> bool {
        let paused = !self.pauses.is_empty();
        self.pauses = self.pauses.split_off(usize::from(paused));
        paused
    }

    /// Whether it ends now, and with FIN or RST.
    pub(super) fn ends(&mut self) -> Option<After> {
        if self.finished || self.sent < self.stream.len() {
            return None;
        }
        self.finished = true;
        match self.finale {
            Finale::Stay => None,
            Finale::HalfClose => Some(After::Fin),
            Finale::Reset => Some(After::Reset),
        }
    }

    /// Whether everything that was planned was sent.
    pub(super) fn sent_all(&self) -> bool {
        self.sent == self.stream.len()
    }
}

const METHODS: [&str; 4] = ["GET", "GET", "HEAD", "DELETE"];

/// A request, and what has to become of it.
fn plan(number: usize, choices: &mut Choices, mood: &Mood) -> Plan {
    if mood.faults && choices.once_in(12) {
        return bad(choices);
    }
    let method = METHODS[choices.below(METHODS.len())];
    let http10 = choices.once_in(5);
    let absolute = choices.once_in(6);
    let mut host = format!("h{number}.example");
    let mut text = match absolute {
        true => format!(
            "{method} http://{host}/{number}?q HTTP/1.{}\r\n",
            1 - u8::from(http10)
        ),
        false => format!("{method} /{number}?q HTTP/1.{}\r\n", 1 - u8::from(http10)),
    };
    if http10 && choices.once_in(2) {
        // The name that the backend is known by takes its place, unless the target has one.
        if !absolute {
            host = FALLBACK_HOST.to_owned();
        }
    } else {
        text += &format!("Host: {}\r\n", if absolute { "other" } else { &host });
    }
    let mut fields = fields(http10, choices);
    text += &fields.lines;
    if method == "DELETE" && choices.once_in(2) {
        text += "Content-Length: 5\r\n\r\nGET /";
        fields.keeps = false;
    } else {
        text += "\r\n";
    }
    Plan {
        octets: text.into_bytes(),
        head: method == "HEAD",
        http10,
        keeps: fields.keeps,
        expected: if method == "DELETE" {
            Expected::Page(501)
        } else {
            Expected::Relayed
        },
        host,
        fields: fields.kept,
    }
}

/// The Host of a backend that no request names.
pub(super) const FALLBACK_HOST: &str = "127.0.0.1:6802";

struct Fields {
    lines: String,
    /// Those of them that go to the backend.
    kept: Vec<Field>,
    /// The connection may go on.
    keeps: bool,
}

fn fields(http10: bool, choices: &mut Choices) -> Fields {
    let mut lines = String::new();
    let mut kept = Vec::new();
    for _ in 0..choices.below(6) {
        let (name, value, keep) = *choices.pick(&[
            ("Accept-Language", "de, en;q=0.5", true),
            ("Cookie", "a=b; c=\"d\"", true),
            ("Keep-Alive", "timeout=1", false),
            ("TE", "trailers", false),
            ("Proxy-Connection", "keep-alive", false),
            ("Empty", "", true),
            ("Upgrade", "websocket", false),
        ]);
        lines += &format!("{name}:{}{value}\r\n", *choices.pick(&[" ", "", "\t "]));
        if keep {
            kept.push((name.to_owned(), value.to_owned()));
        }
    }
    let kind = choices.below(6);
    let (connection, keeps) = match kind {
        1..=3 if http10 => ("Connection: Keep-Alive\r\n", true),
        1 => ("Connection: x-own, upgrade\r\nX-Own: secret\r\n", true),
        2 => ("Connection: close\r\n", false),
        _ => ("", !http10),
    };
    lines += connection;
    Fields { lines, kept, keeps }
}

/// Requests that are refused, and with what.
fn bad(choices: &mut Choices) -> Plan {
    let long = "x".repeat(70_000);
    let cases: [(u16, &str); 9] = [
        (400, "GET / HTTP/1.1\r\n\r\n"),
        (400, "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
        (400, "GET / HTTP/1.1\nHost: a\r\n\r\n"),
        (
            400,
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        ),
        (505, "GET / HTTP/2.0\r\nHost: a\r\n\r\n"),
        (
            501,
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nGET ",
        ),
        (
            501,
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        (
            431,
            &format!("GET / HTTP/1.1\r\nHost: a\r\nLong: {long}\r\n\r\n"),
        ),
        (414, &format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n")),
    ];
    let (status, text) = cases[choices.below(cases.len())];
    Plan {
        octets: text.as_bytes().to_vec(),
        head: false,
        http10: false,
        keeps: false,
        expected: Expected::Page(status),
        host: String::new(),
        fields: Vec::new(),
    }
}

/// Changes, inserts or takes out a few octets.
pub(super) fn damage(octets: &mut Vec<u8>, choices: &mut Choices) {
    for _ in 0..choices.below(4) {
        if octets.is_empty() {
            return;
        }
        let at = choices.below(octets.len());
        match choices.below(4) {
            0 => octets[at] = choices.octet(),
            1 => octets.insert(at, choices.octet()),
            2 => drop(octets.remove(at)),
            _ => octets.truncate(at),
        }
    }
}
