// SPDX-License-Identifier: GPL-2.0

//! Some clients, an origin, and a cache between them.

use std::cell::RefCell;
use std::rc::Rc;

use kernel::prelude::*;
use kernel::sync::Arc;
use kernel::trial::{self, Faults};

use crate::cache::mapping::list::{Entry, List};
use crate::cache::regexp::{Scratch, State};
use crate::config::{CacheSettings, Forwarding, Settings};
use crate::reply::{self, Reply};
use crate::rig::{Client, Conn, Hop};
use crate::rt::clock;
use crate::server::cache::Cache;
use crate::server::engine::Config;
use crate::server::memory::Account;
use crate::server::Engine;
use crate::time::Duration;

pub(crate) struct World {
    pub(crate) engine: Arc<Engine>,
    pub(crate) config: Arc<Config>,
    pub(crate) clients: Vec<Client>,
    /// Of each client's requests, whether it was with HEAD.
    heads: Vec<Vec<bool>>,
    /// Octets that were held when there was nothing in the cache.
    pub(crate) empty: u64,
    numbers: u64,
}

/// When each test begins: Sun, 06 Nov 1994 08:49:37 GMT.
pub(crate) const BEGIN: i64 = 784_111_777;

impl World {
    pub(crate) fn new() -> Self {
        Self::with("")
    }

    /// With these settings of the cache, and these mappings.
    pub(crate) fn with(settings: &str) -> Self {
        trial::set_faults(Faults::None);
        trial::set_wall(BEGIN);
        let mut cache = CacheSettings::default();
        let mut mappings = String::new();
        let mut config = Settings::default();
        for line in settings.lines().map(str::trim) {
            if let Some(line) = line.strip_prefix("config: ") {
                config.apply(line.as_bytes()).unwrap();
            } else if line.starts_with("url-") {
                mappings += &format!("{line}\n");
            } else {
                cache.apply(line.as_bytes()).unwrap();
            }
        }
        let hour = Duration::from_secs(3600);
        let settings = Settings {
            x_forwarded_for: Forwarding::Off,
            x_forwarded_proto: Forwarding::Off,
            x_forwarded_host: Forwarding::Off,
            header_timeout: hour,
            keepalive_timeout: hour,
            ..config
        };
        let cache = CacheSettings {
            enable: true,
            ..cache
        };
        let store = Cache::wanted(None, &cache, &Account).unwrap();
        let empty = store.as_ref().map_or(0, |cache| cache.memory().0);
        let config = Config {
            mappings: list(mappings.as_bytes()),
            settings: Arc::new(settings, GFP_KERNEL).unwrap(),
            cache: Arc::new(cache, GFP_KERNEL).unwrap(),
            store,
        };
        Self {
            engine: Arc::new(Engine::default(), GFP_KERNEL).unwrap(),
            config: Arc::new(config, GFP_KERNEL).unwrap(),
            clients: Vec::new(),
            heads: Vec::new(),
            empty,
            numbers: 0,
        }
    }

    pub(crate) fn take_log(&self) -> Vec<String> {
        self.engine.take_log()
    }

    pub(crate) fn cache(&self) -> &Arc<Cache> {
        self.config.store.as_ref().unwrap()
    }

    /// A client connects.
    pub(crate) fn client(&mut self) -> usize {
        let number = self.clients.len() as u64;
        let client = Client::new(number, self.engine.clone(), self.config.clone());
        self.clients.push(client);
        self.heads.push(Vec::new());
        number as usize
    }

    /// Another one connects in its place.
    pub(crate) fn anew(&mut self, who: usize) {
        self.clients[who] = Client::new(who as u64, self.engine.clone(), self.config.clone());
        self.heads[who].clear();
    }

    /// The origin sends this to the last client, who is no longer ours, in the middle of what is done
    /// next: see [`trial::set_meanwhile`].
    pub(crate) fn answer_meanwhile(&mut self, moments: u64, answer: String) {
        self.bring(self.clients.len() - 1, answer);
        let mut client = self.clients.pop().expect("nobody is there");
        trial::set_meanwhile(moments, move || client.run());
    }

    /// How many requests this client has sent.
    pub(crate) fn requests(&self, who: usize) -> usize {
        self.heads[who].len()
    }

    /// The last client is gone: forgets what he has asked for.
    pub(crate) fn forget(&mut self) {
        self.heads.truncate(self.clients.len());
    }

    /// A client sends a request.
    pub(crate) fn send(&mut self, who: usize, request: &str) {
        self.put(who, request);
        self.run(who);
    }

    /// A client has sent a request, and nobody has noticed yet.
    pub(crate) fn put(&mut self, who: usize, request: &str) {
        self.heads[who].push(request.starts_with("HEAD "));
        self.clients[who]
            .inbox
            .extend_from_slice(request.as_bytes());
    }

    /// A new client sends one.
    pub(crate) fn ask(&mut self, request: &str) -> usize {
        let who = self.client();
        self.send(who, request);
        who
    }

    /// Lets a client go on, and all who are woken.
    pub(crate) fn run(&mut self, who: usize) {
        self.clients[who].run();
        self.settle();
    }

    /// Lets a client go on and, after so many moments of that, another one: see [`trial::moment`].
    pub(crate) fn run_amid(&mut self, who: usize, moments: u64, other: usize) {
        let nobody = Client::new(u64::MAX, self.engine.clone(), self.config.clone());
        let other_client = std::mem::replace(&mut self.clients[other], nobody);
        let other_client = Rc::new(RefCell::new(other_client));
        let deed = other_client.clone();
        trial::set_meanwhile(moments, move || deed.borrow_mut().run());
        self.clients[who].run();
        if trial::is_not_yet() {
            other_client.borrow_mut().run();
        }
        self.clients[other] = Rc::into_inner(other_client).unwrap().into_inner();
        self.settle();
    }

