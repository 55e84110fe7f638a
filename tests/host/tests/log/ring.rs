// SPDX-License-Identifier: GPL-2.0

//! The ring under the log: what is read is whole and in order, what is not is counted.

use std::collections::VecDeque;
use std::sync::atomic::{fence, AtomicBool, AtomicU64, Ordering::*};
use std::thread;

use proptest::prelude::*;

use super::super::cases;
use crate::log::ring::{Appender, Cursor, Words};

/// The memory of a ring, with the host's atomics.
struct Memory {
    words: Vec<AtomicU64>,
    head: AtomicU64,
    oldest: AtomicU64,
}

impl Memory {
    fn new(len: usize) -> Memory {
        Memory {
            words: (0..len).map(|_| AtomicU64::new(0)).collect(),
            head: AtomicU64::new(0),
            oldest: AtomicU64::new(0),
        }
    }

    fn word(&self, at: u64) -> &AtomicU64 {
        &self.words[at as usize & (self.words.len() - 1)]
    }
}

impl Words for Memory {
    fn len(&self) -> u64 {
        self.words.len() as u64
    }

    fn load(&self, at: u64) -> u64 {
        self.word(at).load(Relaxed)
    }

    fn store(&self, at: u64, word: u64) {
        self.word(at).store(word, Relaxed);
    }

    fn head(&self) -> u64 {
        self.head.load(Acquire)
    }

    fn set_head(&self, head: u64) {
        self.head.store(head, Release);
    }

    fn oldest(&self) -> u64 {
        self.oldest.load(Relaxed)
    }

    fn set_oldest(&self, oldest: u64) {
        self.oldest.store(oldest, Relaxed);
        fence(Release);
    }

    fn read_barrier(&self) {
        fence(Acquire);
    }
}

/// The next record's time and octets, and how many were lost before it.
fn next(cursor: &mut Cursor, memory: &Memory) -> Option<(u64, Vec<u8>, u32)> {
    let time = cursor.time(memory)?;
    let mut octets = [0; 4096];
    let record = cursor.read(memory, &mut octets)?;
    assert_eq!(
        cursor.read(memory, &mut octets),
        Some(record),
        "reading takes nothing away"
    );
    cursor.advance(&record);
    Some((time, octets[..record.len].to_vec(), record.lost))
}

#[test]
fn a_record_comes_out_as_it_went_in() {
    let memory = Memory::new(64);
    let mut appender = Appender::default();
    let mut cursor = Cursor::new(&memory);
    assert!(!cursor.is_ready(&memory));
    assert_eq!(next(&mut cursor, &memory), None);
    for len in 0..40u8 {
        let text: Vec<u8> = (0..len).collect();
        appender.append(&memory, u64::from(len), &[1, u64::MAX], &text);
        assert!(cursor.is_ready(&memory));
        let mut octets = [1u64.to_le_bytes(), u64::MAX.to_le_bytes()].concat();
        octets.extend(text);
        assert_eq!(
            next(&mut cursor, &memory),
            Some((u64::from(len), octets, 0))
        );
        assert!(!cursor.is_ready(&memory));
    }
}

#[test]
fn what_is_too_large_is_left_out() {
    let memory = Memory::new(64);
    let mut appender = Appender::default();
    let mut cursor = Cursor::new(&memory);
    appender.append(&memory, 1, &[], &[7; 32 * 8 - 16]);
    appender.append(&memory, 2, &[], &[8; 32 * 8 - 15]);
    appender.append(&memory, 3, &[], &[9; 1]);
    assert_eq!(next(&mut cursor, &memory).unwrap().1.len(), 240);
    assert_eq!(next(&mut cursor, &memory), Some((3, vec![9], 0)));
    // A reader with too little room cannot read it, but can go on.
    appender.append(&memory, 4, &[], &[1; 9]);
    appender.append(&memory, 5, &[], &[2; 8]);
    let mut octets = [0; 8];
    assert_eq!(cursor.read(&memory, &mut octets), None);
    cursor.skip(&memory);
    let record = cursor.read(&memory, &mut octets).unwrap();
    assert_eq!((record.len, record.lost), (8, 1));
}

