//! Frames of both wires.

use std::io::{self, Read};

/// Which wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// HMUX: Resin 2.1 to 4.x.
    Hmux,
    /// srun: Resin 1.x, 2.0, and an old port of 3.0.
    Srun,
}

impl Wire {
    /// What it is called in `srun-N`.
    pub fn name(self) -> &'static str {
        match self {
            Wire::Hmux => "hmux",
            Wire::Srun => "srun",
        }
    }

    /// A frame. The code is HMUX's; srun has others for the same.
    pub(super) fn frame(self, code: u8, payload: &[u8]) -> Vec<u8> {
        let length = (payload.len() as u32).to_be_bytes();
        match (self, code) {
            (Wire::Hmux, b'Q' | b'X') => vec![code],
            (Wire::Hmux, _) => [&[code], &length[2..], payload].concat(),
            (Wire::Srun, _) => {
                let code = match code {
                    b's' => b'S',
                    b'S' => b'V',
                    b'f' => b'F',
                    b'Q' => b'Z',
                    same => same,
                };
                [&[code], &length[1..], payload].concat()
            }
        }
    }
}

/// Frames from a gateway.
pub(super) struct Frames<R> {
    wire: Wire,
    input: io::BufReader<R>,
}

impl<R: Read> Frames<R> {
    pub(super) fn new(wire: Wire, input: R) -> Self {
        Frames {
            wire,
            input: io::BufReader::new(input),
        }
    }

    /// Code and payload of the next frame; nothing at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<(u8, Vec<u8>)>> {
        let mut code = [0];
        if self.input.read(&mut code)? == 0 {
            return Ok(None);
        }
        let [code] = code;
        let mut length = [0; 4];
        let digits = match (self.wire, code) {
            (Wire::Hmux, b'Q' | b'X' | b'Y') => return Ok(Some((code, Vec::new()))),
            (Wire::Hmux, _) => &mut length[2..],
            (Wire::Srun, _) => &mut length[1..],
        };
        self.input.read_exact(digits)?;
        let mut payload = Vec::new();
        if (self.wire, code) == (Wire::Hmux, b'C') {
            return match length {
                [0, 0, 0, 1] => Ok(Some((code, payload))),
                _ => Err(super::bad("a strange channel")),
            };
        }
        payload.resize(u32::from_be_bytes(length) as usize, 0);
        self.input.read_exact(&mut payload)?;
        Ok(Some((code, payload)))
    }

    pub(super) fn is_value(&self, code: u8) -> bool {
        code == match self.wire {
            Wire::Hmux => b'S',
            Wire::Srun => b'V',
        }
    }

    /// Whether a frame with that code ends a request.
    pub(super) fn is_end(&self, code: u8) -> bool {
        code == match self.wire {
            Wire::Hmux => b'Q',
            Wire::Srun => b'Z',
        }
    }
}
