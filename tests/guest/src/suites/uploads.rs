//! Uploads: every octet arrives, and the gateway holds less than a MiB of them, however slow the
//! backend is.
//!
//! `RESIN_UPLOAD` is the size of the large ones in MiB: 4096 is what was promised once, by hand.

use std::fs;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::conn::{Conn, Options};
use crate::origin::Step;
use crate::scale;
use crate::testing::{Bed, Context, Failure, Outcome, PORT};
use crate::upload::{Upload, Uploaded};
use crate::{ensure, same, tests};

tests![
    large_with_length in 1800 s,
    large_in_chunks in 1800 s,
    stalled_backend in 120 s,
    backend_that_stalls_later in 120 s,
    slow_backend in 120 s,
    slow_client,
    many_at_once in 120 s,
    echoed_while_sent in 120 s,
];

/// The most octets that the gateway's own sockets may hold of one exchange, in one direction, at any
/// moment: what one has received and the other has not sent.
const HELD: u64 = MIB;

/// How much of the machine's memory an upload may take while it is on its way: the client's and the
/// backend's own buffers are in this machine too.
const TAKEN_KIB: u64 = 48 << 10;

const MIB: u64 = 1 << 20;

/// The size of the large uploads.
fn large() -> u64 {
    let setting = std::env::var("RESIN_UPLOAD").ok();
    let size = setting.and_then(|text| text.parse::<u64>().ok());
    size.unwrap_or_else(|| scale::count(64, 8)) * MIB
}

fn large_with_length() -> Outcome {
    whole(Upload::new("/upload?seed=7", 7, large()))
}

fn large_in_chunks() -> Outcome {
    let upload = Upload::new("/upload?seed=8", 8, large());
    whole(Upload {
        trailers: "X-Sum: 12345\r\n",
        ..upload.chunked(100_000)
    })
}

/// Sends it, watching what is held on the way.
fn watched(bed: &Bed, upload: &Upload<'_>) -> Outcome {
    let watch = Watch::start(bed.origin.addr());
    let uploaded = send(bed, upload)?;
    let peak = watch.stop()?;
    right(bed, upload, &uploaded)?;
    bounded(&peak)
}

fn whole(upload: Upload<'_>) -> Outcome {
    let bed = Bed::new()?;
    watched(&bed, &upload)?;
    bed.works()
}

/// The backend reads nothing for a while: the client has to wait, nobody stores.
fn stalled_backend() -> Outcome {
    let bed = Bed::new()?;
    let upload = Upload::new("/upload?seed=1&stall=3000", 1, 48 * MIB);
    watched(&bed, &upload)?;
    bed.works()
}

/// The backend reads as fast as it can, so that windows grow, and then nothing for a while.
fn backend_that_stalls_later() -> Outcome {
    let bed = Bed::new()?;
    let target = "/script/later?seed=6";
    let steps = vec![
        Step::Read(24 * MIB),
        Step::Pause(scale::time(Duration::from_secs(3))),
        Step::Read(u64::MAX),
        Step::Report {
            status: "200 OK",
            fields: String::new(),
        },
    ];
    bed.origin.script("later", steps);
    let upload = Upload::new(target, 6, 48 * MIB);
    watched(&bed, &upload)?;
    bed.works()
}

fn slow_backend() -> Outcome {
    let bed = Bed::new()?;
    for chunk in [None, Some(7_000)] {
        let upload = Upload::new("/upload?seed=2&slow=10&chunk=32768", 2, 6 * MIB);
        let upload = chunk.map_or(upload.clone(), |size| upload.chunked(size));
        watched(&bed, &upload)?;
    }
    bed.works()
}

