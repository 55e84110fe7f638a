// SPDX-License-Identifier: GPL-2.0

//! Anything in any order, against a slow reference: each body that a client gets is one that the origin
//! had for that target and variant, and not older than it may be.
//!
//! The reference knows when the origin was asked for what it has said. What a client gets must be from
//! an answer to a question that came after the last invalidation that was over before he asked, and
//! that was fresh enough when he asked. `RESIN_STEPS` says how many steps there are, `RESIN_SEED` from
//! where.

use super::page::{part_of, Page};
use crate::reply::Reply;
use crate::rig::Client;
use crate::world::World;
use kernel::trial::{self, Faults};

const KEYS: u64 = 6;
const CLIENTS: usize = 8;

/// Somebody was told that a page is good.
struct Said {
    page: Page,
    /// When the origin was asked that.
    asked: Moment,
}

#[derive(Clone, Copy)]
struct Moment {
    /// The number of the step.
    step: u64,
    millis: u64,
}

/// A request that is under way.
struct Pending {
    key: u64,
    lang: char,
    began: Moment,
    method: &'static str,
    fields: String,
    /// Stale for so many seconds will do.
    max_stale: u64,
    max_age: Option<u64>,
    no_cache: bool,
    /// Something went wrong with it.
    failed: bool,
    /// Invalidations that were over when it began.
    invalid: u64,
}

#[derive(Default)]
struct Origin {
    /// Which connect of this client was answered or begun to be.
    seen: usize,
    asked: Option<Moment>,
    /// What is to be sent yet, and whether the connection ends then.
    coming: Vec<u8>,
    ends: bool,
    /// The step in which it has answered a POST.
    posted: u64,
}

struct Model {
    world: World,
    step: u64,
    versions: Vec<u64>,
    said: Vec<Said>,
    /// The step in which a target was last invalidated.
    invalid: Vec<u64>,
    pending: Vec<Option<Pending>>,
    origins: Vec<Origin>,
    random: u64,
    answers: u64,
    stored: u64,
    cut: u64,
    /// Parts that the origin has sent.
    parts: u64,
    /// There may be no memory.
    faulty: bool,
    /// Who goes on in the middle of another one's step.
    amid: Option<usize>,
}

impl Model {
    fn new(seed: u64) -> Self {
        let mut world = World::with("memory-size 1M\nentries 16\npurge-allow 192.0.2.0/24");
        for _ in 0..CLIENTS {
            world.client();
        }
        Self {
            world,
            step: 1,
            versions: vec![1; KEYS as usize],
            said: Vec::new(),
            invalid: vec![0; KEYS as usize],
            pending: (0..CLIENTS).map(|_| None).collect(),
            origins: (0..CLIENTS).map(|_| Origin::default()).collect(),
            random: seed.wrapping_mul(2).wrapping_add(1),
            answers: 0,
            faulty: false,
            amid: None,
            stored: 0,
            cut: 0,
            parts: 0,
        }
    }

    fn dice(&mut self, sides: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % sides
    }

    fn now(&self) -> Moment {
        Moment {
            step: self.step,
            millis: trial::boot() / 1_000_000,
        }
    }

    fn advance(&mut self) {
        self.step += 1;
        let who = self.dice(CLIENTS as u64) as usize;
        let any = self.dice(self.world.clients.len() as u64) as usize;
        match self.dice(100) {
            0..=44 if self.pending[who].is_none() => self.request(who),
            0..=84 => self.serve(any),
            85..=93 => {
                let millis = [10, 500, 1000, 3000][self.dice(4) as usize];
                self.world.pass(millis);
            }
            94 => {
                let faults = [Faults::Each(3 + self.dice(20)), Faults::Only(self.dice(9))];
                trial::set_faults(faults[self.dice(2) as usize]);
                self.faulty = true;
                self.fail_all();
            }
            95..=97 => {
                trial::set_faults(Faults::None);
                self.faulty = false;
            }
            98 if self.pending[who].is_some() => self.depart(who),
            _ => self.die(who),
        }
        self.look();
    }

    fn fail_all(&mut self) {
        for pending in self.pending.iter_mut().flatten() {
            pending.failed = true;
        }
    }

