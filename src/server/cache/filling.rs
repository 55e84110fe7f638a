// SPDX-License-Identifier: GPL-2.0

//! The origin's answer on its way to a client, and into the cache.

mod joint;

use kernel::alloc::KVec;
use kernel::prelude::*;
use kernel::sync::Arc;

use super::asking::is_same_variant;
use super::asking::Asking;
use super::asking::Came;
use super::copy;
use super::desk::Kept;
use super::entry::Entry;
use super::entry::Extent;
use super::entry::Head;
use super::entry::State;
use super::reader::Octets;
use super::refused::Reason;
use super::remark::Deed;
use super::visit::Served;
use super::written;
use crate::bytes::Full;
use crate::bytes::Writer;
use crate::cache::first;
use crate::cache::index::Id;
use crate::cache::key;
use crate::cache::range::Part;
use crate::cache::reuse_on_failure;
use crate::cache::vary;
use crate::cache::DeltaSeconds;
use crate::cache::Failure;
use crate::cache::Field;
use crate::cache::Request;
use crate::cache::Response;
use crate::cache::Storable;
use crate::cache::Uncacheable;
use crate::cache::Validators;
use crate::exchange::Fate;
use crate::http::body::Body;
use crate::http::head::RequestHead;
use crate::http::head::ResponseHead;
use crate::http::Method;
use crate::http::Status;
use crate::rt::clock;
use crate::server::memory::Account;
use crate::server::memory::Charge;
use crate::status::Count;
use joint::Joint;

/// An answer that may come to be stored, in an entry that was inserted when it was asked for. Whoever
/// purges the target meanwhile kills that, too.
///
/// Used under a client's state lock. If it is dropped before its end nothing is stored.
pub(super) struct Filling {
    ask: Asking,
    id: Id,
    entry: Arc<Entry>,
    /// The origin is asked about what is stored.
    asks: bool,
    /// It is asked behind a client's back.
    is_errand: bool,
    stage: Stage,
    /// The answer says what there is now, not only for whoever has asked.
    is_of_target: bool,
    /// The head of a body of which nobody knows how long it will be: there may be no room for the rest
    /// of it. So nobody reads it before it is whole.
    head: Option<Arc<Head>>,
    /// What of a part that is stored goes with the one that comes.
    joint: Joint,
    /// For itself, and for what is asked.
    charge: Option<Charge>,
}

/// Octets that it takes.
pub(super) const COST: usize = size_of::<Filling>().next_power_of_two();

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// There is no answer yet.
    Asked,
    /// Its head is stored, and its body comes.
    Kept,
    /// Nothing more is stored.
    Done,
}

/// Octets of the longest selector.
const SELECTOR: usize = 2048;

const TOO_LARGE: Reason = Reason::of_target("larger than max-entry-size");
const NO_ROOM: Reason = Reason::of_moment("no room");
const PARTIAL: Reason = Reason::of_moment("a part of the whole");
const LONG_HEAD: Reason = Reason::of_target("a head larger than may be");

impl Filling {
    /// An entry was inserted, for a request that is about to be sent.
    pub(super) fn new(
        desk: Kept,
        (id, entry): (Id, Arc<Entry>),
        mapped: Option<DeltaSeconds>,
        stored: Option<(Id, Arc<Entry>)>,
        asks: bool,
    ) -> Self {
        Self {
            ask: Asking::new(desk, mapped, stored),
            id,
            entry,
            asks,
            is_errand: false,
            stage: Stage::Asked,
            is_of_target: false,
            head: None,
            joint: Joint::default(),
            charge: None,
        }
    }

    /// Whether a part was asked for.
    pub(super) fn is_for_part(&self) -> bool {
        self.entry.is_for_part()
    }

    /// This part is there already.
    pub(super) fn join(&mut self, part: Option<Arc<Entry>>) {
        self.joint = Joint::of(part);
    }

    /// Charges for so many octets.
    pub(super) fn admit(&mut self, account: &Account, octets: usize) -> Result {
        self.charge = Some(account.admit(octets)?);
        Ok(())
    }

    /// From now on it is one of an errand.
    pub(super) fn become_errand(&mut self) {
        self.is_errand = true;
    }

