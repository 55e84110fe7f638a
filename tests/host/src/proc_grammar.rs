// SPDX-License-Identifier: GPL-2.0

//! What has to hold for every text that may be written to a proc file: the body of the fuzz target
//! `proc_grammar`, also run over damaged and random texts by the tests of `config`.

use crate::cache::clear;
use crate::cache::mapping::list::{Entry, List};
use crate::cache::mapping::{Command, Selector};
use crate::cache::regexp::{room, Regexp, Scratch, State};
use crate::config::{
    parse_count, parse_port, Backend, CacheSettings, Networks, Refusal, Settings, MAX_BACKENDS,
};

/// The most octets that one `write()` to a proc file may have.
const MAX_WRITE: usize = 16 << 10;

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
        }
        Err(refusal) => assert_presentable(&refusal),
    }
    check_settings(text);
    check_cache_settings(text);
    check_mapping(text.trim_ascii());
    check_mappings(text);
    if let Err(refusal) = clear::Command::parse(text) {
        assert_presentable(&refusal);
    }
}

fn check_settings(text: &[u8]) {
    let mut settings = Settings::default();
    if let Err(refusal) = settings.apply(text) {
        return assert_presentable(&refusal);
    }
    let printed = settings.to_string();
    assert!(printed.len() <= MAX_WRITE, "{printed}");
    for mut again in [Settings::default(), settings] {
        assert_eq!(again.apply(printed.as_bytes()), Ok(()));
        assert_eq!(again, settings);
    }
    for list in [&settings.trusted_proxies, &settings.status_allow] {
        check_networks(list);
    }
}

fn check_cache_settings(text: &[u8]) {
    let mut settings = CacheSettings::default();
    if let Err(refusal) = settings.apply(text) {
        return assert_presentable(&refusal);
    }
    let printed = settings.to_string();
    assert!(printed.len() <= MAX_WRITE, "{printed}");
    let mut again = CacheSettings::default();
    assert_eq!(again.apply(printed.as_bytes()), Ok(()));
    assert_eq!(again, settings);
    check_networks(&settings.purge_allow);
}

fn check_mapping(line: &[u8]) {
    match Command::parse(line) {
        Ok(Command::Add(mapping)) => {
            let printed = mapping.to_string();
            assert_eq!(
                Command::parse(printed.as_bytes()),
                Ok(Command::Add(mapping)),
                "{printed}"
            );
            if let Selector::Regexp(text) = mapping.selector {
                check_regexp(text, line);
            }
        }
        Ok(Command::Clear) => {}
        Err(refusal) => assert_presentable(&refusal),
    }
    check_regexp(line, line);
}

fn check_mappings(text: &[u8]) {
    let Some(printed) = mappings(text) else {
        return;
    };
    assert!(printed.len() <= MAX_WRITE, "{printed}");
    assert_eq!(mappings(printed.as_bytes()).as_ref(), Some(&printed));
}

/// What is printed of the mappings that a text makes, if it is taken.
fn mappings(text: &[u8]) -> Option<String> {
    let none: List<Vec<Entry>, Vec<u8>, Vec<State>> = List::default();
    let room = none.room(text);
    let entries = vec![Entry::EMPTY; room.entries];
    let states = vec![State::EMPTY; room.states];
    let mut list = List::copy(&none, entries, vec![0; room.octets], states);
    match list.apply(text, &mut { Scratch::NEW }) {
        Ok(()) => {
            list.find(text);
            Some(list.to_string())
        }
        Err(refusal) => {
            assert_presentable(&refusal);
            None
        }
    }
}

fn check_regexp(expression: &[u8], text: &[u8]) {
    let states = vec![State::EMPTY; room(expression)];
    let mut scratch = Scratch::NEW;
    match Regexp::parse(expression, states, &mut scratch) {
        Ok(regexp) => {
            regexp.is_in(text);
        }
        Err(why) => assert!(!why.as_str().is_empty()),
    }
}

/// What the list says of addresses is what it prints of itself.
fn check_networks(list: &Networks) {
    let settings = Settings {
        status_allow: *list,
        ..Settings::default()
    };
    let text = settings.to_string();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("status-allow "));
    let line = line.expect("a line for each setting");
    for word in line.split(' ').filter(|word| *word != "none") {
        let address = word.split('/').next().expect("an address");
        assert!(list.contains(address.parse().expect(address)), "{line}");
    }
    assert_eq!(line == "none", *list == Networks::NONE);
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