    fn request(&mut self, who: usize) {
        if self.world.clients[who].closed.is_some() || !self.world.clients[who].is_idle() {
            if self.world.clients[who].is_without_client() {
                // What he has asked for goes on.
                return self.serve(who);
            }
            self.world.anew(who);
            self.origins[who] = Origin::default();
        }
        let is_dying = |client: &mut Client| client.origin().is_some_and(|conn| conn.lost);
        // What somebody brings may end at any moment, though he has not noticed yet.
        let dies = self.world.clients.iter_mut().any(is_dying);
        let key = self.dice(KEYS);
        let lang = if self.dice(2) == 0 { 'a' } else { 'b' };
        let mut pending = Pending {
            key,
            lang,
            began: self.now(),
            method: "GET",
            fields: String::new(),
            max_stale: 0,
            max_age: None,
            no_cache: false,
            failed: self.faulty || dies,
            invalid: self.invalid[key as usize],
        };
        self.vary(&mut pending);
        self.world.clients[who].window = match self.dice(4) {
            0 => 700,
            _ => usize::MAX,
        };
        let text = format!(
            "{} /{key} HTTP/1.1\r\nHost: h\r\nAccept-Language: {lang}\r\n{}\r\n",
            pending.method, pending.fields
        );
        if pending.method == "PURGE" {
            self.invalid[key as usize] = self.step;
        }
        self.pending[who] = Some(pending);
        self.world.put(who, &text);
        self.go(who);
    }

    /// Lets a client go on, and in the middle of that who waits for such a moment.
    fn go(&mut self, who: usize) {
        match self.amid.take() {
            Some(other) if other != who => {
                let moments = self.dice(40);
                self.world.run_amid(who, moments, other);
            }
            _ => self.world.run(who),
        }
    }

    /// Something came for a client: he goes on in the middle of what another one does, or at once.
    fn go_on(&mut self, who: usize) {
        let other = self.dice(2 * CLIENTS as u64) as usize;
        if other >= CLIENTS || other == who {
            self.world.run(who);
            return;
        }
        self.amid = Some(who);
        match self.pending[other] {
            None => self.request(other),
            Some(_) if self.world.clients[other].closed.is_none() => self.go(other),
            Some(_) => {}
        }
        if self.amid.take().is_some() {
            self.world.run(who);
        }
    }

    fn vary(&mut self, pending: &mut Pending) {
        let page = self.page(pending.key, pending.lang);
        match self.dice(24) {
            0 => pending.method = "HEAD",
            1 => pending.method = "PURGE",
            2 => {
                pending.method = "POST";
                pending.fields = "Content-Length: 0\r\n".into();
            }
            3 | 4 => {
                pending.fields = "Cache-Control: no-cache\r\n".into();
                pending.no_cache = true;
            }
            5 => {
                pending.fields = "Cache-Control: max-age=2\r\n".into();
                pending.max_age = Some(2);
            }
            6 => {
                pending.fields = "Cache-Control: max-stale=7\r\n".into();
                pending.max_stale = 7;
            }
            7 => pending.fields = "Cache-Control: only-if-cached\r\n".into(),
            8 | 9 => {
                let (first, last) = match self.dice(3) {
                    0 => {
                        let first = self.dice(4000);
                        (first, first + self.dice(5000))
                    }
                    // Those that meet.
                    _ => {
                        let first = self.dice(4) * 1500;
                        (first, first + [1499, 2999, 8999][self.dice(3) as usize])
                    }
                };
                pending.fields = format!("Range: bytes={first}-{last}\r\n");
            }
            10 | 11 => pending.fields = format!("If-None-Match: {}\r\n", page.tag()),
            12 => pending.fields = "Cache-Control: no-store\r\n".into(),
            _ => {}
        }
    }

    /// What the origin has now.
    fn page(&self, key: u64, lang: char) -> Page {
        let page = Page {
            key,
            version: self.versions[key as usize],
            lang: '-',
        };
        match page.profile().varies {
            true => Page { lang, ..page },
            false => page,
        }
    }

    /// The origin goes on with what a client has asked it, and the client reads on.
    fn serve(&mut self, who: usize) {
        if self.world.clients[who].window != usize::MAX {
            self.world.clients[who].window = match self.dice(10) {
                0 => usize::MAX,
                _ => 700,
            };
        }
        if self.world.clients[who].closed.is_none() {
            self.world.run(who);
        }
        self.note();
        let Some(asked) = self.origins[who].asked else {
            return;
        };
        if self.world.clients[who].origin().is_none() {
            return;
        }
        if self.origins[who].coming.is_empty() {
            self.reply(who, asked);
        }
        let most = [1, 40, 1500, 20_000][self.dice(4) as usize];
        let origin = &mut self.origins[who];
        let count = origin.coming.len().min(most);
        let piece: Vec<_> = origin.coming.drain(..count).collect();
        let ends = origin.coming.is_empty();
        let closes = origin.ends;
        if ends {
            origin.asked = None;
        }
        self.world.bring(who, piece);
        self.go_on(who);
        if ends && closes && self.world.clients[who].origin().is_some() {
            self.world.end(who);
        }
    }

