//! Load: many requests over some connections, every answer checked to the last octet.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::conn::{Conn, Fault, Response};
use crate::pattern::Checker;
use crate::scale;

/// What to ask for.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The gateway.
    pub addr: SocketAddr,
    /// How many connections work at once, each on a thread.
    pub connections: usize,
    /// How many requests each makes.
    pub requests: u64,
    /// How many requests a connection carries before a new one is opened; 0 is no limit.
    pub per_connection: u64,
    /// The body sizes to go through.
    pub sizes: Vec<u64>,
    /// The paths of the origin to go through.
    pub kinds: Vec<&'static str>,
    /// What distinguishes this plan's bodies from another's.
    pub salt: u64,
    /// How many different targets there are, some of which are asked for far more often than others;
    /// 0: none is asked for twice.
    pub keys: u64,
    /// What every query has besides, with its ampersand.
    pub query: &'static str,
}

impl Plan {
    /// Small and middling bodies of every framing.
    pub fn mixed(addr: SocketAddr) -> Plan {
        Plan {
            addr,
            connections: 4,
            requests: u64::MAX,
            per_connection: 20,
            sizes: vec![0, 1, 100, 1460, 4096, 65_536, 5, 17_000, 1000, 200_000],
            kinds: vec!["len", "chunked", "len", "len", "close", "len", "chunked"],
            salt: 0,
            keys: 0,
            query: "",
        }
    }

    /// The same with so many targets, all of which say this besides.
    pub fn repeated(self, keys: u64, query: &'static str) -> Plan {
        Plan {
            keys,
            query,
            ..self
        }
    }

    fn target(&self, connection: u64, request: u64) -> (String, u64, u64) {
        // Different walks through both lists, so that sizes and kinds meet in every pair.
        let mut mix = connection.wrapping_mul(7).wrapping_add(request);
        let mut step = mix / self.sizes.len() as u64 + request;
        let mut number = connection * 1009 + request;
        if self.keys > 0 {
            number = skewed(number, self.keys);
            // What a target says decides what it has.
            mix = number;
            step = number / self.sizes.len() as u64;
        }
        let pick = |len: usize, at: u64| (at % len.max(1) as u64) as usize;
        let size = self.sizes[pick(self.sizes.len(), mix)];
        let kind = self.kinds[pick(self.kinds.len(), step)];
        let seed = self.salt.wrapping_add(number) % 60_000;
        let query = self.query;
        (format!("/{kind}/{size}?seed={seed}{query}"), size, seed)
    }
}

/// A number below `count`, the lower ones more often: half of them are below a fifth of it.
fn skewed(number: u64, count: u64) -> u64 {
    let mut state = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut random = || {
        state ^= state >> 30;
        state = state.wrapping_mul(0xbf58_476d_1ce4_e5b9);
        state ^= state >> 27;
        state % count
    };
    random() * random() / count
}

/// What came of it.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Answers that were right in every octet.
    pub right: u64,
    /// Octets of their bodies.
    pub octets: u64,
    /// Answers that were wrong: foreign, changed, too long or short though "complete".
    pub wrong: u64,
    /// Requests without a whole answer, or with an error status.
    pub failed: u64,
    /// The first few of the wrong and failed ones.
    pub notes: Vec<String>,
}

impl Tally {
    fn note(&mut self, text: String) {
        if self.notes.len() < 5 {
            self.notes.push(text);
        }
    }

    /// Adds another's.
    pub fn add(&mut self, other: &Tally) {
        self.right += other.right;
        self.octets += other.octets;
        self.wrong += other.wrong;
        self.failed += other.failed;
        other.notes.iter().for_each(|text| self.note(text.clone()));
    }
}

/// Makes one request and judges the answer.
fn one(conn: &mut Conn, target: &str, size: u64, seed: u64, tally: &mut Tally) -> Option<Response> {
    let mut checker = Checker::new(seed);
    let asked = conn.request("GET", target);
    let answer = asked.and_then(|()| conn.response_into("GET", &mut |bytes| checker.feed(bytes)));
    match answer {
        Err(Fault::Malformed(what)) => {
            tally.wrong += 1;
            tally.note(format!("{target}: malformed: {what}"));
            None
        }
        Err(fault) => {
            tally.failed += 1;
            tally.note(format!("{target}: {fault}"));
            None
        }
        Ok(response) if response.status >= 500 => {
            tally.failed += 1;
            tally.note(format!("{target}: status {}", response.status));
            Some(response)
        }
        Ok(response) => {
            let echoed = response.head.get("X-Target") == Some(target);
            if echoed && checker.wrong().is_none() && checker.len() == size {
                tally.right += 1;
                tally.octets += size;
            } else {
                tally.wrong += 1;
                let (len, wrong) = (checker.len(), checker.wrong());
                tally.note(format!(
                    "{target}: {len} octets, first wrong {wrong:?}, {response:?}"
                ));
            }
            Some(response)
        }
    }
}

fn work(plan: &Plan, number: u64, stop: &AtomicBool) -> Tally {
    let mut tally = Tally::default();
    let mut conn = None;
    let mut carried = 0;
    for request in 0..plan.requests {
        if stop.load(SeqCst) {
            break;
        }
        let mut open = match conn.take().map_or_else(|| Conn::open(plan.addr), Ok) {
            Ok(open) => open,
            Err(fault) => {
                tally.failed += 1;
                tally.note(format!("connecting: {fault}"));
                thread::sleep(scale::time(Duration::from_millis(2)));
                continue;
            }
        };
        let (target, size, seed) = plan.target(number, request);
        let answer = one(&mut open, &target, size, seed, &mut tally);
        carried += 1;
        let full = plan.per_connection != 0 && carried >= plan.per_connection;
        if !full && answer.is_some_and(|response| response.persistent()) {
            conn = Some(open);
        } else {
            carried = 0;
        }
    }
    tally
}

/// Load in the background.
pub struct Traffic {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Tally>>,
}

impl Traffic {
    /// Starts it. It ends when every connection made its requests, or when told to.
    pub fn start(plan: &Plan) -> Traffic {
        Traffic::start_with(plan, || Ok(()))
    }

    /// Starts it; each thread first does `enter` (to enter a network namespace, say).
    pub fn start_with(plan: &Plan, enter: fn() -> std::io::Result<()>) -> Traffic {
        let stop = Arc::new(AtomicBool::new(false));
        let thread = |number: usize| {
            let (plan, stop) = (plan.clone(), Arc::clone(&stop));
            thread::spawn(move || match enter() {
                Ok(()) => work(&plan, number as u64, &stop),
                Err(error) => {
                    let mut tally = Tally {
                        failed: 1,
                        ..Tally::default()
                    };
                    tally.note(error.to_string());
                    tally
                }
            })
        };
        let threads = (0..plan.connections).map(thread).collect();
        Traffic { stop, threads }
    }

    /// Waits for the last request.
    pub fn join(self) -> Tally {
        let mut sum = Tally::default();
        for thread in self.threads {
            match thread.join() {
                Ok(tally) => sum.add(&tally),
                Err(_) => sum.wrong += 1,
            }
        }
        sum
    }

    /// Makes it stop after the requests that are under way.
    pub fn stop(self) -> Tally {
        self.stop.store(true, SeqCst);
        self.join()
    }
}

/// Does all of a plan.
pub fn run(plan: &Plan) -> Tally {
    Traffic::start(plan).join()
}
