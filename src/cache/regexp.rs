// SPDX-License-Identifier: GPL-2.0

//! Regular expressions for `cache-mapping` and `cache-clear`: those of Java and of everybody else, without
//! what takes more than one pass over a text.
//!
//! ```text
//! a  \.  .        an octet: this one, any
//! [a-z_]  [^/]    one of these, none of these
//! \d \w \s        a digit, one of a word, white space; \D \W \S: none
//! ^  $            the beginning of the text, its end
//! (ab|c)  (?:ab)  one or the other
//! x*  x+  x?      any number of times, once at least, once at most; a ? behind them says nothing
//! ```
//!
//! # How it is done
//!
//! By Glushkov's automaton ("The abstract theory of automata", 1961): each place in the expression that
//! takes an octet is a state, and which can follow which is known when it is read. A set of states is a
//! word, and a text is compared in one step for each octet and state that could come next: there is no
//! text for which that takes longer. `^` and `$` are states that take nothing, and are passed where they are true.

use core::ops::{Deref, DerefMut};

/// A set of states.
type States = u128;

/// The most states: places that take an octet, `^` and `$`.
pub(crate) const MAX_STATES: usize = States::BITS as usize;

/// How deep groups may be in one another.
const MAX_DEPTH: usize = 8;

/// Why a text is no regular expression that can be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Malformed {
    /// More than [`MAX_STATES`] states.
    TooLong,
    /// More than [`MAX_DEPTH`] groups in one another.
    TooDeep,
    /// A parenthesis or a bracket is not closed, or one is that was not opened.
    Unbalanced,
    /// There is nothing that `*`, `+` or `?` could be about.
    NothingToRepeat,
    /// A `\` before something that has no meaning here, or at the end.
    Escape,
    /// An empty range, or a class with nothing in it.
    Class,
    /// `{2,3}`, `a++` or `(?=x)`.
    Unsupported,
}

impl Malformed {
    /// The same in words.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Malformed::TooLong => "it has more than 128 characters to compare",
            Malformed::TooDeep => "its groups are more than 8 deep",
            Malformed::Unbalanced => "a parenthesis or bracket is not closed, or not opened",
            Malformed::NothingToRepeat => "there is nothing to repeat",
            Malformed::Escape => "a \\ is before something that it says nothing about",
            Malformed::Class => "a class in brackets is empty, or a range in it is",
            Malformed::Unsupported => "counted or possessive repetition and (? are not supported",
        }
    }
}

/// What a state takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Symbols {
    /// This octet.
    Octet(u8),
    /// Any octet but a line feed.
    Any,
    /// The octets that are in a set.
    Class(Class),
    /// None, but at the beginning of the text it can be passed.
    Start,
    /// The same at its end.
    End,
}

/// A set of octets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Class([u64; 4]);

/// One state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct State {
    symbols: Symbols,
    /// Who can come next.
    next: States,
}

impl State {
    /// One that nothing uses.
    pub(crate) const EMPTY: State = State {
        symbols: Symbols::Any,
        next: 0,
    };
}

/// A part of an expression.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Part {
    /// Its states that can come first, and last.
    first: States,
    last: States,
    /// It may be nothing at all.
    is_nullable: bool,
}

impl Part {
    /// Nothing, which always is there.
    const NOTHING: Part = Part {
        first: 0,
        last: 0,
        is_nullable: true,
    };

    /// What is never there: to begin with, where alternatives are added.
    const NEVER: Part = Part {
        is_nullable: false,
        ..Part::NOTHING
    };

    fn or(self, other: Part) -> Part {
        Part {
            first: self.first | other.first,
            last: self.last | other.last,
            is_nullable: self.is_nullable || other.is_nullable,
        }
    }
}

/// A group that is being read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Level {
    /// The alternatives before the present one.
    before: Part,
    /// The present one, as far as it was read.
    present: Part,
}

impl Level {
    const NEW: Level = Level {
        before: Part::NEVER,
        present: Part::NOTHING,
    };
}

/// What is needed while an expression is read. It is too large for a stack in the kernel; `Copy`, so
/// that it may be duplicated in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scratch([Level; MAX_DEPTH + 1]);

impl Scratch {
    /// Of no use yet.
    pub(crate) const NEW: Scratch = Scratch([Level::NEW; MAX_DEPTH + 1]);
}

