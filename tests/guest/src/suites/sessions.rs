//! Sessions stay at home whatever becomes of the other backends, and come back once theirs is fit;
//! our own cookie keeps those together whose names do not say where they are.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::backends::{wait_for_state, Farm};
use crate::conn::{Conn, Fault, Response};
use crate::gateway;
use crate::origin::{Origin, Step};
use crate::scale;
use crate::testing::{Failure, Outcome};
use crate::{ensure, same, tests};

tests![
    at_home_while_others_come_and_go in 120 s,
    back_home_after_each_failure in 120 s,
    the_cookie_to_the_letter,
    the_cookie_when_others_go,
    the_cookie_of_a_key,
];

/// Lets each backend answer `/script/who` with its number, which is one digit.
pub(super) fn sign(origins: &[Origin]) {
    for (number, origin) in origins.iter().enumerate() {
        sign_as(origin, number);
    }
}

/// The same for one of them.
pub(super) fn sign_as(origin: &Origin, number: usize) {
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{number}");
    origin.script("who", vec![Step::Send(answer.into_bytes())]);
}

/// Asks who is asked, with these fields, each with its CRLF.
pub(super) fn ask_who(client: &mut Conn, fields: &str) -> Result<(), Fault> {
    client.send(format!("GET /script/who HTTP/1.1\r\nHost: t\r\n{fields}\r\n").as_bytes())
}

/// Who has answered that.
pub(super) fn answerer(response: &Response) -> Result<usize, Failure> {
    same!(response.status, 200, "the status");
    let text = response.text();
    text.parse()
        .map_err(|_| Failure(format!("{text:?} is nobody's number")))
}

/// Which backends may be missed: they are not fit, or were not a moment ago.
#[derive(Default)]
struct Fitness {
    /// How often each has changed; odd while it is not fit.
    changes: [AtomicU64; 3],
    over: AtomicBool,
}

impl Fitness {
    fn change(&self, number: usize) {
        self.changes[number].fetch_add(1, SeqCst);
    }

    fn of(&self, number: usize) -> u64 {
        self.changes[number].load(SeqCst)
    }
}

/// What the requests of one session have come to.
#[derive(Debug, Default)]
struct Told {
    at_home: u64,
    /// Answered by another backend, or not at all, while its own was not fit.
    missed: u64,
    /// The same while it was.
    strayed: Vec<String>,
}

/// A client whose session has its home in the route `rN`; it asks until it is over.
fn live(addr: SocketAddr, name: String, home: usize, fitness: &Fitness) -> Told {
    let mut told = Told::default();
    let cookie = format!("Cookie: a=b; JSESSIONID={name}.r{home}\r\n");
    let mut kept = None;
    while !fitness.over.load(SeqCst) {
        let before = fitness.of(home);
        let asked = kept.take().map_or_else(|| Conn::open(addr), Ok);
        let answer = asked.and_then(|mut client| {
            ask_who(&mut client, &cookie)?;
            Ok((client.response("GET")?, client))
        });
        let outcome = match answer {
            Ok((response, client)) => {
                kept = response.persistent().then_some(client);
                answerer(&response).map_err(|failure| failure.0)
            }
            Err(fault) => Err(fault.to_string()),
        };
        match outcome {
            Ok(who) if who == home => told.at_home += 1,
            _ if before % 2 == 1 || fitness.of(home) != before => told.missed += 1,
            other => told.strayed.push(format!("{name}.r{home}: {other:?}")),
        }
    }
    told
}

/// Three backends with routes, and two sessions of each, under way.
struct Load {
    farm: Farm,
    fitness: Arc<Fitness>,
    sessions: Vec<JoinHandle<Told>>,
}

impl Load {
    fn start() -> Result<Load, Failure> {
        let farm = Farm::new(&["route=r0", "route=r1", "route=r2"])?;
        farm.gateway.set("recover-time", "200ms")?;
        sign(&farm.origins);
        let fitness = Arc::<Fitness>::default();
        let session = |number: usize| {
            let (addr, fitness) = (farm.gateway.addr(), Arc::clone(&fitness));
            // The first letter would say something else.
            let name = format!("{}0F{number}", ["b", "c"][number % 2]);
            thread::spawn(move || live(addr, name, number % 3, &fitness))
        };
        let sessions = (0..6).map(session).collect();
        Ok(Load {
            farm,
            fitness,
            sessions,
        })
    }

    /// Lets each backend get some more requests, so that what follows is under load.
    fn go_on(&self) -> Outcome {
        let before = self.farm.requests();
        let more = || {
            let now = self.farm.requests();
            now.iter().zip(&before).all(|(now, old)| *now >= old + 10)
        };
        ensure!(
            scale::wait_until(Duration::from_secs(20), more),
            "a backend gets nothing: {before:?}, {:?}",
            self.farm.requests()
        );
        Ok(())
    }

