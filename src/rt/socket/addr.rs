// SPDX-License-Identifier: GPL-2.0

//! Socket addresses, from Rust to C and back.

use crate::sys::bindings;
use core::{
    mem::size_of,
    net::{
        IpAddr,
        Ipv4Addr,
        Ipv6Addr,
        SocketAddr, //
    },
};
use kernel::ffi::c_int;

/// An address as `bind()` and `connect()` take it.
pub(super) enum RawAddr {
    /// `AF_INET`.
    V4(bindings::sockaddr_in),
    /// `AF_INET6`.
    V6(bindings::sockaddr_in6),
}

impl RawAddr {
    /// Lays `addr` out for the kernel.
    pub(super) fn new(addr: SocketAddr) -> Self {
        match addr {
            SocketAddr::V4(addr) => RawAddr::V4(bindings::sockaddr_in {
                sin_family: bindings::AF_INET as u16,
                sin_port: addr.port().to_be(),
                sin_addr: bindings::in_addr {
                    s_addr: u32::from_ne_bytes(addr.ip().octets()),
                },
                __pad: [0; 8],
            }),
            SocketAddr::V6(addr) => RawAddr::V6(bindings::sockaddr_in6 {
                sin6_family: bindings::AF_INET6 as u16,
                sin6_port: addr.port().to_be(),
                sin6_flowinfo: 0,
                sin6_addr: bindings::in6_addr {
                    in6_u: bindings::in6_addr__bindgen_ty_1 {
                        u6_addr8: addr.ip().octets(),
                    },
                },
                sin6_scope_id: addr.scope_id(),
            }),
        }
    }

    /// For the kernel's functions, which only read it.
    pub(super) fn as_mut_ptr(&mut self) -> *mut bindings::sockaddr_unsized {
        match self {
            RawAddr::V4(raw) => (&raw mut *raw).cast(),
            RawAddr::V6(raw) => (&raw mut *raw).cast(),
        }
    }

    /// Its length in octets.
    pub(super) fn len(&self) -> c_int {
        // CAST: Less than 30.
        match self {
            RawAddr::V4(_) => size_of::<bindings::sockaddr_in>() as c_int,
            RawAddr::V6(_) => size_of::<bindings::sockaddr_in6>() as c_int,
        }
    }
}

/// The address that `resin_helper_sk_name()` gave; a mapped IPv4 address becomes an IPv4 one.
pub(super) fn from_name(name: &bindings::resin_helper_name) -> SocketAddr {
    let ip = if name.ipv6 {
        IpAddr::V6(Ipv6Addr::from(name.addr)).to_canonical()
    } else {
        let [a, b, c, d, ..] = name.addr;
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    SocketAddr::new(ip, name.port)
}