/// A regular expression, over states that the caller owns.
#[derive(Debug)]
pub(crate) struct Regexp<S> {
    states: S,
    whole: Part,
}

/// What there is of an expression besides its states.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Outline {
    whole: Part,
    /// How many states it has.
    pub(crate) states: usize,
}

/// How many states an expression has at most.
pub(crate) fn room(text: &[u8]) -> usize {
    text.len().min(MAX_STATES)
}

/// Reads an expression into states, of which it takes the first. More than its [`room`] are of no use.
pub(crate) fn read(
    text: &[u8],
    states: &mut [State],
    scratch: &mut Scratch,
) -> Result<Outline, Malformed> {
    let room = room(text).min(states.len());
    let mut reader = Reader {
        rest: text,
        states: states.get_mut(..room).unwrap_or(&mut []),
        used: 0,
        levels: &mut scratch.0,
        depth: 0,
    };
    let whole = reader.read()?;
    let states = reader.used;
    Ok(Outline { whole, states })
}

impl<S: DerefMut<Target = [State]>> Regexp<S> {
    /// Reads an expression: see [`read`].
    pub(crate) fn parse(
        text: &[u8],
        mut states: S,
        scratch: &mut Scratch,
    ) -> Result<Regexp<S>, Malformed> {
        let outline = read(text, &mut states, scratch)?;
        Ok(Regexp::new(states, outline))
    }
}

impl<S: Deref<Target = [State]>> Regexp<S> {
    /// The expression that was [`read`] into these states.
    pub(crate) fn new(states: S, outline: Outline) -> Regexp<S> {
        let whole = outline.whole;
        Regexp { states, whole }
    }

    /// Whether it is somewhere in a text.
    ///
    /// For each octet it looks at every state that could come next, and at those that could come first.
    pub(crate) fn is_in(&self, text: &[u8]) -> bool {
        let (mut rest, mut is_start) = (text, true);
        let mut candidates = self.whole.first;
        loop {
            let passed = match is_start || rest.is_empty() {
                true => self.pass(&mut candidates, is_start, rest.is_empty()),
                false => 0,
            };
            if self.whole.is_nullable || passed & self.whole.last != 0 {
                return true;
            }
            let Some((octet, others)) = rest.split_first() else {
                return false;
            };
            let on = self.those(candidates, |symbols| symbols.take(*octet));
            if on & self.whole.last != 0 {
                return true;
            }
            // It may begin anywhere.
            candidates = self.after(on) | self.whole.first;
            (rest, is_start) = (others, false);
        }
    }

    /// Adds who can come after the candidates that take no octet, if they are true here; returns those.
    fn pass(&self, candidates: &mut States, is_start: bool, is_end: bool) -> States {
        let mut passed = 0;
        loop {
            let more = self.those(*candidates & !passed, |symbols| match symbols {
                Symbols::Start => is_start,
                Symbols::End => is_end,
                _ => false,
            });
            if more == 0 {
                return passed;
            }
            passed |= more;
            *candidates |= self.after(more);
        }
    }

    /// Those of some states of whose symbols a predicate is true.
    fn those(&self, states: States, is: impl Fn(&Symbols) -> bool) -> States {
        let those = numbers(states).filter(|number| {
            self.states
                .get(*number)
                .is_some_and(|state| is(&state.symbols))
        });
        those.fold(0, |all, number| all | only(number))
    }

    /// Those that can come after some states.
    fn after(&self, on: States) -> States {
        let next = numbers(on).filter_map(|number| Some(self.states.get(number)?.next));
        next.fold(0, |all, next| all | next)
    }
}

impl Symbols {
    fn take(&self, octet: u8) -> bool {
        match self {
            Symbols::Octet(own) => *own == octet,
            Symbols::Any => octet != b'\n',
            Symbols::Class(class) => class.has(octet),
            Symbols::Start | Symbols::End => false,
        }
    }
}

impl Class {
    const EMPTY: Class = Class([0; 4]);

    fn has(&self, octet: u8) -> bool {
        let word = self.0.get(usize::from(octet >> 6)).copied().unwrap_or(0);
        word & bit(octet) != 0
    }

    fn add(&mut self, octet: u8) {
        if let Some(word) = self.0.get_mut(usize::from(octet >> 6)) {
            *word |= bit(octet);
        }
    }

    fn add_all(&mut self, other: &Class) {
        for (word, other) in self.0.iter_mut().zip(&other.0) {
            *word |= other;
        }
    }

