//! Sessions that stay at home, choices, failures, waiting lines.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use crate::conn::{Conn, Response};
use crate::gateway::{self, Gateway};
use crate::leftovers::Log;
use crate::load::{Plan, Traffic};
use crate::origin::{Mode, Origin};
use crate::scale;
use crate::testing::{Failure, Outcome, PORT};
use crate::{ensure, same, tests};

tests![
    sessions_stay_with_their_route in 120 s,
    sessions_of_resin_by_letter,
    sessions_in_paths,
    sessions_survive_other_servers,
    a_cookie_of_our_own,
    a_forged_cookie_is_nobodys,
    not_sticky,
    weights,
    least_connections,
    same_path_same_backend,
    draining,
    backups,
    one_of_two_refuses,
    one_of_two_resets,
    killed_and_restarted_under_load,
    added_and_removed_under_load,
    a_pause_is_no_death,
    the_kernel_log_says_what_has_failed,
    a_change_keeps_the_connections,
];

/// Some backends behind a gateway, with these options each.
pub(super) struct Farm {
    pub(super) gateway: Gateway,
    pub(super) origins: Vec<Origin>,
}

impl Farm {
    pub(super) fn new(options: &[&str]) -> Result<Farm, Failure> {
        let mut origins = Vec::new();
        for _ in options {
            origins.push(Origin::start()?);
        }
        Farm::of(origins, options)
    }

    fn of(origins: Vec<Origin>, options: &[&str]) -> Result<Farm, Failure> {
        let gateway = Gateway::load(PORT)?;
        let farm = Farm { gateway, origins };
        gateway::write("srun-count", &options.len().to_string())?;
        for (number, options) in options.iter().enumerate() {
            farm.configure(number, options)?;
        }
        farm.gateway.set("warmup-time", "0s")?;
        Ok(farm)
    }

    /// The same backends, without options, behind the module loaded anew.
    pub(super) fn reloaded(self) -> Result<Farm, Failure> {
        self.gateway.unload()?;
        let options = vec![""; self.origins.len()];
        Farm::of(self.origins, &options)
    }

    /// Writes `srun-N`.
    pub(super) fn configure(&self, number: usize, options: &str) -> Outcome {
        let addr = self.origins[number].addr();
        let line = format!("{} {} {options}", addr.ip(), addr.port());
        gateway::write(&format!("srun-{number}"), line.trim_end())
    }

    pub(super) fn client(&self) -> Result<Conn, Failure> {
        Ok(Conn::open(self.gateway.addr())?)
    }

    pub(super) fn requests(&self) -> Vec<u64> {
        self.origins.iter().map(Origin::requests).collect()
    }

    /// Which backend answered the last request, as long as there is one request at a time.
    fn who(&self, before: &[u64]) -> Result<usize, Failure> {
        let after = self.requests();
        let mut changed = (0..after.len()).filter(|at| after[*at] != before[*at]);
        let one = changed.next();
        ensure!(changed.next().is_none(), "several: {before:?}, {after:?}");
        one.ok_or_else(|| Failure("nobody".into()))
    }

    /// One request with these fields: who has answered it, and how.
    fn ask(
        &self,
        client: &mut Conn,
        target: &str,
        fields: &str,
    ) -> Result<(usize, Response), Failure> {
        let before = self.requests();
        let response = client.ask("GET", target, fields)?;
        same!(response.status, 200, "{target} with {fields:?}: the status");
        Ok((self.who(&before)?, response))
    }
}

/// The state of a backend in `status`.
pub(super) fn state(number: usize) -> Result<String, Failure> {
    word(number, 1)
}

/// What stands in a column of the line that `status` has for a backend.
pub(super) fn word(number: usize, column: usize) -> Result<String, Failure> {
    let status = gateway::read("status")?;
    let name = format!("srun-{number} ");
    let line = status.lines().find(|line| line.starts_with(&name));
    let word = line.and_then(|line| line.split_whitespace().nth(column));
    Ok(word.unwrap_or("").to_owned())
}

pub(super) fn wait_for_state(number: usize, wanted: &str) -> Outcome {
    let is = || state(number).is_ok_and(|state| state == wanted);
    let seen = scale::wait_until(Duration::from_secs(10), is);
    ensure!(
        seen,
        "srun-{number} is {:?}, not {wanted:?}",
        state(number)?
    );
    Ok(())
}

