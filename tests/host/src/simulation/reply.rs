// SPDX-License-Identifier: GPL-2.0

//! What a simulated backend answers.

use super::choices::Choices;
use super::client::{body, chunks, damage};
use super::mood::Mood;
use super::reference::{Field, Request};

/// What a backend does after the last octet of an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Finale {
    /// It waits for the next request.
    KeepAlive,
    Fin,
    Reset,
    /// Nothing ever comes again.
    Hang,
}

/// An answer, as the client has to see it.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    /// The number of the request that it answers.
    pub(super) number: usize,
    pub(super) octets: Vec<u8>,
    pub(super) finale: Finale,
    /// The octets may be followed by another answer.
    pub(super) keeps: bool,
    pub(super) status: u16,
    pub(super) reason: String,
    /// The fields that reach the client, framing left out.
    pub(super) fields: Vec<Field>,
    pub(super) body: Vec<u8>,
    /// 1xx responses before it.
    pub(super) interims: Vec<u16>,
    /// All of it is in `octets`.
    pub(super) whole: bool,
    /// No client may take any of it for an answer.
    pub(super) garbage: bool,
    /// What it has in Content-Length.
    pub(super) length: Option<String>,
    /// Where the body begins.
    head: usize,
    /// The body ends with the connection.
    until_close: bool,
    /// Octets of the answer, without those that follow it.
    pub(super) honest: usize,
    pub(super) trailers: Vec<Field>,
    /// It switches to another protocol, in which `body` is said.
    pub(super) tunnel: bool,
}

/// How an answer ends on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Framing {
    Length,
    Chunked,
    Close,
}

impl Reply {
    /// The answer to a request, which is `/NUMBER?q`.
    pub(super) fn new(request: &Request, choices: &mut Choices, mood: &Mood) -> Self {
        let number = request.path.trim_start_matches('/').trim_end_matches("?q");
        let number = number.parse().unwrap_or(usize::MAX);
        let asks = request.fields.iter().any(|(name, _)| name == "Upgrade");
        let mut reply = if asks && !choices.once_in(4) {
            Self::switching(number, choices, mood)
        } else {
            Self::sound(number, request.method == "HEAD", choices, mood)
        };
        if mood.wild {
            damage(&mut reply.octets, choices);
            reply.whole = false;
        }
        if mood.faults && choices.once_in(4) {
            reply.spoil(choices);
        }
        reply
    }

    /// Another protocol, as was asked for.
    fn switching(number: usize, choices: &mut Choices, mood: &Mood) -> Self {
        let mut octets = Vec::new();
        let interims = interims(number, &mut octets, choices);
        octets.extend(b"HTTP/1.1 101 Fine\r\nConnection: upgrade\r\nUpgrade: echo\r\n");
        let fields = vec![
            ("Upgrade".to_owned(), "echo".to_owned()),
            (MARK.to_owned(), number.to_string()),
        ];
        octets.extend(format!("{MARK}: {number}\r\n\r\n").bytes());
        let head = octets.len();
        let body = body(number, choices.below(mood.longest));
        octets.extend(&body);
        Self {
            number,
            honest: octets.len(),
            octets,
            finale: *choices.pick(&[Finale::KeepAlive, Finale::Fin]),
            keeps: false,
            status: 101,
            reason: "Fine".to_owned(),
            fields,
            body,
            interims,
            whole: true,
            garbage: false,
            length: None,
            head,
            until_close: true,
            trailers: Vec::new(),
            tunnel: true,
        }
    }

    /// It says somewhere that it is in HTTP/1.0.
    pub(super) fn is_old(&self) -> bool {
        self.octets.windows(9).any(|octets| octets == b"HTTP/1.0 ")
    }

