// SPDX-License-Identifier: GPL-2.0

//! What becomes of a request for which the cache may have an answer.

use kernel::alloc::KVec;
use kernel::prelude::*;
use kernel::sync::Arc;

use super::desk::Desk;
use super::entry;
use super::entry::Body;
use super::entry::Entry;
use super::entry::State;
use super::filling;
use super::filling::Filling;
use super::heading::Heading;
use super::visit::Question;
use super::visit::Served;
use super::written;
use super::Books;
use super::Found;
use super::Parts;
use super::Sought;
use super::PATIENCE;
use crate::cache::index::Id;
use crate::cache::index::Room;
use crate::cache::key::Key;
use crate::cache::reuse;
use crate::cache::vary::Matcher;
use crate::cache::Conditions;
use crate::cache::DeltaSeconds;
use crate::cache::Excuse;
use crate::cache::Forward;
use crate::cache::Request;
use crate::cache::ResponseControl;
use crate::cache::Reuse;
use crate::cache::Rules;
use crate::http::Method;
use crate::rt::clock;
use crate::status::Count;

/// One search for an answer.
pub(super) struct Search<'r> {
    desk: &'r Desk<'r>,
    request: &'r Request<'r>,
    /// How long the answer is fresh, if a mapping says so.
    mapped: Option<DeltaSeconds>,
    /// Of the key.
    hash: u64,
    sought: Sought<'r>,
    /// The request has waited for another one's answer.
    waited: bool,
    /// Why the origin is asked, if it is.
    why: Forward,
}

/// What is done.
pub(super) enum Decided {
    /// This is the answer.
    Serves(Served),
    /// This is the answer, and the origin is asked about it behind the client's back.
    Refreshes(Served, Question),
    /// Another request is about to bring one.
    Waits(Arc<Entry>),
    /// The origin is asked this, and the answer stored.
    Fills(Question),
    /// The origin is asked, and its answer says how this is now.
    Heads(KBox<Heading>),
    /// The origin is asked.
    Passes,
    /// There is no answer.
    Refuses,
}

/// What there is, as it was when it was looked at.
enum Seen {
    Nothing,
    /// This is for the request.
    Stored(Id, Arc<Entry>),
    /// Nobody knows yet for whom this will be.
    Coming(Arc<Entry>),
}

/// What follows from what was found.
enum Judged {
    Decided(Decided),
    /// The origin has to be asked for this reason, about what is stored if that is to be validated.
    Asks(Forward, Found),
    /// The origin has to be asked about this, by one: for all others it is good meanwhile.
    Validates(Id, Arc<Entry>),
}

impl<'r> Search<'r> {
    /// Looks, and decides; and notes why the origin is asked, if it is.
    #[inline(never)] // Keeps its frame out of its caller's.
    pub(super) fn decide(
        desk: &'r Desk<'r>,
        request: &'r Request<'r>,
        mapped: Option<DeltaSeconds>,
        key: Key<'r>,
        waited: bool,
        why: &mut Forward,
    ) -> Decided {
        let secret = desk.cache.secret;
        let search = &mut Search {
            desk,
            request,
            mapped,
            hash: key.hash(secret),
            sought: Sought {
                key,
                matcher: Matcher::new(request, desk.settings().vary_cookie, secret),
                undecided: false,
                parts: match is_divided(desk, request) {
                    true => Parts::For(request),
                    false => Parts::None,
                },
                now: clock::boot_now(),
            },
            waited,
            why: Forward::Miss,
        };
        let decided = search.run();
        *why = search.why;
        decided
    }

