// SPDX-License-Identifier: GPL-2.0

//! The content of a response, in data frames, up to the frame that ends it.

use super::Kind;
use super::Wire;
use crate::http::body::Step;
use crate::http::Violation;

/// Content on its way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Frames {
    wire: Wire,
    /// Octets of content that are still to come, if the head has said how many there are.
    declared: Option<u64>,
    /// Octets that are missing of the frame that came last.
    left: usize,
    /// They are content.
    is_data: bool,
}

impl Frames {
    /// What follows a head that has `declared` how much content there is, or has not.
    pub(crate) const fn new(wire: Wire, declared: Option<u64>) -> Frames {
        Frames {
            wire,
            declared,
            left: 0,
            is_data: false,
        }
    }

    /// Says what the octets of `input` are: see [`Body::next`](crate::http::body::Body::next).
    ///
    /// The frames say where the response ends, and the client goes by what the head has declared:
    /// where the two differ the response is refused before the client could misunderstand it.
    pub(crate) fn next(&mut self, input: &[u8]) -> Result<Step, Violation> {
        if self.left > 0 {
            return Ok(self.go_on(0, input.len()));
        }
        let Some(frame) = self.wire.frame(input) else {
            return Ok(Step::default());
        };
        let rest = input.len().saturating_sub(frame.prefix);
        match frame.kind {
            Kind::Data => self.take(frame.payload)?,
            Kind::End | Kind::Close if self.declared.unwrap_or(0) > 0 => {
                return Err(Violation::bad("body cut short"));
            }
            Kind::End | Kind::Close if frame.payload > 0 => {
                return Err(Violation::bad("an end with a payload"));
            }
            _ => {}
        }
        self.is_data = frame.kind == Kind::Data;
        self.left = frame.payload;
        Ok(Step {
            done: matches!(frame.kind, Kind::End | Kind::Close),
            closes: frame.kind == Kind::Close,
            acks: usize::from(frame.kind == Kind::Ack),
            ..self.go_on(frame.prefix, rest)
        })
    }

    /// A frame has so much content.
    fn take(&mut self, octets: usize) -> Result<(), Violation> {
        if let Some(left) = &mut self.declared {
            let octets = octets as u64;
            *left = left
                .checked_sub(octets)
                .ok_or(Violation::bad("more content than was declared"))?;
        }
        Ok(())
    }

    /// The next `rest` octets, behind `prefix` octets of framing, as far as they are of the frame
    /// that is under way.
    fn go_on(&mut self, prefix: usize, rest: usize) -> Step {
        let some = self.left.min(rest);
        self.left = self.left.saturating_sub(some);
        if self.is_data {
            Step {
                skip: prefix,
                data: some,
                ..Step::default()
            }
        } else {
            Step {
                skip: prefix.saturating_add(some),
                ..Step::default()
            }
        }
    }
}
