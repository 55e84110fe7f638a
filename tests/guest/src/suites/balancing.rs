//! Several backends, and what is written about them.

use std::time::Duration;

use crate::conn::Conn;
use crate::gateway::{self, Gateway};
use crate::origin::Origin;
use crate::pattern;
use crate::scale;
use crate::testing::{Bed, Context, Outcome, PORT};
use crate::{ensure, same, tests};

tests![
    round_robin,
    backend_down,
    open_connections_follow_a_change,
    no_backend,
    exchanges_under_way_survive_a_change,
    ipv6_backend,
];

fn round_robin() -> Outcome {
    let origins = [Origin::start()?, Origin::start()?, Origin::start()?];
    let gateway = Gateway::load(PORT)?;
    gateway.backends(&[origins[0].addr(), origins[1].addr(), origins[2].addr()])?;
    let mut client = Conn::open(gateway.addr())?;
    for _ in 0..30 {
        same!(client.get("/len/5")?.status, 200, "the status");
    }
    let shares: Vec<_> = origins.iter().map(Origin::requests).collect();
    let fair = shares.iter().all(|share| (8..=12).contains(share));
    ensure!(fair, "30 requests went to the three backends as {shares:?}");
    Ok(())
}

fn backend_down() -> Outcome {
    let origins = [Origin::start()?, Origin::start()?];
    let gateway = Gateway::load(PORT)?;
    gateway.backends(&[origins[0].addr(), origins[1].addr()])?;
    let mut client = Conn::open(gateway.addr())?;
    client.get("/len/1")?;
    client.get("/len/1")?;
    ensure!(
        origins[0].requests() == 1,
        "the first backend was not used while it was up"
    );
    let addr = origins[0].addr();
    gateway::write("srun-0", &format!("{} {} down", addr.ip(), addr.port()))?;
    let before = origins[0].requests();
    for _ in 0..10 {
        same!(
            client.get("/len/1")?.status,
            200,
            "the status with one backend down"
        );
    }
    same!(
        origins[0].requests(),
        before,
        "the requests of the backend that is down"
    );
    gateway.backend(0, addr)?;
    for _ in 0..4 {
        client.get("/len/1")?;
    }
    ensure!(
        origins[0].requests() > before,
        "the backend is not used again after it came up"
    );
    Ok(())
}

/// A connection that was idle when something was written obeys it in its very next request.
fn open_connections_follow_a_change() -> Outcome {
    let bed = Bed::new()?;
    let other = Origin::start()?;
    let mut used = bed.client()?;
    same!(used.get("/len/1")?.status, 200, "the status before");
    let mut unused = bed.client()?;
    bed.gateway.backend(0, other.addr())?;
    bed.gateway.set("response-timeout", "300ms")?;
    for client in [&mut used, &mut unused] {
        same!(
            client.get("/len/1")?.status,
            200,
            "the status after the backend was moved"
        );
    }
    same!(
        bed.origin.requests(),
        1,
        "the requests of the backend that was moved away from"
    );
    same!(other.requests(), 2, "the requests of the new backend");
    same!(
        used.get("/hang")?.status,
        504,
        "the status with the new response-timeout"
    );
    gateway::write("srun-count", "0")?;
    same!(
        unused.get("/len/1")?.status,
        503,
        "the status once there is no backend"
    );
    Ok(())
}

fn no_backend() -> Outcome {
    let bed = Bed::new()?;
    let addr = bed.origin.addr();
    gateway::write("srun-0", &format!("{} {} down", addr.ip(), addr.port()))?;
    same!(
        bed.client()?.get("/len/1")?.status,
        503,
        "the status with all backends down"
    );
    gateway::write("srun-count", "0")?;
    same!(
        bed.client()?.get("/len/1")?.status,
        503,
        "the status without backends"
    );
    same!(bed.origin.requests(), 0, "the backend's requests");
    gateway::write("srun-count", "1")?;
    bed.gateway.backend(0, addr)?;
    bed.works()
}

fn exchanges_under_way_survive_a_change() -> Outcome {
    let bed = Bed::new()?;
    let other = Origin::start()?;
    let mut slow = Vec::new();
    for seed in 0..5 {
        let mut client = bed.client()?;
        client.request("GET", &format!("/slow/30?chunk=3&ms=100&seed={seed}"))?;
        slow.push(client);
    }
    let all = || bed.origin.requests() == 5;
    ensure!(
        scale::wait_until(Duration::from_secs(10), all),
        "the requests do not arrive"
    );
    bed.gateway.backend(0, other.addr())?;
    gateway::write("srun-count", "0")?;
    gateway::write("srun-count", "1")?;
    for (seed, client) in slow.iter_mut().enumerate() {
        let response = client
            .response("GET")
            .context("an answer that was under way")?;
        same!(
            response.body,
            pattern::body(seed as u64, 30),
            "the body of answer {seed}"
        );
    }
    // Their connections lead to a backend that is no more: they are not kept.
    let gone = scale::wait_until(Duration::from_secs(10), || bed.origin.open() == 0);
    ensure!(
        gone,
        "{} connections to the old backend stay open",
        bed.origin.open()
    );
    Ok(())
}

fn ipv6_backend() -> Outcome {
    let origin = Origin::at("[::1]:0".parse()?)?;
    let gateway = Gateway::load(PORT)?;
    gateway.backend(0, origin.addr())?;
    let mut client = Conn::open(gateway.addr())?;
    for seed in 0..3 {
        let response = client.get(&format!("/len/5000?seed={seed}"))?;
        same!(
            response.body,
            pattern::body(seed, 5000),
            "the body from [::1]"
        );
    }
    // A request of HTTP/1.0 without a Host gets the backend's name, brackets and all.
    client.send(b"GET /echo-head HTTP/1.0\r\n\r\n")?;
    let text = client.response("GET")?.text();
    let host = format!("\r\nHost: [::1]:{}\r\n", origin.addr().port());
    ensure!(
        text.contains(&host),
        "the Host for an IPv6 backend: {text:?}"
    );
    Ok(())
}
