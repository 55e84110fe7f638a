// SPDX-License-Identifier: GPL-2.0

//! Lines of the access log.

#![no_main]

libfuzzer_sys::fuzz_target!(|text: &[u8]| resin_host::log_grammar::check(text));