    /// Ends it. No request went elsewhere while its home was fit; whether any did at all.
    fn stop(self) -> Result<bool, Failure> {
        self.fitness.over.store(true, SeqCst);
        let (mut missed, mut strayed) = (0, Vec::new());
        for session in self.sessions {
            let told = session.join();
            let told = told.map_err(|_| Failure("a session panicked".into()))?;
            ensure!(told.at_home >= 10, "little at home: {told:?}");
            missed += told.missed;
            strayed.extend(told.strayed);
        }
        ensure!(
            strayed.is_empty(),
            "{} requests were not at home: {:?}",
            strayed.len(),
            &strayed[..strayed.len().min(5)]
        );
        Ok(missed > 0)
    }
}

fn at_home_while_others_come_and_go() -> Outcome {
    let load = Load::start()?;
    let farm = &load.farm;
    let fourth = Origin::start()?;
    sign_as(&fourth, 3);
    let addr = fourth.addr();
    load.go_on()?;
    for round in 0..scale::count(4, 2) {
        gateway::write("srun-count", "4")?;
        gateway::write("srun-3", &format!("{} {} route=r3", addr.ip(), addr.port()))?;
        load.go_on()?;
        // One that is drained keeps its sessions.
        farm.configure(1, "route=r1 drain")?;
        load.go_on()?;
        farm.configure(1, "route=r1 weight=3")?;
        gateway::write("srun-3", &format!("{} {} down", addr.ip(), addr.port()))?;
        load.go_on()?;
        gateway::write("srun-count", "3")?;
        farm.gateway
            .set("balance", ["latency", "path"][round as usize % 2])?;
        load.go_on()?;
    }
    same!(load.stop()?, false, "whether one was away from home");
    same!(
        fourth.requests(),
        0,
        "requests of the one that came and went"
    );
    Ok(())
}

fn back_home_after_each_failure() -> Outcome {
    let mut load = Load::start()?;
    load.go_on()?;
    for round in 0..scale::count(4, 2) {
        // Killed and restarted.
        let number = round as usize % 3;
        load.fitness.change(number);
        load.farm.origins[number].refuse();
        load.farm.origins[number].hang_up();
        wait_for_state(number, "failing")?;
        load.farm.origins[number].listen()?;
        wait_for_state(number, "ok")?;
        load.fitness.change(number);
        load.go_on()?;
        // Set down and put back.
        let number = (number + 1) % 3;
        let route = format!("route=r{number}");
        load.fitness.change(number);
        load.farm.configure(number, &format!("{route} down"))?;
        let others = load.farm.requests();
        let asked = || load.farm.requests().iter().sum::<u64>() >= others.iter().sum::<u64>() + 30;
        ensure!(scale::wait_until(Duration::from_secs(20), asked), "no load");
        load.farm.configure(number, &route)?;
        load.fitness.change(number);
        load.go_on()?;
    }
    same!(load.stop()?, true, "whether one was away from home");
    Ok(())
}

/// The cookies that a response sets, by name, each with its attributes.
fn cookies(response: &Response) -> Vec<(String, String)> {
    let all = response.head.all("Set-Cookie");
    let split = all.map(|line| line.split_once('=').unwrap_or((line, "")));
    split
        .map(|(name, rest)| (name.to_owned(), rest.to_owned()))
        .collect()
}

/// Three backends and a cookie of our own, with everybody's stamp.
fn stamped() -> Result<(Farm, [String; 3]), Failure> {
    let farm = Farm::new(&["", "", ""])?;
    sign(&farm.origins);
    farm.gateway.set("sticky-cookie", "home")?;
    let stamps = stamps_of(&mut farm.client()?)?;
    Ok((farm, stamps))
}

/// Everybody's stamp, whoever's turn it is.
fn stamps_of(client: &mut Conn) -> Result<[String; 3], Failure> {
    let mut stamps = [(); 3].map(|()| String::new());
    for _ in 0..3 {
        ask_who(client, "")?;
        let response = client.response("GET")?;
        let set = cookies(&response);
        ensure!(set.len() == 1, "the cookies that are set: {set:?}");
        let stamp = set[0].1.split(';').next().unwrap_or("");
        stamps[answerer(&response)?] = stamp.to_owned();
    }
    ensure!(stamps.iter().all(|stamp| !stamp.is_empty()), "{stamps:?}");
    Ok(stamps)
}

/// Who answers who sends that stamp, and the cookies that are set then.
fn with_stamp(client: &mut Conn, stamp: &str) -> Result<(usize, Vec<(String, String)>), Failure> {
    ask_who(client, &format!("Cookie: x=y; home={stamp}\r\n"))?;
    let response = client.response("GET")?;
    Ok((answerer(&response)?, cookies(&response)))
}