    /// Lets all go on who are woken, or whose time has come.
    pub(crate) fn settle(&mut self) {
        for _ in 0..1000 {
            self.audit();
            self.send_out();
            let mut woken = self.engine.take_woken();
            if woken.is_empty() {
                let now = clock::boot_now();
                let due = self.clients.iter().enumerate();
                let due = due.filter(|(_, client)| client.due <= now);
                woken = due.map(|(who, _)| who as u64).collect();
            }
            if woken.is_empty() {
                return;
            }
            for who in woken {
                if let Some(client) = self.clients.get_mut(who as usize) {
                    client.run();
                }
            }
        }
        panic!("they never come to rest");
    }

    /// The errands that there are to be run.
    fn send_out(&mut self) {
        for errand in self.engine.take_errands() {
            let who = self.clients.len();
            let (engine, config) = (self.engine.clone(), self.config.clone());
            let client = Client::errand(who as u64, engine, config, errand);
            self.clients.push(client);
            self.heads.push(Vec::new());
            self.clients[who].run();
        }
    }

    /// The errand that was sent out last; none if that is over.
    pub(crate) fn errand(&self) -> Option<usize> {
        let last = self.clients.len().checked_sub(1)?;
        self.clients[last].is_without_client().then_some(last)
    }

    fn audit(&self) {
        if let Some(cache) = &self.config.store {
            let (held, limit) = cache.memory();
            assert!(held <= limit, "{held} of {limit}");
        }
    }

    pub(crate) fn pass(&mut self, millis: u64) {
        trial::pass(millis);
        self.settle();
    }

    fn conn(&mut self, who: usize) -> &mut Conn {
        let conn = self.clients[who].origin();
        conn.expect("the origin was not asked")
    }

    /// What the origin was asked by this client, if it was.
    pub(crate) fn asked(&mut self, who: usize) -> Option<String> {
        let conn = self.clients[who].origin()?;
        Some(String::from_utf8(conn.requested.clone()).unwrap())
    }

    /// The origin sends this to a client.
    pub(crate) fn answer(&mut self, who: usize, answer: impl AsRef<[u8]>) {
        self.bring(who, answer);
        self.run(who);
    }

    /// The origin has sent this to a client, and nobody has noticed yet.
    pub(crate) fn bring(&mut self, who: usize, answer: impl AsRef<[u8]>) {
        self.conn(who).coming.extend_from_slice(answer.as_ref());
    }

    /// The origin ends the connection.
    pub(crate) fn end(&mut self, who: usize) {
        self.conn(who).ended = true;
        self.run(who);
    }

    /// The origin dies.
    pub(crate) fn lose(&mut self, who: usize) {
        self.conn(who).lost = true;
        self.run(who);
    }

    /// The client goes away.
    pub(crate) fn leave(&mut self, who: usize) {
        self.clients[who].lost = true;
        self.run(who);
        // Whoever waits for an answer does not read: the kernel would say so at the next send.
        if !self.clients[who].is_without_client() {
            self.clients[who].close(true);
        }
        self.settle();
    }

    /// What a client got.
    pub(crate) fn replies(&self, who: usize) -> Vec<Reply> {
        let client = &self.clients[who];
        reply::replies(&client.outbox, &self.heads[who], client.closed)
    }

    /// The last answer that a client got, which is whole.
    pub(crate) fn reply(&self, who: usize) -> Reply {
        let replies = self.replies(who);
        assert_eq!(replies.len(), self.heads[who].len(), "{replies:?}");
        let reply = replies.last().unwrap().clone();
        assert!(reply.whole, "{reply:?}");
        reply
    }

    /// What the cache said of a client's last request.
    pub(crate) fn word(&self, who: usize) -> &'static str {
        self.clients[who]
            .outcomes
            .last()
            .map_or("none", |(_, word)| word)
    }

    /// A client asks, and the origin answers that.
    pub(crate) fn fetch(&mut self, request: &str, answer: impl AsRef<[u8]>) -> Reply {
        let who = self.ask(request);
        self.answer(who, answer);
        self.reply(who)
    }

    /// A client asks, and is answered without the origin.
    pub(crate) fn hit(&mut self, request: &str) -> Reply {
        let who = self.ask(request);
        assert_eq!(self.clients[who].connects, 0, "the origin is asked");
        self.reply(who)
    }

    /// Nobody is left who holds anything, and all is given back.
    pub(crate) fn assert_empty(&mut self) {
        self.clients.clear();
        self.cache().clear(|_| true);
        let counts = self.cache().counts();
        assert_eq!((counts.entries, counts.octets), (0, 0));
        assert_eq!(self.cache().memory().0, self.empty, "octets have leaked");
    }
}

/// The mappings of this text.
fn list(text: &[u8]) -> List<Vec<Entry>, Vec<u8>, Vec<State>> {
    let none = List::<Vec<_>, Vec<_>, Vec<_>>::default();
    let room = none.room(text);
    let mut list = List::copy(
        &none,
        vec![Entry::EMPTY; room.entries],
        vec![0; room.octets],
        vec![State::EMPTY; room.states],
    );
    list.apply(text, &mut Box::new(Scratch::NEW)).unwrap();
    list
}