fn sessions_stay_with_their_route() -> Outcome {
    let farm = Farm::new(&["route=tom0", "route=tom1", "route=tom2"])?;
    let sessions = scale::count(10_000, 600);
    let mut client = farm.client()?;
    // Whatever the first letter would say; twenty at a time.
    let numbers: Vec<_> = (0..sessions).collect();
    for some in numbers.chunks(20) {
        let mut heads = String::new();
        for number in some {
            let letters = number.wrapping_mul(0x9e37_79b9);
            let cookie = format!("a=b; JSESSIONID={letters:X}0A.tom{}", number % 3);
            heads += &format!("GET /len/1 HTTP/1.1\r\nHost: test\r\nCookie: {cookie}\r\n\r\n");
        }
        client.send(heads.as_bytes())?;
        for _ in some {
            same!(client.response("GET")?.status, 200, "the status");
        }
    }
    let right: Vec<_> = (0..3).map(|home| (sessions + 2 - home) / 3).collect();
    same!(farm.requests(), right, "the requests of each backend");
    Ok(())
}

fn sessions_of_resin_by_letter() -> Outcome {
    let farm = Farm::new(&["", "", ""])?;
    let mut client = farm.client()?;
    let alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    for (value, letter) in alphabet.chars().enumerate() {
        let cookie = format!("Cookie: JSESSIONID={letter}X8ZwooOz\r\n");
        let (who, _) = farm.ask(&mut client, "/len/1", &cookie)?;
        same!(who, value % 3, "the home of {letter}");
    }
    // Another name is no session's.
    let mut seen = [0; 3];
    for _ in 0..9 {
        let (who, _) = farm.ask(&mut client, "/len/1", "Cookie: XJSESSIONID=aaa\r\n")?;
        seen[who] += 1;
    }
    same!(seen, [3, 3, 3], "requests without a session");
    farm.gateway.set("session-cookie", "SID")?;
    for _ in 0..4 {
        let (who, _) = farm.ask(&mut client, "/len/1", "Cookie: SID=caa\r\n")?;
        same!(who, 2, "the home of another cookie");
    }
    Ok(())
}

fn sessions_in_paths() -> Outcome {
    let farm = Farm::new(&["", "route=x"])?;
    let mut client = farm.client()?;
    for _ in 0..3 {
        for (target, home) in [
            ("/len/1;jsessionid=aaa", 0),
            ("/len/1;jsessionid=baa", 1),
            ("/len/1;jsessionid=aaa.x?q=1", 1),
        ] {
            let head = format!("GET {target} HTTP/1.1\r\nHost: test\r\n\r\n");
            let before = farm.requests();
            client.send(head.as_bytes())?;
            client.response("GET")?;
            same!(farm.who(&before)?, home, "{target}");
        }
    }
    // The cookie is believed first.
    let fields = "Cookie: JSESSIONID=aaa\r\n";
    let (who, _) = farm.ask(&mut client, "/len/1?x=;jsessionid=baa", fields)?;
    same!(who, 0, "cookie against path");
    Ok(())
}

fn sessions_survive_other_servers() -> Outcome {
    let farm = Farm::new(&["route=a", "route=b", "route=c"])?;
    let mut client = farm.client()?;
    let session = |route: &str| format!("Cookie: JSESSIONID=77.{route}\r\n");
    for _ in 0..2 {
        let (who, _) = farm.ask(&mut client, "/len/1", &session("a"))?;
        same!(who, 0, "before");
    }
    gateway::write("srun-count", "2")?;
    let (who, _) = farm.ask(&mut client, "/len/1", &session("b"))?;
    same!(who, 1, "with one server less");
    let (first, _) = farm.ask(&mut client, "/len/1", &session("c"))?;
    for _ in 0..5 {
        let (who, _) = farm.ask(&mut client, "/len/1", &session("c"))?;
        same!(who, first, "a session without a home stays together");
    }
    Ok(())
}

/// The value of our own cookie in a response.
fn stamp(response: &Response) -> Option<String> {
    let mut lines = response.head.all("Set-Cookie");
    let line = lines.find_map(|line| line.strip_prefix("home="))?;
    line.split(';').next().map(str::to_owned)
}

