//! Who asks for what another one is being given already waits for that, and reads along while it comes.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Barrier};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::cache_bodies::is_cut;
use crate::cached::{whole, Visitor, FRESH};
use crate::conn::{Conn, Fault, Options, Response};
use crate::gateway;
use crate::http::Framing;
use crate::origin::{Answer, Gate, Step};
use crate::pattern::Checker;
use crate::scale;
use crate::testing::{Bed, Failure, Outcome};
use crate::{ensure, same, tests};

tests![
    one_request_for_many,
    many_keys,
    each_gets_his_own,
    uncacheable_answers_let_go,
    waiting_has_an_end,
    first_client_leaves_before_the_head,
    first_client_leaves_midway,
    backend_dies_midway,
    backend_dies_before_the_head,
    a_follower_leaves,
    a_slow_follower_holds_up_nobody,
    a_slow_first_client_holds_up_nobody,
    a_slow_client_of_too_much,
];

const PAGE: &str = "/script/page";
const LEN: u64 = 100_000;
/// How much of it comes at first.
const HALF: u64 = 50_000;
/// What everybody sees of that, however it is cut.
const MOST_OF_HALF: u64 = 40_000;

/// A client on a thread of its own, who reads what he has asked for.
struct Reader {
    got: Arc<AtomicU64>,
    thread: JoinHandle<(Result<Response, Fault>, Checker)>,
}

impl Reader {
    /// Asks for `/script/page`, the body of which is 1.
    fn start(bed: &Bed) -> Reader {
        let addr = bed.addr();
        let got = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&got);
        let thread = thread::spawn(move || {
            let mut checker = Checker::new(1);
            let response = Conn::open(addr).and_then(|mut conn| {
                conn.request("GET", PAGE)?;
                conn.response_into("GET", &mut |octets| {
                    checker.feed(octets);
                    count.store(checker.len(), SeqCst);
                })
            });
            (response, checker)
        });
        Reader { got, thread }
    }

    /// Octets of the body that have come so far.
    fn got(&self) -> u64 {
        self.got.load(SeqCst)
    }

    fn join(self) -> Result<(Result<Response, Fault>, Checker), Failure> {
        let seen = self.thread.join();
        let (response, checker) = seen.map_err(|_| Failure("a reader panicked".into()))?;
        let is_page = matches!(&response, Ok(response) if response.status != 200);
        let wrong = checker.wrong().filter(|_| !is_page);
        same!(wrong, None, "the first wrong octet");
        Ok((response, checker))
    }

    /// Fails unless he has got a 200 with so much of the body, and all of it was right.
    fn has_all(self, len: u64) -> Outcome {
        let (response, checker) = self.join()?;
        let response = response?;
        same!((response.status, checker.len()), (200, len), "the answer");
        Ok(())
    }

    /// Fails unless he has seen that it was not all there.
    fn sees_the_cut(self) -> Outcome {
        is_cut(self.join()?.0)
    }
}

/// A gateway that makes nobody wait in vain before the test is over, unless it is told to.
fn patient() -> Result<Bed, Failure> {
    let bed = Bed::cached(&[])?;
    bed.gateway.set("connect-timeout", "10m")?;
    bed.gateway.set("response-timeout", "10m")?;
    Ok(bed)
}

/// Waits until the backend was asked that often for the page.
fn is_asked(bed: &Bed, times: u64) -> Outcome {
    let asked = || bed.origin.asked("page");
    let came = scale::wait_until(Duration::from_secs(10), || asked() >= times);
    ensure!(came, "the backend was asked {} times, not {times}", asked());
    same!(asked(), times, "how often the backend was asked");
    Ok(())
}

/// One who asks first, so that the backend is asked once more, and so many after him.
fn crowd(bed: &Bed, followers: usize) -> Result<Vec<Reader>, Failure> {
    let before = bed.origin.asked("page");
    let mut readers = vec![Reader::start(bed)];
    is_asked(bed, before + 1)?;
    readers.extend((0..followers).map(|_| Reader::start(bed)));
    // They shall be there: when they are cannot be seen, since they do nothing.
    thread::sleep(scale::time(Duration::from_millis(300)));
    Ok(readers)
}

/// Waits until everybody has got most of the first half.
fn read_along(readers: &[Reader]) -> Outcome {
    let all = || readers.iter().all(|reader| reader.got() >= MOST_OF_HALF);
    let came = scale::wait_until(Duration::from_secs(10), all);
    let got: Vec<_> = readers.iter().map(Reader::got).collect();
    ensure!(came, "not all read along: {got:?} of {HALF} octets");
    Ok(())
}