    /// A final head is here. What the client gets in its place, if that is something else.
    #[inline(never)] // Keeps its frame out of its caller's.
    pub(super) fn head(
        &mut self,
        request: &RequestHead,
        asked: Option<&[u8]>,
        (answer, octets): (&ResponseHead, &[u8]),
    ) -> (Fate, Option<Served>) {
        let Some(asked) = asked else {
            // It had a body: nobody fills with that.
            self.give_up(None);
            return (Fate::Relay, None);
        };
        let request = self.ask.desk.request(request, asked);
        self.came(&request, answer, octets)
    }

    #[inline(never)] // Keeps its frame out of its caller's.
    fn came(
        &mut self,
        request: &Request<'_>,
        answer: &ResponseHead,
        octets: &[u8],
    ) -> (Fate, Option<Served>) {
        let came = self.ask.came(request, answer, octets);
        if let Some(replaced) = self.about_stored(&came) {
            return (Fate::Replace, replaced);
        }
        // Where to somebody is sent may be for him alone.
        self.is_of_target = matches!(came.status.code(), 200..=299 | 300 | 301 | 308 | 404 | 410);
        if let Err(reason) = self.keep(&came, answer) {
            self.refuse(reason);
        }
        (Fate::Relay, None)
    }

    /// The answer is not stored, for a reason of its own. If what is stored is no longer what there
    /// is, it goes: asked behind a client's back again and again, nobody would ever get the other.
    fn refuse(&mut self, reason: Reason) {
        if self.is_errand && self.is_of_target && reason.lasts {
            self.ask.drop_stored();
        }
        self.give_up(Some(reason));
    }

    /// What is served in the place of an answer that is about what is stored: if that is nothing, the
    /// origin is asked again, without conditions. None if the answer is one itself.
    #[inline(never)] // Keeps its frame out of its caller's.
    fn about_stored(&mut self, came: &Came<'_>) -> Option<Option<Served>> {
        let stored = self.ask.stored.as_ref().map(|(_, entry)| entry.clone())?;
        if came.status == Status::NOT_MODIFIED && self.asks {
            let served = self.ask.validated(&stored, came);
            self.give_up(None);
            return Some(served);
        }
        let failure = Failure::Answer(came.status);
        self.excused(&stored, came.request, failure).map(Some)
    }

    /// There is no answer: what the client gets in its place, if there is something.
    #[inline(never)] // Keeps its frame out of its caller's.
    pub(super) fn failed(&mut self, request: &RequestHead, asked: &[u8]) -> Option<Served> {
        let stored = self.ask.stored.as_ref().map(|(_, entry)| entry.clone());
        let served = stored.and_then(|stored| {
            let request = self.ask.desk.request(request, asked);
            self.excused(&stored, &request, Failure::NoAnswer)
        });
        self.give_up(None);
        served
    }

    /// What is stored, if it may be the answer after this failure.
    #[inline(never)] // Keeps its frame out of its caller's.
    fn excused(
        &mut self,
        stored: &Arc<Entry>,
        request: &Request<'_>,
        failure: Failure,
    ) -> Option<Served> {
        let head = stored.head()?;
        let now = clock::boot_now();
        if !stored.is_readable(now) {
            return None;
        }
        let rules = self.ask.desk.rules(self.ask.mapped);
        reuse_on_failure(request, &head.response, failure, &rules, now)?;
        let served = Served::stale(head.clone(), stored.body().clone());
        self.give_up(None);
        Some(served)
    }

    /// Stores the head, if the response may be stored and there is room for it. Else why not.
    #[inline(never)] // Keeps its frame out of its caller's.
    fn keep(&mut self, came: &Came<'_>, answer: &ResponseHead) -> Result<(), Reason> {
        let length = match Body::of_response(Method::Get, answer.status, answer.body) {
            Body::None => Some(0),
            Body::Length(octets) => Some(octets),
            _ => None,
        };
        if length.is_some_and(|length| length > self.ask.desk.settings().max_entry_size) {
            return Err(TOO_LARGE);
        }
        let (head, octets) = match came.status {
            Status::PARTIAL_CONTENT => self.part(came, length)?,
            _ => (
                self.head_of(came, Extent::Whole(length))?,
                length.unwrap_or(0),
            ),
        };
        // All of it at once: those who read along are not left with a half.
        if !self.has_room(octets) || self.joint.begin(self.entry.body()).is_err() {
            return Err(NO_ROOM);
        }
        self.stage = Stage::Kept;
        match length {
            Some(_) => {
                self.entry.begin(head);
                self.wake();
            }
            None => self.head = Some(head),
        }
        Ok(())
    }

