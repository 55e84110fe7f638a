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
    pub(super) method: String,
    pub(super) http10: bool,
    /// The connection may go on after it.
    pub(super) keeps: bool,
    pub(super) expected: Expected,
    /// The Host that the backend must see.
    pub(super) host: String,
    /// The fields that the backend must see after it, framing left out.
    pub(super) fields: Vec<Field>,
    pub(super) body: Vec<u8>,
    /// The trailers that the backend must see.
    pub(super) trailers: Vec<Field>,
    /// It waits to be told to go on before it sends the body.
    pub(super) expects: bool,
    /// It asks for another protocol, in which it then says this.
    pub(super) tunnel: Option<Vec<u8>>,
    /// Where in `octets` the body begins.
    head: usize,
}

impl Plan {
    pub(super) fn is_head(&self) -> bool {
        self.method == "HEAD"
    }

    /// It may wait for a 100.
    pub(super) fn expects(&self) -> bool {
        self.fields.iter().any(|(name, _)| name == "Expect")
    }

    /// Twice is as good as once.
    pub(super) fn is_idempotent(&self) -> bool {
        !matches!(self.method.as_str(), "POST" | "FROB")
    }
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
    /// Where in the stream it goes on only if it got a 101.
    tunnel: Option<usize>,
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
        let mut plans: Vec<Plan> = Vec::new();
        let mut tunnel = None;
        for number in 0..=choices.below(6) {
            let plan = plan(number, choices, mood);
            if choices.once_in(3) {
                pauses.push(stream.len());
            }
            if plan.expects || choices.once_in(4) {
                pauses.push(stream.len() + plan.head);
            }
            stream.extend_from_slice(&plan.octets);
            let last = plan.tunnel.clone();
            plans.push(plan);
            if let Some(octets) = last {
                tunnel = Some(stream.len());
                stream.extend(octets);
                break;
            }
        }
        if mood.wild {
            damage(&mut stream, choices);
        }
        if mood.faults && choices.once_in(8) {
            stream.truncate(choices.below(stream.len()));
        }
        pauses.retain(|pause| *pause < stream.len());
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
            tunnel,
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
        let end = self.end().min(pause).min(self.sent.saturating_add(most));
        let start = self.sent.min(end);
        self.sent = end;
        &self.stream[start..end]
    }

    /// How far the stream is to be sent.
    fn end(&self) -> usize {
        let whole = self.stream.len();
        let switched = || {
            self.received
                .windows(12)
                .any(|line| line == b"HTTP/1.1 101")
        };
        match self.tunnel {
            Some(at) if at < whole && !switched() => at,
            _ => whole,
        }
    }

    /// Nothing else happens: the pause is over. Whether there was one.
    pub(super) fn resume(&mut self) -> bool {
        let paused = !self.pauses.is_empty();
        self.pauses = self.pauses.split_off(usize::from(paused));
        paused
    }

    /// Whether it ends now, and with FIN or RST.
    pub(super) fn ends(&mut self) -> Option<After> {
        if self.finished || self.sent < self.end() {
            return None;
        }
        if self.finale == Finale::HalfClose && self.sent < self.stream.len() {
            // It may have something to say in another protocol yet.
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
        self.sent == self.end()
    }
}

const METHODS: [&str; 9] = [
    "GET", "GET", "HEAD", "DELETE", "POST", "PUT", "OPTIONS", "FROB", "POST",
];

/// A request, and what has to become of it.
fn plan(number: usize, choices: &mut Choices, mood: &Mood) -> Plan {
    if mood.faults && choices.once_in(12) {
        return bad(choices);
    }
    let method = METHODS[choices.below(METHODS.len())];
    let http10 = choices.once_in(5);
    let version = 1 - u8::from(http10);
    let absolute = choices.once_in(6);
    let mut host = format!("h{number}.example");
    let mut text = match absolute {
        true => format!("{method} http://{host}/{number}?q HTTP/1.{version}\r\n"),
        false => format!("{method} /{number}?q HTTP/1.{version}\r\n"),
    };
    if http10 && choices.once_in(2) {
        // The name that the backend is known by takes its place, unless the target has one.
        if !absolute {
            host = FALLBACK_HOST.to_owned();
        }
    } else {
        text += &format!("Host: {}\r\n", if absolute { "other" } else { &host });
    }
    let tunnel = (!http10 && choices.once_in(12)).then(|| body(number, choices.below(2000)));
    let mut fields = fields(http10, tunnel.is_some(), choices);
    text += &fields.lines;
    let has_body = tunnel.is_none() && choices.below(METHODS.len()) > 3;
    let upload = if has_body {
        Upload::new(number, http10, choices, mood)
    } else {
        Upload::default()
    };
    text += &upload.lines;
    fields.kept.extend(upload.kept);
    let mut trailers = upload.trailers;
    if fields.lines.contains("x-own") {
        // It might name one of them.
        trailers.clear();
    }
    let head = text.len() + 2;
    Plan {
        octets: [text.as_bytes(), b"\r\n", &upload.octets].concat(),
        method: method.to_owned(),
        http10,
        keeps: fields.keeps,
        expected: Expected::Relayed,
        host,
        fields: fields.kept,
        body: upload.body,
        trailers,
        expects: upload.expects,
        tunnel,
        head,
    }
}