fn a_cookie_of_our_own() -> Outcome {
    let farm = Farm::new(&["", "", ""])?;
    farm.gateway.set("sticky-cookie", "home")?;
    let mut client = farm.client()?;
    let mut stamps = BTreeMap::new();
    for _ in 0..9 {
        let (who, response) = farm.ask(&mut client, "/len/1", "")?;
        let value = stamp(&response).ok_or(Failure("no cookie".into()))?;
        same!(
            stamps.entry(who).or_insert(value.clone()),
            &value,
            "the stamp of {who}"
        );
        let port = farm.origins[who].addr().port();
        let telling = value.contains("127.0.0.1") || value.contains(&port.to_string());
        ensure!(!telling, "{value:?} tells the address");
    }
    same!(stamps.len(), 3, "the stamps");
    for (home, value) in &stamps {
        for _ in 0..4 {
            let cookie = format!("Cookie: JSESSIONID=aaa; home={value}\r\n");
            let (who, response) = farm.ask(&mut client, "/len/1", &cookie)?;
            same!(who, *home, "who it belongs to");
            same!(stamp(&response), None, "a cookie that is known already");
        }
    }
    Ok(())
}

fn a_forged_cookie_is_nobodys() -> Outcome {
    let farm = Farm::new(&["", ""])?;
    farm.gateway.set("sticky-cookie", "home")?;
    let mut client = farm.client()?;
    for value in [
        "0000000000000000",
        "1",
        "127.0.0.1:80",
        "",
        "ffffffffffffffffff",
    ] {
        let cookie = format!("Cookie: home={value}\r\n");
        let (_, response) = farm.ask(&mut client, "/len/1", &cookie)?;
        ensure!(stamp(&response).is_some(), "{value:?} is taken for a stamp");
    }
    Ok(())
}

fn not_sticky() -> Outcome {
    let farm = Farm::new(&["", ""])?;
    farm.gateway.set("sticky", "off")?;
    let mut client = farm.client()?;
    for _ in 0..10 {
        farm.ask(&mut client, "/len/1", "Cookie: JSESSIONID=aaa\r\n")?;
    }
    same!(farm.requests(), [5, 5], "the requests");
    Ok(())
}

fn weights() -> Outcome {
    let farm = Farm::new(&["weight=3", "", "weight=2"])?;
    let mut client = farm.client()?;
    for _ in 0..60 {
        client.get("/len/1")?;
    }
    same!(farm.requests(), [30, 10, 20], "the requests");
    Ok(())
}

fn least_connections() -> Outcome {
    let farm = Farm::new(&["", "", ""])?;
    farm.gateway.set("balance", "least-connections")?;
    let mut waiting = Vec::new();
    // Three that last, one at each.
    for _ in 0..3 {
        let mut client = farm.client()?;
        client.request("GET", "/hang")?;
        waiting.push(client);
        let sent = waiting.len() as u64;
        let there = || farm.requests().iter().sum::<u64>() == sent;
        ensure!(scale::wait_until(Duration::from_secs(10), there), "lost");
    }
    same!(farm.requests(), [1, 1, 1], "one at each");
    farm.configure(1, "weight=3")?;
    let before = farm.requests();
    let mut client = farm.client()?;
    for _ in 0..10 {
        client.get("/len/1")?;
    }
    let after = farm.requests();
    same!(
        after[1] - before[1],
        10,
        "requests of the one with the least to do"
    );
    Ok(())
}

fn same_path_same_backend() -> Outcome {
    let farm = Farm::new(&["", "", ""])?;
    farm.gateway.set("balance", "path")?;
    let mut client = farm.client()?;
    let mut homes = BTreeMap::new();
    for round in 0..3 {
        for number in 1..40 {
            let target = format!("/len/{number}?round={round}");
            let (who, _) = farm.ask(&mut client, &target, "")?;
            same!(*homes.entry(number).or_insert(who), who, "{target}");
        }
    }
    let used: std::collections::BTreeSet<_> = homes.values().collect();
    same!(used.len(), 3, "backends in use");
    farm.gateway.set("balance", "client")?;
    let before = farm.requests();
    for number in 1..20 {
        client.get(&format!("/len/{number}"))?;
    }
    farm.who(&before)?;
    Ok(())
}