/// Makes the backend wait before its answer, and in the middle of it.
fn hold(bed: &Bed, answer: Answer<'_>) -> (Gate, Gate) {
    let (head, middle) = (Gate::default(), Gate::default());
    let answer = answer.midway(HALF, Step::Hold(middle.clone()));
    let steps = [vec![Step::Hold(head.clone())], answer.steps()].concat();
    bed.origin.script("page", steps);
    (head, middle)
}

fn one_request_for_many() -> Outcome {
    for framing in [Framing::Length(LEN), Framing::Chunked, Framing::Close] {
        let bed = patient()?;
        let (head, middle) = hold(&bed, Answer::new(FRESH, 1, LEN).framed(framing));
        let mut readers = crowd(&bed, 15)?;
        is_asked(&bed, 1)?;
        ensure!(readers.iter().all(|reader| reader.got() == 0), "too early");
        head.open();
        // Of what nobody knows how long it will be there may be no room for the rest: that is waited for.
        let reads_along = matches!(framing, Framing::Length(_));
        let (first, others) = readers.split_at(1);
        read_along(first)?;
        let late = vec![Reader::start(&bed), Reader::start(&bed)];
        if reads_along {
            read_along(others)?;
            // Who comes late gets what has come at once.
            read_along(&late)?;
        } else {
            let waits = |reader: &Reader| reader.got() == 0;
            ensure!(others.iter().chain(&late).all(waits), "not all wait");
        }
        readers.extend(late);
        middle.open();
        for reader in readers {
            reader.has_all(LEN)?;
        }
        is_asked(&bed, 1)?;
        whole(&Visitor::new(&bed)?.hit(PAGE, "")?, 1, LEN)?;
        bed.gateway.unload()?;
    }
    Ok(())
}

/// All of these at the same moment: one request with each of the fields.
fn at_once(bed: &Bed, target: &str, fields: &[&str]) -> Result<Vec<Response>, Failure> {
    let barrier = Barrier::new(fields.len());
    thread::scope(|scope| {
        let one = |fields| {
            let barrier = &barrier;
            scope.spawn(move || {
                let conn = bed.client();
                barrier.wait();
                conn?.ask("GET", target, fields)
            })
        };
        let threads: Vec<_> = fields.iter().copied().map(one).collect();
        let answers = threads.into_iter().map(|thread| match thread.join() {
            Ok(answer) => answer.map_err(Failure::from),
            Err(_) => Err(Failure("a client panicked".into())),
        });
        answers.collect()
    })
}

fn many_keys() -> Outcome {
    let bed = patient()?;
    for number in 0..scale::count(40, 10) {
        // So long that all come while it is under way, or not.
        let pause = number % 5 * 20;
        let target = format!("/wait?ms={pause}&number={number}&cc=max-age=3600");
        let before = bed.origin.requests();
        for response in at_once(&bed, &target, &[""; 8])? {
            let own = response.head.get("X-Target") == Some(target.as_str());
            ensure!(own, "{target}: another's answer: {:?}", response.head);
            same!(response.text(), "waited", "{target}: the body");
        }
        let asked = bed.origin.requests() - before;
        same!(asked, 1, "{target}: requests of the backend");
    }
    Ok(())
}

/// Who waits does not know for whom the answer will be: those whom it is not for ask themselves.
fn each_gets_his_own() -> Outcome {
    let bed = patient()?;
    let nobody = "X: anonymous\r\n";
    let encodings = ["gzip", "br", "identity"].map(|it| format!("Accept-Encoding: {it}\r\n"));
    let users = ["a", "b"].map(|it| format!("Cookie: user={it}\r\n"));
    let callers = ["YTph", "Yjpi"].map(|it| format!("Authorization: Basic {it}\r\n"));
    for number in 0..scale::count(20, 5) {
        for (vary, who) in [
            ("Accept-Encoding", &encodings[..]),
            ("Cookie", &users[..]),
            // RFC 9111 section 3.5: they need no Vary, but may have what is for everybody.
            ("", &callers[..]),
        ] {
            let target = format!("/echo-head?cc=max-age=3600&vary={vary}&number={number}");
            let who = who.iter().map(String::as_str).chain([nobody]);
            let who: Vec<_> = who.clone().chain(who).collect();
            let answers = at_once(&bed, &target, &who)?;
            for (response, fields) in answers.iter().zip(&who) {
                let text = response.text();
                let has = |line: &str| text.contains(&format!("\r\n{line}"));
                let is_foreign = |other: &&str| other != fields && *other != nobody && has(other);
                ensure!(
                    !who.iter().any(is_foreign) && (vary.is_empty() || has(fields)),
                    "{target}: for {fields:?} came {text:?}"
                );
            }
        }
    }
    Ok(())
}

