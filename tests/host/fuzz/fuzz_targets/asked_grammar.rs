// SPDX-License-Identifier: GPL-2.0

//! Requests for the status of the gateway.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| resin_host::asked_grammar::check(input));
