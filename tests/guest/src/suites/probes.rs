//! Backends that are asked how they are.

use std::thread;
use std::time::Duration;

use super::backends::{wait_for_state, Farm};
use crate::gateway;
use crate::jvm::{Jvm, Manners, Wire};
use crate::origin::{Origin, Step};
use crate::scale;
use crate::testing::{Failure, Outcome};
use crate::{ensure, same, tests};

tests![
    nobody_is_asked_by_default,
    a_connection_is_enough,
    a_path_and_its_status,
    silence_is_no_answer,
    a_broken_answer_is_none,
    asked_over_each_protocol,
    one_that_is_down_is_left_alone,
    a_failed_one_is_left_to_its_probes,
    unloaded_while_asking,
    changed_while_asking,
];

const WELL: &[u8] = b"HTTP/1.1 204 Fine\r\n\r\n";
const ILL: &[u8] = b"HTTP/1.1 503 Ill\r\nContent-Length: 0\r\n\r\n";

/// So many backends that are asked often.
fn asked(count: usize, settings: &[(&str, &str)]) -> Result<Farm, Failure> {
    let farm = Farm::new(&vec![""; count])?;
    let timeout = scale::time(Duration::from_millis(600)).as_millis();
    farm.gateway
        .set("health-timeout", &format!("{timeout}ms"))?;
    for (name, value) in settings {
        farm.gateway.set(name, value)?;
    }
    farm.origins
        .iter()
        .for_each(|origin| origin.raw("well", WELL));
    farm.gateway.set("health-interval", "200ms")?;
    Ok(farm)
}

/// Waits until it was asked so many more times.
fn wait_for_probes(origin: &Origin, more: u64) -> Outcome {
    let wanted = origin.connections() + more;
    let seen = scale::wait_until(Duration::from_secs(10), || origin.connections() >= wanted);
    ensure!(
        seen,
        "it is not asked: {} of {wanted}",
        origin.connections()
    );
    Ok(())
}

fn nobody_is_asked_by_default() -> Outcome {
    let farm = Farm::new(&[""])?;
    thread::sleep(Duration::from_secs(1));
    same!(farm.origins[0].connections(), 0, "the connections");
    Ok(())
}

fn a_connection_is_enough() -> Outcome {
    let mut farm = asked(1, &[])?;
    wait_for_probes(&farm.origins[0], 3)?;
    same!(farm.origins[0].requests(), 0, "the requests");
    farm.origins[0].refuse();
    // Nobody has asked for anything.
    wait_for_state(0, "failing")?;
    farm.origins[0].listen()?;
    wait_for_state(0, "ok")?;
    // Each was closed again.
    let closed = || farm.origins[0].open() <= 1;
    ensure!(
        scale::wait_until(Duration::from_secs(5), closed),
        "left open"
    );
    Ok(())
}

fn a_path_and_its_status() -> Outcome {
    let farm = asked(2, &[("health-path", "/script/well")])?;
    wait_for_probes(&farm.origins[0], 3)?;
    same!(state_of_both()?, ["ok", "ok"], "the states");
    let head = farm.origins[0].last_head();
    let head = head.ok_or_else(|| Failure("no request".into()))?;
    same!(head.words().1, "/script/well", "the target");
    same!(head.get("connection"), Some("close"), "Connection");
    farm.origins[1].raw("well", ILL);
    wait_for_state(1, "failing")?;
    let mut client = farm.client()?;
    for number in 0..10 {
        same!(client.get("/len/1")?.status, 200, "GET {number}");
    }
    let heads = farm.origins[1].heads();
    let others = heads.iter().filter(|head| head.words().1 == "/len/1");
    same!(others.count(), 0, "requests to the one that is ill");
    farm.origins[1].raw("well", WELL);
    wait_for_state(1, "ok")?;
    // What is wanted can be anything.
    farm.gateway.set("health-status", "503")?;
    wait_for_state(0, "failing")?;
    wait_for_state(1, "failing")?;
    // With nobody else they are asked all the same.
    same!(client.get("/len/1")?.status, 200, "the status");
    Ok(())
}

fn state_of_both() -> Result<[String; 2], Failure> {
    use super::backends::state;
    Ok([state(0)?, state(1)?])
}

/// But a pause, at first.
fn silence_is_no_answer() -> Outcome {
    let farm = asked(1, &[("health-path", "/script/well")])?;
    wait_for_probes(&farm.origins[0], 2)?;
    for silent in [
        vec![Step::Hang],
        vec![
            Step::Send(b"HTTP/1.1 204 Fine\r\nA: b".to_vec()),
            Step::Hang,
        ],
        vec![
            Step::Send(b"HTTP/1.1 103 Soon\r\n\r\n".to_vec()),
            Step::Hang,
        ],
    ] {
        farm.origins[0].script("well", silent);
        wait_for_state(0, "paused")?;
        farm.origins[0].raw("well", WELL);
        wait_for_state(0, "ok")?;
    }
    farm.gateway.set("pause-time", "100ms")?;
    farm.origins[0].script("well", vec![Step::Hang]);
    wait_for_state(0, "failing")?;
    farm.origins[0].raw("well", WELL);
    wait_for_state(0, "ok")
}