    #[inline(never)] // Keeps its frame out of its caller's.
    fn run(&mut self) -> Decided {
        let seen = self.look();
        if !self.waited {
            self.desk.engine.stats().count(match seen {
                Seen::Nothing => Count::CacheUnknown,
                Seen::Stored(..) | Seen::Coming(_) => Count::CacheKnown,
            });
        }
        let mut found = match seen {
            Seen::Stored(id, entry) => Some((id, entry)),
            Seen::Coming(_) | Seen::Nothing => None,
        };
        let mut made = None;
        for _ in 0..PATIENCE {
            let (why, stored, is_good) = match self.judge(found.take()) {
                Judged::Decided(decided) => return decided,
                Judged::Asks(why, stored) => (why, stored, false),
                Judged::Validates(id, entry) => (Forward::Stale, Some((id, entry)), true),
            };
            self.why = why;
            let good = stored.as_ref().filter(|_| is_good);
            if self.request.method == Method::Head {
                return self.heading(stored);
            }
            let is_vain = why == Forward::Miss && stored.is_none() && self.is_hopeless();
            if is_vain || !self.may_fill(why, stored.is_some()) {
                return self.without_asking(good);
            }
            let is_for_part = stored.is_none() && self.request.has_range;
            let fits = |entry: &Arc<Entry>| entry.is_for_part() == is_for_part;
            let Some(entry) = made.take().filter(fits).or_else(|| self.entry(is_for_part)) else {
                return self.without_asking(good);
            };
            match self.insert(&entry, why, &stored) {
                Inserted::Now(id) if is_good => return self.refresh((id, entry), stored),
                Inserted::Now(id) => return self.fill((id, entry), stored),
                Inserted::Not => return self.without_asking(good),
                Inserted::Waits(_) if is_good => return self.without_asking(good),
                Inserted::Waits(other) => return Decided::Waits(other),
                Inserted::Found(other) => found = Some(other),
            }
            made = Some(entry);
        }
        Decided::Passes
    }

    /// What there is for the request.
    fn look(&mut self) -> Seen {
        let found = self.desk.cache.table.find(self.hash, &mut self.sought);
        found.map_or(Seen::Nothing, |((is_stored, ..), id, entry)| {
            match is_stored {
                true => Seen::Stored(id, entry),
                // It may have a head by now: nobody has looked for whom that is.
                false => Seen::Coming(entry),
            }
        })
    }

    /// What follows from what was found.
    #[inline(never)] // Keeps its frame out of its caller's.
    fn judge(&mut self, found: Found) -> Judged {
        let head = found.as_ref().and_then(|(_, entry)| entry.head());
        let rules = Rules::of(
            &self.desk.config.cache,
            &self.desk.config.settings,
            self.mapped,
        );
        let stored = head.map(|head| &head.response);
        let now = clock::boot_now();
        let reuse = reuse(self.request, stored, Forward::Miss, &rules, now);
        match (reuse, found) {
            (Reuse::GatewayTimeout, _) => Judged::Decided(Decided::Refuses),
            (Reuse::Fresh, Some((id, entry))) => Decided::served(self.fresh(id, &entry)).into(),
            (Reuse::Stale(Excuse::WhileRevalidate), Some(found)) => self.while_validated(found),
            (Reuse::Stale(_), Some((id, entry))) => Decided::served(self.stale(id, &entry)).into(),
            (Reuse::Validate(why), Some((_, entry))) if entry.is_part() => {
                // Of a part nothing is asked: as if it was not there.
                self.sought.parts = Parts::None;
                Judged::Asks(why, None)
            }
            (Reuse::Validate(why), found) => Judged::Asks(why, found),
            (Reuse::Pass(why), _) => Judged::Asks(why, None),
            // Nothing was found, and nothing is.
            (Reuse::Fresh | Reuse::Stale(_), None) => Judged::Decided(Decided::Passes),
        }
    }

    /// A stale response is good, and somebody asks the origin about it: he who finds that nobody does is
    /// the one, unless he wants nothing that must be asked for, or that was in vain a moment ago.
    fn while_validated(&self, (id, entry): (Id, Arc<Entry>)) -> Judged {
        let mut other = Sought {
            undecided: true,
            ..self.sought
        };
        let may_not_ask = self.request.control.only_if_cached
            || entry.was_tried(self.sought.now)
            || !self.asks_for_all(&entry)
            || !self.asks_for_others(&entry);
        match may_not_ask || self.desk.cache.table.find(self.hash, &mut other).is_some() {
            true => Decided::served(self.stale(id, &entry)).into(),
            false => Judged::Validates(id, entry),
        }
    }

    fn fresh(&self, id: Id, entry: &Arc<Entry>) -> Option<Served> {
        let (head, body) = (entry.head()?.clone(), entry.body().clone());
        self.desk.cache.table.hit(id);
        Some(match self.waited {
            true => Served::collapsed(head, body),
            false => Served::hit(head, body),
        })
    }

