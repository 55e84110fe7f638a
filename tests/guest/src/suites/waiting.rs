//! Who waits for a place at a backend: what becomes of them when backends change, and of the line
//! when they go.

use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use super::backends::Farm;
use super::sessions::{answerer, ask_who, sign, sign_as};
use super::status::{wait_for, Metrics};
use crate::conn::Conn;
use crate::gateway;
use crate::origin::Origin;
use crate::scale;
use crate::testing::{Context, Failure, Outcome};
use crate::{ensure, same, tests};

tests![
    removed_under_who_waits,
    set_down_under_who_waits,
    drained_under_who_waits,
    moved_under_who_waits,
    all_removed_under_who_waits,
    all_down_and_up_again,
    who_goes_leaves_the_line,
    changed_under_load in 120 s,
];

/// Two backends with one place each, which are taken.
struct Taken {
    farm: Farm,
    holders: [Option<Conn>; 2],
}

/// The field of a session of that backend.
fn session(number: usize) -> String {
    format!("Cookie: JSESSIONID={}aa\r\n", ["a", "b", "c"][number])
}

/// That of none.
const NO_SESSION: &str = "";

impl Taken {
    fn new() -> Result<Taken, Failure> {
        let farm = Farm::new(&["max=1", "max=1"])?;
        farm.gateway.set("queue-timeout", "1h")?;
        // Who asks for the same waits in the line, not for the first one's answer.
        gateway::write("cache", "enable off")?;
        sign(&farm.origins);
        let mut taken = Taken {
            farm,
            holders: [None, None],
        };
        for number in 0..2 {
            let mut holder = taken.farm.client()?;
            let fields = session(number);
            holder.send(format!("GET /hang HTTP/1.1\r\nHost: t\r\n{fields}\r\n").as_bytes())?;
            let there = || taken.farm.origins[number].requests() == 1;
            ensure!(scale::wait_until(Duration::from_secs(10), there), "lost");
            taken.holders[number] = Some(holder);
        }
        Ok(taken)
    }

    /// Lets a request with these fields join the line, in which it is the only one.
    fn join(&self, fields: &str) -> Result<Conn, Failure> {
        let mut client = self.farm.client()?;
        ask_who(&mut client, fields)?;
        wait_for("upstream_queue", 1)?;
        Ok(client)
    }

    /// Makes a backend's place free.
    fn free(&mut self, number: usize) -> Outcome {
        let holder = self.holders[number].take();
        let holder = holder.ok_or_else(|| Failure("freed twice".into()))?;
        Ok(holder.reset()?)
    }

    fn down(&self, number: usize) -> Outcome {
        self.farm.configure(number, "max=1 down")
    }
}

/// Fails unless that backend answers who has waited, and nobody waits any more.
fn answered_by(client: &mut Conn, number: usize) -> Outcome {
    let response = client.response("GET").context("who has waited")?;
    same!(answerer(&response)?, number, "who answers who has waited");
    wait_for("upstream_queue", 0)
}

/// A session waits for a home that is no more: another backend has it as soon as it has a place.
fn removed_under_who_waits() -> Outcome {
    let mut taken = Taken::new()?;
    let mut client = taken.join(&session(1))?;
    gateway::write("srun-count", "1")?;
    wait_for("upstream_queue", 1)?;
    taken.free(0)?;
    answered_by(&mut client, 0)
}

fn set_down_under_who_waits() -> Outcome {
    let mut taken = Taken::new()?;
    let mut client = taken.join(&session(1))?;
    taken.down(1)?;
    wait_for("upstream_queue", 1)?;
    taken.free(0)?;
    answered_by(&mut client, 0)
}

/// One that is drained still has the place for its own sessions, and for nobody else.
fn drained_under_who_waits() -> Outcome {
    let mut taken = Taken::new()?;
    let mut own = taken.join(&session(1))?;
    taken.farm.configure(1, "max=1 drain")?;
    taken.free(1)?;
    answered_by(&mut own, 1)?;
    // The place at home is taken again, and somebody else wants one anywhere.
    let mut holder = taken.farm.client()?;
    let fields = session(1);
    holder.send(format!("GET /hang HTTP/1.1\r\nHost: t\r\n{fields}\r\n").as_bytes())?;
    let there = || taken.farm.origins[1].requests() == 3;
    ensure!(scale::wait_until(Duration::from_secs(10), there), "lost");
    let mut anybody = taken.join(NO_SESSION)?;
    holder.reset()?;
    // The place is for its own sessions alone, whoever has waited for longer.
    let mut own = taken.farm.client()?;
    ask_who(&mut own, &session(1))?;
    same!(answerer(&own.response("GET")?)?, 1, "who answers its own");
    wait_for("upstream_queue", 1)?;
    taken.free(0)?;
    answered_by(&mut anybody, 0)
}

/// The new server has no exchanges: its first place is for who waits.
fn moved_under_who_waits() -> Outcome {
    for fields in [session(1), NO_SESSION.to_owned()] {
        let taken = Taken::new()?;
        let other = Origin::start()?;
        sign_as(&other, 7);
        let mut client = taken.join(&fields)?;
        let addr = other.addr();
        gateway::write("srun-1", &format!("{} {} max=1", addr.ip(), addr.port()))?;
        answered_by(&mut client, 7)?;
        taken.farm.gateway.unload()?;
    }
    Ok(())
}

