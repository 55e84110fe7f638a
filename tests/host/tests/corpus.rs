// SPDX-License-Identifier: GPL-2.0

//! The corpora of the fuzz targets, run through once: what was found interesting stays checked,
//! and no corpus goes stale.

use std::fs;
use std::path::Path;

use crate::{
    asked_grammar, cache_grammar, chunked_grammar, forward_grammar, frames_grammar, head_grammar,
    log_grammar, proc_grammar, simulation, sticky_grammar,
};

/// Runs every file of a corpus through `check`.
fn replay(target: &str, check: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    let mut count = 0;
    for entry in fs::read_dir(&corpus).expect("the corpus is there") {
        let path = entry.unwrap().path();
        println!("{}", path.display());
        check(&fs::read(&path).unwrap());
        count += 1;
    }
    assert!(count > 0, "{} is empty", corpus.display());
}

#[test]
fn every_target_has_a_replay() {
    let targets = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/fuzz_targets");
    let mut names: Vec<_> = fs::read_dir(targets)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_os_string())
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "asked_grammar",
            "cache_grammar",
            "chunked_grammar",
            "exchange",
            "forward_grammar",
            "frames_grammar",
            "head_grammar",
            "log_grammar",
            "proc_grammar",
            "sticky_grammar"
        ]
    );
}

#[test]
fn asked_grammar() {
    replay("asked_grammar", asked_grammar::check);
}

#[test]
fn cache_grammar() {
    replay("cache_grammar", cache_grammar::check);
}

#[test]
fn chunked_grammar() {
    replay("chunked_grammar", chunked_grammar::check);
}

#[test]
fn exchange() {
    replay("exchange", simulation::check);
}

#[test]
fn forward_grammar() {
    replay("forward_grammar", forward_grammar::check);
}

#[test]
fn frames_grammar() {
    replay("frames_grammar", frames_grammar::check);
}

#[test]
fn head_grammar() {
    replay("head_grammar", head_grammar::check);
}

#[test]
fn log_grammar() {
    replay("log_grammar", log_grammar::check);
}

#[test]
fn proc_grammar() {
    replay("proc_grammar", proc_grammar::check);
}

#[test]
fn sticky_grammar() {
    replay("sticky_grammar", sticky_grammar::check);
}