    fn stale(&self, id: Id, entry: &Arc<Entry>) -> Option<Served> {
        let (head, body) = (entry.head()?.clone(), entry.body().clone());
        self.desk.cache.table.hit(id);
        Some(Served::stale(head, body))
    }

    /// Whether the answer to this request may come to be stored.
    fn may_fill(&self, why: Forward, is_stored: bool) -> bool {
        let request = self.request;
        let is_sought = matches!(why, Forward::Miss | Forward::Stale)
            || (why == Forward::Request && !request.control.no_store);
        request.method == Method::Get
            && is_sought
            // The whole comes if the origin is asked about what is there.
            && (is_stored || !request.has_range || is_divided(self.desk, request))
    }

    /// A part of the representation that may be put together with the one that the request asks for.
    fn other_part(&mut self) -> Option<Arc<Entry>> {
        let parts = core::mem::replace(&mut self.sought.parts, Parts::Any);
        let found = self.desk.cache.table.find(self.hash, &mut self.sought);
        self.sought.parts = parts;
        found.map(|(_, _, entry)| entry)
    }

    /// Whether the answer will not be stored, likely.
    fn is_hopeless(&self) -> bool {
        let refused = &self.desk.cache.refused;
        refused.is_hopeless(self.hash, self.sought.now)
    }

    /// Whether it may have the answer to another request, as far as anybody knows.
    fn may_wait(&self, why: Forward) -> bool {
        !self.waited
            && why != Forward::Request
            && !self.request.may_be_personal()
            && !self.desk.cache.refused.has(self.hash, clock::boot_now())
    }

    /// An entry for the answer; none without memory.
    #[inline(never)] // Keeps its frame out of its caller's.
    fn entry(&self, is_for_part: bool) -> Option<Arc<Entry>> {
        let cache = self.desk.cache;
        let key = &self.sought.key;
        let key = written(key.len(), |out| key.write(out)).ok()?;
        let charge = cache.charge(entry::COST.saturating_add(entry::cost(key.len())))?;
        let body = Body::new(cache.charge(0)?).ok()?;
        Entry::new(self.hash, key, body, is_for_part, charge).ok()
    }

    /// Puts it into the index, unless somebody else's is there.
    #[inline(never)] // Keeps its frame out of its caller's.
    fn insert(&mut self, entry: &Arc<Entry>, why: Forward, stored: &Found) -> Inserted {
        let cache = self.desk.cache;
        for _ in 0..PATIENCE {
            let mut ledger = cache.ledger.lock();
            if let Some(inserted) = self.other(why, stored) {
                return inserted;
            }
            if entry.is_for_part() && parts_coming(&ledger, self.hash) >= PARTS_COMING {
                return Inserted::Not;
            }
            let room = ledger.room_to_insert(&cache.budget, self.hash, 0);
            match room {
                Room::Ready => {
                    let outcome = ledger.insert(self.hash, entry.clone());
                    drop(ledger);
                    return outcome.map_or(Inserted::Not, Inserted::Now);
                }
                Room::Evicted(other) => {
                    drop(ledger);
                    drop(other);
                }
                Room::Again => {}
                Room::Busy | Room::Never => return Inserted::Not,
            }
        }
        Inserted::Not
    }

    /// What somebody else has inserted, and will do. Under the ledger's lock: there none is overlooked.
    fn other(&mut self, why: Forward, stored: &Found) -> Option<Inserted> {
        match self.look() {
            Seen::Stored(id, entry) if why != Forward::Request => {
                // Of the same name it is another one if it was updated meanwhile.
                let is_known = |(_, known): &(Id, Arc<Entry>)| Arc::ptr_eq(known, &entry);
                if !stored.as_ref().is_some_and(is_known) {
                    return Some(Inserted::Found((id, entry)));
                }
            }
            Seen::Coming(entry) if self.may_wait(why) => return Some(Inserted::Waits(entry)),
            _ => {}
        }
        if stored.is_none() || !self.may_wait(why) {
            return None;
        }
        let mut other = Sought {
            undecided: true,
            ..self.sought
        };
        let found = self.desk.cache.table.find(self.hash, &mut other);
        found.map(|(_, _, entry)| Inserted::Waits(entry))
    }

    /// What becomes of a request for which the cache does not ask the origin: it has this, or asks itself.
    fn without_asking(&self, good: Option<&(Id, Arc<Entry>)>) -> Decided {
        good.map_or(Decided::Passes, |(id, entry)| {
            Decided::served(self.stale(*id, entry))
        })
    }

