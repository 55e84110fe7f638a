//! Several backends, and what is written about them.

use crate::conn::Conn;
use crate::gateway::{self, Gateway};
use crate::origin::Origin;
use crate::testing::{Bed, Outcome, PORT};
use crate::{ensure, same, tests};

tests![
    round_robin,
    backend_down,
    open_connections_follow_a_change,
    no_backend,
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