fn draining() -> Outcome {
    let farm = Farm::new(&["", ""])?;
    let mut client = farm.client()?;
    farm.configure(0, "drain")?;
    same!(state(0)?, "drain", "the state");
    for _ in 0..6 {
        let (who, _) = farm.ask(&mut client, "/len/1", "")?;
        same!(who, 1, "a new session");
        let (who, _) = farm.ask(&mut client, "/len/1", "Cookie: JSESSIONID=aaa\r\n")?;
        same!(who, 0, "a session that is there");
    }
    farm.configure(0, "down")?;
    let (who, _) = farm.ask(&mut client, "/len/1", "Cookie: JSESSIONID=aaa\r\n")?;
    same!(who, 1, "a session of one that is down");
    farm.configure(0, "")?;
    let (who, _) = farm.ask(&mut client, "/len/1", "Cookie: JSESSIONID=aaa\r\n")?;
    same!(who, 0, "a session of one that is up again");
    Ok(())
}

fn backups() -> Outcome {
    let mut farm = Farm::new(&["", "backup"])?;
    let mut client = farm.client()?;
    for _ in 0..5 {
        client.get("/len/1")?;
    }
    same!(farm.requests(), [5, 0], "the requests");
    farm.origins[0].refuse();
    farm.origins[0].hang_up();
    for _ in 0..5 {
        same!(client.get("/len/1")?.status, 200, "the status");
    }
    same!(farm.requests()[1], 5, "the requests of the backup");
    farm.origins[0].listen()?;
    farm.gateway.set("recover-time", "100ms")?;
    thread::sleep(scale::time(Duration::from_millis(1500)));
    let before = farm.requests();
    for _ in 0..5 {
        client.get("/len/1")?;
    }
    ensure!(
        farm.requests()[0] > before[0],
        "the first one is not used again"
    );
    Ok(())
}

