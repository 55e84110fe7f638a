// SPDX-License-Identifier: GPL-2.0

//! What is written to the proc files.

#![no_main]

libfuzzer_sys::fuzz_target!(|text: &[u8]| resin_host::proc_grammar::check(text));
