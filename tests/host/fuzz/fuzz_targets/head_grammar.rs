// SPDX-License-Identifier: GPL-2.0

//! Heads of requests and responses.

#![no_main]

libfuzzer_sys::fuzz_target!(|text: &[u8]| resin_host::head_grammar::check(text));
