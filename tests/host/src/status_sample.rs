//! A gateway's status with made-up numbers, to test its forms and to look at them:
//! `cargo run --example status_page html >page.html`.

use std::net::SocketAddr;

use crate::config;
use crate::lb::{Condition, Why};
use crate::status::histogram::{bucket, SLOTS, SUM};
use crate::status::{render, Backend, Cache, Count, Format, Histogram, Snapshot};
use crate::time::{Duration, UnixTime};

/// What a snapshot borrows.
pub(crate) struct Sample {
    pub(crate) port: u16,
    pub(crate) uptime: Duration,
    pub(crate) dead_time: Option<Duration>,
    pub(crate) cache: Cache,
    pub(crate) counts: Vec<u64>,
    pub(crate) durations: Vec<u64>,
    pub(crate) backends: Vec<Server>,
}

/// What a snapshot borrows of a backend.
pub(crate) struct Server {
    pub(crate) config: config::Backend,
    pub(crate) condition: Condition,
    pub(crate) lasted: Duration,
    pub(crate) why: Option<Why>,
    /// active, pooled, requests, connect failures, connects, reuses, sent, received, failures,
    /// retries, probes, probe failures, waiting
    pub(crate) numbers: [u64; 13],
    pub(crate) connecting: Vec<u64>,
    pub(crate) responding: Vec<u64>,
}

impl Sample {
    /// A gateway that has just begun, with these backends (as `srun-N` has them).
    pub(crate) fn new(backends: &[&str]) -> Self {
        Self {
            port: 80,
            uptime: Duration::ZERO,
            dead_time: None,
            cache: Cache::default(),
            counts: vec![0; Count::LEN],
            durations: vec![0; SLOTS],
            backends: backends.iter().map(|text| Server::new(text)).collect(),
        }
    }

    /// A gateway that has worked for a while: `from` gives one number after the other.
    pub(crate) fn filled(backends: &[&str], mut from: impl FnMut() -> u64) -> Self {
        let mut sample = Self::new(backends);
        sample.uptime = Duration::from_secs(from());
        sample.cache = Cache {
            entries: from(),
            octets: from(),
            limit: from(),
            evictions: from(),
        };
        sample.counts.fill_with(&mut from);
        sample.durations.fill_with(&mut from);
        for backend in &mut sample.backends {
            backend.numbers.fill_with(&mut from);
            backend.connecting.fill_with(&mut from);
            backend.responding.fill_with(&mut from);
        }
        sample
    }

    /// Sets one number.
    pub(crate) fn set(&mut self, count: Count, number: u64) {
        self.counts[count as usize] = number;
    }

    /// The picture itself.
    pub(crate) fn with<R>(&self, look: impl FnOnce(&Snapshot<'_>) -> R) -> R {
        let backends: Vec<_> = self.backends.iter().map(Server::backend).collect();
        look(&Snapshot {
            port: self.port,
            now: UnixTime::from_secs(1_795_328_405),
            started: UnixTime::from_secs(1_795_000_000),
            uptime: self.uptime,
            connect_timeout: Duration::from_secs(5),
            live_time: Duration::from_secs(55),
            dead_time: self.dead_time,
            max_connections: 100_000,
            waiting: 0,
            memory: 4_194_304,
            memory_limit: 1 << 30,
            log_lost: 12,
            cache: self.cache,
            counts: &self.counts,
            durations: Histogram(&self.durations),
            backends: &backends,
        })
    }

    /// One of its forms.
    pub(crate) fn render(&self, format: Format) -> String {
        let mut text = String::new();
        let outcome = self.with(|snapshot| render(snapshot, format, &mut text));
        outcome.expect("a string takes everything");
        text
    }
}

/// The numbers of a histogram of spans in microseconds, each so many times.
pub(crate) fn spent(spans: &[(u64, u64)]) -> Vec<u64> {
    let mut numbers = vec![0; SLOTS];
    for (micros, times) in spans {
        numbers[bucket(Duration::from_micros(*micros))] += times;
        numbers[SUM] += micros * times;
    }
    numbers
}

impl Server {
    fn new(text: &str) -> Self {
        let config = config::Backend::parse(text.as_bytes());
        Self {
            config: config.expect("a backend as srun-N has it"),
            condition: Condition::Up,
            lasted: Duration::ZERO,
            why: None,
            numbers: [0; 13],
            connecting: vec![0; SLOTS],
            responding: vec![0; SLOTS],
        }
    }