    /// Who has asked the origin, and when.
    fn note(&mut self) {
        let now = self.now();
        for who in 0..self.world.clients.len() {
            if who == self.origins.len() {
                self.origins.push(Origin::default());
            }
            let connects = self.world.clients[who].connects;
            let Some(asked) = self.world.asked(who) else {
                continue;
            };
            if connects != self.origins[who].seen && asked.ends_with("\r\n\r\n") {
                self.origins[who] = Origin {
                    seen: connects,
                    asked: Some(now),
                    ..Origin::default()
                };
            }
        }
    }

    fn reply(&mut self, who: usize, asked: Moment) {
        let head = self.world.asked(who).unwrap();
        let (method, rest) = head.split_once(" /").unwrap();
        let (key, lines) = rest.split_once(' ').unwrap();
        let (_, lang) = lines.split_once("Accept-Language: ").unwrap();
        let (key, lang) = (key.parse().unwrap(), lang.chars().next().unwrap());
        if self.dice(12) == 0 {
            if let Some(Some(pending)) = self.pending.get_mut(who) {
                pending.failed = true;
            }
            let text = "HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno";
            let end = if method == "HEAD" {
                text.len() - 2
            } else {
                text.len()
            };
            self.origins[who].coming = text[..end].into();
            return;
        }
        if method == "POST" {
            self.versions[key as usize] += 1;
            self.origins[who].posted = self.step;
            self.origins[who].coming = b"HTTP/1.1 204 Done\r\n\r\n".into();
            return;
        }
        if self.dice(4) == 0 {
            self.versions[key as usize] += 1;
        }
        let page = self.page(key, lang);
        self.said.push(Said { page, asked });
        let fields = format!("ETag: {}\r\n{}", page.tag(), page.profile().fields);
        if head.contains(&format!("If-None-Match: {}\r\n", page.tag())) {
            self.origins[who].coming = format!("HTTP/1.1 304 Same\r\n{fields}\r\n").into();
            return;
        }
        let body = page.body();
        if let Some((first, end)) = part_of(&head, body.len()).filter(|_| self.dice(3) > 0) {
            self.origins[who].coming = page.part(first..end, &fields);
            self.parts += 1;
            return;
        }
        let mut text = format!("HTTP/1.1 200 OK\r\n{fields}").into_bytes();
        let framing = self.dice(4);
        match framing {
            0 if method == "GET" => {
                text.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
                for chunk in body.chunks(1234) {
                    text.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                    text.extend_from_slice(chunk);
                    text.extend_from_slice(b"\r\n");
                }
                text.extend_from_slice(b"0\r\n\r\n");
            }
            1 if method == "GET" => {
                self.origins[who].ends = true;
                text.extend_from_slice(b"\r\n");
                text.extend_from_slice(&body);
            }
            _ => {
                text.extend_from_slice(
                    format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes(),
                );
                if method == "GET" {
                    text.extend_from_slice(&body);
                }
            }
        }
        self.origins[who].coming = text;
    }

    fn depart(&mut self, who: usize) {
        self.world.leave(who);
        self.pending[who] = None;
        if self.world.clients[who].is_without_client() {
            // There is no client of this number until it is over.
            return;
        }
        self.origins[who] = Origin::default();
        self.world.anew(who);
        // Whoever reads what he has brought may be cut short.
        self.fail_all();
    }

    fn die(&mut self, who: usize) {
        if self.world.clients[who].origin().is_some() {
            self.fail_all();
            self.world.lose(who);
        }
    }

    /// Looks at all answers that are there.
    fn look(&mut self) {
        self.note();
        for who in 0..CLIENTS {
            let replies = self.world.replies(who);
            let is_closed = self.world.clients[who].closed.is_some();
            let is_idle = self.world.clients[who].is_idle();
            let Some(pending) = &self.pending[who] else {
                continue;
            };
            let count = self.world.requests(who);
            let reply = replies.get(count - 1);
            if let Some(reply) = reply {
                self.check(pending, reply, self.world.clients[who].connects > 0);
            }
            let is_done = reply.is_some_and(|reply| reply.whole) && is_idle;
            if is_done || is_closed {
                if pending.method == "POST" && reply.is_some_and(|reply| reply.status == 204) {
                    // Not before: it is the answer that does it. What was asked after it came is good.
                    let invalid = &mut self.invalid[pending.key as usize];
                    *invalid = self.origins[who].posted.max(*invalid);
                }
                self.answers += 1;
                let is_whole = reply.is_some_and(|reply| reply.whole);
                self.cut += u64::from(!is_whole);
                assert!(
                    is_whole || pending.failed || self.is_late(pending),
                    "cut: {:?} {} {} {} {:?} {:?}",
                    reply.map(|reply| (&reply.head, reply.body.len())),
                    pending.method,
                    pending.key,
                    pending.fields,
                    self.world.clients[who].outcomes,
                    self.world.clients[who].closed,
                );
                self.stored += u64::from(self.origins[who].seen == 0);
                self.pending[who] = None;
                self.world.anew(who);
                self.origins[who] = Origin::default();
            }
        }
    }