    /// The head of a part, together with what is there of it, and how many octets both have.
    #[inline(never)] // Keeps its frame out of its caller's.
    fn part(&mut self, came: &Came<'_>, length: Option<u64>) -> Result<(Arc<Head>, u64), Reason> {
        let part = length.and_then(|length| Part::of_response(came.lines, length));
        let part = part.filter(|_| self.is_for_part()).ok_or(PARTIAL)?;
        let dated = self.ask.response(came).dated;
        let most = self.ask.desk.settings().max_entry_size;
        let joined = self
            .joint
            .with(part, &Validators::of(came.lines, dated), most);
        let extent = match joined.unwrap_or(part) {
            whole if whole.is_whole() => Extent::Whole(Some(whole.complete())),
            part => Extent::Part(part),
        };
        let octets = joined.unwrap_or(part).range().len();
        if joined.is_none() {
            // It need not have all the fields (RFC 9110 section 15.3.7).
            let is_continued = first(came.request.lines, Field::IfRange).is_some();
            let head = self
                .head_of(came, extent)
                .and_then(|head| match is_continued {
                    true => Err(PARTIAL),
                    false => Ok(head),
                });
            return Ok((head?, octets));
        }
        Ok((self.joined_head(came, extent)?, octets))
    }

    /// The head of what a part is together with the one that is stored.
    #[inline(never)] // Keeps its frame out of its caller's.
    fn joined_head(&self, came: &Came<'_>, extent: Extent) -> Result<Arc<Head>, Reason> {
        self.judge(came, &self.ask.response(came))?;
        let lines = self.joined_lines(came).ok_or(NO_ROOM)?;
        let came = Came {
            lines: &lines,
            ..*came
        };
        let response = self.joined_response(&came);
        self.judge(&came, &response)?;
        self.head_with(&came, &response, extent)
    }

    /// What is known of both, which were made for whom either was.
    #[inline(never)] // Keeps its frame out of its caller's.
    fn joined_response(&self, came: &Came<'_>) -> Response {
        let stored = self.joint.other().and_then(|other| other.head());
        match stored.filter(|stored| stored.response.may_be_personal()) {
            Some(stored) => {
                let rules = self.ask.desk.rules(self.ask.mapped);
                stored
                    .response
                    .updated(came.lines, came.age, &came.times, &rules)
            }
            None => self.ask.response(came).as_whole(),
        }
    }

    /// The field lines of the part that is stored, with those of what comes in their place (RFC 9111
    /// section 3.4).
    #[inline(never)] // Keeps its frame out of its caller's.
    fn joined_lines(&self, came: &Came<'_>) -> Option<KVec<u8>> {
        let stored = self.joint.other()?.head()?;
        self.ask
            .lines_of(came, &stored.lines, |received, stored, out| {
                received.of_part().update(stored, out)
            })
    }

    /// The head that is stored, if it may be.
    #[inline(never)] // Keeps its frame out of its caller's.
    fn head_of(&self, came: &Came<'_>, extent: Extent) -> Result<Arc<Head>, Reason> {
        let response = self.ask.response(came);
        self.judge(came, &response)?;
        // What is stored of a part is divided as the whole would be.
        self.head_with(came, &response.as_whole(), extent)
    }

    #[inline(never)] // Keeps its frame out of its caller's.
    fn head_with(
        &self,
        came: &Came<'_>,
        response: &Response,
        extent: Extent,
    ) -> Result<Arc<Head>, Reason> {
        let selector = self.selector(came)?;
        let is_part = came.status == Status::PARTIAL_CONTENT;
        let lines = self
            .ask
            .lines_of(came, &[], |received, _, out| match is_part {
                true => received.of_part().store(out),
                false => received.store(out),
            });
        let lines = lines.ok_or(NO_ROOM)?;
        if !self.ask.are_few(&lines) {
            return Err(LONG_HEAD);
        }
        let cache = self.ask.desk.cache();
        let charge = cache.charge(Head::cost(&lines, &selector)).ok_or(NO_ROOM)?;
        let tag = vary::Tag::of(&selector, cache.secret);
        let selector = (selector, tag);
        let head = Head::new(
            response,
            self.ask.asked,
            lines,
            selector,
            extent,
            Some(charge),
        );
        head.map_err(|_| NO_ROOM)
    }