/// What a slow client sends is not gathered: it arrives as it is sent.
fn slow_client() -> Outcome {
    let bed = Bed::new()?;
    let mut client = bed.client()?;
    let upload = Upload::new("/upload?seed=3", 3, 3_000);
    client.send(upload.head().as_bytes())?;
    for piece in 0..3 {
        let octets = crate::pattern::body(3, 3_000);
        client.send(&octets[piece * 1_000..(piece + 1) * 1_000])?;
        // The backend has this piece before the next one is sent.
        let arrived = || backend_has(&bed, piece as u64 * 1_000 + 1_000);
        let arrived = piece == 2 || scale::wait_until(Duration::from_secs(10), arrived);
        ensure!(arrived, "piece {piece} does not arrive before the next one");
    }
    let response = client.response("POST").context("the answer")?;
    same!(response.status, 200, "the status");
    let text = response.text();
    ensure!(
        text.contains("wrong none\n"),
        "the backend's report: {text}"
    );
    bed.works()
}

/// Whether the backend has read so many octets of the body that is on its way.
fn backend_has(bed: &Bed, octets: u64) -> bool {
    bed.origin.body_octets() >= octets
}

fn many_at_once() -> Outcome {
    let bed = Bed::new()?;
    let size = scale::count(4 * MIB, MIB);
    thread::scope(|scope| {
        let one = |number: u64| {
            let bed = &bed;
            scope.spawn(move || {
                let target = format!("/upload?seed={number}&slow={}", number % 3);
                let upload = Upload::new(&target, number, size + number);
                let upload = match number % 2 {
                    0 => upload,
                    _ => upload.chunked(1 + number * 5_000),
                };
                let uploaded = send(bed, &upload)?;
                report(&upload, &uploaded)
            })
        };
        let all: Vec<_> = (0..8).map(one).collect();
        all.into_iter().try_for_each(|thread| match thread.join() {
            Ok(outcome) => outcome,
            Err(_) => Err(Failure("an uploading thread panicked".into())),
        })
    })?;
    same!(
        bed.origin.complaints(),
        Vec::<String>::new(),
        "the backend's complaints"
    );
    bed.works()
}

/// Both directions of one exchange move at the same time.
fn echoed_while_sent() -> Outcome {
    let bed = Bed::new()?;
    // Enough for some looks at it where all is slow.
    let size = scale::count(16 * MIB, 4 * MIB);
    let plain = Upload::new("/echo?seed=5", 5, size);
    for upload in [plain.clone(), plain.chunked(50_000)] {
        let mut checker = crate::pattern::Checker::new(5);
        let watch = Watch::start(bed.origin.addr());
        let uploaded = client(&bed)?
            .upload_into(&upload, &mut |bytes| checker.feed(bytes))
            .context("the echo")?;
        let peak = watch.stop()?;
        same!(uploaded.response.status, 200, "the status");
        same!((checker.len(), checker.wrong()), (size, None), "the echo");
        held_at_most(&peak, 2 * HELD)?;
    }
    same!(
        bed.origin.complaints(),
        Vec::<String>::new(),
        "the backend's complaints"
    );
    bed.works()
}

/// A client that waits for long: the answer comes when the backend has read everything.
fn client(bed: &Bed) -> Result<Conn, Failure> {
    let patience = Some(Duration::from_secs(1800));
    Ok(bed.client_with(Options {
        patience,
        ..Options::default()
    })?)
}

fn send(bed: &Bed, upload: &Upload<'_>) -> Result<Uploaded, Failure> {
    let target = upload.target;
    client(bed)?
        .upload(upload)
        .context(format!("uploading to {target}"))
}

/// Fails unless the backend says that it got that very body.
fn report(upload: &Upload<'_>, uploaded: &Uploaded) -> Outcome {
    same!(uploaded.response.status, 200, "the status");
    ensure!(uploaded.sent, "the body could not be sent");
    let text = uploaded.response.text();
    for line in [
        format!("octets {}", upload.len),
        format!("crc32 {:08x}", upload.crc()),
        "wrong none".to_owned(),
        "complete true".to_owned(),
    ] {
        let there = text.lines().any(|other| other == line);
        ensure!(there, "{line:?} is not in the backend's report:\n{text}");
    }
    Ok(())
}

