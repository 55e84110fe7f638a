// SPDX-License-Identifier: GPL-2.0

//! Heads that are passed on, and answers of our own.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| resin_host::forward_grammar::check(input));