/// A request's body.
#[derive(Default)]
struct Upload {
    /// The fields that announce it.
    lines: String,
    /// Those that the backend must see, framing left out.
    kept: Vec<Field>,
    octets: Vec<u8>,
    body: Vec<u8>,
    trailers: Vec<Field>,
    expects: bool,
}

impl Upload {
    fn new(number: usize, http10: bool, choices: &mut Choices, mood: &Mood) -> Self {
        let body = body(number, choices.below(mood.longest_upload));
        let mut upload = Self::default();
        if !http10 && choices.once_in(4) {
            upload.expects = true;
            upload.lines += "Expect: 100-continue\r\n";
        }
        if http10 || choices.once_in(2) {
            upload.lines += &format!("Content-Length: {}\r\n", body.len());
            upload.octets.extend(&body);
            upload.expects &= !body.is_empty();
        } else {
            upload.lines += "Transfer-Encoding: chunked\r\n";
            if chunks(&body, &mut upload.octets, choices) {
                let trailer = ("X-After".to_owned(), "1".to_owned());
                upload.trailers.push(trailer);
            }
        }
        if upload.expects {
            let expect = ("Expect".to_owned(), "100-continue".to_owned());
            upload.kept.push(expect);
        }
        upload.body = body;
        upload
    }
}

/// Octets that only the message of this number has.
pub(super) fn body(number: usize, len: usize) -> Vec<u8> {
    let line = format!("{number} of its own line\n");
    line.bytes().cycle().take(len).collect()
}

/// Writes a chunked body; whether with a trailer.
pub(super) fn chunks(body: &[u8], octets: &mut Vec<u8>, choices: &mut Choices) -> bool {
    let mut rest = body;
    while !rest.is_empty() {
        let most = *choices.pick(&[rest.len(), 10, 500, 20_000]);
        let (chunk, more) = rest.split_at(rest.len().min(1 + choices.below(most)));
        let extension = *choices.pick(&["", ";a", ";a=b", " ; a=\"\\\"\""]);
        octets.extend(format!("{:X}{extension}\r\n", chunk.len()).bytes());
        octets.extend(chunk);
        octets.extend(b"\r\n");
        rest = more;
    }
    let trailer = choices.once_in(2);
    octets.extend(if trailer {
        // The second one is framing, which no trailer can change.
        &b"000;x\r\nX-After: 1\r\nContent-Length: 7\r\n\r\n"[..]
    } else {
        b"0\r\n\r\n"
    });
    trailer
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

fn fields(http10: bool, upgrades: bool, choices: &mut Choices) -> Fields {
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
        if upgrades && name == "Upgrade" {
            continue;
        }
        lines += &format!("{name}:{}{value}\r\n", *choices.pick(&[" ", "", "\t "]));
        if keep {
            kept.push((name.to_owned(), value.to_owned()));
        }
    }
    if upgrades {
        kept.push(("Upgrade".to_owned(), "echo".to_owned()));
    }
    let kind = choices.below(6);
    let (connection, keeps) = match kind {
        _ if upgrades => ("Connection: upgrade\r\nUpgrade: echo\r\n", true),
        1..=3 if http10 => ("Connection: Keep-Alive\r\n", true),
        1 => ("Connection: x-own\r\nX-Own: secret\r\n", true),
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
        (501, "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n"),
        (
            501,
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\nGET ",
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
        method: "GET".to_owned(),
        http10: false,
        keeps: false,
        expected: Expected::Page(status),
        host: String::new(),
        fields: Vec::new(),
        body: Vec::new(),
        trailers: Vec::new(),
        expects: false,
        tunnel: None,
        head: 0,
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
