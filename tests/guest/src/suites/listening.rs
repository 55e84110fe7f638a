//! Being listened to: on which addresses, by how many at a time, and what becomes of the others.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::namespaces::Namespace;
use super::uploads_whole::upload_whole;
use crate::conn::{Conn, Fault, Options, Response};
use crate::gateway::{self, Gateway};
use crate::http::Framing;
use crate::origin::Origin;
use crate::scale;
use crate::testing::{sh, shell, Bed, Context, Failure, Outcome, PORT};
use crate::upload::Upload;
use crate::{ensure, same, tests};

tests![
    both_families_on_one_port,
    a_namespace_without_ipv6,
    each_address_has_its_share,
    each_ipv6_network_has_its_share,
    a_share_that_changes,
    a_full_gateway_says_so,
    refused_requests_with_bodies,
    refused_and_silent,
    many_refused_at_once,
    unloaded_with_refused_clients,
    silent_peers_are_probed,
    what_is_not_acknowledged_ends,
    accepting_waits_for_octets,
    receive_buffers_are_bounded,
    destroyed_from_outside unless no_destroying,
];

/// The number before a word in the `clients` line of `status`.
fn clients(word: &str) -> Result<u64, Failure> {
    let status = gateway::read("status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("clients"));
    let number = line.and_then(|line| {
        let mut parts = line.split([',', ' ']).filter(|part| !part.is_empty());
        let mut before = parts.next()?;
        loop {
            match parts.next()? {
                part if part == word => return before.parse().ok(),
                part => before = part,
            }
        }
    });
    number.ok_or_else(|| Failure(format!("no number of clients {word} in {status:?}")))
}

fn ip(text: &str) -> Result<IpAddr, Failure> {
    text.parse().context(text)
}

/// A connection from an address of ours.
fn from(ip: IpAddr) -> Result<Conn, Fault> {
    let any = match ip {
        IpAddr::V4(_) => SocketAddr::from(([127, 0, 0, 1], PORT)),
        IpAddr::V6(_) => SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, PORT)),
    };
    let options = Options {
        from: Some(ip),
        ..Options::default()
    };
    Conn::with(any, options)
}

/// The connection's request is answered by the backend.
fn assert_served(client: &mut Conn, what: &str) -> Outcome {
    let response = client.get("/len/10").context(what)?;
    same!(response.status, 200, "{what}: the status");
    Ok(())
}

/// The connection gets a page of this status and is closed.
fn assert_refused(client: &mut Conn, status: u16, what: &str) -> Result<Response, Failure> {
    client.request("GET", "/len/10").context(what)?;
    let response = client.response("GET").context(what)?;
    same!(response.status, status, "{what}: the status");
    ensure!(!response.persistent(), "{what}: the connection is to go on");
    let framed = matches!(response.framing, Framing::Length(_));
    ensure!(framed, "{what}: framed as {:?}", response.framing);
    client.expect_close().context(what)?;
    Ok(response)
}

fn both_families_on_one_port() -> Outcome {
    let bed = Bed::new()?;
    let both = |port: u16| -> Outcome {
        for addr in [format!("127.0.0.1:{port}"), format!("[::1]:{port}")] {
            let mut client = Conn::open(addr.parse()?).context(&addr)?;
            assert_served(&mut client, &addr)?;
        }
        Ok(())
    };
    both(PORT)?;
    // Whatever the machine says of sockets that do not say it themselves.
    let bindv6only = "sysctl -q -w net.ipv6.bindv6only";
    sh(&format!("{bindv6only}=1"))?;
    let moved = gateway::write("server_port", "8090").and_then(|()| both(8090));
    sh(&format!("{bindv6only}=0"))?;
    moved?;
    ensure!(
        Conn::open(bed.addr()).is_err(),
        "the old port is still listened on"
    );
    // Taken by either family, a port is taken.
    for taken in ["127.0.0.1:8091", "[::1]:8091"] {
        let holder = std::net::TcpListener::bind(taken)?;
        let error = gateway::try_write("server_port", "8091");
        let kind = error.err().map(|error| error.kind());
        same!(
            kind,
            Some(std::io::ErrorKind::AddrInUse),
            "taking the port of {taken}"
        );
        drop(holder);
    }
    both(8090)
}