    fn is_late(&self, pending: &Pending) -> bool {
        self.now().millis - pending.began.millis > 3500
    }

    fn check(&self, pending: &Pending, reply: &Reply, asked: bool) {
        if !matches!(reply.status, 200 | 206 | 304) || pending.method == "PURGE" {
            return;
        }
        let tag = reply.field("etag").unwrap_or_else(|| panic!("{reply:?}"));
        let page = Page::of_tag(tag);
        let body = page.body();
        assert_eq!(page.key, pending.key, "{reply:?}");
        assert!(page.lang == '-' || page.lang == pending.lang, "{reply:?}");
        assert!(
            reply.status == 206 || reply.field("content-range").is_none(),
            "{}",
            reply.head
        );
        let body = match reply.field("content-range") {
            Some(range) => {
                let (range, complete) = range["bytes ".len()..].split_once('/').unwrap();
                let (first, last) = range.split_once('-').unwrap();
                assert_eq!(complete, body.len().to_string());
                let first: usize = first.parse().unwrap();
                let last: usize = last.parse().unwrap();
                &body[first..=last]
            }
            None => &body[..],
        };
        let is_bare = pending.method == "HEAD" || reply.status == 304;
        assert!(body.starts_with(&reply.body), "{reply:?}");
        assert!(!reply.whole || is_bare || body == reply.body, "{reply:?}");
        let good = self.said.iter().rev().filter(|said| said.page == page);
        let mut good = good.filter(|said| self.is_good(pending, said));
        let is_good = good.next().is_some();
        let said = self.said.iter().rev().filter(|said| said.page == page);
        let said: Vec<_> = said
            .map(|said| (said.asked.step, said.asked.millis))
            .take(4)
            .collect();
        assert!(
            is_good,
            "{} {:?} {} in step {} at {}, invalid {}: {}, said {said:?}, asked {asked}, now {} at {}",
            pending.method,
            pending.fields,
            pending.failed,
            pending.began.step,
            pending.began.millis,
            pending.invalid,
            reply.head,
            self.step,
            self.now().millis,
        );
    }

    /// Whether what was said then does for a request.
    fn is_good(&self, pending: &Pending, said: &Said) -> bool {
        if said.asked.step >= pending.began.step {
            return true;
        }
        let profile = said.page.profile();
        // What was asked in the same step may have been asked behind the invalidation.
        if said.asked.step < pending.invalid || !profile.stored {
            // The answer to somebody with whom he began at the same time, perhaps: then it was stored.
            return false;
        }
        let age = pending.began.millis.saturating_sub(said.asked.millis);
        let failed = pending.failed || self.is_late(pending);
        let excuse = if failed { profile.error } else { 0 };
        let most = profile.fresh + pending.max_stale.max(profile.revalidate).max(excuse);
        let most = pending
            .max_age
            .filter(|_| !failed)
            .map_or(most, |age| most.min(age));
        // Delay and residence are whole seconds each.
        !pending.no_cache && age <= (most + 2) * 1000
    }

    /// Everything comes to an end.
    fn finish(mut self) {
        trial::set_faults(Faults::None);
        for _ in 0..5000 {
            for who in 0..self.world.clients.len() {
                self.step += 1;
                self.serve(who);
                self.look();
            }
            // Who closes lingers until his time is over.
            self.world.pass(10);
            if self.pending.iter().all(Option::is_none) {
                assert!(self.answers > 0);
                self.world.assert_empty();
                return;
            }
        }
        let stuck = (0..CLIENTS).filter(|who| self.pending[*who].is_some());
        let stuck: Vec<_> = stuck.map(|who| self.world.clients[who].phase()).collect();
        panic!("they wait: {stuck:?}");
    }
}

#[test]
fn nobody_gets_what_is_not_for_him() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let steps: u64 = number("RESIN_STEPS").unwrap_or(100_000);
    let seed: u64 = number("RESIN_SEED").unwrap_or(1);
    const ROUND: u64 = 2000;
    let (mut answers, mut stored, mut cut) = (0, 0, 0);
    for round in 0..steps.div_ceil(ROUND) {
        println!("seed {}", seed + round);
        let live = trial::live();
        let mut model = Model::new(seed + round);
        for _ in 0..ROUND {
            model.advance();
        }
        answers += model.answers;
        stored += model.stored;
        cut += model.cut;
        model.finish();
        assert_eq!(trial::live(), live);
    }
    println!("{answers} answers, {stored} of them without the origin, {cut} cut short");
    assert!(stored > answers / 10);
}