    /// A HEAD goes to the origin.
    fn heading(&self, stored: Found) -> Decided {
        let heading = stored.and_then(|stored| {
            let heading = Heading::new(self.desk.keep(), self.mapped, stored);
            KBox::new(heading, GFP_NOWAIT).ok()
        });
        heading.map_or(Decided::Passes, Decided::Heads)
    }

    /// The origin is asked about what the client gets meanwhile.
    fn refresh(&mut self, inserted: (Id, Arc<Entry>), stored: Found) -> Decided {
        let good = stored.clone();
        let served = match self.without_asking(good.as_ref()) {
            Decided::Serves(served) => served,
            other => return other,
        };
        match self.fill(inserted, stored) {
            Decided::Fills(mut question) => {
                question.filling.become_errand();
                Decided::Refreshes(served, question)
            }
            _ => Decided::Serves(served),
        }
    }

    /// Whether others may have the answer, as far as that is known of the last one.
    fn asks_for_others(&self, stored: &Entry) -> bool {
        let control = stored.head().map(|head| &head.response.control);
        !self.request.has_authorization || control.is_some_and(ResponseControl::allows_authorized)
    }

    /// Whether the request asks for the whole, with or without conditions of ours in the place of its own.
    fn asks_for_all(&self, stored: &Entry) -> bool {
        let has_own = self.request.has_range || self.request.conditions != Conditions::default();
        let has_ours = || filling::conditions(stored).is_some_and(|ours| !ours.is_empty());
        self.request.method == Method::Get && (!has_own || has_ours())
    }

    /// The origin is asked this, if there is memory to be had for it.
    fn ask(&self, mut filling: KBox<Filling>, conditions: KVec<u8>) -> Decided {
        let octets = filling::COST.saturating_add(conditions.capacity());
        match filling.admit(self.desk.engine.account(), octets) {
            Ok(()) => Decided::Fills(Question {
                filling,
                conditions,
            }),
            Err(_) => Decided::Passes,
        }
    }

    #[inline(never)] // Keeps its frame out of its caller's.
    fn filling(
        &self,
        inserted: (Id, Arc<Entry>),
        stored: Found,
        asks: bool,
    ) -> Option<KBox<Filling>> {
        let filling = Filling::new(self.desk.keep(), inserted, self.mapped, stored, asks);
        KBox::new(filling, GFP_NOWAIT).ok()
    }

    /// The origin is asked.
    #[inline(never)] // Keeps its frame out of its caller's.
    fn fill(&mut self, inserted: (Id, Arc<Entry>), stored: Found) -> Decided {
        let asked = stored
            .as_ref()
            .and_then(|(_, entry)| filling::conditions(entry));
        let asked = asked.unwrap_or_default();
        // Without memory it is dropped, and the entry with it.
        let Some(mut filling) = self.filling(inserted, stored, !asked.is_empty()) else {
            return Decided::Passes;
        };
        if filling.is_for_part() {
            filling.join(self.other_part());
        }
        self.ask(filling, asked)
    }
}

/// How many parts of one target come in at a time.
const PARTS_COMING: usize = 4;

/// How many do.
fn parts_coming(ledger: &Books, hash: u64) -> usize {
    let is_coming =
        |entry: &Arc<Entry>| entry.is_for_part() && entry.body().state() == State::Growing;
    ledger
        .variants(hash)
        .filter(|(_, entry)| is_coming(entry))
        .count()
}

/// Whether a request asks for parts, and may have them.
fn is_divided(desk: &Desk<'_>, request: &Request<'_>) -> bool {
    request.has_range && request.method == Method::Get && desk.settings().enable_range
}

/// What came of the wish to insert.
enum Inserted {
    Now(Id),
    /// There is no room.
    Not,
    /// This is about to come.
    Waits(Arc<Entry>),
    /// This is there now.
    Found((Id, Arc<Entry>)),
}

impl Decided {
    /// It has a head.
    fn served(served: Option<Served>) -> Self {
        served.map_or(Self::Passes, Self::Serves)
    }
}

impl From<Decided> for Judged {
    fn from(decided: Decided) -> Self {
        Self::Decided(decided)
    }
}
