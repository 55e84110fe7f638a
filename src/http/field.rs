// SPDX-License-Identifier: GPL-2.0

//! Field lines (RFC 9110 section 5, RFC 9112 section 5).

/// The fields of a validated head: names as they were sent, values without the white space
/// around them.
#[derive(Clone, Debug)]
pub(crate) struct Fields<'a> {
    lines: &'a [u8],
}

/// Iterates over the lines of a head that [`head`](super::head) has validated
/// (`head.fields.of(buf)`).
pub(crate) fn fields(lines: &[u8]) -> Fields<'_> {
    Fields { lines }
}

impl<'a> Iterator for Fields<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<(&'a [u8], &'a [u8])> {
        let _ = self.lines;
        todo!()
    }
}
