// SPDX-License-Identifier: GPL-2.0

//! The mappings that there are, in memory that the caller owns.
//!
//! A list is never changed where it is in use: who changes it works on a [copy](List::copy) that has
//! [room](List::room) for more, and puts that in its place.

use core::fmt::{self, Display, Formatter, Write};
use core::ops::{Deref, DerefMut};

use super::{Command, Lifetimes, Mapping, Selector};
use crate::bytes::Span;
use crate::cache::pattern::{self, Pattern};
use crate::cache::regexp::{self, Malformed, Outline, Regexp, Scratch, State};
use crate::config::{self, Refusal};

/// The most mappings.
const MOST: usize = 256;

/// The most states of all expressions. With the length of a target it bounds how long it takes to
/// compare that with all of them.
const MOST_STATES: usize = 1024;

/// The most octets of all mappings as they are printed: what one write can restore.
const MOST_PRINTED: usize = 16 << 10;

/// What a list keeps of one mapping.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    /// Where its selector's text is.
    text: Span,
    kind: Kind,
    lifetimes: Lifetimes,
}

/// What an entry's text is.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Pattern,
    /// Its states begin at this index.
    Regexp(usize, Outline),
}

impl Entry {
    /// One that nothing uses.
    pub(crate) const EMPTY: Entry = Entry {
        text: Span::EMPTY,
        kind: Kind::Pattern,
        lifetimes: Lifetimes {
            max_age: None,
            s_max_age: None,
        },
    };
}

/// How much of each sort of memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Room {
    pub(crate) entries: usize,
    pub(crate) octets: usize,
    pub(crate) states: usize,
}

/// Mappings, in the order in which they were first written.
#[derive(Debug, Default)]
pub(crate) struct List<E, O, S> {
    entries: E,
    /// The texts of all selectors.
    octets: O,
    /// The states of all expressions.
    states: S,
    /// How much is in use.
    used: Room,
}

impl<E, O, S> List<E, O, S>
where
    E: Deref<Target = [Entry]>,
    O: Deref<Target = [u8]>,
    S: Deref<Target = [State]>,
{
    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries().is_empty()
    }

    /// What the mappings say of a target in origin-form: path and query. Waits for nobody; what takes
    /// longest are expressions, with which only what matches no pattern is compared.
    pub(crate) fn find(&self, target: &[u8]) -> Option<Lifetimes> {
        self.by_pattern(target).or_else(|| self.by_regexp(target))
    }

    fn by_pattern(&self, target: &[u8]) -> Option<Lifetimes> {
        let path = pattern::path(target);
        let matching = self.entries().iter().filter_map(|entry| match entry.kind {
            Kind::Pattern => {
                let pattern = Pattern::parsed(self.text(entry))?;
                Some((pattern.matches(path)?, entry))
            }
            Kind::Regexp(..) => None,
        });
        // Two that match equally well would be the same pattern.
        let (_, best) = matching.max_by_key(|(how_well, _)| *how_well)?;
        Some(best.lifetimes)
    }

    fn by_regexp(&self, target: &[u8]) -> Option<Lifetimes> {
        let first = self.entries().iter().find(|entry| match entry.kind {
            Kind::Pattern => false,
            Kind::Regexp(start, outline) => {
                let states = start..start.saturating_add(outline.states);
                let states = self.states.get(states).unwrap_or(&[]);
                Regexp::new(states, outline).is_in(target)
            }
        });
        first.map(|entry| entry.lifetimes)
    }

    /// The room that is needed to [apply](Self::apply) a text, with what there is already.
    pub(crate) fn room(&self, text: &[u8]) -> Room {
        let mut room = self.used;
        for (_, line) in config::lines(text) {
            // What is wrong is refused by who applies it.
            let Ok(Command::Add(Mapping { selector, .. })) = Command::parse(line) else {
                continue;
            };
            room.entries = room.entries.saturating_add(1).min(MOST);
            room.octets = room.octets.saturating_add(selector.text().len());
            if let Selector::Regexp(text) = selector {
                let states = room.states.saturating_add(regexp::room(text));
                room.states = states.min(MOST_STATES);
            }
        }
        room
    }

    fn entries(&self) -> &[Entry] {
        self.entries.get(..self.used.entries).unwrap_or(&[])
    }

    fn text(&self, entry: &Entry) -> &[u8] {
        entry.text.of(&self.octets)
    }

    fn mappings(&self) -> impl Iterator<Item = Mapping<'_>> {
        self.entries().iter().map(|entry| Mapping {
            selector: match entry.kind {
                Kind::Pattern => Selector::Pattern(self.text(entry)),
                Kind::Regexp(..) => Selector::Regexp(self.text(entry)),
            },
            lifetimes: entry.lifetimes,
        })
    }
}

