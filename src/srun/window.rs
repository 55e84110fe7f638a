// SPDX-License-Identifier: GPL-2.0

//! How much of a request's content may be on its way before the backend must say that it has taken
//! some: the flow control of both wires.

use super::Wire;

/// What may be sent of a request's content.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Window {
    wire: Wire,
    /// HMUX: octets that may go before it is asked for an acknowledgement. srun: frames that may
    /// go.
    left: usize,
    /// Nothing more is sent until it has acknowledged something.
    waits: bool,
}

impl Window {
    /// Nothing was sent yet.
    pub(crate) const fn new(wire: Wire) -> Window {
        Window {
            wire,
            left: match wire {
                Wire::Hmux => HMUX_OCTETS,
                Wire::Srun => SRUN_FRAMES,
            },
            waits: false,
        }
    }

    /// Octets of content that the next frame may have: none before an acknowledgement.
    pub(crate) fn room(&self) -> usize {
        match self.wire {
            Wire::Hmux => self.left,
            Wire::Srun if self.left > 0 => SRUN_DATA,
            Wire::Srun => 0,
        }
    }

    /// A frame goes out with so much content.
    pub(crate) fn sends(&mut self, octets: usize) {
        self.left = self.left.saturating_sub(match self.wire {
            Wire::Hmux => octets,
            Wire::Srun => 1,
        });
    }

    /// There is more to send and no room for it: what to send in its place.
    ///
    /// With it an HMUX backend is told, once, that nothing comes before its acknowledgement; one
    /// that speaks srun gives it unasked.
    pub(crate) fn wait(&mut self) -> &'static [u8] {
        let has_waited = core::mem::replace(&mut self.waits, true);
        match self.wire {
            Wire::Hmux if !has_waited => b"Y",
            _ => b"",
        }
    }

    /// The backend has acknowledged something so often. One that was not waited for is left over
    /// from before (HMUX), or lets more frames go (srun).
    pub(crate) fn acknowledged(&mut self, times: usize) {
        if times == 0 {
            return;
        }
        match self.wire {
            Wire::Hmux if self.waits => self.left = HMUX_OCTETS,
            Wire::Hmux => {}
            Wire::Srun => self.left = self.left.saturating_add(times).min(SRUN_FRAMES),
        }
        self.waits = false;
    }
}

/// Caucho's plugins take 8 KiB or the socket's buffer; a Resin has no limit of its own.
const HMUX_OCTETS: usize = 16384;

/// Resin 3.0 acknowledges each data frame but the first, those before it also the first one: with
/// two on their way neither is waited for in vain.
const SRUN_FRAMES: usize = 2;

/// What a data frame of Caucho's srun plugin has at most.
const SRUN_DATA: usize = 8192;