    fn sound(number: usize, to_head: bool, choices: &mut Choices, mood: &Mood) -> Self {
        let status = *choices.pick(&[200, 200, 404, 204, 304, 500, 206, 999]);
        let bodiless = to_head || matches!(status, 204 | 304);
        let framing = *choices.pick(&[Framing::Length, Framing::Chunked, Framing::Close]);
        let http10 = framing != Framing::Chunked && choices.once_in(6);
        let keeps = match framing {
            Framing::Close if !bodiless => false,
            _ => !http10 && !choices.once_in(4),
        };
        let mut octets = Vec::new();
        let interims = interims(number, &mut octets, choices);
        let reason = *choices.pick(&["Fine", "", "Not so fine"]);
        octets.extend(format!("HTTP/1.{} {status} {reason}\r\n", 1 - u8::from(http10)).bytes());
        let fields = fields(number, &mut octets, choices);
        let announces = framing != Framing::Close || bodiless;
        if !keeps && !http10 && (announces || choices.once_in(2)) {
            octets.extend(b"Connection: close\r\n");
        }
        let body = body(number, choices.below(mood.longest) * choices.below(2));
        let mut length = None;
        match framing {
            Framing::Length if status != 204 => {
                octets.extend(format!("Content-Length: {}\r\n\r\n", body.len()).bytes());
                length = Some(body.len().to_string());
            }
            Framing::Chunked if !bodiless || choices.once_in(2) => {
                octets.extend(b"Transfer-Encoding: chunked\r\n\r\n");
            }
            _ => octets.extend(b"\r\n"),
        }
        let body = if bodiless { Vec::new() } else { body };
        let head = octets.len();
        let mut trailers = Vec::new();
        match framing {
            Framing::Chunked if !bodiless => {
                if chunks(&body, &mut octets, choices) {
                    trailers.push(("X-After".to_owned(), "1".to_owned()));
                }
            }
            _ => octets.extend(&body),
        }
        Self {
            number,
            honest: octets.len(),
            octets,
            finale: if keeps {
                Finale::KeepAlive
            } else {
                Finale::Fin
            },
            keeps,
            status,
            reason: reason.to_owned(),
            fields,
            body,
            interims,
            whole: true,
            garbage: false,
            length,
            head,
            until_close: framing == Framing::Close && !bodiless,
            trailers,
            tunnel: false,
        }
    }

    /// Makes a bad answer of a good one.
    fn spoil(&mut self, choices: &mut Choices) {
        match choices.below(5) {
            0 => self.break_off(choices),
            1 => self.finale = *choices.pick(&[Finale::Reset, Finale::Hang]),
            // More than was asked for.
            2 if self.until_close => {
                self.octets.extend(POISON);
                self.body.extend(POISON);
            }
            2 => self.octets.extend(POISON),
            _ => {
                self.octets = choices.pick(&BAD).to_vec();
                self.keeps = false;
                self.garbage = true;
                self.whole = false;
            }
        }
    }

    /// It ends somewhere.
    fn break_off(&mut self, choices: &mut Choices) {
        self.octets.truncate(choices.below(self.octets.len()));
        self.finale = *choices.pick(&[Finale::Fin, Finale::Reset, Finale::Hang]);
        let in_body = self.octets.len() >= self.head;
        // What ends with the connection is whole whenever it ends in order.
        self.whole = self.until_close && in_body && self.finale == Finale::Fin;
        if self.whole {
            self.body.truncate(self.octets.len() - self.head);
        }
    }
}

/// What looks like another answer.
const POISON: &[u8] = b"HTTP/1.1 200 Poison\r\nContent-Length: 2\r\n\r\n!!";

/// Answers that are none.
const BAD: [&[u8]; 9] = [
    b"\r\n",
    b"SSH-2.0-OpenSSH_9.2\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
    b"HTTP/1.1 20 OK\r\n\r\n",
    b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: a\r\n folded\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX\r\n\r\n",
];

/// The field that says which request an answer is for.
pub(super) const MARK: &str = "X-Answer";

fn interims(number: usize, octets: &mut Vec<u8>, choices: &mut Choices) -> Vec<u16> {
    let mut interims = Vec::new();
    for _ in 0..choices.below(8).saturating_sub(5) {
        let status = *choices.pick(&[103, 100, 199]);
        let head = format!("HTTP/1.1 {status} Wait\r\n{MARK}: {number}\r\nX-Own: 1\r\n\r\n");
        octets.extend(head.bytes());
        interims.push(status);
    }
    interims
}

/// Writes field lines, and says which of them the client must see.
fn fields(number: usize, octets: &mut Vec<u8>, choices: &mut Choices) -> Vec<Field> {
    let mut kept = vec![(MARK.to_owned(), number.to_string())];
    octets.extend(format!("{MARK}: {number}\r\n").bytes());
    for _ in 0..choices.below(5) {
        let (name, value, keep) = *choices.pick(&[
            ("Content-Type", "text/plain", true),
            ("Set-Cookie", "a=1; Path=/", true),
            ("Keep-Alive", "timeout=5", false),
            ("Date", "Sun, 06 Nov 1994 08:49:37 GMT", true),
            ("Upgrade", "h2c", false),
            ("x-lower", "CASE", true),
            ("Trailer", "X-After", false),
        ]);
        octets.extend(format!("{name}:{}{value}\r\n", *choices.pick(&[" ", ""])).bytes());
        if keep {
            kept.push((name.to_owned(), value.to_owned()));
        }
    }
    kept
}