    /// Whether it may be stored (RFC 9111 section 3). If not, and the origin says that of the
    /// resource, what is stored goes.
    #[inline(never)] // Keeps its frame out of its caller's.
    fn judge(&self, came: &Came<'_>, response: &Response) -> Result<(), Reason> {
        let rules = self.ask.desk.rules(self.ask.mapped);
        match response.may_be_stored(came.request, &rules, came.times.response_boottime) {
            Ok(Storable::Whole) => Ok(()),
            Ok(Storable::Partial) if self.is_for_part() => Ok(()),
            Ok(Storable::Partial) => Err(PARTIAL),
            Err(why) => {
                let stored = self.ask.stored.as_ref().map(|(_, stored)| stored);
                let stored = stored.or(self.joint.other());
                if let Some(stored) = stored.filter(|_| why.is_of_resource()) {
                    self.ask.drop_variant(stored);
                }
                Err(why.into())
            }
        }
    }

    /// What selects it among the variants; most have nothing, and need no memory for that.
    #[inline(never)] // Keeps its frame out of its caller's.
    fn selector(&self, came: &Came<'_>) -> Result<KVec<u8>, Reason> {
        let cookies = self.ask.desk.settings().vary_cookie;
        let put = |out: &mut Writer<'_>| vary::select(came.lines, came.request, cookies, out);
        match put(&mut Writer::new(&mut [])) {
            Ok(()) => return Ok(KVec::new()),
            Err(Uncacheable::VaryTooLong) => {}
            Err(why) => return Err(why.into()),
        }
        let mut why = NO_ROOM;
        let long = written(SELECTOR, |out| {
            put(out).map_err(|refusal| {
                why = refusal.into();
                Full
            })
        });
        long.and_then(|long| copy(&long)).map_err(|_| why)
    }

    /// More of the body.
    pub(super) fn body(&mut self, octets: &[u8]) {
        if self.stage != Stage::Kept {
            return;
        }
        let len = self.entry.body().len().saturating_add(octets.len() as u64);
        if len > self.ask.desk.settings().max_entry_size {
            self.refuse(TOO_LARGE);
        } else if !self.has_room(len) || self.entry.body().append(octets).is_err() {
            self.refuse(NO_ROOM);
        } else if self.head.is_none() {
            self.wake();
        }
    }

    /// Whether what is stored is fresh by a mapping.
    pub(super) fn is_mapped(&self) -> bool {
        let head = self.head.as_ref().or_else(|| self.entry.head());
        self.is_kept() && head.is_some_and(|head| head.response.freshness.is_mapped())
    }

    /// Whether the body that comes is stored.
    pub(super) fn is_kept(&self) -> bool {
        self.stage == Stage::Kept
    }