/// The same, trailers and tidiness included.
fn right(bed: &Bed, upload: &Upload<'_>, uploaded: &Uploaded) -> Outcome {
    report(upload, uploaded)?;
    let text = uploaded.response.text();
    for line in upload.trailers.lines() {
        let there = text.contains(&format!("trailer {line}\n"));
        ensure!(there, "the trailer {line:?} did not arrive:\n{text}");
    }
    same!(
        bed.origin.complaints(),
        Vec::<String>::new(),
        "the backend's complaints"
    );
    Ok(())
}

fn bounded(peak: &Peak) -> Outcome {
    held_at_most(peak, HELD)?;
    ensure!(
        peak.taken_kib <= TAKEN_KIB * u64::from(scale::slow()),
        "{} KiB of memory were taken meanwhile",
        peak.taken_kib
    );
    Ok(())
}

fn held_at_most(peak: &Peak, most: u64) -> Outcome {
    ensure!(
        peak.samples > 3,
        "only {} looks at the sockets",
        peak.samples
    );
    ensure!(
        peak.held <= most,
        "the gateway's sockets held up to {} octets (from the client {}, to the backend {})",
        peak.held,
        peak.from_client,
        peak.to_backend
    );
    Ok(())
}

/// The most that was seen at one time.
#[derive(Debug, Default)]
struct Peak {
    samples: u64,
    /// Octets in the queues of the gateway's sockets.
    held: u64,
    from_client: u64,
    to_backend: u64,
    /// How far MemAvailable fell.
    taken_kib: u64,
}

/// Looks at the gateway's sockets and at the machine's memory until it is stopped.
struct Watch {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<Peak, Failure>>,
}

impl Watch {
    fn start(backend: SocketAddr) -> Watch {
        let stop = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let mut peak = Peak::default();
            let before = available_kib()?;
            while !flag.load(SeqCst) {
                let (from_client, to_backend) = held(backend.port())?;
                if from_client + to_backend > peak.held {
                    peak.held = from_client + to_backend;
                    (peak.from_client, peak.to_backend) = (from_client, to_backend);
                }
                peak.taken_kib = peak.taken_kib.max(before.saturating_sub(available_kib()?));
                peak.samples += 1;
                thread::sleep(Duration::from_millis(20));
            }
            Ok(peak)
        });
        Watch { stop, thread }
    }

    /// The peak; said in the output too.
    fn stop(self) -> Result<Peak, Failure> {
        self.stop.store(true, SeqCst);
        let peak = self.thread.join();
        let peak = peak.map_err(|_| Failure("the watch panicked".into()))??;
        println!("{peak:?}");
        Ok(peak)
    }
}

/// Octets in the queues of the gateway's sockets: of its clients' connections and of those to the
/// backend at that port. From /proc/net/tcp, in which a kernel's sockets are like any other's, and
/// tcp6, where clients are: the gateway listens on one socket for both families.
fn held(backend: u16) -> Result<(u64, u64), Failure> {
    let (mut clients, mut backends) = (0, 0);
    for table in ["tcp", "tcp6"] {
        let text = fs::read_to_string(format!("/proc/thread-self/net/{table}"))?;
        for line in text.lines().skip(1) {
            let words: Vec<_> = line.split_whitespace().collect();
            let [_, local, remote, state, queues, ..] = words[..] else {
                continue;
            };
            if NO_QUEUES.contains(&state) {
                continue;
            }
            let queued: u64 = queues.split(':').map(hex).sum();
            let port = |address: &str| address.split(':').next_back().map_or(0, hex);
            if port(local) == u64::from(PORT) {
                clients += queued;
            } else if port(remote) == u64::from(backend) {
                backends += queued;
            }
        }
    }
    Ok((clients, backends))
}

/// Of what is listened on connections are counted; before a SYN is sent the two numbers that a queue
/// is the difference of are not both there.
const NO_QUEUES: [&str; 2] = ["0A", "02"];

fn hex(text: &str) -> u64 {
    u64::from_str_radix(text, 16).unwrap_or(0)
}

fn available_kib() -> Result<u64, Failure> {
    let text = fs::read_to_string("/proc/meminfo")?;
    let line = text.lines().find(|line| line.starts_with("MemAvailable:"));
    let number = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    number.ok_or_else(|| Failure("no MemAvailable in /proc/meminfo".into()))
}