#[test]
fn a_slow_reader_loses_the_oldest_and_knows_how_many() {
    let memory = Memory::new(64);
    let mut appender = Appender::default();
    let (mut early, mut first_comer) = (Cursor::new(&memory), Cursor::new(&memory));
    appender.append(&memory, 0, &[0], b"");
    assert_eq!(next(&mut early, &memory).unwrap().0, 0);
    // Each takes three words: 21 fit.
    for time in 1..=100 {
        appender.append(&memory, time, &[time], b"");
    }
    let mut late = Cursor::new(&memory);
    let first = next(&mut late, &memory).unwrap();
    assert_eq!(
        (first.0, first.2),
        (80, 0),
        "who comes late has lost nothing"
    );
    let (time, _, lost) = next(&mut early, &memory).unwrap();
    assert_eq!(u64::from(lost), time - 1);
    let (time, _, lost) = next(&mut first_comer, &memory).unwrap();
    assert_eq!(
        u64::from(lost),
        time,
        "also what came before he read anything"
    );
    assert!((80..=90).contains(&time), "it goes on at {time}");
    let rest: Vec<_> = std::iter::from_fn(|| next(&mut early, &memory)).collect();
    assert_eq!(rest.len() as u64, 100 - time);
    assert!(rest.iter().all(|(_, _, lost)| *lost == 0));
}

/// What happens to a ring.
#[derive(Clone, Copy, Debug)]
enum Step {
    Append(usize),
    Read,
}

proptest! {
    #![proptest_config(cases(2000))]

    /// Against a queue: what is read are the youngest records, whole, and the losses add up.
    #[test]
    fn it_is_a_queue_that_forgets(steps in proptest::collection::vec(
        prop_oneof![(0..100usize).prop_map(Step::Append), Just(Step::Read)], 1..200)
    ) {
        let memory = Memory::new(128);
        let mut appender = Appender::default();
        let mut cursor = Cursor::new(&memory);
        let mut queue = VecDeque::new();
        let mut number = 0u64;
        for step in steps {
            match step {
                Step::Append(len) => {
                    let text = vec![number as u8; len];
                    appender.append(&memory, number, &[number], &text);
                    queue.push_back((number, text));
                    number += 1;
                }
                Step::Read => match next(&mut cursor, &memory) {
                    None => prop_assert!(queue.is_empty()),
                    Some((time, octets, lost)) => {
                        // The first one read has none before it that it could miss.
                        let index = queue.iter().position(|(number, _)| *number == time).unwrap();
                        let first = time < lost as u64 + 1 || lost == 0;
                        prop_assert!(index as u32 == lost || first);
                        let (_, text) = queue.drain(..=index).next_back().unwrap();
                        prop_assert_eq!(&octets[..8], &time.to_le_bytes());
                        prop_assert_eq!(&octets[8..], &text);
                    }
                },
            }
        }
    }
}

/// Readers on other processors never see half of a record, and account for all of them.
#[test]
fn readers_run_beside_the_writer() {
    const RECORDS: u64 = 300_000;
    let memory = Memory::new(256);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut cursor = Cursor::new(&memory);
                let (mut read, mut lost, mut last) = (0u64, 0u64, None);
                loop {
                    let finished = done.load(Acquire);
                    while let Some((time, octets, missed)) = next_or_skip(&mut cursor, &memory) {
                        assert!(last < Some(time), "{last:?}, then {time}");
                        let (field, text) = octets.split_at(8);
                        assert_eq!(field, time.to_le_bytes());
                        assert_eq!(text.len() as u64, time % 97);
                        assert!(text.iter().all(|octet| *octet == time as u8));
                        (read, lost) = (read + 1, lost + u64::from(missed));
                        last = Some(time);
                    }
                    if finished && !cursor.is_ready(&memory) {
                        break;
                    }
                }
                assert_eq!(last, Some(RECORDS - 1));
                assert!(read > 0 && read + lost <= RECORDS);
            });
        }
        let mut appender = Appender::default();
        for time in 0..RECORDS {
            let text = [time as u8; 97];
            appender.append(&memory, time, &[time], &text[..(time % 97) as usize]);
            if time % 64 == 0 {
                thread::yield_now();
            }
        }
        done.store(true, Release);
    });
}

/// As [`next`], where the record may be overwritten at any moment.
fn next_or_skip(cursor: &mut Cursor, memory: &Memory) -> Option<(u64, Vec<u8>, u32)> {
    loop {
        let time = cursor.time(memory)?;
        let mut octets = [0; 128];
        if let Some(record) = cursor.read(memory, &mut octets) {
            cursor.advance(&record);
            return Some((time, octets[..record.len].to_vec(), record.lost));
        }
    }
}
