//! What a backend gets to do while it gives errors, gets warm, is slow, or has much to do already.

use std::time::Duration;

use super::backends::{state, wait_for_state, Farm};
use super::sessions::{answerer, ask_who, sign};
use crate::conn::Conn;
use crate::gateway;
use crate::origin::Step;
use crate::scale;
use crate::testing::{Failure, Outcome};
use crate::{ensure, same, tests};

tests![
    errors_on_end_are_a_failure,
    a_warming_backend_gets_little,
    the_quicker_one_gets_more,
    no_path_overloads_its_backend,
];

/// The session of the backend of that number, as a field.
fn session(number: usize) -> String {
    format!("Cookie: JSESSIONID={}aa\r\n", ["a", "b", "c"][number])
}

/// Who answers a request with these fields.
fn who(client: &mut Conn, fields: &str) -> Result<usize, Failure> {
    ask_who(client, fields)?;
    answerer(&client.response("GET")?)
}

/// Has so many requests that nobody answers sent, one after the other; they last as long as what is
/// returned.
fn hanging(farm: &Farm, count: u64) -> Result<Vec<Conn>, Failure> {
    // Many that stand still would be a pause.
    farm.gateway.set("pause-time", "0s")?;
    let sum = || farm.requests().iter().sum::<u64>();
    let before = sum();
    let mut clients = Vec::new();
    for number in 1..=count {
        let mut client = farm.client()?;
        client.request("GET", "/hang")?;
        clients.push(client);
        let there = || sum() == before + number;
        ensure!(scale::wait_until(Duration::from_secs(10), there), "lost");
    }
    Ok(clients)
}

fn errors_on_end_are_a_failure() -> Outcome {
    let mut farm = Farm::new(&["", ""])?;
    farm.gateway.set("error-limit", "3")?;
    sign(&farm.origins);
    let mut client = farm.client()?;
    let own = session(0);
    // A good answer between them is an end of the errors before it.
    for _ in 0..2 {
        fails(&mut client, &own, 2)?;
        same!(who(&mut client, &own)?, 0, "who answers after two errors");
    }
    same!(state(0)?, "ok", "the state");
    fails(&mut client, &own, 3)?;
    same!(state(0)?, "failing", "the state after three errors on end");
    let status = gateway::read("status")?;
    let line = status.lines().find(|line| line.starts_with("srun-0 "));
    let why = line.and_then(|line| line.split_whitespace().nth(2));
    same!(why, Some("errors"), "why");
    // Whether or not it is tried again by now.
    farm.origins[0].refuse();
    farm.origins[0].hang_up();
    same!(who(&mut client, &own)?, 1, "who answers its sessions");
    // For the other one there is no limit any more.
    farm.gateway.set("error-limit", "0")?;
    fails(&mut client, &session(1), 30)?;
    same!(state(1)?, "ok", "the state without a limit");
    Ok(())
}

/// Gets so many errors on end with these fields.
fn fails(client: &mut Conn, fields: &str, times: u32) -> Outcome {
    for _ in 0..times {
        let head = format!("GET /status/500 HTTP/1.1\r\nHost: t\r\n{fields}\r\n");
        client.send(head.as_bytes())?;
        same!(client.response("GET")?.status, 500, "the status");
    }
    Ok(())
}

fn a_warming_backend_gets_little() -> Outcome {
    let mut farm = Farm::new(&["", ""])?;
    for (name, value) in [("recover-time", "100ms"), ("warmup-time", "1h")] {
        farm.gateway.set(name, value)?;
    }
    sign(&farm.origins);
    farm.origins[0].refuse();
    let mut client = farm.client()?;
    for _ in 0..4 {
        same!(who(&mut client, "")?, 1, "who answers");
    }
    same!(state(0)?, "failing", "the state");
    farm.origins[0].listen()?;
    let tried = || who(&mut client, "").is_ok() && state(0).is_ok_and(|state| state == "warming");
    let warming = scale::wait_until(Duration::from_secs(20), tried);
    ensure!(warming, "it does not get warm: {}", state(0)?);
    // One at a time in the beginning, where its share is every other one.
    let before = farm.requests();
    let clients = hanging(&farm, 6)?;
    let after = farm.requests();
    let got = [after[0] - before[0], after[1] - before[1]];
    same!(got, [1, 5], "requests of the cold one and of the warm one");
    // Those that belong there are no matter of shares.
    same!(
        who(&mut client, &session(0))?,
        0,
        "who answers its sessions"
    );
    drop(clients);
    farm.gateway.set("warmup-time", "0s")?;
    wait_for_state(0, "ok")?;
    let before = farm.requests();
    for _ in 0..10 {
        who(&mut client, "")?;
    }
    let got = farm.requests()[0] - before[0];
    ensure!((4..=6).contains(&got), "{got} of 10 once it is warm");
    Ok(())
}

fn the_quicker_one_gets_more() -> Outcome {
    let farm = Farm::new(&["", ""])?;
    farm.gateway.set("balance", "latency")?;
    sign(&farm.origins);
    let pause = scale::time(Duration::from_millis(200));
    let slow = Step::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n0".to_vec());
    farm.origins[0].script("who", vec![Step::Pause(pause), slow]);
    let mut client = farm.client()?;
    let mut seen = [0; 2];
    for _ in 0..40 {
        seen[who(&mut client, "")?] += 1;
    }
    // Until the first answer of each nothing is known of it.
    ensure!(seen[0] <= 4, "the slow one and the quick one got {seen:?}");
    Ok(())
}

/// Requests for one path go to one backend, as long as that has no more than a quarter more than its
/// share of all that are under way.
fn no_path_overloads_its_backend() -> Outcome {
    let farm = Farm::new(&["", "", ""])?;
    farm.gateway.set("balance", "path")?;
    sign(&farm.origins);
    let mut client = farm.client()?;
    let home = who(&mut client, "")?;
    for _ in 0..10 {
        same!(who(&mut client, "")?, home, "the path's backend");
    }
    let before = farm.requests();
    let _clients = hanging(&farm, 12)?;
    let after = farm.requests();
    let got: Vec<_> = after.iter().zip(&before).map(|(a, b)| a - b).collect();
    // The share is 4.
    ensure!(got.iter().all(|got| *got <= 5), "of 12 they got {got:?}");
    ensure!(got.contains(&5), "nobody is preferred: {got:?}");
    Ok(())
}
