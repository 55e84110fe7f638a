// SPDX-License-Identifier: GPL-2.0

//! Whole conversations between a client, the gateway and a backend.

#![no_main]

libfuzzer_sys::fuzz_target!(|tape: &[u8]| resin_host::simulation::check(tape));