    fn backend(&self) -> Backend<'_> {
        let [active, pooled, requests, connect_failures, connects, reuses, sent, received, failures, retries, probes, probe_failures, waiting] =
            self.numbers;
        Backend {
            config: &self.config,
            condition: self.condition,
            lasted: self.lasted,
            why: self.why,
            failures,
            retries,
            probes,
            probe_failures,
            active,
            waiting,
            pooled,
            requests,
            connects,
            connect_failures,
            reuses,
            sent,
            received,
            connecting: Histogram(&self.connecting),
            responding: Histogram(&self.responding),
        }
    }

    /// It has failed, so many seconds ago.
    pub(crate) fn fail(&mut self, why: Why, seconds: u64) {
        self.condition = Condition::Failed;
        self.lasted = Duration::from_secs(seconds);
        self.why = Some(why);
    }

    /// Where it is, as the forms write it.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.config.addr
    }
}

/// A busy gateway in the form of that name; none for an unknown name.
pub fn page(format: &str) -> Option<String> {
    let format = Format::ALL
        .into_iter()
        .find(|known| known.name() == format)?;
    let mut sample = Sample::new(&[
        "127.0.0.1 6802",
        "10.0.2.17 6803",
        "192.168.100.200:65000 drain",
        "[2001:db8:85a3::8a2e:370:7334]:8080 backup",
        "10.0.2.19 6802 down",
    ]);
    sample.uptime = Duration::from_secs(3 * 86_400 + 4 * 3600 + 321);
    sample.cache = Cache {
        entries: 3_871,
        octets: 61_203_456,
        limit: 64 << 20,
        evictions: 17_204,
    };
    for (count, number) in BUSY {
        sample.set(*count, *number);
    }
    sample.durations = spent(&[
        (90, 91_204),
        (380, 701_332),
        (820, 310_223),
        (2_300, 99_182),
        (7_100, 8_211),
        (31_000, 911),
        (88_000, 210),
        (230_000, 41),
        (3_100_000, 10),
    ]);
    for (backend, number) in sample.backends.iter_mut().zip([0, 3, 9, 4, 40]) {
        let n = 1_211_338 >> number;
        backend.numbers = [
            n % 7,
            n % 31,
            n,
            n % 3,
            n / 300,
            n - n / 300,
            n * 411,
            n * 31_017,
            n % 2,
            n % 17,
            n / 300,
            n % 2,
            n % 5,
        ];
        backend.lasted = Duration::from_secs(n / 9);
        backend.connecting = spent(&[(40, n / 400), (210, n / 900), (900, 2)]);
        backend.responding = spent(&[(340, n / 2), (700, n / 3), (1_900, n / 6), (23_000, n / 90)]);
    }
    sample.backends[1].fail(Why::Refused, 12);
    Some(sample.render(format))
}

const BUSY: &[(Count, u64)] = &[
    (Count::Open, 1_284),
    (Count::Accepted, 88_120),
    (Count::RefusedLimit, 12),
    (Count::RefusedMemory, 1),
    (Count::ResetIdle, 3_018),
    (Count::ResetLinger, 76),
    (Count::Requests, 1_211_346),
    (Count::Uploads, 20_412),
    (Count::Replays, 17),
    (Count::Tunnels, 31),
    (Count::TunnelsOpened, 412),
    (Count::Answers2xx, 1_180_001),
    (Count::Answers3xx, 21_311),
    (Count::Answers4xx, 9_917),
    (Count::Answers5xx, 117),
    (Count::Page400, 31),
    (Count::Page408, 4),
    (Count::Page431, 2),
    (Count::Page502, 80),
    (Count::Page504, 9),
    (Count::AbortedClient, 302),
    (Count::AbortedBackend, 2),
    (Count::TimeoutHeader, 4),
    (Count::TimeoutConnect, 9),
    (Count::ClientReceived, 498_211_003),
    (Count::ClientSent, 37_582_113_042),
    (Count::BackendReceived, 37_211_113_042),
    (Count::BackendSent, 499_211_003),
    (Count::Connects, 4_100),
    (Count::ConnectFailures, 80),
    (Count::Reuses, 1_207_246),
    (Count::CacheHits, 812_455),
    (Count::CacheStale, 1_312),
    (Count::CacheRevalidated, 9_871),
    (Count::CacheCollapsed, 644),
    (Count::CacheMisses, 366_652),
    (Count::CacheKnown, 1_170_020),
    (Count::CacheUnknown, 20_914),
    (Count::CacheStored, 21_198),
    (Count::CacheRefused, 345_454),
    (Count::CachePurged, 123),
];