/// There will be no place: who waits is told when `queue-timeout` is over.
fn all_removed_under_who_waits() -> Outcome {
    let taken = Taken::new()?;
    let limit = scale::time(Duration::from_secs(3)).as_millis();
    let setting = format!("{limit}ms");
    taken.farm.gateway.set("queue-timeout", &setting)?;
    let mut clients = Vec::new();
    for fields in [session(0), session(1), NO_SESSION.to_owned()] {
        let mut client = taken.farm.client()?;
        ask_who(&mut client, &fields)?;
        clients.push(client);
    }
    wait_for("upstream_queue", 3)?;
    gateway::write("srun-count", "0")?;
    for client in &mut clients {
        same!(client.response("GET")?.status, 503, "the status");
    }
    wait_for("upstream_queue", 0)
}

/// Nobody is in use for some time, and who waits is not lost for that.
fn all_down_and_up_again() -> Outcome {
    let mut taken = Taken::new()?;
    let mut client = taken.join(&session(1))?;
    taken.down(0)?;
    taken.down(1)?;
    taken.free(0)?;
    taken.free(1)?;
    let open = || taken.farm.origins.iter().all(|origin| origin.open() == 0);
    ensure!(
        scale::wait_until(Duration::from_secs(10), open),
        "the exchanges that were ended are still there"
    );
    wait_for("upstream_queue", 1)?;
    taken.farm.configure(0, "max=1")?;
    answered_by(&mut client, 0)
}

/// Who is reset waits no more, and nobody is asked for it; who has only finished sending waits on.
fn who_goes_leaves_the_line() -> Outcome {
    let mut taken = Taken::new()?;
    let mut clients = Vec::new();
    for _ in 0..4 {
        let mut client = taken.farm.client()?;
        ask_who(&mut client, NO_SESSION)?;
        clients.push(client);
        wait_for("upstream_queue", clients.len() as u64)?;
    }
    clients.remove(1).reset()?;
    wait_for("upstream_queue", 3)?;
    clients[1].half_close()?;
    taken.free(1)?;
    for (number, client) in clients.iter_mut().enumerate() {
        let response = client.response("GET").context(format!("client {number}"))?;
        same!(answerer(&response)?, 1, "who answers client {number}");
    }
    wait_for("upstream_queue", 0)?;
    same!(taken.farm.requests(), [1, 4], "the requests");
    // The last ones go while nobody is left to be served after them.
    let mut holder = taken.farm.client()?;
    holder.send(b"GET /hang HTTP/1.1\r\nHost: t\r\n\r\n")?;
    let there = || taken.farm.requests() == [1, 5];
    ensure!(scale::wait_until(Duration::from_secs(10), there), "lost");
    let last = taken.join(NO_SESSION)?;
    last.reset()?;
    wait_for("upstream_queue", 0)?;
    taken.free(0)?;
    holder.reset()?;
    let active = |number: usize| {
        let origin = &taken.farm.origins[number];
        Metrics::read().and_then(|metrics| metrics.of(origin, number, "active"))
    };
    let over = || (0..2).all(|number| active(number).is_ok_and(|active| active == 0));
    ensure!(scale::wait_until(Duration::from_secs(10), over), "not over");
    same!(taken.farm.requests(), [1, 5], "the requests in the end");
    Ok(())
}

/// Asks so often, with and without a session; each request is answered.
fn keep_asking(addr: SocketAddr, number: usize, times: u64) -> Outcome {
    let mut client = Conn::open(addr)?;
    for round in 0..times {
        let fields = match (number + round as usize) % 4 {
            3 => NO_SESSION.to_owned(),
            home => session(home),
        };
        let what = format!("request {round} of {number}, {fields:?}");
        ask_who(&mut client, &fields).context(&what)?;
        let response = client.response("GET").context(&what)?;
        answerer(&response).context(&what)?;
    }
    Ok(())
}

/// Many wait all the time, while backends are removed, added, moved, set down and drained.
fn changed_under_load() -> Outcome {
    let farm = Farm::new(&["max=1", "max=1", "max=1"])?;
    sign(&farm.origins);
    let spare = Origin::start()?;
    sign_as(&spare, 7);
    let times = scale::count(150, 30);
    let addr = farm.gateway.addr();
    let asking: Vec<_> = (0..8)
        .map(|number| thread::spawn(move || keep_asking(addr, number, times)))
        .collect();
    let elsewhere = format!("{} {} max=1", spare.addr().ip(), spare.addr().port());
    while !asking.iter().all(thread::JoinHandle::is_finished) {
        gateway::write("srun-1", &elsewhere)?;
        farm.configure(2, "max=1 down")?;
        gateway::write("srun-count", "2")?;
        farm.configure(1, "max=1 drain")?;
        gateway::write("srun-count", "3")?;
        farm.configure(2, "max=1")?;
        farm.configure(1, "max=1 down")?;
        farm.configure(1, "max=1")?;
    }
    for thread in asking {
        thread
            .join()
            .map_err(|_| Failure("an asking thread panicked".into()))??;
    }
    ensure!(
        spare.requests() > 0,
        "the one that was moved to got nothing"
    );
    wait_for("upstream_queue", 0)
}
