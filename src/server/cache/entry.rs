// SPDX-License-Identifier: GPL-2.0

//! What is stored for one target, or about to be.
//!
//! # Locking
//!
//! `growth` is a leaf lock. Who waits is told after it was let go of.

use kernel::alloc::KVec;
use kernel::prelude::*;
use kernel::sync::atomic::Acquire;
use kernel::sync::atomic::Atomic;
use kernel::sync::atomic::Relaxed;
use kernel::sync::atomic::Release;
use kernel::sync::Arc;
use kernel::sync::SetOnce;

use crate::cache;
use crate::cache::index;
use crate::cache::range::Part;
use crate::cache::vary::Tag;
use crate::rt::clock;
use crate::rt::pages::Pages;
use crate::rt::pages::Runs;
use crate::rt::sync::new_spinlock_bh;
use crate::rt::sync::SpinLockBh;
use crate::time::Duration;
use crate::time::Instant;
use crate::time::UnixTime;

/// Octets of the cache's memory that somebody has.
pub(super) type Charge = index::Charge<Arc<index::Budget>>;

/// A client that waits for more.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Waiter {
    pub(crate) cpu: u32,
    pub(crate) who: u64,
}

/// An entry of the index. Nothing of it changes but that it comes: first its head, then its body.
pub(crate) struct Entry {
    /// The hash of its key.
    hash: u64,
    /// The target, as [`Key`](crate::cache::key::Key) writes it.
    key: KVec<u8>,
    head: SetOnce<Arc<Head>>,
    /// That of the one it was updated from, perhaps.
    body: Arc<Body>,
    /// When the origin was last asked about it in vain, in nanoseconds of boottime.
    tried: Atomic<u64>,
    /// Only a part was asked for: nobody waits for what that will be.
    is_for_part: bool,
    _charge: Charge,
}

/// What is stored of a response's head.
pub(crate) struct Head {
    pub(crate) response: cache::Response,
    /// When that was asked of which it has its fields, by boottime.
    pub(super) asked: Instant,
    /// Its field lines, as they are stored.
    pub(crate) lines: KVec<u8>,
    /// What selects it among the variants of its target.
    pub(crate) selector: KVec<u8>,
    /// The same in short.
    pub(crate) tag: Tag,
    pub(crate) extent: Extent,
    pub(super) _charge: Option<Charge>,
}

/// How much of a representation is stored.
#[derive(Clone, Copy)]
pub(crate) enum Extent {
    /// All of it: so many octets, if it has said how many.
    Whole(Option<u64>),
    /// Only this.
    Part(Part),
}

/// When a response was made: by its Date, and in the same second by when it came.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(UnixTime, Instant);

impl Moment {
    /// Before all others.
    pub(super) const NONE: Self = Self(UnixTime::from_secs(0), Instant::from_nanos(0));
}

/// A body that comes in, or is there.
#[pin_data]
pub(crate) struct Body {
    pages: Pages,
    /// A [`State`].
    state: Atomic<u32>,
    /// When it last grew, in nanoseconds of boottime.
    grown: Atomic<u64>,
    #[pin]
    growth: SpinLockBh<Growth>,
}

/// How far a body is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    /// There is more to come.
    Growing,
    /// All of it is there.
    Whole,
    /// What is missing will not come.
    Broken,
}

/// What belongs to a body as long as it grows.
struct Growth {
    charge: Charge,
    /// Octets for which pages are charged.
    reserved: u64,
    waiters: KVec<Waiter>,
}

/// Octets that an entry takes without its key, its head and its body's pages.
pub(super) const COST: u64 =
    (size_of::<Entry>().next_power_of_two() + size_of::<Body>().next_power_of_two() + TABLE) as u64;
/// The most clients that wait for one body.
const WAITERS: usize = 1024;
/// How long a body that does not grow is good for new readers.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long nobody asks behind a client's back after that was in vain.
const PAUSE: Duration = Duration::from_secs(2);
/// The first table of a body's pages.
const TABLE: usize = 64;

/// Octets that so many octets take as one allocation.
pub(super) fn cost(octets: usize) -> u64 {
    octets.next_power_of_two() as u64
}

impl Entry {
    /// An entry of which nothing has come, for [`COST`] and the [`cost`] of its key. Any context.
    pub(super) fn new(
        hash: u64,
        key: KVec<u8>,
        body: Arc<Body>,
        is_for_part: bool,
        charge: Charge,
    ) -> Result<Arc<Self>> {
        let entry = Self {
            hash,
            key,
            head: SetOnce::new(),
            body,
            tried: Atomic::new(0),
            is_for_part,
            _charge: charge,
        };
        Ok(Arc::new(entry, GFP_NOWAIT)?)
    }

    pub(super) fn hash(&self) -> u64 {
        self.hash
    }

    pub(crate) fn key(&self) -> &[u8] {
        &self.key
    }

    pub(crate) fn head(&self) -> Option<&Arc<Head>> {
        self.head.as_ref()
    }

    pub(crate) fn body(&self) -> &Arc<Body> {
        &self.body
    }

    /// Its head is here: once.
    pub(super) fn begin(&self, head: Arc<Head>) {
        // However long that took: whoever finds it waits for its body from now on.
        self.body.touch();
        self.head.populate(head);
    }

    /// The origin was asked about it in vain.
    pub(super) fn note_try(&self) {
        self.tried.store(clock::boot_now().as_nanos(), Relaxed);
    }

    /// Whether it is not worth while to ask again behind a client's back.
    pub(super) fn was_tried(&self, now: Instant) -> bool {
        now.since(Instant::from_nanos(self.tried.load(Relaxed))) < PAUSE
    }

