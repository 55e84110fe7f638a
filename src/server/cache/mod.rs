// SPDX-License-Identifier: GPL-2.0

//! The proxy cache of one namespace: the index, and the memory of what is in it.
//!
//! What may be stored and reused is decided by [`crate::cache`]. Here is where it is kept
//! ([`entry`]), and what it does to a request on its way: a [`Visit`] looks for an answer, waits for that
//! of another request, or looks at the origin's and keeps it ([`Filling`](filling::Filling)). A client
//! gets what is stored from a [`Reader`], which poses as a backend.
//!
//! # Locking
//!
//! `ledger` is taken in a client's step, under the client's state lock, and in process context. Under
//! it are taken those of the [`cells`], one at a time. What it hands out is dropped when it was let go
//! of. It is also taken where memory is reclaimed: nothing that is done under it waits for memory.

mod asking;
mod cells;
mod desk;
mod entry;
mod filling;
mod heading;
mod purging;
mod reader;
mod refused;
mod remark;
mod search;
mod telling;
mod visit;
mod watching;

use kernel::alloc::KVVec;
use kernel::alloc::KVec;
use kernel::prelude::*;
use kernel::sync::Arc;

use crate::bytes::sip::SipKey;
use crate::bytes::Full;
use crate::bytes::Writer;
use crate::cache::index::Budget;
use crate::cache::index::Counts;
use crate::cache::index::Cursor;
use crate::cache::index::Ghost;
use crate::cache::index::Id;
use crate::cache::index::Ledger;
use crate::cache::index::Place;
use crate::cache::index::Room;
use crate::cache::index::Step;
use crate::cache::index::Table;
use crate::cache::index::Wanted;
use crate::cache::key::Key;
use crate::cache::vary::Matcher;
use crate::cache::vary::Tag;
use crate::cache::Request;
use crate::cache::Validators;
use crate::config::CacheSettings;
use crate::rt::random;
use crate::rt::sync::new_spinlock_bh;
use crate::rt::sync::SpinLockBh;
use crate::server::memory;
use crate::server::memory::Account;
use crate::server::stats::Stats;
use crate::status::Count;
use crate::time::Instant;
use cells::Cells;
pub(crate) use desk::Desk;
use entry::Body;
use entry::Charge;
pub(crate) use entry::Entry;
use entry::Head;
use entry::Moment;
use entry::State;
pub(crate) use entry::Waiter;
pub(crate) use reader::Look;
pub(crate) use reader::Octets;
pub(crate) use refused::Refused;
pub(crate) use visit::Consulted;
pub(crate) use visit::Question;
pub(crate) use visit::Visit;

/// The cache of one namespace, for a fixed number of entries.
#[pin_data]
pub(crate) struct Cache {
    entries: usize,
    table: Arc<Table<Cells>>,
    #[pin]
    ledger: SpinLockBh<KBox<Books>>,
    budget: Arc<Budget>,
    secret: SipKey,
    refused: Refused,
    /// For the tables.
    tables: Charge,
    /// How many octets it may ever hold, and the namespace's charge for them.
    most: u64,
    _account: Option<memory::Charge>,
}

type Books = Ledger<Arc<Table<Cells>>, KVVec<Place>, KVVec<Ghost>>;

/// How often room is asked for at a time: each time something is evicted, or the search goes on.
const PATIENCE: usize = 256;
/// How often it is tried to have the room that was made before others have it.
const TRIES: usize = 4;

