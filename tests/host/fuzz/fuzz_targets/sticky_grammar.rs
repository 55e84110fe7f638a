// SPDX-License-Identifier: GPL-2.0

//! What clients say of their sessions.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| resin_host::sticky_grammar::check(input));