fn a_namespace_without_ipv6() -> Outcome {
    Gateway::load(PORT)?;
    let space = Namespace::new("old", 7)?;
    space.enter(|| {
        sh("sysctl -q -w net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.lo.disable_ipv6=1")
    })?;
    let _origin = space.serve()?;
    let mut client = Conn::open(space.addr())?;
    assert_served(&mut client, "IPv4 in a namespace without IPv6")
}

fn each_address_has_its_share() -> Outcome {
    let bed = Bed::with(&[
        ("connections-per-client", "2"),
        ("page-429", "You have enough."),
    ])?;
    let [here, there, six] = [ip("127.0.0.1")?, ip("127.0.0.2")?, ip("::1")?];
    let mut open = Vec::new();
    for ip in [here, there, six] {
        for number in 1..=2 {
            let mut client = from(ip)?;
            assert_served(&mut client, &format!("connection {number} from {ip}"))?;
            open.push(client);
        }
        let response = assert_refused(&mut from(ip)?, 429, &format!("one too many from {ip}"))?;
        let page = response.text();
        ensure!(page.contains("\nYou have enough.\n"), "the page: {page:?}");
        ensure!(
            response.head.has_token("Cache-Control", "no-store"),
            "the page may be stored: {:?}",
            response.head
        );
    }
    same!(clients("refused")?, 3, "the refused clients");
    // Those that are open go on, and one that ends makes room for another of the same address.
    for client in &mut open {
        assert_served(client, "an old connection")?;
    }
    drop(open.remove(0));
    let room = || from(here).is_ok_and(|mut client| assert_served(&mut client, "").is_ok());
    ensure!(
        scale::wait_until(Duration::from_secs(10), room),
        "no room after a connection was closed"
    );
    assert_refused(&mut from(there)?, 429, "another address")?;
    drop(open);
    drop(bed);
    Ok(())
}

fn each_ipv6_network_has_its_share() -> Outcome {
    let _bed = Bed::with(&[("connections-per-client", "2")])?;
    let addresses = [
        "2001:db8:0:1::1",
        "2001:db8:0:1:ffff::2",
        "2001:db8:0:2::1",
        "2001:db8:0:2::2",
    ];
    let each = |verb: &str| {
        addresses
            .iter()
            .try_for_each(|ip| sh(&format!("ip addr {verb} {ip}/128 dev lo")).map(drop))
    };
    each("add")?;
    let outcome = share_of_networks(addresses);
    each("del")?;
    outcome
}

fn share_of_networks(addresses: [&str; 4]) -> Outcome {
    let mut open = Vec::new();
    for address in addresses {
        let mut client = from(ip(address)?)?;
        assert_served(&mut client, address)?;
        open.push(client);
    }
    for address in addresses {
        assert_refused(&mut from(ip(address)?)?, 429, address)?;
    }
    assert_served(&mut from(ip("::1")?)?, "another network")
}

fn a_share_that_changes() -> Outcome {
    let bed = Bed::with(&[("connections-per-client", "0")])?;
    let mut open = Vec::new();
    for _ in 0..20 {
        let mut client = bed.client()?;
        assert_served(&mut client, "without a limit")?;
        open.push(client);
    }
    bed.gateway.set("connections-per-client", "20")?;
    assert_refused(&mut bed.client()?, 429, "with a limit that is reached")?;
    bed.gateway.set("connections-per-client", "21")?;
    assert_served(&mut bed.client()?, "with a higher limit")?;
    bed.gateway.set("connections-per-client", "5")?;
    for client in &mut open {
        assert_served(client, "an old connection")?;
    }
    open.truncate(5);
    let closed = || clients("open").is_ok_and(|open| open == 5);
    ensure!(
        scale::wait_until(Duration::from_secs(10), closed),
        "the clients are not gone"
    );
    assert_refused(&mut bed.client()?, 429, "with as many as the lower limit")?;
    open.truncate(4);
    let room = || bed.works().is_ok();
    ensure!(
        scale::wait_until(Duration::from_secs(10), room),
        "no room below the lower limit"
    );
    Ok(())
}