fn uncacheable_answers_let_go() -> Outcome {
    let bed = patient()?;
    let answer = Answer::new("Cache-Control: no-store\r\n", 1, LEN);
    let (head, middle) = hold(&bed, answer.clone());
    let readers = crowd(&bed, 7)?;
    is_asked(&bed, 1)?;
    head.open();
    // All of them ask, while the first one's answer is still on its way.
    is_asked(&bed, 8)?;
    middle.open();
    for reader in readers {
        reader.has_all(LEN)?;
    }
    // It is known now: nobody waits for anybody.
    let (head, middle) = hold(&bed, answer);
    let readers: Vec<_> = (0..8).map(|_| Reader::start(&bed)).collect();
    is_asked(&bed, 16)?;
    head.open();
    middle.open();
    for reader in readers {
        reader.has_all(LEN)?;
    }
    Ok(())
}

/// Nobody waits for longer than he would for a connection.
fn waiting_has_an_end() -> Outcome {
    let bed = patient()?;
    bed.gateway.set("connect-timeout", "1s")?;
    let (head, middle) = hold(&bed, Answer::new(FRESH, 1, LEN));
    let mut readers = vec![Reader::start(&bed)];
    is_asked(&bed, 1)?;
    readers.extend((0..3).map(|_| Reader::start(&bed)));
    is_asked(&bed, 4)?;
    head.open();
    middle.open();
    for reader in readers {
        reader.has_all(LEN)?;
    }
    whole(&Visitor::new(&bed)?.hit(PAGE, "")?, 1, LEN)
}

/// A client who asks for the page, and of whom the backend knows.
fn first(bed: &Bed) -> Result<Conn, Failure> {
    let mut first = bed.client()?;
    first.request("GET", PAGE)?;
    is_asked(bed, 1)?;
    Ok(first)
}

/// Whatever has come of those before, who asks now gets it.
fn comes_whole(bed: &Bed) -> Outcome {
    let mut client = bed.client()?;
    for _ in 0..3 {
        whole(&client.get(PAGE)?, 1, LEN)?;
    }
    bed.works()
}

fn first_client_leaves_before_the_head() -> Outcome {
    let bed = patient()?;
    let (head, middle) = hold(&bed, Answer::new(FRESH, 1, LEN));
    let first = first(&bed)?;
    let readers: Vec<_> = (0..4).map(|_| Reader::start(&bed)).collect();
    thread::sleep(scale::time(Duration::from_millis(300)));
    first.reset()?;
    thread::sleep(scale::time(Duration::from_millis(300)));
    head.open();
    middle.open();
    for reader in readers {
        reader.has_all(LEN)?;
    }
    comes_whole(&bed)
}

fn first_client_leaves_midway() -> Outcome {
    let bed = patient()?;
    let (head, middle) = hold(&bed, Answer::new(FRESH, 1, LEN));
    let mut first = first(&bed)?;
    let readers: Vec<_> = (0..4).map(|_| Reader::start(&bed)).collect();
    head.open();
    first.nibble(1000)?;
    read_along(&readers)?;
    first.reset()?;
    thread::sleep(scale::time(Duration::from_millis(300)));
    middle.open();
    // It goes on without him.
    for reader in readers {
        reader.has_all(LEN)?;
    }
    is_asked(&bed, 1)?;
    whole(&Visitor::new(&bed)?.hit(PAGE, "")?, 1, LEN)?;
    bed.works()
}

/// The first one and those who read along see that it is cut; nobody after them sees anything of it.
fn backend_dies_midway() -> Outcome {
    let bed = patient()?;
    for end in [Step::Close, Step::Reset] {
        let (head, middle) = (Gate::default(), Gate::default());
        let half = Answer::new(FRESH, 1, HALF).framed(Framing::Length(LEN));
        let steps = [
            vec![Step::Hold(head.clone())],
            half.steps(),
            vec![Step::Hold(middle.clone()), end],
        ];
        bed.origin.script("page", steps.concat());
        let readers = crowd(&bed, 5)?;
        let asked = bed.origin.asked("page");
        head.open();
        read_along(&readers)?;
        middle.open();
        for reader in readers {
            reader.sees_the_cut()?;
        }
        is_asked(&bed, asked)?;
        let good = Answer::new(FRESH, 1, LEN);
        bed.origin.answer("page", &good);
        let mut visitor = Visitor::new(&bed)?;
        whole(&visitor.miss(PAGE, "")?, 1, LEN)?;
        whole(&visitor.hit(PAGE, "")?, 1, LEN)?;
        gateway::write("cache-clear", "all")?;
    }
    Ok(())
}

