// SPDX-License-Identifier: GPL-2.0

//! What every request passes through, for those who measure what it costs.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::bytes::sip::SipKey;
use crate::bytes::Writer;
use crate::cache::index::{Bucket, Ledger, Place, Slot, Store, Table, Wanted};
use crate::cache::key::{Key, Scheme};
use crate::http::encode::request_head;
use crate::http::forward::{Forward, Treatment};
use crate::http::head::{parse_request, Parse, RequestHead, Scan};
use crate::http::Limits;
use crate::log::ring::{Appender, Words};
use crate::log::{self, Entry, Format};
use crate::time::{Duration, UnixTime};

/// The limits that are the defaults of the settings.
const LIMITS: Limits = Limits {
    head: 16 << 10,
    fields: 100,
    target: 8 << 10,
};

fn parsed(text: &[u8]) -> Option<RequestHead> {
    match parse_request(text, &mut Scan::new(), &LIMITS) {
        Ok(Parse::Complete(head)) => Some(head),
        _ => None,
    }
}

/// Reads a whole head: whether it is a request that the gateway would take, and all that it decides
/// by.
pub(crate) fn takes(text: &[u8]) -> bool {
    parsed(text).is_some()
}

/// The same, and writes it anew for a backend, which is told all that can be told.
pub(crate) fn passes_on(text: &[u8]) -> bool {
    let Some(head) = parsed(text) else {
        return false;
    };
    let forward = Forward {
        x_for: Treatment::Append,
        x_proto: Treatment::Append,
        x_host: Treatment::Append,
        forwarded: Treatment::Append,
        client: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 43)),
        client_port: 40_000,
        name: b"resin-0123abcd",
        cdn_loop: false,
        fallback_host: b"fallback",
        upgrade: false,
        expect: false,
        trailers: false,
        max_forwards: None,
        conditions: b"",
    };
    let mut room = [0; 2048];
    request_head(&head, text, &forward, &mut Writer::new(&mut room)).is_ok()
}

/// A request, whose answer is in a cache among others, and a log.
pub(crate) struct Desk {
    text: Vec<u8>,
    head: RequestHead,
    table: Arc<Table<Cells>>,
    captured: Box<[u8; log::MAX_CAPTURE]>,
    appender: Appender,
    ring: Memory,
}

const SECRET: SipKey = SipKey(0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210);
const SLOTS: usize = 1024;
const WORDS: usize = 1 << 13;

impl Desk {
    /// The desk for a request.
    pub(crate) fn new(text: &[u8]) -> Option<Self> {
        let head = parsed(text)?;
        let table = Arc::new(Table::new(Cells::new(SLOTS)));
        let places = vec![Place::EMPTY; SLOTS];
        let mut ledger = Ledger::new(table.clone(), places, Vec::new(), 0);
        let desk = Self {
            text: text.to_vec(),
            head,
            table,
            captured: Box::new([0; log::MAX_CAPTURE]),
            appender: Appender::default(),
            ring: Memory::new(),
        };
        let key = desk.key()?;
        let mut written = vec![0; key.len()];
        key.write(&mut Writer::new(&mut written)).ok()?;
        let hash = key.hash(SECRET);
        let id = ledger.insert(hash, Arc::new(written)).ok()?;
        ledger.finish(id, 1, 1, None).ok()?;
        Some(desk)
    }

    fn key(&self) -> Option<Key<'_>> {
        let (host, path) = (self.head.host.of(&self.text), self.head.path.of(&self.text));
        Key::new(Scheme::Http, host, b"", path)
    }

    /// Makes the request's key and finds what is stored under it.
    pub(crate) fn finds(&mut self) -> bool {
        let Some(key) = self.key() else {
            return false;
        };
        let found = self.table.find(key.hash(SECRET), &mut Sought(key));
        if let Some((_, id, _)) = &found {
            self.table.hit(*id);
        }
        found.is_some()
    }

    /// Remembers the request for the log, and logs it at its end.
    pub(crate) fn logs(&mut self) -> bool {
        let mut out = Writer::new(&mut self.captured[..]);
        if log::capture(&self.head, &self.text, &mut out).is_err() {
            return false;
        }
        let entry = Entry {
            client: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 43)),
            received: UnixTime::from_secs(1_795_327_413),
            status: 200,
            octets: 1024,
            backend: None,
            cache: "HIT",
            total: Duration::from_micros(12),
            first_byte: Some(Duration::from_micros(11)),
            ending: *b"--",
            id: 0xc1,
            is_remark: false,
        };
        let fields = black_box(entry).pack(Format::Combined);
        self.appender.append(&self.ring, 1, &fields, out.written());
        true
    }
}

/// Looks for what was stored under a key, whatever its variant.
struct Sought<'a>(Key<'a>);

impl Wanted<Arc<Vec<u8>>> for Sought<'_> {
    type Rank = u64;

    fn may_be(&mut self, _: u64) -> bool {
        true
    }

    fn rank(&mut self, entry: &Arc<Vec<u8>>) -> Option<u64> {
        self.0.is(entry).then_some(1)
    }
}

struct Cells {
    slots: Vec<Slot>,
    buckets: Vec<Bucket>,
    cells: Vec<Mutex<Option<Arc<Vec<u8>>>>>,
}

impl Cells {
    fn new(slots: usize) -> Self {
        Self {
            slots: (0..slots).map(|_| Slot::new()).collect(),
            buckets: (0..slots).map(|_| Bucket::new()).collect(),
            cells: (0..slots).map(|_| Mutex::new(None)).collect(),
        }
    }
}

impl Store for Cells {
    type Entry = Arc<Vec<u8>>;

    fn slots(&self) -> &[Slot] {
        &self.slots
    }

    fn buckets(&self) -> &[Bucket] {
        &self.buckets
    }

    fn get(&self, slot: usize) -> Option<Self::Entry> {
        self.cells.get(slot)?.lock().ok()?.clone()
    }

    fn put(&self, slot: usize, entry: Option<Self::Entry>) -> Option<Self::Entry> {
        let mut cell = self.cells.get(slot)?.lock().ok()?;
        std::mem::replace(&mut *cell, entry)
    }
}

/// A ring of the kernel's size, which has no need of checks either.
struct Memory {
    words: Box<[AtomicU64; WORDS]>,
    head: AtomicU64,
    oldest: AtomicU64,
}

impl Memory {
    fn new() -> Self {
        Self {
            words: Box::new([const { AtomicU64::new(0) }; WORDS]),
            head: AtomicU64::new(0),
            oldest: AtomicU64::new(0),
        }
    }

    fn word(&self, at: u64) -> &AtomicU64 {
        &self.words[at as usize % WORDS]
    }
}

impl Words for Memory {
    fn len(&self) -> u64 {
        WORDS as u64
    }

    fn load(&self, at: u64) -> u64 {
        self.word(at).load(Ordering::Relaxed)
    }

    fn store(&self, at: u64, word: u64) {
        self.word(at).store(word, Ordering::Relaxed);
    }

    fn head(&self) -> u64 {
        self.head.load(Ordering::Acquire)
    }

    fn set_head(&self, head: u64) {
        self.head.store(head, Ordering::Release);
    }

    fn oldest(&self) -> u64 {
        self.oldest.load(Ordering::Relaxed)
    }

    fn set_oldest(&self, oldest: u64) {
        self.oldest.store(oldest, Ordering::Relaxed);
    }

    fn read_barrier(&self) {}
}
