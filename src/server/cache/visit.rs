// SPDX-License-Identifier: GPL-2.0

//! What the cache has to do with one request.
//!
//! ```text
//!           nothing is stored     +--> Filling ---> stored, or not
//!   Idle -------------------------+--> Waiting ---> another one's answer is here: looks again
//!     |     what is stored does   +--> Watching --> what is stored for the target goes
//!     |                           +--> Past
//!     +--> Served
//! ```

use kernel::alloc::KVec;
use kernel::prelude::*;
use kernel::sync::Arc;

use super::desk::key_as_told;
use super::desk::key_of;
use super::desk::request;
use super::desk::Asked;
use super::desk::Desk;
use super::entry::Body;
use super::entry::Entry;
use super::entry::Head;
use super::filling::Filling;
use super::heading::Heading;
use super::purging::purge;
use super::reader::Look;
use super::reader::Octets;
use super::reader::Reader;
use super::remark::remark;
use super::remark::Deed;
use super::search::Decided;
use super::search::Search;
use super::telling::lifetimes;
use super::telling::Telling;
use super::watching::Watching;
use crate::bytes::Buffer;
use crate::cache::key::Key;
use crate::cache::key::Scheme;
use crate::cache::DeltaSeconds;
use crate::cache::Forward;
use crate::cache::Handling;
use crate::cache::Request;
use crate::config::Networks;
use crate::exchange::Fate;
use crate::exchange::Ready;
use crate::exchange::Refusal;
use crate::exchange::Store;
use crate::exchange::Tap;
use crate::http::encode::Amended;
use crate::http::head::RequestHead;
use crate::http::head::ResponseHead;
use crate::http::Method;
use crate::http::Status;

/// One request's visit. Used under its client's lock.
pub(crate) struct Visit {
    course: Course,
    /// What the origin is asked in the place of the client's conditions: field lines.
    conditions: KVec<u8>,
    /// It has waited for another one's answer.
    waited: bool,
    /// What the client got is to be validated, though not by him.
    question: Option<Question>,
}

/// What the origin is to be asked about what is stored.
pub(crate) struct Question {
    pub(super) filling: KBox<Filling>,
    /// In the place of the conditions of the request that is made: field lines.
    pub(super) conditions: KVec<u8>,
}

/// How far it is: what looks at answers.
struct Course {
    stage: Stage,
    /// What the log says.
    word: &'static str,
    /// What the client is told of the origin's answer.
    telling: Option<Telling>,
}

enum Stage {
    /// Nobody has asked yet.
    Idle,
    /// The origin answers, and nobody looks.
    Past,
    Waiting(Arc<Entry>),
    Filling(KBox<Filling>),
    Heading(KBox<Heading>),
    Watching(Watching),
    /// This is the answer,
    Served(Served),
    /// of which this is to come yet.
    Reading(Reader),
}

/// What a client gets from the cache.
pub(crate) struct Served {
    pub(super) head: Arc<Head>,
    pub(super) body: Arc<Body>,
    pub(super) handling: Handling,
    /// The age with which the origin has just brought it, or has said that it is good.
    pub(super) brought: Option<DeltaSeconds>,
    word: &'static str,
}

/// What there is in the place of a backend.
enum Found {
    /// Nothing.
    Origin,
    Wait,
    Refused(Refusal),
    /// What the stage says.
    Served,
    /// A word of ours.
    Ours(Status, &'static [u8]),
}

/// What comes of a visit.
pub(crate) enum Consulted {
    /// The request goes to the origin.
    Origin,
    /// It waits for the answer of another one: the client is woken.
    Wait,
    /// It is stored. The head was written, but for its end.
    Stored(Ready),
    /// There is none.
    Refused(Refusal),
}

impl Served {
    /// As it is stored.
    pub(super) fn hit(head: Arc<Head>, body: Arc<Body>) -> Self {
        Self {
            head,
            body,
            handling: Handling::Hit,
            brought: None,
            word: "HIT",
        }
    }

    /// As it is stored, though it is stale.
    pub(super) fn stale(head: Arc<Head>, body: Arc<Body>) -> Self {
        Self {
            word: "STALE",
            ..Self::hit(head, body)
        }
    }