/// A gateway that has the one client that it may have.
fn full() -> Result<(Bed, Conn), Failure> {
    let bed = Bed::with(&[("max-connections", "1")])?;
    let mut client = bed.client()?;
    assert_served(&mut client, "the one that there is room for")?;
    Ok((bed, client))
}

fn a_full_gateway_says_so() -> Outcome {
    let (bed, mut client) = full()?;
    let served = bed.origin.requests();
    let response = assert_refused(&mut bed.client()?, 503, "one too many")?;
    let page = response.text();
    ensure!(
        page.starts_with("503 Service Unavailable\nthere are too many connections\nRequest "),
        "the page: {page:?}"
    );
    ensure!(
        response.head.get("Retry-After").is_some() && response.head.get("Date").is_some(),
        "no Retry-After or no Date in {:?}",
        response.head
    );
    // A request in pieces, and one whose sender has finished.
    let mut slow = bed.client()?;
    for piece in ["GET / HT", "TP/1.1\r\nHost: ", "t\r\n\r\n"] {
        if slow.send(piece.as_bytes()).is_err() {
            break;
        }
    }
    same!(slow.response("GET")?.status, 503, "a request in pieces");
    let mut done = bed.client()?;
    done.request("GET", "/")?;
    done.half_close()?;
    same!(done.response("GET")?.status, 503, "a half-closed request");
    same!(bed.origin.requests(), served, "the backend's requests");
    same!(clients("refused")?, 3, "the refused clients");
    assert_served(&mut client, "the one that there is room for")
}

fn refused_requests_with_bodies() -> Outcome {
    let (bed, mut client) = full()?;
    bed.gateway.set("linger-timeout", "30s")?;
    let size = scale::count(2_000_000, 200_000) as usize;
    for _ in 0..5 {
        // The page is there although it was sent long before the body's end.
        let mut post = bed.client()?;
        post.send(
            format!("POST /sum HTTP/1.1\r\nHost: t\r\nContent-Length: {size}\r\n\r\n").as_bytes(),
        )?;
        for chunk in vec![b'x'; size].chunks(10_000) {
            post.send(chunk)
                .context("sending a body that nobody wants")?;
        }
        same!(post.response("POST")?.status, 503, "the status for a POST");
    }
    assert_served(&mut client, "the one that there is room for")
}

fn refused_and_silent() -> Outcome {
    let (bed, mut client) = full()?;
    bed.gateway.set("linger-timeout", "1s")?;
    // Who asks for nothing is not answered at once, but is not kept for long either.
    let mut silent = bed.client()?;
    let started = Instant::now();
    same!(
        silent.response("GET")?.status,
        503,
        "the status for nobody's request"
    );
    silent.expect_close()?;
    ensure!(
        started.elapsed() >= Duration::from_millis(900),
        "answered before it asked"
    );
    // Who goes on talking is not kept for long either.
    let mut chatty = bed.client()?;
    let started = Instant::now();
    let ended = scale::wait_until(Duration::from_secs(20), || {
        chatty.send(b"GET / HTTP/1.1\r\nHost: t\r\n\r\n").is_err()
    });
    ensure!(ended, "a refused client may talk for ever");
    ensure!(
        started.elapsed() >= Duration::from_millis(900),
        "cut off before it could read"
    );
    assert_served(&mut client, "the one that there is room for")
}

