// SPDX-License-Identifier: GPL-2.0

//! Frames of HMUX and srun.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| resin_host::frames_grammar::check(input));