    /// All octets that are not in it.
    fn others(mut self) -> Class {
        for word in &mut self.0 {
            *word = !*word;
        }
        self
    }

    /// Those of which a predicate is true.
    fn of(is: impl Fn(u8) -> bool) -> Class {
        let mut class = Class::EMPTY;
        let octets = (0..=u8::MAX).filter(|octet| is(*octet));
        octets.for_each(|octet| class.add(octet));
        class
    }

    /// What `\d` and its like mean.
    fn named(letter: u8) -> Option<Class> {
        let class = match letter.to_ascii_lowercase() {
            b'd' => Class::of(|octet| octet.is_ascii_digit()),
            b'w' => Class::of(|octet| octet.is_ascii_alphanumeric() || octet == b'_'),
            b's' => Class::of(|octet| matches!(octet, b' ' | b'\t'..=b'\r')),
            _ => return None,
        };
        match letter.is_ascii_uppercase() {
            true => Some(class.others()),
            false => Some(class),
        }
    }
}

/// The bit of an octet in its word.
const fn bit(octet: u8) -> u64 {
    1_u64.wrapping_shl(octet as u32)
}

/// The set of one state.
fn only(number: usize) -> States {
    u32::try_from(number).map_or(0, |number| States::checked_shl(1, number).unwrap_or(0))
}

/// The states in a set, in their order.
fn numbers(mut states: States) -> impl Iterator<Item = usize> {
    core::iter::from_fn(move || {
        let number = states.trailing_zeros();
        states &= states.checked_sub(1)?;
        usize::try_from(number).ok()
    })
}

/// Reads an expression.
struct Reader<'a, 't> {
    rest: &'t [u8],
    states: &'a mut [State],
    /// How many states are in use.
    used: usize,
    levels: &'a mut [Level],
    /// How many groups are open.
    depth: usize,
}

impl Reader<'_, '_> {
    fn read(&mut self) -> Result<Part, Malformed> {
        self.open()?;
        while let Some(octet) = self.take() {
            match octet {
                b'(' => {
                    self.begin_group()?;
                    continue;
                }
                b'|' => {
                    self.end_alternative()?;
                    continue;
                }
                b')' if self.depth == 1 => return Err(Malformed::Unbalanced),
                _ => {}
            }
            let part = match octet {
                b')' => self.close()?,
                b'*' | b'+' | b'?' => return Err(Malformed::NothingToRepeat),
                _ => self.atom(octet)?,
            };
            let part = self.repeated(part)?;
            self.append(part)?;
        }
        match self.depth {
            1 => self.close(),
            _ => Err(Malformed::Unbalanced),
        }
    }