fn many_refused_at_once() -> Outcome {
    let (bed, mut client) = full()?;
    let count = scale::count(400, 200);
    let mut silent = Vec::new();
    for _ in 0..count {
        silent.push(bed.client()?);
    }
    let all = || clients("refused").is_ok_and(|refused| refused == count);
    ensure!(
        scale::wait_until(Duration::from_secs(10), all),
        "{} of {count} are refused",
        clients("refused")?
    );
    assert_served(&mut client, "while many wait")?;
    for refused in &mut silent {
        same!(refused.response("GET")?.status, 503, "the status of one");
    }
    drop(silent);
    drop(client);
    let room = || bed.works().is_ok();
    ensure!(
        scale::wait_until(Duration::from_secs(10), room),
        "no room after all have gone"
    );
    Ok(())
}

fn unloaded_with_refused_clients() -> Outcome {
    let (bed, client) = full()?;
    bed.gateway.set("linger-timeout", "1m")?;
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(bed.client()?);
    }
    let all = || clients("refused").is_ok_and(|refused| refused == 20);
    ensure!(
        scale::wait_until(Duration::from_secs(10), all),
        "not all are refused"
    );
    // The old port's go with the old listener.
    gateway::write("server_port", "8090")?;
    for refused in &mut silent {
        refused.expect_close().context("after another port")?;
    }
    let addr = SocketAddr::from(([127, 0, 0, 1], 8090));
    let mut silent = [Conn::open(addr)?, Conn::open(addr)?];
    let all = || clients("refused").is_ok_and(|refused| refused == 22);
    ensure!(
        scale::wait_until(Duration::from_secs(10), all),
        "not all are refused on the new port"
    );
    bed.gateway.unload()?;
    for refused in &mut silent {
        refused.expect_close().context("after rmmod")?;
    }
    drop(client);
    Ok(())
}

/// A namespace, and the gateway here with a client there.
fn away(number: u8) -> Result<(Bed, Namespace, SocketAddr), Failure> {
    let bed = Bed::new()?;
    let space = Namespace::new("away", number)?;
    let addr = SocketAddr::new(IpAddr::from([10, 99, number, 1]), PORT);
    Ok((bed, space, addr))
}

/// Waits until no client is open; how long it took.
fn until_nobody(limit: Duration) -> Result<Duration, Failure> {
    let started = Instant::now();
    let nobody = || clients("open").is_ok_and(|open| open == 0);
    ensure!(
        scale::wait_until(limit, nobody),
        "{} clients are still open",
        clients("open")?
    );
    Ok(started.elapsed())
}

fn silent_peers_are_probed() -> Outcome {
    let (bed, space, addr) = away(8)?;
    bed.gateway.set("tcp-keepalive", "1s")?;
    let mut client = space.enter(move || Ok(Conn::open(addr)?))?;
    assert_served(&mut client, "a client in a namespace")?;
    // It answers the probes, so it stays: they come after one second.
    std::thread::sleep(Duration::from_secs(4));
    same!(clients("open")?, 1, "the clients that answer probes");
    sh("tc qdisc add dev veth8 root netem loss 100%")?;
    // One second of silence, then four seconds of probes.
    let time = until_nobody(Duration::from_secs(30))?;
    ensure!(
        time >= Duration::from_secs(2),
        "gone after only {} ms",
        time.as_millis()
    );
    // A FIN would be sent again and again: nobody acknowledges it.
    client.reset()?;
    drop(bed);
    Ok(())
}

fn what_is_not_acknowledged_ends() -> Outcome {
    let (bed, space, addr) = away(9)?;
    bed.gateway.set("tcp-keepalive", "0")?;
    bed.gateway.set("tcp-user-timeout", "2s")?;
    let mut client = space.enter(move || Ok(Conn::open(addr)?))?;
    assert_served(&mut client, "a client in a namespace")?;
    client.request("GET", "/slow/1000?ms=100")?;
    ensure!(!client.nibble(10)?.is_empty(), "no answer");
    sh("tc qdisc add dev veth9 root netem loss 100%")?;
    // `send-timeout` is a minute.
    until_nobody(Duration::from_secs(30))?;
    // A FIN would be sent again and again: nobody acknowledges it.
    client.reset()?;
    drop(bed);
    Ok(())
}

