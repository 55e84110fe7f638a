// SPDX-License-Identifier: GPL-2.0

//! Request targets and hosts (RFC 9112 section 3.2, RFC 9110 section 4.2).

/// Whether `host` is a host with an optional port, as in the Host field (RFC 9110 section 7.2).
pub(crate) fn is_host(host: &[u8]) -> bool {
    let _ = host;
    todo!()
}