impl Cache {
    /// The cache that these settings want: the one that there is, if it does; none if there is to be
    /// none. Process context.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn wanted(
        old: Option<&Arc<Self>>,
        settings: &CacheSettings,
        account: &Account,
    ) -> Result<Option<Arc<Self>>> {
        if !settings.enable {
            return Ok(None);
        }
        if let Some(old) = old {
            if settings.memory_size.min(account.most_cache()) <= old.most
                && old.entries == entries(settings, old.memory_of(settings))
            {
                return Ok(Some(old.clone()));
            }
        }
        let (most, account) = account.admit_cache(settings.memory_size, old.is_some())?;
        let memory = settings.memory_size.min(most);
        Self::new(entries(settings, memory), memory, (most, account)).map(Some)
    }

    /// An empty cache for so many entries and octets in all. Process context.
    fn new(
        entries: usize,
        memory: u64,
        (most, account): (u64, Option<memory::Charge>),
    ) -> Result<Arc<Self>> {
        // CAST: Wider.
        let fixed = cells::COST.saturating_mul(entries as u64);
        let budget = Arc::new(Budget::new(memory), GFP_KERNEL_ACCOUNT)?;
        let charge = Charge::new(budget.clone(), fixed.min(memory)).map_err(|Full| ENOMEM)?;
        let table = Arc::new(Table::new(Cells::new(entries)?), GFP_KERNEL_ACCOUNT)?;
        let books = books(table.clone(), entries, fixed)?;
        Arc::pin_init(
            try_pin_init!(Self {
                entries,
                table,
                ledger <- new_spinlock_bh!(books),
                budget,
                secret: SipKey(random::number(), random::number()),
                refused: Refused::new()?,
                most,
                tables: charge,
                _account: account,
            }),
            GFP_KERNEL_ACCOUNT,
        )
    }

    /// How much there is.
    pub(crate) fn counts(&self) -> Counts {
        self.ledger.lock().counts()
    }

    /// Octets that are held, and how many may be.
    pub(crate) fn memory(&self) -> (u64, u64) {
        (self.budget.held(), self.budget.limit())
    }

    /// Octets that are held besides the tables.
    pub(crate) fn spare(&self) -> u64 {
        self.budget.held().saturating_sub(self.tables.octets())
    }

    /// What could not be stored.
    pub(crate) fn refused(&self) -> &Refused {
        &self.refused
    }

    /// Lets it hold as many octets as these settings say, and evicts what is too much. Process context.
    pub(crate) fn configure(&self, settings: &CacheSettings) {
        let most = self.memory_of(settings);
        self.budget.set_limit(most);
        while self.budget.held() > most {
            match self.evict() {
                Some(evicted) => drop(evicted),
                None => return,
            }
        }
    }

    fn memory_of(&self, settings: &CacheSettings) -> u64 {
        settings.memory_size.min(self.most)
    }

    /// Evicts one; none if there is none that could be, or none was found now.
    pub(crate) fn evict(&self) -> Option<Arc<Entry>> {
        for _ in 0..PATIENCE {
            let room = self.ledger.lock().evict();
            match room {
                Room::Evicted(entry) => return Some(entry),
                Room::Again => {}
                Room::Ready | Room::Busy | Room::Never => return None,
            }
        }
        None
    }

    /// Evicts entries that have so many octets together, or all that can be; says how many these have.
    pub(crate) fn give_back(&self, octets: u64) -> u64 {
        let mut given: u64 = 0;
        while given < octets {
            let Some(evicted) = self.evict() else {
                break;
            };
            given = given.saturating_add(evicted.octets());
        }
        given
    }

    /// Drops those entries that are `condemned`. Process context.
    pub(crate) fn clear(&self, mut condemned: impl FnMut(&Entry) -> bool) {
        let mut cursor = Cursor::default();
        loop {
            match self.table.next(&mut cursor, PATIENCE) {
                Step::Entry(id, entry) if condemned(&entry) => self.kill(id),
                Step::Entry(..) | Step::More => {}
                Step::Done => return,
            }
        }
    }

    /// The next entry, with how often it was hit. Process context.
    pub(crate) fn next(&self, cursor: &mut Cursor) -> Option<(Arc<Entry>, u32)> {
        loop {
            match self.table.next(cursor, PATIENCE) {
                Step::Entry(id, entry) => {
                    let hits = self.table.hits(id).unwrap_or(0);
                    return Some((entry, hits));
                }
                Step::More => {}
                Step::Done => return None,
            }
        }
    }

    /// Drops all variants of a target, and says whether there were any. Any context.
    pub(crate) fn purge(&self, key: &Key<'_>, stats: &Stats) -> bool {
        self.purge_those(key.hash(self.secret), stats, |entry| key.is(entry.key()))
    }

    /// Drops all under this hash: what somebody purges who has no memory to say it more exactly.
    fn purge_hash(&self, hash: u64, stats: &Stats) {
        self.purge_those(hash, stats, |_| true);
    }

    fn purge_those(&self, hash: u64, stats: &Stats, are: impl Fn(&Arc<Entry>) -> bool) -> bool {
        let purged = self.kill_those(hash, are);
        (0..purged).for_each(|_| stats.count(Count::CachePurged));
        purged > 0
    }

    /// Drops those under a hash that are condemned, one after the other, and counts them.
    fn kill_those(&self, hash: u64, are: impl Fn(&Arc<Entry>) -> bool) -> usize {
        let killed = core::iter::from_fn(|| {
            let killed = self.ledger.lock().kill_of(hash, &are);
            killed.map(drop)
        });
        killed.count()
    }

    /// Puts an entry in the place of another, whose body it has. If that is no longer what is there, what
    /// has the name now comes back, if something has.
    fn update(&self, id: Id, old: &Arc<Entry>, new: Arc<Entry>) -> Result<(), Option<Arc<Entry>>> {
        let octets = new.octets();
        let mut ledger = self.ledger.lock();
        let outcome = ledger.update(id, new, octets, |found| Arc::ptr_eq(found, old));
        let present = match &outcome {
            Ok(_) => None,
            Err(_) => ledger.variants(old.hash()).find(|(found, _)| *found == id),
        };
        drop(ledger);
        // What has come back is dropped without the lock.
        outcome
            .map(drop)
            .map_err(|_| present.map(|(_, entry)| entry))
    }

    fn kill(&self, id: Id) {
        let killed = self.ledger.lock().kill(id);
        drop(killed);
    }

    /// Room for so many octets of an entry that is there already; false if there is none.
    fn make_room(&self, octets: u64) -> bool {
        for _ in 0..PATIENCE {
            if self.budget.has_room(octets) {
                return true;
            }
            let room = self.ledger.lock().room_to_grow(&self.budget, octets);
            match room {
                Room::Ready => return true,
                Room::Evicted(entry) => drop(entry),
                Room::Again => {}
                Room::Busy | Room::Never => return false,
            }
        }
        false
    }

    /// Charges for so many octets of an entry's body more; false if there is no room for them.
    fn reserve(&self, body: &Body, octets: u64) -> bool {
        // Somebody else may take the room at once.
        (0..TRIES).any(|_| self.make_room(octets) && body.reserve(octets))
    }

    /// A charge for so many octets.
    fn charge(&self, octets: u64) -> Option<Charge> {
        let mut tries = 0..TRIES;
        tries.find_map(|_| {
            self.make_room(octets)
                .then(|| Charge::new(self.budget.clone(), octets).ok())?
        })
    }
}