    /// The answer to another request, for which this one has waited.
    pub(super) fn collapsed(head: Arc<Head>, body: Arc<Body>) -> Self {
        Self {
            handling: Handling::Forwarded {
                why: Forward::Miss,
                status: None,
                is_stored: true,
                is_collapsed: true,
            },
            word: "COLLAPSE",
            ..Self::hit(head, body)
        }
    }

    /// The origin has said that it is good.
    pub(super) fn validated(head: Arc<Head>, body: Arc<Body>, age: DeltaSeconds) -> Self {
        Self {
            brought: Some(age),
            handling: Handling::Forwarded {
                why: Forward::Stale,
                status: Some(Status::NOT_MODIFIED),
                is_stored: true,
                is_collapsed: false,
            },
            word: "REVALID",
            ..Self::hit(head, body)
        }
    }
}

impl Served {
    fn deed(&self) -> Deed<'static> {
        match self.brought {
            Some(_) => Deed::Validates,
            None => Deed::Uses,
        }
    }
}

impl Visit {
    /// Of a request that has not come yet.
    pub(crate) fn new() -> Self {
        Self {
            course: Course {
                stage: Stage::Idle,
                word: "-",
                telling: None,
            },
            conditions: KVec::new(),
            waited: false,
            question: None,
        }
    }

    /// What is to be asked behind the client's back, if something is.
    pub(crate) fn take_question(&mut self) -> Option<Question> {
        self.question.take()
    }

    /// The request is for the sake of this question: nobody waits for its answer.
    pub(crate) fn ask(&mut self, question: Question) {
        self.course.stage = Stage::Filling(question.filling);
        self.conditions = question.conditions;
    }

    /// The request is done with.
    pub(crate) fn reset(&mut self) {
        *self = Self::new();
    }

    /// Whether there is nothing that it has to do with.
    pub(crate) fn is_idle(&self) -> bool {
        matches!(self.course.stage, Stage::Idle) && self.question.is_none()
    }