fn a_broken_answer_is_none() -> Outcome {
    let farm = asked(1, &[("health-path", "/script/well")])?;
    for broken in [
        &b"SSH-2.0-OpenSSH_9.2\r\n"[..],
        b"HTTP/1.1 200 Fine\r\nno field\r\n\r\n",
        b"",
        &[
            b"HTTP/1.1 200 Fine\r\nA: ",
            &[b'x'; 70_000][..],
            b"\r\n\r\n",
        ]
        .concat(),
    ] {
        farm.origins[0].raw("well", broken);
        wait_for_state(0, "failing")?;
        farm.origins[0].raw("well", WELL);
        wait_for_state(0, "ok")?;
    }
    Ok(())
}

fn asked_over_each_protocol() -> Outcome {
    let farm = Farm::new(&[""])?;
    for wire in [Wire::Hmux, Wire::Srun] {
        for manners in [Manners::New, Manners::Old] {
            farm.origins[0].raw(
                "well",
                &b"HTTP/1.1 200 Fine\r\nContent-Length: 0\r\n\r\n"[..],
            );
            let jvm = Jvm::start(wire, manners, farm.origins[0].addr())?;
            let (addr, name) = (jvm.addr(), wire.name());
            let line = format!("{} {} {name}", addr.ip(), addr.port());
            gateway::write("srun-0", &line)?;
            farm.gateway.set("health-path", "/script/well")?;
            farm.gateway.set("health-interval", "200ms")?;
            let asked = || jvm.requests() >= 3;
            ensure!(
                scale::wait_until(Duration::from_secs(10), asked),
                "{name}: not asked"
            );
            wait_for_state(0, "ok")?;
            farm.origins[0].raw("well", ILL);
            wait_for_state(0, "failing")?;
            same!(jvm.complaints(), Vec::<String>::new(), "{name}: complaints");
            farm.gateway.set("health-interval", "0s")?;
        }
    }
    Ok(())
}

fn one_that_is_down_is_left_alone() -> Outcome {
    let farm = asked(1, &[])?;
    wait_for_probes(&farm.origins[0], 2)?;
    farm.configure(0, "down")?;
    // The one that had begun may come to its end.
    thread::sleep(scale::time(Duration::from_millis(600)));
    let before = farm.origins[0].connections();
    thread::sleep(Duration::from_secs(1));
    same!(
        farm.origins[0].connections(),
        before,
        "connections while down"
    );
    farm.configure(0, "drain")?;
    wait_for_probes(&farm.origins[0], 2)
}

/// No request has to try it.
fn a_failed_one_is_left_to_its_probes() -> Outcome {
    let settings = [("recover-time", "100ms"), ("health-path", "/script/well")];
    let mut farm = asked(2, &settings)?;
    farm.gateway.set("health-interval", "1h")?;
    // The next one was due before.
    wait_for_probes(&farm.origins[0], 1)?;
    farm.origins[0].refuse();
    let mut client = farm.client()?;
    for _ in 0..4 {
        same!(client.get("/len/1")?.status, 200, "the status");
    }
    wait_for_state(0, "failing")?;
    farm.origins[0].listen()?;
    thread::sleep(Duration::from_secs(1));
    let before = farm.requests();
    for _ in 0..4 {
        same!(client.get("/len/1")?.status, 200, "the status");
    }
    same!(farm.requests()[0], before[0], "requests to the failed one");
    farm.gateway.set("health-interval", "200ms")?;
    wait_for_state(0, "ok")
}

fn unloaded_while_asking() -> Outcome {
    for path in ["", "/hang", "/len/100000"] {
        let farm = asked(8, &[("health-path", path)])?;
        wait_for_probes(&farm.origins[7], 1)?;
        farm.gateway.unload()?;
    }
    Ok(())
}

fn changed_while_asking() -> Outcome {
    let farm = asked(4, &[("health-path", "/hang")])?;
    for number in 0..scale::count(40, 10) {
        gateway::write("srun-count", &(number % 4 + 1).to_string())?;
        let path = ["/hang", "", "/len/1", "/status/404"][number as usize % 4];
        farm.gateway.set("health-path", path)?;
        thread::sleep(Duration::from_millis(50));
    }
    gateway::write("srun-count", "1")?;
    farm.gateway.set("health-path", "/len/1")?;
    farm.configure(0, "")?;
    wait_for_state(0, "ok")?;
    same!(farm.client()?.get("/len/1")?.status, 200, "the status");
    Ok(())
}
