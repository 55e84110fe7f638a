// SPDX-License-Identifier: GPL-2.0

//! Chunked bodies.

#![no_main]

libfuzzer_sys::fuzz_target!(|text: &[u8]| resin_host::chunked_grammar::check(text));
