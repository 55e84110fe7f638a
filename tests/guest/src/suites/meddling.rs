//! What others on the machine may do to our sockets.

use crate::conn::Conn;
use crate::sockmap::Sockmap;
use crate::testing::{Bed, Context, Outcome};
use crate::{ensure, same, tests};

tests![connections_put_into_a_sockmap unless no_programs];

fn no_programs() -> Option<&'static str> {
    // Programs are given to a control group.
    let known = std::fs::read_to_string("/proc/filesystems").unwrap_or_default();
    (!known.contains("cgroup2")).then_some("this kernel has no control groups")
}

/// A sockmap takes a socket's `sk_user_data` and callbacks for itself: ours must stay ours from the
/// handshake on, or what the kernel calls is neither one's nor the other's.
fn connections_put_into_a_sockmap() -> Outcome {
    let sockmap = Sockmap::attach()?;
    let bed = Bed::new()?;
    let mut clients: Vec<Conn> = Vec::new();
    for number in 0..20 {
        let mut client = bed.client()?;
        if number % 4 != 0 {
            let response = client
                .get("/len/5000")
                .context(format!("request {number}"))?;
            same!(response.status, 200, "the status of request {number}");
        }
        clients.push(client);
    }
    // Connections end both before and with the module.
    drop(clients.split_off(10));
    bed.works()?;
    bed.gateway.unload()?;
    let count = sockmap.count()?;
    ensure!(
        count > 0,
        "no socket was in the map: this test tested nothing"
    );
    Ok(())
}
