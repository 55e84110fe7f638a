// SPDX-License-Identifier: GPL-2.0

//! Requests and responses, as a cache sees them.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| resin_host::cache_grammar::check(input));