    fn take(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn begin_group(&mut self) -> Result<(), Malformed> {
        if let Some(rest) = self.rest.strip_prefix(b"?") {
            self.rest = rest.strip_prefix(b":").ok_or(Malformed::Unsupported)?;
        }
        self.open()
    }

    fn open(&mut self) -> Result<(), Malformed> {
        let level = self.levels.get_mut(self.depth).ok_or(Malformed::TooDeep)?;
        *level = Level::NEW;
        self.depth = self.depth.saturating_add(1);
        Ok(())
    }

    fn level(&mut self) -> Result<&mut Level, Malformed> {
        let level = self.depth.checked_sub(1);
        level
            .and_then(|level| self.levels.get_mut(level))
            .ok_or(Malformed::Unbalanced)
    }

    fn end_alternative(&mut self) -> Result<(), Malformed> {
        let level = self.level()?;
        level.before = level.before.or(level.present);
        level.present = Part::NOTHING;
        Ok(())
    }

    fn close(&mut self) -> Result<Part, Malformed> {
        self.end_alternative()?;
        let part = self.level()?.before;
        self.depth = self.depth.saturating_sub(1);
        Ok(part)
    }

    /// A part comes behind what was read of the present alternative.
    fn append(&mut self, part: Part) -> Result<(), Malformed> {
        let before = self.level()?.present;
        self.lead(before.last, part.first);
        let skipped = |skipped: bool, states: States| if skipped { states } else { 0 };
        self.level()?.present = Part {
            first: before.first | skipped(before.is_nullable, part.first),
            last: part.last | skipped(part.is_nullable, before.last),
            is_nullable: before.is_nullable && part.is_nullable,
        };
        Ok(())
    }

    /// After each of the ones can come each of the others.
    fn lead(&mut self, from: States, to: States) {
        for number in numbers(from) {
            if let Some(state) = self.states.get_mut(number) {
                state.next |= to;
            }
        }
    }

    /// What the marks behind a part make of it.
    fn repeated(&mut self, part: Part) -> Result<Part, Malformed> {
        let Some(mark @ (b'*' | b'+' | b'?' | b'{')) = self.rest.first().copied() else {
            return Ok(part);
        };
        self.take();
        if mark == b'{' || self.rest.first() == Some(&b'+') {
            return Err(Malformed::Unsupported);
        }
        // As few as will do, or as many: what is asked is only whether there are any.
        if self.rest.first() == Some(&b'?') {
            self.take();
        }
        if matches!(self.rest.first(), Some(b'*' | b'+' | b'?' | b'{')) {
            return Err(Malformed::NothingToRepeat);
        }
        if mark != b'?' {
            self.lead(part.last, part.first);
        }
        Ok(Part {
            is_nullable: part.is_nullable || mark != b'+',
            ..part
        })
    }

    /// A state that takes what begins with this octet.
    fn atom(&mut self, octet: u8) -> Result<Part, Malformed> {
        let symbols = match octet {
            b'.' => Symbols::Any,
            b'^' => Symbols::Start,
            b'$' => Symbols::End,
            b'[' => Symbols::Class(self.class()?),
            b'\\' => self.escaped()?,
            b'{' => return Err(Malformed::Unsupported),
            octet => Symbols::Octet(octet),
        };
        let state = self.states.get_mut(self.used).ok_or(Malformed::TooLong)?;
        *state = State { symbols, next: 0 };
        let own = only(self.used);
        self.used = self.used.saturating_add(1);
        Ok(Part {
            first: own,
            last: own,
            is_nullable: false,
        })
    }

    /// What a `\` makes of what follows it.
    fn escaped(&mut self) -> Result<Symbols, Malformed> {
        let octet = self.take().ok_or(Malformed::Escape)?;
        if let Some(class) = Class::named(octet) {
            return Ok(Symbols::Class(class));
        }
        match octet {
            b't' => Ok(Symbols::Octet(b'\t')),
            octet if octet.is_ascii_alphanumeric() => Err(Malformed::Escape),
            octet => Ok(Symbols::Octet(octet)),
        }
    }

    /// What is in brackets, up to the one that closes them. A bracket that comes first is one of them.
    fn class(&mut self) -> Result<Class, Malformed> {
        let is_negated = self.rest.first() == Some(&b'^');
        if is_negated {
            self.take();
        }
        let mut class = Class::EMPTY;
        let mut is_empty = true;
        loop {
            let octet = self.take().ok_or(Malformed::Unbalanced)?;
            if octet == b']' && !is_empty {
                break;
            }
            is_empty = false;
            self.add_to(&mut class, octet)?;
        }
        match is_negated {
            true => Ok(class.others()),
            false => Ok(class),
        }
    }

    /// Adds what begins with this octet to a class: an octet, a range, or a named class.
    fn add_to(&mut self, class: &mut Class, octet: u8) -> Result<(), Malformed> {
        // Java has classes within classes, and `&&`: they would mean something else here.
        if octet == b'[' || (octet == b'&' && self.rest.first() == Some(&b'&')) {
            return Err(Malformed::Unsupported);
        }
        let symbols = match octet {
            b'\\' => self.escaped()?,
            octet => Symbols::Octet(octet),
        };
        let from = match symbols {
            Symbols::Octet(octet) => octet,
            Symbols::Class(named) => {
                class.add_all(&named);
                return Ok(());
            }
            _ => return Err(Malformed::Class),
        };
        let to = match self.rest {
            [b'-', end, ..] if *end != b']' => {
                self.take();
                self.range_end()?
            }
            _ => from,
        };
        if to < from {
            return Err(Malformed::Class);
        }
        (from..=to).for_each(|octet| class.add(octet));
        Ok(())
    }

    fn range_end(&mut self) -> Result<u8, Malformed> {
        match self.take().ok_or(Malformed::Unbalanced)? {
            b'\\' => match self.escaped()? {
                Symbols::Octet(octet) => Ok(octet),
                _ => Err(Malformed::Class),
            },
            b'[' => Err(Malformed::Unsupported),
            octet => Ok(octet),
        }
    }
}