    /// Octets of the body that was stored, from `position` on.
    pub(super) fn kept(&self, position: u64) -> Octets<'_> {
        let at = position.saturating_add(self.joint.before());
        Octets::Body(self.entry.body(), at, u64::MAX)
    }

    /// Makes room for a body of so many octets; false if there is none.
    fn has_room(&self, len: u64) -> bool {
        let lacks = self.entry.body().lacks(len);
        lacks == 0 || self.ask.desk.cache().reserve(self.entry.body(), lacks)
    }

    /// All of it is there.
    #[inline(never)] // Keeps its frame out of its caller's.
    pub(super) fn end(&mut self) {
        if self.stage != Stage::Kept {
            return;
        }
        let joined = self.joint.end(self.entry.body());
        if joined.is_err() || self.is_superseded() {
            return self.give_up(None);
        }
        self.stage = Stage::Done;
        if let Some(head) = self.head.take() {
            self.entry.begin(head);
        }
        self.entry.body().end(State::Whole);
        let Some(head) = self.entry.head() else {
            return;
        };
        let cache = self.ask.desk.cache();
        let octets = self.entry.octets();
        // A part takes the place of no whole.
        let stored = self.ask.stored.as_ref().filter(|_| head.part().is_none());
        let stored = stored.map(|(id, _)| *id);
        let replaced = {
            let mut ledger = cache.ledger.lock();
            let variants = || ledger.variants(self.entry.hash());
            let stored = stored.filter(|stored| variants().any(|(id, _)| id == *stored));
            let same = stored.or_else(|| {
                let same = variants().find(|(_, other)| self.replaces(other, head));
                same.map(|(id, _)| id)
            });
            ledger.finish(self.id, head.tag.word(), octets, same)
        };
        // Somebody may have purged it meanwhile.
        if let Ok(replaced) = replaced {
            drop(replaced);
            // Several may have asked at the same time, each for himself.
            cache.kill_those(self.entry.hash(), |other| self.replaces(other, head));
            if head.part().is_none() {
                cache.refused.forget(self.entry.hash());
            }
            self.ask.desk.count(Count::CacheStored);
            let (_, target) = key::parts(self.entry.key()).unwrap_or_default();
            let deed = Deed::Caches(head, self.entry.body().len());
            self.ask.desk.remark(deed, target);
        }
        self.wake();
    }

    /// Whether it is only a part of what has come as a whole meanwhile.
    #[inline(never)] // Keeps its frame out of its caller's.
    fn is_superseded(&self) -> bool {
        let Some(head) = self.entry.head().filter(|head| head.part().is_some()) else {
            return false;
        };
        let ours = Validators::of(&head.lines, head.response.dated);
        let is_better = |other: &Arc<Head>| {
            let theirs = Validators::of(&other.lines, other.response.dated);
            other.part().is_none()
                && (other.moment() > head.moment() || theirs.allow_combining_with(&ours))
        };
        let ledger = self.ask.desk.cache().ledger.lock();
        let mut variants = ledger.variants(self.entry.hash());
        variants.any(|(_, other)| self.is_same(&other) && other.head().is_some_and(is_better))
    }

    /// Whether it takes the place of another entry.
    fn replaces(&self, other: &Arc<Entry>, head: &Arc<Head>) -> bool {
        let is_newer = |other: &Arc<Head>| other.moment() > head.moment();
        let is_enough = head.part().is_none() || other.is_part();
        is_enough && self.is_same(other) && !other.head().is_some_and(is_newer)
    }

    /// Whether all of another entry is there, and it is of the same variant.
    fn is_same(&self, other: &Arc<Entry>) -> bool {
        !Arc::ptr_eq(other, &self.entry)
            && other.body().state() == State::Whole
            && is_same_variant(other, &self.entry)
    }

    /// Nothing is stored, for this reason if it is one of the answer's.
    #[inline(never)] // Keeps its frame out of its caller's.
    pub(super) fn give_up(&mut self, reason: Option<Reason>) {
        if self.stage == Stage::Done {
            return;
        }
        self.stage = Stage::Done;
        self.joint.let_go();
        if let Some((_, stored)) = self.ask.stored.as_ref().filter(|_| self.is_errand) {
            // What was updated is another entry by now.
            stored.note_try();
        }
        self.entry.body().end(State::Broken);
        let cache = self.ask.desk.cache();
        cache.kill(self.id);
        if let Some(reason) = reason {
            let now = clock::boot_now();
            let (hash, key) = (self.entry.hash(), self.entry.key());
            cache.refused.add(hash, key, reason, now);
            self.ask.desk.count(Count::CacheRefused);
        }
        self.wake();
    }

    /// Lets those go on who wait for it.
    fn wake(&self) {
        for waiter in self.entry.body().take_waiters() {
            self.ask.desk.wake(waiter);
        }
    }
}

impl Drop for Filling {
    fn drop(&mut self) {
        self.give_up(None);
    }
}

/// What the origin is asked about a stored response: nothing if it has no validator. None without
/// memory.
#[inline(never)] // Keeps its frame out of its caller's.
pub(super) fn conditions(entry: &Entry) -> Option<KVec<u8>> {
    let head = entry.head()?;
    let validators = Validators::of(&head.lines, head.response.dated);
    let most = head.lines.len().saturating_add(CONDITIONS);
    written(most, |out| validators.put(out)).ok()
}

/// By how much the fields of conditions may be longer than those that they are made of.
const CONDITIONS: usize = 64;