    /// What the log says of it.
    pub(crate) fn word(&self) -> &'static str {
        self.course.word
    }

    /// Whether the answer that it waits for is here, or will not come.
    pub(crate) fn is_over(&self) -> bool {
        matches!(&self.course.stage, Stage::Waiting(entry) if !entry.is_undecided())
    }

    /// Who looks at answers, if somebody does, and what is asked in the place of the client's conditions.
    pub(crate) fn look_on(&mut self) -> (Option<&mut dyn Tap>, &[u8]) {
        match &self.course.stage {
            Stage::Filling(_) => (Some(&mut self.course), &self.conditions),
            Stage::Watching(_) | Stage::Heading(_) => (Some(&mut self.course), b""),
            Stage::Past if self.course.telling.is_some() => (Some(&mut self.course), b""),
            _ => (None, b""),
        }
    }

    /// Whether the cache has said all that it has to say to the present request.
    fn is_past(&self) -> bool {
        !matches!(
            self.course.stage,
            Stage::Idle | Stage::Waiting(_) | Stage::Served(_)
        )
    }

    /// Whether the body that comes is stored.
    pub(crate) fn keeps(&self) -> bool {
        self.course.keeps()
    }

    /// Octets from `position` on, of a stored answer's content, or of the body that is, or was, stored
    /// while it comes.
    pub(crate) fn kept(&mut self, position: u64) -> Octets<'_> {
        match &mut self.course.stage {
            Stage::Filling(filling) => filling.kept(position),
            Stage::Reading(reader) => reader.kept(position),
            _ => Octets::Text(&[]),
        }
    }

    /// Looks whether more than `known` octets of a stored answer's content are here.
    pub(crate) fn look_further(&mut self, known: u64) -> Look {
        match &mut self.course.stage {
            Stage::Reading(reader) => reader.look(known),
            _ => Look::Lost,
        }
    }

    /// The connection that was asked for, or the wish for one, is given up.
    pub(crate) fn leave(&mut self) {
        if matches!(self.course.stage, Stage::Waiting(_)) {
            self.course.stage = Stage::Past;
        }
    }

    /// A backend is wanted: says what there is instead. It is asked once more for the same request if
    /// what it has said did not do. The head of a stored answer goes to `out`.
    pub(crate) fn consult<S: Store>(
        &mut self,
        desk: &Desk<'_>,
        asked: Asked<'_>,
        out: &mut Buffer<S>,
    ) -> Consulted {
        let before = out.len();
        let (head, octets) = asked;
        let looks = matches!(head.method, Method::Get | Method::Head) && !self.is_past();
        let request = looks.then(|| request(desk.config, desk.client, head, octets));
        let consulted = match self.find(desk, asked, request.as_ref()) {
            Found::Origin => Consulted::Origin,
            Found::Wait => Consulted::Wait,
            Found::Refused(why) => Consulted::Refused(why),
            Found::Served => self.read(desk, request.as_ref(), head.path.of(octets), out),
            Found::Ours(status, text) => self.begin(Reader::of_text(desk, status, text, out)),
        };
        if !matches!(consulted, Consulted::Stored(_)) {
            // Not half a head in front of whatever comes.
            out.truncate(before);
        }
        consulted
    }

    /// What there is in the place of a backend.
    #[inline(never)] // Keeps its frame out of its caller's.
    fn find(&mut self, desk: &Desk<'_>, asked: Asked<'_>, request: Option<&Request<'_>>) -> Found {
        match &self.course.stage {
            Stage::Idle => {}
            Stage::Waiting(entry) if entry.is_undecided() => {
                // It was waited for long enough.
                self.course.stage = Stage::Past;
                return self.pass(desk, Forward::Miss);
            }
            Stage::Waiting(_) => {}
            Stage::Served(_) => return Found::Served,
            _ => return Found::Origin,
        }
        self.course.stage = Stage::Past;
        let (head, octets) = asked;
        let may_purge = desk.settings().purge_allow != Networks::NONE;
        match head.method {
            // What may become another protocol's is not for others.
            Method::Get | Method::Head if head.upgrade => self.pass(desk, Forward::Bypass),
            Method::Get | Method::Head => match request.zip(key_as_told(desk, asked)) {
                Some((request, key)) => self.look(desk, request, head.path.of(octets), key),
                None => self.pass(desk, Forward::Bypass),
            },
            Method::Other if may_purge && head.method_span.of(octets) == b"PURGE" => {
                let (status, text) = purge(desk, asked);
                Found::Ours(status, text)
            }
            method if !method.is_safe() => {
                self.watch(desk, asked);
                self.pass(desk, Forward::Method)
            }
            _ => self.pass(desk, Forward::Method),
        }
    }

    /// Whether the request changes what is stored.
    #[inline(never)] // Keeps its frame out of its caller's.
    fn watch(&mut self, desk: &Desk<'_>, asked: Asked<'_>) {
        let scheme = key_as_told(desk, asked).map(|key| key.scheme());
        let keys = Scheme::ALL.map(|scheme| key_of(scheme, asked));
        self.course.stage = Stage::Watching(Watching::new(desk, scheme, &keys));
    }

    /// The origin is asked, for this reason.
    fn pass(&mut self, desk: &Desk<'_>, why: Forward) -> Found {
        self.course.telling = Telling::of(desk.config, why);
        Found::Origin
    }

    /// Looks for an answer.
    fn look(
        &mut self,
        desk: &Desk<'_>,
        request: &Request<'_>,
        target: &[u8],
        key: Key<'_>,
    ) -> Found {
        let mapped = lifetimes(desk.config, target);
        let mapped = mapped.and_then(|lifetimes| lifetimes.ours());
        self.course.word = "MISS";
        let mut why = Forward::Miss;
        let decided = Search::decide(desk, request, mapped, key, self.waited, &mut why);
        match self.follow(decided, desk) {
            Found::Origin => self.pass(desk, why),
            followed => followed,
        }
    }

    /// Does what was decided.
    fn follow(&mut self, decided: Decided, desk: &Desk<'_>) -> Found {
        match decided {
            Decided::Serves(served) => {
                self.course.word = served.word;
                self.course.stage = Stage::Served(served);
                Found::Served
            }
            Decided::Refreshes(served, question) => {
                self.question = Some(question);
                self.follow(Decided::Serves(served), desk)
            }
            Decided::Waits(entry) => {
                self.waited = true;
                self.wait(desk, entry)
            }
            Decided::Fills(question) => {
                self.ask(question);
                Found::Origin
            }
            Decided::Heads(heading) => {
                self.course.stage = Stage::Heading(heading);
                Found::Origin
            }
            Decided::Passes => Found::Origin,
            Decided::Refuses => Found::Refused(Refusal::NotStored),
        }
    }

    /// Waits for what becomes of an entry.
    fn wait(&mut self, desk: &Desk<'_>, entry: Arc<Entry>) -> Found {
        if !entry.body().wait(desk.waiter) {
            return Found::Origin;
        }
        if !entry.is_undecided() {
            // It became something before anybody knew of the wait.
            desk.engine.wake(desk.waiter.cpu, desk.waiter.who);
        }
        self.course.stage = Stage::Waiting(entry);
        Found::Wait
    }

    /// Begins to read what is stored.
    fn read<S: Store>(
        &mut self,
        desk: &Desk<'_>,
        request: Option<&Request<'_>>,
        target: &[u8],
        out: &mut Buffer<S>,
    ) -> Consulted {
        let (Stage::Served(served), Some(request)) = (&self.course.stage, request) else {
            return Consulted::Origin;
        };
        let made = Reader::new(desk, served, request, target, out);
        if made.is_ok() {
            remark(desk.engine, desk.config, served.deed(), target);
        }
        self.begin(made)
    }

    fn begin(&mut self, made: Result<(Reader, Ready)>) -> Consulted {
        match made {
            Ok((reader, ready)) => {
                self.course.stage = Stage::Reading(reader);
                Consulted::Stored(ready)
            }
            Err(_) => Consulted::Refused(Refusal::NoMemory),
        }
    }
}

