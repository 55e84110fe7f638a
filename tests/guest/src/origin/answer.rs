//! Answers with any fields, as scripts.

use super::reply::Step;
use crate::http::Framing;

/// An answer with a body of the pattern.
#[derive(Debug, Clone)]
pub struct Answer<'a> {
    /// Code and reason.
    pub status: &'a str,
    /// Its fields, each with its CRLF, without those that say where it ends.
    pub fields: &'a str,
    /// How it says where it ends.
    pub framing: Framing,
    /// Which body.
    pub seed: u64,
    /// How long it is.
    pub len: u64,
    /// What is done when so much of the body was sent: before the rest, or in its place if it ends the
    /// connection.
    pub midway: Option<(u64, Step)>,
}

impl<'a> Answer<'a> {
    /// A 200 with these fields and so much of a body, with Content-Length.
    pub fn new(fields: &'a str, seed: u64, len: u64) -> Self {
        Answer {
            status: "200 OK",
            fields,
            framing: Framing::Length(len),
            seed,
            len,
            midway: None,
        }
    }

    /// The same with another status.
    pub fn status(self, status: &'a str) -> Self {
        Answer { status, ..self }
    }

    /// The same, framed otherwise.
    pub fn framed(self, framing: Framing) -> Self {
        Answer { framing, ..self }
    }

    /// The same, and this is done after so much of the body.
    pub fn midway(self, at: u64, step: Step) -> Self {
        Answer {
            midway: Some((at, step)),
            ..self
        }
    }

    /// A 304 with these fields.
    pub fn not_modified(fields: &'a str) -> Self {
        Answer::new(fields, 0, 0)
            .status("304 Not Modified")
            .framed(Framing::None)
    }

    /// What an origin does to send it.
    pub fn steps(&self) -> Vec<Step> {
        let framing = match self.framing {
            Framing::None => String::new(),
            Framing::Length(length) => format!("Content-Length: {length}\r\n"),
            Framing::Chunked => "Transfer-Encoding: chunked\r\n".to_owned(),
            Framing::Close => "Connection: close\r\n".to_owned(),
        };
        let head = format!("HTTP/1.1 {}\r\n{}{framing}\r\n", self.status, self.fields);
        let mut steps = vec![Step::Send(head.into_bytes())];
        let middle = self.midway.as_ref().map_or(self.len, |(at, _)| *at);
        let middle = middle.min(self.len);
        self.piece(0, middle, &mut steps);
        steps.extend(self.midway.as_ref().map(|(_, step)| step.clone()));
        self.piece(middle, self.len, &mut steps);
        match self.framing {
            Framing::Chunked => steps.push(Step::Send(b"0\r\n\r\n".to_vec())),
            Framing::Close => steps.push(Step::Close),
            Framing::None | Framing::Length(_) => {}
        }
        steps
    }

    /// Sends the octets of the body between these positions, in one chunk if in chunks.
    fn piece(&self, from: u64, to: u64, steps: &mut Vec<Step>) {
        let len = to - from;
        if len == 0 {
            return;
        }
        let body = Step::Body {
            seed: self.seed,
            at: from,
            len,
        };
        match self.framing {
            Framing::Chunked => steps.extend([
                Step::Send(format!("{len:x}\r\n").into_bytes()),
                body,
                Step::Send(b"\r\n".to_vec()),
            ]),
            _ => steps.push(body),
        }
    }
}