    /// Whether its body may be given to somebody who has not begun to read it.
    pub(super) fn is_readable(&self, now: Instant) -> bool {
        self.body.state() != State::Broken && !self.body.is_stuck(now)
    }

    /// Whether only a part was asked for.
    pub(super) fn is_for_part(&self) -> bool {
        self.is_for_part
    }

    /// Whether only a part is stored.
    pub(super) fn is_part(&self) -> bool {
        self.head().is_some_and(|head| head.part().is_some())
    }

    /// Whether nobody knows yet what it will be.
    pub(crate) fn is_undecided(&self) -> bool {
        self.head().is_none() && self.body.state() == State::Growing
    }

    /// Octets that come back when it goes.
    pub(super) fn octets(&self) -> u64 {
        let head = self.head().and_then(|head| head._charge.as_ref());
        let head = head.map_or(0, Charge::octets);
        let body = self.body.growth.lock().charge.octets();
        self._charge
            .octets()
            .saturating_add(head)
            .saturating_add(body)
    }
}

impl Body {
    /// A body of which nothing has come. `charge` is of no octets or more. Any context.
    pub(super) fn new(charge: Charge) -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                pages: Pages::new(),
                state: Atomic::new(State::Growing as u32),
                grown: Atomic::new(clock::boot_now().as_nanos()),
                growth <- new_spinlock_bh!(Growth {
                    charge,
                    reserved: 0,
                    waiters: KVec::new(),
                }),
            }),
            GFP_NOWAIT,
        )
    }

    /// Octets that are there.
    pub(crate) fn len(&self) -> u64 {
        self.pages.len()
    }

    /// Some of the octets from `position` on; none if there are none yet.
    pub(crate) fn at(&self, position: u64) -> &[u8] {
        self.pages.at(position)
    }

    /// Puts up to `most` octets from `position` on into `runs`, to be sent as they are.
    pub(crate) fn refer<'a>(&'a self, position: u64, most: usize, runs: &mut Runs<'a>) {
        self.pages.refer(position, most, runs);
    }

    /// How far it is. What was there when that changed can be read afterwards.
    pub(crate) fn state(&self) -> State {
        match self.state.load(Acquire) {
            state if state == State::Growing as u32 => State::Growing,
            state if state == State::Whole as u32 => State::Whole,
            _ => State::Broken,
        }
    }

    /// Octets that have to be charged before it can be so long: see [`Body::reserve`].
    pub(super) fn lacks(&self, len: u64) -> u64 {
        Pages::cost(len).saturating_sub(self.growth.lock().reserved)
    }

    /// Charges for so many octets more; false if there is no room for them now.
    pub(super) fn reserve(&self, octets: u64) -> bool {
        let mut growth = self.growth.lock();
        let is_done = growth.charge.grow(octets).is_ok();
        if is_done {
            growth.reserved = growth.reserved.saturating_add(octets);
        }
        is_done
    }

    /// Adds octets, for which there is a charge.
    ///
    /// # Errors
    ///
    /// `ENOMEM`: it can only be ended now.
    pub(super) fn append(&self, octets: &[u8]) -> Result {
        self.pages.append(octets)?;
        self.touch();
        Ok(())
    }

    /// It has come further just now.
    fn touch(&self) {
        self.grown.store(clock::boot_now().as_nanos(), Relaxed);
    }

    /// Whether it has been growing, and has not for some time: whoever brings it may be slow, or gone.
    pub(super) fn is_stuck(&self, now: Instant) -> bool {
        let grown = Instant::from_nanos(self.grown.load(Relaxed));
        self.state() == State::Growing && now.since(grown) > PATIENCE
    }

    /// Nothing more comes.
    pub(super) fn end(&self, state: State) {
        self.state.store(state as u32, Release);
    }

    /// Has this client woken when something happens; false if there is no memory for that, or too many
    /// are. Whoever calls it looks again afterwards.
    pub(crate) fn wait(&self, waiter: Waiter) -> bool {
        let mut growth = self.growth.lock();
        if growth.waiters.contains(&waiter) {
            // Something else has woken him meanwhile.
            return true;
        }
        growth.waiters.len() < WAITERS && growth.waiters.push(waiter, GFP_NOWAIT).is_ok()
    }

    /// Those who are to be woken, each once.
    pub(super) fn take_waiters(&self) -> KVec<Waiter> {
        core::mem::replace(&mut self.growth.lock().waiters, KVec::new())
    }
}

impl Head {
    /// When it was made.
    pub(super) fn moment(&self) -> Moment {
        Moment(
            self.response.dated,
            self.response.freshness.response_boottime,
        )
    }

    /// What part of a representation it is of, if not of all of it.
    pub(super) fn part(&self) -> Option<Part> {
        match self.extent {
            Extent::Whole(_) => None,
            Extent::Part(part) => Some(part),
        }
    }

    /// Octets that a head with these lines and this selector takes.
    pub(super) fn cost(lines: &KVec<u8>, selector: &[u8]) -> u64 {
        cost(size_of::<Self>())
            .saturating_add(cost(lines.capacity()))
            .saturating_add(cost(selector.len()))
    }

    /// A head, with a charge for its [`cost`](Self::cost) if it is to be stored. Any context.
    pub(super) fn new(
        response: &cache::Response,
        asked: Instant,
        lines: KVec<u8>,
        (selector, tag): (KVec<u8>, Tag),
        extent: Extent,
        charge: Option<Charge>,
    ) -> Result<Arc<Self>> {
        // In its place from the start: it is too large for the stack.
        let head = init!(Self {
            response: *response,
            asked,
            lines,
            selector,
            tag,
            extent,
            _charge: charge,
        });
        Arc::pin_init(head, GFP_NOWAIT)
    }
}