/// Then each gets an answer, be it one of the gateway's own, and nobody hangs.
fn backend_dies_before_the_head() -> Outcome {
    let bed = patient()?;
    let gate = Gate::default();
    let steps = vec![Step::Hold(gate.clone()), Step::Reset];
    bed.origin.script("page", steps);
    let readers = crowd(&bed, 5)?;
    gate.open();
    for reader in readers {
        reader.sees_the_cut()?;
    }
    bed.origin.answer("page", &Answer::new(FRESH, 1, LEN));
    comes_whole(&bed)
}

fn a_follower_leaves() -> Outcome {
    let bed = patient()?;
    let (head, middle) = hold(&bed, Answer::new(FRESH, 1, LEN));
    let readers = crowd(&bed, 3)?;
    let mut leaving = Vec::new();
    for _ in 0..3 {
        let mut client = bed.client()?;
        client.request("GET", PAGE)?;
        leaving.push(client);
    }
    // One before anything has come, one in the middle, one who says that he will not ask for more.
    if let Some(early) = leaving.pop() {
        early.reset()?;
    }
    head.open();
    read_along(&readers)?;
    for client in &mut leaving {
        ensure!(!client.nibble(1000)?.is_empty(), "nothing has come");
    }
    if let Some(midway) = leaving.pop() {
        midway.reset()?;
    }
    leaving.iter().try_for_each(Conn::half_close)?;
    thread::sleep(scale::time(Duration::from_millis(100)));
    middle.open();
    for reader in readers {
        reader.has_all(LEN)?;
    }
    is_asked(&bed, 1)?;
    whole(&Visitor::new(&bed)?.hit(PAGE, "")?, 1, LEN)?;
    bed.works()
}

/// Neither the first one nor those who read along, nor whoever comes after them.
fn a_slow_follower_holds_up_nobody() -> Outcome {
    let bed = patient()?;
    let len = 1 << 20;
    let (head, middle) = hold(&bed, Answer::new(FRESH, 1, len));
    let readers = crowd(&bed, 3)?;
    let mut slow = bed.client_with(Options {
        receive_buffer: Some(16 << 10),
        ..Options::default()
    })?;
    slow.request("GET", PAGE)?;
    head.open();
    read_along(&readers)?;
    middle.open();
    for reader in readers {
        reader.has_all(len)?;
    }
    is_asked(&bed, 1)?;
    let mut visitor = Visitor::new(&bed)?;
    whole(&visitor.hit(PAGE, "")?, 1, len)?;
    // What he reads from may be gone from the cache by now.
    gateway::write("cache-clear", "all")?;
    whole(&slow.response("GET")?, 1, len)
}

/// More than the sockets on the way to a client hold.
const LARGE: u64 = 6 << 20;

/// One who asks for a page with a small window, and takes nothing of it.
fn slow(bed: &Bed, framing: Framing) -> Result<Conn, Failure> {
    let before = bed.origin.asked("page");
    let answer = Answer::new(FRESH, 1, LARGE).framed(framing);
    bed.origin.answer("page", &answer);
    let mut slow = bed.client_with(Options {
        receive_buffer: Some(16 << 10),
        ..Options::default()
    })?;
    slow.request("GET", PAGE)?;
    is_asked(bed, before + 1)?;
    Ok(slow)
}

/// The backend sends its answer into the cache. The client gets it from there when it likes, even if it is
/// gone from the index by then.
fn a_slow_first_client_holds_up_nobody() -> Outcome {
    let bed = Bed::cached(&[("memory-size", "32M"), ("max-entry-size", "8M")])?;
    for framing in [Framing::Length(LARGE), Framing::Chunked, Framing::Close] {
        let mut slow = slow(&bed, framing)?;
        let asked = bed.origin.asked("page");
        // Whether it comes from the cache or reads along.
        whole(&bed.client()?.get(PAGE)?, 1, LARGE)?;
        same!(bed.origin.asked("page"), asked, "requests at the backend");
        gateway::write("cache-clear", "all")?;
        whole(&slow.response("GET")?, 1, LARGE)?;
        gateway::write("cache-clear", "all")?;
    }
    bed.works()
}

/// There is no room for all of it: what there was room for comes from the cache, the rest from the
/// backend.
fn a_slow_client_of_too_much() -> Outcome {
    let bed = Bed::cached(&[("memory-size", "32M"), ("max-entry-size", "5M")])?;
    for framing in [Framing::Chunked, Framing::Close] {
        let mut slow = slow(&bed, framing)?;
        thread::sleep(scale::time(Duration::from_millis(500)));
        whole(&slow.response("GET")?, 1, LARGE)?;
        Visitor::new(&bed)?.miss(PAGE, "")?;
    }
    bed.works()
}
