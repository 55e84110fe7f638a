// SPDX-License-Identifier: GPL-2.0

//! An index as one would write it who has time: a list of what is there, and two queues of numbers.

use std::collections::VecDeque;

use super::rig::FIXED;
use crate::cache::index::{Id, MAX_VARIANTS};

pub(super) const KEYS: u64 = 30;
pub(super) const SLOTS: usize = 80;
pub(super) const OCTETS: u64 = 12_000;

/// Few hashes for many keys: three keys share each.
pub(super) fn hash(key: u64) -> u64 {
    (key % (KEYS / 3)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// What is known of an entry.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) id: Id,
    pub(super) key: u64,
    /// Which insertion it was.
    pub(super) number: u64,
    /// What is there now.
    pub(super) serial: u64,
    pub(super) octets: u64,
    pub(super) variant: u64,
    pub(super) is_whole: bool,
    pub(super) hits: u32,
    frequency: u8,
}

/// What should come of the wish for room.
#[derive(Debug)]
pub(super) enum Verdict {
    Ready,
    /// This one goes, if it is known who.
    Evict(Option<u64>),
    Again,
    Busy,
    Never,
}

pub(super) struct Slow {
    /// In the order of their insertion.
    pub(super) entries: Vec<Known>,
    /// Numbers, the oldest in front.
    small: VecDeque<u64>,
    main: VecDeque<u64>,
    /// Whether there are no ghosts, of which it knows nothing.
    knows_who: bool,
    pub(super) numbers: u64,
    pub(super) evictions: u64,
}

impl Slow {
    pub(super) fn new(knows_who: bool) -> Slow {
        Slow {
            entries: Vec::new(),
            small: VecDeque::new(),
            main: VecDeque::new(),
            knows_who,
            numbers: 0,
            evictions: 0,
        }
    }

    pub(super) fn insert(&mut self, id: Id, key: u64, serial: u64, octets: u64) {
        assert!(self.get_mut(id).is_none(), "a name that is in use");
        self.entries.push(Known {
            id,
            key,
            number: self.numbers,
            serial,
            octets,
            variant: 0,
            is_whole: false,
            hits: 0,
            frequency: 0,
        });
        self.numbers += 1;
    }

    pub(super) fn get_mut(&mut self, id: Id) -> Option<&mut Known> {
        self.entries.iter_mut().find(|known| known.id == id)
    }

    /// Where an entry is: numbers grow from one insertion to the next.
    fn at(&self, number: u64) -> usize {
        let found = self
            .entries
            .binary_search_by_key(&number, |known| known.number);
        found.unwrap()
    }

    fn numbered(&mut self, number: u64) -> &mut Known {
        let at = self.at(number);
        &mut self.entries[at]
    }

    pub(super) fn remove(&mut self, number: u64) -> Known {
        self.small.retain(|other| *other != number);
        self.main.retain(|other| *other != number);
        self.entries.remove(self.at(number))
    }

    pub(super) fn hit(&mut self, id: Id) {
        let known = self.get_mut(id).unwrap();
        known.hits += 1;
        known.frequency = (known.frequency + 1).min(3);
    }

    /// The serial of what was replaced; none if the entry is gone.
    pub(super) fn finish(
        &mut self,
        id: Id,
        variant: u64,
        replaces: Option<Id>,
    ) -> Option<Option<u64>> {
        let number = self.get_mut(id).filter(|known| !known.is_whole)?.number;
        let old = replaces.and_then(|old| self.get_mut(old));
        let old = old.map(|old| old.number).filter(|old| *old != number);
        let was_main = old.is_some_and(|old| self.main.contains(&old));
        let old = old.map(|old| self.remove(old));
        let known = self.numbered(number);
        (known.is_whole, known.variant) = (true, variant);
        if let Some(old) = &old {
            known.hits += old.hits;
            known.frequency = (known.frequency + old.frequency).min(3);
        }
        match was_main {
            true => self.main.push_back(number),
            false => self.small.push_back(number),
        }
        Some(old.map(|old| old.serial))
    }

    /// What comes of asking for so many octets, and for a slot if there is a key.
    pub(super) fn room(&mut self, key: Option<u64>, octets: u64, held: u64, limit: u64) -> Verdict {
        let whole = self.entries.iter().filter(|known| known.is_whole);
        let kept = held - whole.map(|known| known.octets).sum::<u64>();
        let all = limit.saturating_sub(FIXED);
        let fits = held.saturating_add(octets) <= limit;
        if !fits && octets > all {
            return Verdict::Never;
        }
        if !fits && kept.saturating_add(octets) > limit.min(FIXED + all / 2) {
            return Verdict::Busy;
        }
        let filling = |known: &&Known| !known.is_whole;
        if let Some(key) = key {
            let same = |known: &&Known| hash(known.key) == hash(key);
            let same: Vec<&Known> = self.entries.iter().filter(same).collect();
            if same.iter().copied().filter(filling).count() >= MAX_VARIANTS / 2 {
                return Verdict::Busy;
            }
            if same.len() >= MAX_VARIANTS {
                let whole = same.iter().filter(|known| known.is_whole);
                let least = whole.min_by_key(|known| (known.frequency, known.number));
                let least = least.map(|known| self.knows_who.then_some(known.number));
                return least.map_or(Verdict::Busy, Verdict::Evict);
            }
            if self.entries.len() == SLOTS {
                return match self.entries.iter().filter(filling).count() < SLOTS / 2 {
                    true => self.victim(true),
                    false => Verdict::Busy,
                };
            }
        }
        if fits {
            return Verdict::Ready;
        }
        self.victim(false)
    }

    /// Whose turn it is, by the number of entries or by their octets.
    pub(super) fn victim(&mut self, by_entries: bool) -> Verdict {
        if self.small.is_empty() && self.main.is_empty() {
            return Verdict::Busy;
        }
        if !self.knows_who {
            return Verdict::Evict(None);
        }
        let mut least: Option<(u8, u64)> = None;
        for _ in 0..64 {
            let is_large = 9 * self.size(true, by_entries) >= self.size(false, by_entries);
            let is_small = !self.small.is_empty() && (is_large || self.main.is_empty());
            let queue = if is_small { &self.small } else { &self.main };
            let number = *queue.front().unwrap();
            let frequency = self.numbered(number).frequency;
            if frequency < if is_small { 2 } else { 1 } {
                return Verdict::Evict(Some(number));
            }
            if !is_small && least.is_none_or(|(least, _)| frequency < least) {
                least = Some((frequency, number));
            }
            self.numbered(number).frequency = if is_small { 0 } else { frequency - 1 };
            let queue = if is_small {
                &mut self.small
            } else {
                &mut self.main
            };
            queue.pop_front();
            self.main.push_back(number);
        }
        match least {
            Some((_, number)) => Verdict::Evict(Some(number)),
            None => Verdict::Again,
        }
    }

    fn size(&self, of_small: bool, by_entries: bool) -> u64 {
        let queue = if of_small { &self.small } else { &self.main };
        if by_entries {
            return queue.len() as u64;
        }
        let octets = queue.iter();
        let octets = octets.map(|number| self.entries[self.at(*number)].octets);
        octets.sum()
    }
}