fn one_of_two_refuses() -> Outcome {
    let mut farm = Farm::new(&["", ""])?;
    farm.origins[0].refuse();
    let mut client = farm.client()?;
    for number in 0..20 {
        // Nothing of a request has been sent: any may go to the other one.
        let method = ["GET", "POST"][number % 2];
        let body = if method == "POST" { "ok" } else { "" };
        let head = format!(
            "{method} /echo HTTP/1.1\r\nHost: test\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        client.send(head.as_bytes())?;
        same!(client.response(method)?.status, 200, "{method} {number}");
    }
    same!(farm.requests()[1], 20, "the requests of the other one");
    same!(state(0)?, "failing", "the state");
    farm.origins[0].listen()?;
    let used = || {
        let _ = client.get("/len/1");
        farm.requests()[0] > 0
    };
    let mut used = used;
    ensure!(
        scale::wait_until(Duration::from_secs(20), &mut used),
        "it stays alone"
    );
    wait_for_state(0, "ok")
}

fn one_of_two_resets() -> Outcome {
    let farm = Farm::new(&["", ""])?;
    farm.origins[0].set(Mode::AcceptReset, 0);
    let mut client = farm.client()?;
    for number in 0..40 {
        same!(client.get("/len/1")?.status, 200, "GET {number}");
    }
    same!(farm.requests()[1], 40, "the requests of the other one");
    Ok(())
}

fn killed_and_restarted_under_load() -> Outcome {
    let mut farm = Farm::new(&["", ""])?;
    farm.gateway.set("recover-time", "300ms")?;
    let plan = Plan {
        kinds: vec!["len", "chunked"],
        sizes: vec![0, 10, 1000],
        ..Plan::mixed(farm.gateway.addr())
    };
    let traffic = Traffic::start(&plan);
    for _ in 0..4 {
        thread::sleep(scale::time(Duration::from_millis(400)));
        farm.origins[0].refuse();
        farm.origins[0].hang_up();
        thread::sleep(scale::time(Duration::from_millis(400)));
        farm.origins[0].listen()?;
    }
    let tally = traffic.stop();
    same!(tally.wrong, 0, "wrong answers: {:?}", tally.notes);
    // An answer that had begun is lost with its backend, and nothing else.
    ensure!(
        tally.failed <= 16,
        "{} failed: {:?}",
        tally.failed,
        tally.notes
    );
    ensure!(tally.right > 50, "only {} right", tally.right);
    let gone = |note: &String| note.contains("status 50");
    ensure!(!tally.notes.iter().any(gone), "{:?}", tally.notes);
    Ok(())
}

fn added_and_removed_under_load() -> Outcome {
    let farm = Farm::new(&["", "", ""])?;
    let traffic = Traffic::start(&Plan::mixed(farm.gateway.addr()));
    for _ in 0..scale::count(20, 8) {
        gateway::write("srun-count", "1")?;
        thread::sleep(Duration::from_millis(30));
        gateway::write("srun-count", "3")?;
        farm.configure(1, "")?;
        farm.configure(2, "weight=2")?;
        thread::sleep(Duration::from_millis(30));
        farm.configure(2, "drain")?;
    }
    let tally = traffic.stop();
    // A new one is where no server listens, until it is told where it is: others are asked then.
    same!((tally.wrong, tally.failed), (0, 0), "{:?}", tally.notes);
    ensure!(tally.right > 50, "only {} right", tally.right);
    Ok(())
}

/// A JVM that collects its garbage: all its exchanges stand still, and it accepts connections.
fn a_pause_is_no_death() -> Outcome {
    let farm = Farm::new(&["", ""])?;
    let limit = scale::time(Duration::from_millis(500));
    farm.gateway
        .set("pause-time", &format!("{}ms", limit.as_millis()))?;
    let home = "Cookie: JSESSIONID=aaa\r\n";
    let pause = 4 * limit.as_millis();
    let mut stalled = Vec::new();
    for _ in 0..3 {
        let mut client = farm.client()?;
        let head = format!("GET /wait?ms={pause} HTTP/1.1\r\nHost: test\r\n{home}\r\n");
        client.send(head.as_bytes())?;
        stalled.push(client);
    }
    wait_for_state(0, "paused")?;
    let mut client = farm.client()?;
    for _ in 0..6 {
        let (who, _) = farm.ask(&mut client, "/len/1", "")?;
        same!(who, 1, "a new session in the pause");
    }
    let mut own = farm.client()?;
    let (who, _) = farm.ask(&mut own, "/len/1", home)?;
    same!(who, 0, "a session in the pause");
    for mut client in stalled {
        same!(client.response("GET")?.status, 200, "who waited");
    }
    wait_for_state(0, "ok")
}

/// Options of a backend that stays where it is are no reason to drop its connections.
fn a_change_keeps_the_connections() -> Outcome {
    let farm = Farm::new(&[""])?;
    let mut client = farm.client()?;
    client.get("/len/1")?;
    for options in ["weight=2", "max=10", "route=x", "drain", ""] {
        farm.configure(0, options)?;
        if options != "drain" {
            same!(client.get("/len/1")?.status, 200, "{options:?}: the status");
        }
    }
    same!(farm.origins[0].connections(), 1, "the connections");
    Ok(())
}

/// Once when it has failed, however often that is seen, and once when it is well again.
fn the_kernel_log_says_what_has_failed() -> Outcome {
    let mut farm = Farm::new(&["", ""])?;
    farm.gateway.set("recover-time", "100ms")?;
    let mut client = farm.client()?;
    let mut log = Log::from_now();
    let mut told = Vec::new();
    let name = format!("resin: srun-1 ({}) ", farm.origins[1].addr());
    let mut wait_for = |what: &str, client: &mut Conn| -> Outcome {
        let said = scale::wait_until(Duration::from_secs(20), || {
            let served = client
                .get("/len/1")
                .is_ok_and(|answer| answer.status == 200);
            told.extend(log.lines());
            served && told.iter().any(|line| *line == format!("{name}{what}"))
        });
        ensure!(said, "'{name}{what}' is not in the log: {told:?}");
        Ok(())
    };
    farm.origins[1].refuse();
    wait_for("is failing: refused connections", &mut client)?;
    // It is tried again and again.
    for _ in 0..20 {
        same!(client.get("/len/1")?.status, 200, "the status");
        thread::sleep(Duration::from_millis(100));
    }
    farm.origins[1].listen()?;
    wait_for("is ok again", &mut client)?;
    let ours = told.iter().filter(|line| line.starts_with("resin: srun-"));
    same!(ours.count(), 2, "lines in {told:?}");
    Ok(())
}