fn the_cookie_to_the_letter() -> Outcome {
    let (farm, stamps) = stamped()?;
    for stamp in &stamps {
        let hex = |octet: u8| octet.is_ascii_digit() || (b'a'..=b'f').contains(&octet);
        let right = stamp.len() == 16 && stamp.bytes().all(hex);
        ensure!(right, "the value is {stamp:?}");
    }
    // It comes besides what the backend sets, with the final answer and not before.
    let interim = "HTTP/1.1 103 Early Hints\r\n\r\n";
    let last = "HTTP/1.1 200 OK\r\nSet-Cookie: own=1; Path=/app\r\nContent-Length: 0\r\n\r\n";
    for origin in &farm.origins {
        origin.script("both", vec![Step::Send(format!("{interim}{last}").into())]);
    }
    let mut client = farm.client()?;
    client.request("GET", "/script/both")?;
    let (status, head) = client.status_and_head()?;
    same!(status, 103, "the first status");
    same!(head.get("Set-Cookie"), None, "the cookie of a 103");
    let response = client.response("GET")?;
    let set = cookies(&response);
    same!(set.len(), 2, "the cookies that are set");
    same!(set[0], ("own".into(), "1; Path=/app".into()), "the first");
    same!(set[1].0, "home", "the name of the second");
    let (value, attributes) = set[1].1.split_once("; ").unwrap_or(("", ""));
    ensure!(stamps.iter().any(|stamp| stamp == value), "{value:?}");
    same!(attributes, "Path=/; HttpOnly; SameSite=Lax", "attributes");
    let private = response.head.has_token("Cache-Control", "private");
    let fields = &response.head.fields;
    ensure!(private, "a cache may give it to others: {fields:?}");
    // Who has it is not given it again, on this connection or on another.
    for (home, stamp) in stamps.iter().enumerate() {
        for client in [&mut client, &mut farm.client()?] {
            same!(with_stamp(client, stamp)?, (home, vec![]), "{stamp}");
        }
    }
    Ok(())
}

fn the_cookie_when_others_go() -> Outcome {
    let (farm, stamps) = stamped()?;
    let mut client = farm.client()?;
    // One in the middle is set down, then the last one is removed.
    farm.configure(1, "down")?;
    for home in [0, 2] {
        let seen = with_stamp(&mut client, &stamps[home])?;
        same!(seen, (home, vec![]), "with srun-1 down");
    }
    farm.configure(1, "")?;
    gateway::write("srun-count", "2")?;
    for (home, stamp) in stamps.iter().enumerate().take(2) {
        for _ in 0..4 {
            let seen = with_stamp(&mut client, stamp)?;
            same!(seen, (home, vec![]), "without srun-2");
        }
    }
    // Who has lost its home is given another, and stays there.
    let (found, set) = with_stamp(&mut client, &stamps[2])?;
    same!(set.len(), 1, "the cookies for who has lost its home");
    let value = set[0].1.split(';').next().unwrap_or("");
    same!(value, stamps[found], "its new stamp");
    for _ in 0..4 {
        same!(with_stamp(&mut client, value)?, (found, vec![]), "there");
    }
    // What comes back is known again.
    gateway::write("srun-count", "3")?;
    farm.configure(2, "")?;
    let seen = with_stamp(&mut client, &stamps[2])?;
    same!(seen, (2, vec![]), "once srun-2 is back");
    Ok(())
}

/// Whoever has the key makes the same cookies, after a reload as well; nobody else understands them.
fn the_cookie_of_a_key() -> Outcome {
    let (farm, _) = stamped()?;
    let key = |key: &str| gateway::write("config", &format!("sticky-key {key}"));
    let stamps = |farm: &Farm| -> Result<[String; 3], Failure> {
        // The connection may have begun with the key before.
        let mut client = farm.client()?;
        stamps_of(&mut client)
    };
    key("one")?;
    let first = stamps(&farm)?;
    key("other")?;
    let second = stamps(&farm)?;
    ensure!(
        first.iter().all(|stamp| !second.contains(stamp)),
        "two keys, one stamp: {first:?} {second:?}"
    );
    let mut client = farm.client()?;
    let (_, set) = with_stamp(&mut client, &first[0])?;
    same!(set.len(), 1, "the cookies set for a stamp of another key");
    let farm = farm.reloaded()?;
    farm.gateway.set("sticky-cookie", "home")?;
    key("one")?;
    same!(stamps(&farm)?, first, "the stamps after a reload");
    let mut client = farm.client()?;
    for (number, stamp) in first.iter().enumerate() {
        let (who, set) = with_stamp(&mut client, stamp)?;
        same!((who, set.len()), (number, 0), "who answers, cookies set");
    }
    Ok(())
}