fn accepting_waits_for_octets() -> Outcome {
    let origin = Origin::start()?;
    let gateway = Gateway::load(PORT)?;
    gateway.backend(0, origin.addr())?;
    gateway.set("defer-accept", "30s")?;
    let mut silent = Conn::open(gateway.addr())?;
    let mut quick = Conn::open(gateway.addr())?;
    assert_served(&mut quick, "one that asks")?;
    same!(clients("accepted")?, 1, "the accepted clients");
    assert_served(&mut silent, "one that asks late")?;
    same!(clients("accepted")?, 2, "the accepted clients");
    gateway.set("defer-accept", "0")?;
    let silent = Conn::open(gateway.addr())?;
    let all = || clients("accepted").is_ok_and(|accepted| accepted == 3);
    ensure!(
        scale::wait_until(Duration::from_secs(10), all),
        "a silent client is not accepted without defer-accept"
    );
    drop(silent);
    Ok(())
}

/// The receive buffer of the gateway's end of a connection, as the kernel has it.
fn receive_buffer(client: &Conn) -> Result<u64, Failure> {
    let port = client.stream().local_addr()?.port();
    let said = sh(&format!(
        "ss -Htnm state established '( sport = :{PORT} and dport = :{port} )'"
    ))?;
    let mut parts = said.split(['(', ',']);
    let octets = parts.find_map(|part| part.strip_prefix("rb")?.parse().ok());
    octets.ok_or_else(|| Failure(format!("no receive buffer in {said:?}")))
}

/// For connections that begin from then on. The kernel doubles what it is told.
fn receive_buffers_are_bounded() -> Outcome {
    let bed = Bed::new()?;
    let mut old = bed.client()?;
    assert_served(&mut old, "with the default")?;
    same!(receive_buffer(&old)?, 2 * (192 << 10), "the default");
    for (size, octets) in [("16K", 16 << 10), ("1M", 1 << 20), ("16M", 16 << 20)] {
        bed.gateway.set("receive-buffer", size)?;
        let mut client = bed.client()?;
        upload_whole(&mut client, &Upload::new("/upload?seed=4", 4, 1 << 20)).context(size)?;
        same!(receive_buffer(&client)?, 2 * octets, "with {size}");
    }
    assert_served(&mut old, "the connection from before")?;
    same!(receive_buffer(&old)?, 2 * (192 << 10), "as it began");
    // A listener that takes the place of another one has it too.
    gateway::write("server_port", "0")?;
    gateway::write("server_port", &PORT.to_string())?;
    let mut client = bed.client()?;
    assert_served(&mut client, "with another listener")?;
    same!(receive_buffer(&client)?, 2 * (16 << 20), "of another one");
    Ok(())
}

fn no_destroying() -> Option<&'static str> {
    // It says so on stderr alone if the kernel cannot.
    let said = shell("ss -K state listening sport = :1 2>&1");
    let said = said.map_or(Vec::new(), |output| output.stdout);
    let cannot = String::from_utf8_lossy(&said).contains("not supported");
    cannot.then_some("this kernel cannot destroy sockets")
}

/// Somebody destroys all sockets of the port. The port is served again.
fn destroyed_from_outside() -> Outcome {
    let bed = Bed::new()?;
    let mut old = bed.client()?;
    assert_served(&mut old, "before")?;
    for round in 0..3 {
        sh(&format!("ss -K state listening sport = :{PORT}"))?;
        let served = || {
            let client = bed.client();
            client.is_ok_and(|mut client| assert_served(&mut client, "anew").is_ok())
        };
        let again = scale::wait_until(Duration::from_secs(10), served);
        ensure!(again, "round {round}: nobody listens any more");
        assert_served(&mut old, "the connection from before")?;
    }
    // And what was done last counts.
    gateway::write("server_port", "0")?;
    let gone = || bed.client().is_err();
    ensure!(
        scale::wait_until(Duration::from_secs(5), gone),
        "it listens"
    );
    Ok(())
}
