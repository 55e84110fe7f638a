// SPDX-License-Identifier: GPL-2.0

//! The content of a response, in data frames, up to the frame that ends it.

use super::Kind;
use super::Wire;
use crate::http::body::Step;
use crate::http::Violation;

/// Content on its way.
///
/// The frames say where the response ends, and the client goes by what the head has declared. What is
/// missing then is a violation; what is too much is dropped, so that the client gets what it was told
/// of and the end is found all the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Frames {
    wire: Wire,
    /// Octets of content that are still to come, if the head has said how many there are.
    declared: Option<u64>,
    /// Octets of content that are missing of the frame that came last.
    content: usize,
    /// Octets behind them that are none, or too much.
    surplus: usize,
    /// There was more content than was declared.
    exceeded: bool,
}

impl Frames {
    /// What follows a head that has `declared` how much content there is, or has not.
    pub(crate) const fn new(wire: Wire, declared: Option<u64>) -> Frames {
        Frames {
            wire,
            declared,
            content: 0,
            surplus: 0,
            exceeded: false,
        }
    }

    /// Says what the octets of `input` are: see [`Body::next`](crate::http::body::Body::next).
    pub(crate) fn next(&mut self, input: &[u8]) -> Result<Step, Violation> {
        if self.content > 0 || self.surplus > 0 {
            return Ok(self.go_on(0, input.len()));
        }
        let Some(frame) = self.wire.frame(input) else {
            return Ok(Step::default());
        };
        let rest = input.len().saturating_sub(frame.prefix);
        let done = matches!(frame.kind, Kind::End | Kind::Close);
        if done && self.declared.unwrap_or(0) > 0 {
            return Err(Violation::bad("body cut short"));
        }
        if done && frame.payload > 0 {
            return Err(Violation::bad("an end with a payload"));
        }
        match frame.kind {
            Kind::Data => self.take(frame.payload),
            _ => self.surplus = frame.payload,
        }
        Ok(Step {
            done,
            // A backend that counts wrongly may have done so elsewhere too.
            closes: frame.kind == Kind::Close || self.exceeded,
            acks: usize::from(frame.kind == Kind::Ack),
            ..self.go_on(frame.prefix, rest)
        })
    }

    /// Whether all content that was declared has come: only the end is missing.
    pub(crate) const fn is_whole(&self) -> bool {
        matches!(self.declared, Some(0)) && self.content == 0
    }

    /// A frame has so much content.
    fn take(&mut self, octets: usize) {
        self.content = octets;
        if let Some(left) = &mut self.declared {
            let most = usize::try_from(*left).unwrap_or(usize::MAX);
            self.content = octets.min(most);
            *left = left.saturating_sub(self.content as u64);
        }
        self.surplus = octets.saturating_sub(self.content);
        self.exceeded |= self.surplus > 0;
    }

    /// The next `rest` octets, behind `prefix` octets of framing, as far as they are of the frame
    /// that is under way, and alike.
    fn go_on(&mut self, prefix: usize, rest: usize) -> Step {
        if self.content > 0 {
            let data = self.content.min(rest);
            self.content = self.content.saturating_sub(data);
            return Step {
                skip: prefix,
                data,
                ..Step::default()
            };
        }
        let some = self.surplus.min(rest);
        self.surplus = self.surplus.saturating_sub(some);
        Step {
            skip: prefix.saturating_add(some),
            ..Step::default()
        }
    }
}
