//! The waiting line: who waits for a place, for how long, and what is told of it.

use std::thread;
use std::time::{Duration, Instant};

use super::backends::{word, Farm};
use crate::conn::Conn;
use crate::gateway;
use crate::scale;
use crate::testing::{Failure, Outcome};
use crate::{ensure, same, tests};

tests![waiting_for_a_place, waiting_at_home, waiting_in_vain];

fn waiting_for_a_place() -> Outcome {
    let farm = Farm::new(&["max=2"])?;
    let addr = farm.gateway.addr();
    let started = Instant::now();
    let ask = move || -> Outcome {
        let mut client = Conn::open(addr)?;
        for _ in 0..5 {
            same!(client.get("/wait?ms=50")?.status, 200, "the status");
        }
        Ok(())
    };
    let clients: Vec<_> = (0..8).map(|_| thread::spawn(ask)).collect();
    let mut most = 0;
    while !clients.iter().all(thread::JoinHandle::is_finished) {
        most = most.max(farm.origins[0].open());
        thread::sleep(Duration::from_millis(2));
    }
    for client in clients {
        client
            .join()
            .map_err(|_| Failure("a client panicked".into()))??;
    }
    ensure!(most <= 2, "{most} connections at a time");
    ensure!(
        started.elapsed() >= Duration::from_millis(1000),
        "nobody waited"
    );
    same!(farm.origins[0].requests(), 40, "the requests");
    Ok(())
}

/// Who waits for the backend of his session is told of there, and nobody else.
fn waiting_at_home() -> Outcome {
    let farm = Farm::new(&["max=1", "max=1"])?;
    let mut hanging = Vec::new();
    for session in ["a1", "b1", "b2", "b3"] {
        let mut client = farm.client()?;
        let head =
            format!("GET /hang HTTP/1.1\r\nHost: test\r\nCookie: JSESSIONID={session}\r\n\r\n");
        client.send(head.as_bytes())?;
        hanging.push(client);
    }
    // And one that takes what comes.
    let mut anywhere = farm.client()?;
    anywhere.request("GET", "/hang")?;
    let waiting = |number| word(number, 5);
    let are = || {
        waiting(0).is_ok_and(|number| number == "0")
            && waiting(1).is_ok_and(|number| number == "2")
            && gateway::read("metrics")
                .is_ok_and(|metrics| metrics.contains("\nresin_upstream_queue 3\n"))
    };
    let seen = scale::wait_until(Duration::from_secs(10), are);
    let status = gateway::read("status")?;
    ensure!(seen, "not two who wait for srun-1:\n{status}");
    for client in hanging {
        client.reset()?;
    }
    let none = || waiting(1).is_ok_and(|number| number == "0");
    let left = scale::wait_until(Duration::from_secs(10), none);
    ensure!(left, "somebody waits still:\n{}", gateway::read("status")?);
    Ok(())
}

fn waiting_in_vain() -> Outcome {
    let farm = Farm::new(&["max=1"])?;
    let limit = scale::time(Duration::from_millis(500));
    farm.gateway
        .set("queue-timeout", &format!("{}ms", limit.as_millis()))?;
    let mut first = farm.client()?;
    first.request("GET", "/hang")?;
    let there = || farm.requests()[0] == 1;
    ensure!(scale::wait_until(Duration::from_secs(10), there), "lost");
    let mut second = farm.client()?;
    let started = Instant::now();
    let response = second.get("/len/1")?;
    same!(response.status, 503, "the status of who has waited in vain");
    let time = started.elapsed();
    ensure!(time >= limit, "after {time:?}");
    // Who leaves the line leaves it for good; who is left gets the place.
    let mut third = farm.client()?;
    third.request("GET", "/len/3")?;
    thread::sleep(limit / 4);
    third.reset()?;
    let mut fourth = farm.client()?;
    fourth.request("GET", "/len/4")?;
    thread::sleep(limit / 4);
    first.reset()?;
    same!(
        fourth.response("GET")?.status,
        200,
        "the status of who was left"
    );
    farm.gateway.set("queue-timeout", "0s")?;
    let mut first = farm.client()?;
    first.request("GET", "/hang")?;
    let there = || farm.requests()[0] >= 3;
    ensure!(scale::wait_until(Duration::from_secs(10), there), "lost");
    same!(
        second.get("/len/1")?.status,
        503,
        "the status without a line"
    );
    Ok(())
}