impl<E, O, S> List<E, O, S>
where
    E: DerefMut<Target = [Entry]>,
    O: DerefMut<Target = [u8]>,
    S: DerefMut<Target = [State]>,
{
    /// A copy of a list in other memory, which has its [room](Self::room) at least.
    pub(crate) fn copy(old: &Self, mut entries: E, mut octets: O, mut states: S) -> Self {
        copy(&mut entries, &old.entries);
        copy(&mut octets, &old.octets);
        copy(&mut states, &old.states);
        Self {
            entries,
            octets,
            states,
            used: old.used,
        }
    }

    /// Applies the lines of `text`, in place; there is [room](Self::room) for them. After a refusal,
    /// which is of the first line that is wrong, the list is half changed: the caller works on a copy
    /// and drops it.
    ///
    /// What a list prints is such a text.
    #[inline(never)]
    pub(crate) fn apply(&mut self, text: &[u8], scratch: &mut Scratch) -> Result<(), Refusal> {
        for (number, line) in config::lines(text) {
            self.apply_line(line, scratch)
                .map_err(|refusal| refusal.on_line(number))?;
        }
        let mut printed = Length(0);
        match write!(printed, "{self}") {
            Ok(()) if printed.0 <= MOST_PRINTED => Ok(()),
            _ => Err(Refusal::too_large(TOO_MUCH, b"")),
        }
    }

    #[inline(never)]
    fn apply_line(&mut self, line: &[u8], scratch: &mut Scratch) -> Result<(), Refusal> {
        match Command::parse(line)? {
            Command::Clear => {
                self.used = Room::default();
                Ok(())
            }
            Command::Add(mapping) => self.add(mapping, scratch),
        }
    }

    #[inline(never)]
    fn add(&mut self, mapping: Mapping<'_>, scratch: &mut Scratch) -> Result<(), Refusal> {
        let Mapping {
            selector,
            lifetimes,
        } = mapping;
        if let Some(entry) = self.same(&selector) {
            entry.lifetimes = lifetimes;
            return Ok(());
        }
        let kind = match selector {
            Selector::Pattern(_) => Kind::Pattern,
            Selector::Regexp(text) => self.compile(text, scratch)?,
        };
        self.push(selector, kind, lifetimes)
    }

    /// The entry with the same selector.
    fn same(&mut self, selector: &Selector<'_>) -> Option<&mut Entry> {
        let index = self.mappings().position(|old| old.selector == *selector)?;
        self.entries.get_mut(index)
    }

    fn push(
        &mut self,
        selector: Selector<'_>,
        kind: Kind,
        lifetimes: Lifetimes,
    ) -> Result<(), Refusal> {
        let text = self.keep(selector.text());
        let index = self.used.entries;
        let Some(place) = self.entries.get_mut(index).filter(|_| index < MOST) else {
            return Err(Refusal::too_large(TOO_MANY, b""));
        };
        *place = Entry {
            text,
            kind,
            lifetimes,
        };
        self.used.entries = index.saturating_add(1);
        Ok(())
    }

    /// Reads an expression.
    #[inline(never)]
    fn compile(&mut self, text: &[u8], scratch: &mut Scratch) -> Result<Kind, Refusal> {
        let start = self.used.states;
        let end = self.states.len().min(MOST_STATES);
        let states = self.states.get_mut(start..end).unwrap_or(&mut []);
        let is_short = states.len() < regexp::room(text);
        match regexp::read(text, states, scratch) {
            Ok(outline) => {
                self.used.states = start.saturating_add(outline.states);
                Ok(Kind::Regexp(start, outline))
            }
            Err(why) => Err(refusal(why, is_short)),
        }
    }

    /// Keeps the text of a selector.
    fn keep(&mut self, text: &[u8]) -> Span {
        let start = self.used.octets;
        let end = start.saturating_add(text.len());
        copy(self.octets.get_mut(start..end).unwrap_or(&mut []), text);
        self.used.octets = end;
        Span::between(start, end)
    }
}

/// What is said of an expression that is none, or for which there are too few states.
fn refusal(why: Malformed, is_short: bool) -> Refusal {
    match why {
        Malformed::TooLong if is_short => Refusal::too_large(TOO_LONG, b""),
        why => Refusal::invalid(why.as_str(), b"").about("url-regexp"),
    }
}

const TOO_MANY: &str = "there can be 256 mappings at most";
const TOO_MUCH: &str = "all mappings together would be more than 16384 octets";
const TOO_LONG: &str = "all expressions together would have more than 1024 characters to compare";

/// As much of one as fits into the other.
fn copy<T: Copy>(to: &mut [T], from: &[T]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
}

/// How many octets were printed.
struct Length(usize);

impl Write for Length {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 = self.0.saturating_add(text.len());
        Ok(())
    }
}

/// One a line, as they are written.
impl<E, O, S> Display for List<E, O, S>
where
    E: Deref<Target = [Entry]>,
    O: Deref<Target = [u8]>,
    S: Deref<Target = [State]>,
{
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.mappings()
            .try_for_each(|mapping| writeln!(f, "{mapping}"))
    }
}
