// SPDX-License-Identifier: GPL-2.0

//! What has to hold for every text that may be written to a proc file: the body of the fuzz target
//! `proc_grammar`, also run over damaged and random texts by the tests of `config`.

use crate::config::{parse_count, parse_port, Backend, Refusal, Settings, MAX_BACKENDS};

/// Feeds `text` to every grammar of the proc files: nothing panics, what is taken is within its
/// limits and reads back as printed, and what is refused says so in one short printable line.
pub fn check(text: &[u8]) {
    match parse_port(text) {
        Ok(port) => assert_eq!(parse_port(port.to_string().as_bytes()), Ok(port)),
        Err(refusal) => assert_presentable(&refusal),
    }
    match parse_count(text) {
        Ok(count) => assert!(count <= MAX_BACKENDS),
        Err(refusal) => assert_presentable(&refusal),
    }
    match Backend::parse(text) {
        Ok(backend) => {
            assert_ne!(backend.addr.port(), 0);
            assert_eq!(Backend::parse(backend.to_string().as_bytes()), Ok(backend));
            if let Err(refusal) = backend.require_supported() {
                assert_presentable(&refusal);
            }
        }
        Err(refusal) => assert_presentable(&refusal),
    }
    match Settings::default().apply(text) {
        Ok(settings) => {
            let printed = settings.to_string();
            assert_eq!(Settings::default().apply(printed.as_bytes()), Ok(settings));
            assert_eq!(settings.apply(printed.as_bytes()), Ok(settings));
        }
        Err(refusal) => assert_presentable(&refusal),
    }
}

fn assert_presentable(refusal: &Refusal) {
    let message = refusal.to_string();
    assert!(
        !message.is_empty() && message.len() <= Refusal::MAX_LEN,
        "{message}"
    );
    assert!(
        message.bytes().all(|octet| matches!(octet, b' '..=b'~')),
        "{message:?}"
    );
}