impl Tap for Course {
    fn head(
        &mut self,
        (request, asked): (&RequestHead, Option<&[u8]>),
        (answer, octets): (&ResponseHead, &[u8]),
    ) -> Fate {
        let (fate, served) = match &mut self.stage {
            Stage::Filling(filling) => filling.head(request, asked, (answer, octets)),
            Stage::Watching(watching) => {
                watching.head(request.method, answer, octets);
                (Fate::Relay, None)
            }
            Stage::Heading(heading) => {
                heading.head(request, asked, (answer, octets));
                (Fate::Relay, None)
            }
            _ => (Fate::Relay, None),
        };
        match fate {
            Fate::Replace => self.replace(served),
            Fate::Relay => {
                let target = asked.map_or(&[][..], |asked| request.path.of(asked));
                self.tell(target, answer.fields.of(octets));
            }
        }
        fate
    }

    fn amended(&self) -> Option<Amended<'_>> {
        self.telling.as_ref().map(Telling::amended)
    }

    fn failed(&mut self, (request, asked): (&RequestHead, &[u8]), _: Status) -> Fate {
        let Stage::Filling(filling) = &mut self.stage else {
            return Fate::Relay;
        };
        match filling.failed(request, asked) {
            None => Fate::Relay,
            served => {
                self.replace(served);
                Fate::Replace
            }
        }
    }

    fn body(&mut self, octets: &[u8]) {
        if let Stage::Filling(filling) = &mut self.stage {
            filling.body(octets);
        }
    }

    fn keeps(&self) -> bool {
        matches!(&self.stage, Stage::Filling(filling) if filling.is_kept())
    }

    fn end(&mut self) {
        if let Stage::Filling(filling) = &mut self.stage {
            filling.end();
        }
    }

    fn cut(&mut self) {
        if let Stage::Filling(filling) = &mut self.stage {
            filling.give_up(None);
        }
    }
}

impl Course {
    /// The client gets the origin's answer, and is told something with it.
    #[inline(never)] // Keeps its frame out of its caller's.
    fn tell(&mut self, target: &[u8], lines: &[u8]) {
        let (is_mapped, is_stored) = match &self.stage {
            Stage::Filling(filling) => (filling.is_mapped(), filling.is_kept()),
            _ => (false, false),
        };
        if let Some(telling) = &mut self.telling {
            let mapped = match is_mapped {
                true => telling.lifetimes(target),
                false => None,
            };
            telling.note(lines, mapped, is_stored);
        }
    }

    /// The client gets this in the place of an answer or, if it is nothing, what the origin says when it
    /// is asked once more.
    #[inline(never)] // Keeps its frame out of its caller's.
    fn replace(&mut self, served: Option<Served>) {
        self.stage = match served {
            Some(served) => {
                self.word = served.word;
                Stage::Served(served)
            }
            None => Stage::Past,
        };
    }
}