fn books(table: Arc<Table<Cells>>, entries: usize, fixed: u64) -> Result<KBox<Books>> {
    let places = cells::filled(entries, || Place::EMPTY)?;
    let ghosts = cells::filled(entries, || Ghost::NONE)?;
    Ok(KBox::new(
        Books::new(table, places, ghosts, fixed),
        GFP_KERNEL_ACCOUNT,
    )?)
}

/// How many entries there may be: their tables take half of the memory at most.
fn entries(settings: &CacheSettings, memory: u64) -> usize {
    let most = (memory / 2).checked_div(cells::COST).unwrap_or(0);
    usize::try_from(most).map_or(settings.entries, |most| settings.entries.min(most))
}

/// What is stored, and was found.
type Found = Option<(Id, Arc<Entry>)>;

/// What a request looks for.
struct Sought<'r> {
    key: Key<'r>,
    matcher: Matcher<'r>,
    /// Only what nobody knows yet what it will be.
    undecided: bool,
    parts: Parts<'r>,
    /// By boottime.
    now: Instant,
}

/// Which parts of a representation are of use.
#[derive(Clone, Copy)]
enum Parts<'r> {
    None,
    /// Fresh ones that answer this request.
    For(&'r Request<'r>),
    /// Any, and nothing else.
    Any,
}

impl Parts<'_> {
    /// Whether what is stored, and matches, is of use.
    fn want(&self, head: &Head, body: &Body, now: Instant) -> bool {
        let Some(part) = head.part() else {
            return !matches!(self, Parts::Any);
        };
        match self {
            Parts::None => false,
            Parts::For(request) => {
                let validators = Validators::of(&head.lines, head.response.dated);
                head.response.freshness.is_fresh(now) && part.serves(request, &validators)
            }
            Parts::Any => body.state() == State::Whole,
        }
    }
}

impl Wanted<Arc<Entry>> for Sought<'_> {
    /// What is there rather than what may come; what was selected rather than what is for everyone;
    /// the latest ("the most recent one", RFC 9111 section 4).
    type Rank = (bool, bool, Moment);

    fn may_be(&mut self, variant: u64) -> bool {
        !self.undecided && self.matcher.may_match(Tag::of_word(variant))
    }

    fn rank(&mut self, entry: &Arc<Entry>) -> Option<Self::Rank> {
        if !self.key.is(entry.key()) {
            return None;
        }
        let body = entry.body();
        let Some(head) = entry.head() else {
            // The origin may take its time; once it has begun, whoever reads that may not. It may be
            // decided by now: whoever waits for it looks again then.
            let is_slow = body.len() > 0 && body.is_stuck(self.now);
            let is_for_others = !entry.is_for_part() && !matches!(self.parts, Parts::Any);
            let is_coming = body.state() != State::Broken && !is_slow && is_for_others;
            return is_coming.then_some((false, false, Moment::NONE));
        };
        let is_of_use = !self.undecided && entry.is_readable(self.now);
        let is_match = is_of_use && self.matcher.matches(&head.selector, head.tag);
        let is_match = is_match && self.parts.want(head, body, self.now);
        // A part that is there is better than a larger one that comes.
        let is_late = head.part().is_some() && body.state() != State::Whole;
        let moment = if is_late { Moment::NONE } else { head.moment() };
        is_match.then(|| (true, !head.selector.is_empty(), moment))
    }
}

fn copy(octets: &[u8]) -> Result<KVec<u8>> {
    let mut copy = KVec::new();
    copy.extend_from_slice(octets, GFP_NOWAIT)?;
    Ok(copy)
}

/// Octets as `write` writes them, at most `most`. Any context.
fn written(
    most: usize,
    write: impl FnOnce(&mut Writer<'_>) -> Result<(), Full>,
) -> Result<KVec<u8>> {
    let mut octets = KVec::from_elem(0, most, GFP_NOWAIT)?;
    let mut writer = Writer::new(&mut octets);
    write(&mut writer).map_err(|Full| ENOMEM)?;
    let len = writer.len();
    octets.truncate(len);
    Ok(octets)
}
