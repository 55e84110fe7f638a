//! What is asked for besides the load: how often the origin was asked, and which version it has.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::response;
use crate::row;
use crate::Fault;

/// How many requests the origin has had, by nginx's own count, this one included.
pub fn requests(origin: SocketAddr) -> Result<usize, Fault> {
    let text = fetch(origin, "/stub")?;
    let text = String::from_utf8_lossy(&text);
    // "server accepts handled requests", then these numbers on a line.
    let counts = text
        .lines()
        .skip_while(|line| !line.starts_with("server"))
        .nth(1);
    counts
        .and_then(|line| line.split_whitespace().nth(2)?.parse().ok())
        .ok_or_else(|| format!("the origin does not say how often it was asked: {text}"))
}

/// The entity tag of [`row::VALIDATED`]. A peer that is asked for it has it in its cache.
pub fn tag(address: SocketAddr) -> Result<String, Fault> {
    let answer = fetch(address, row::VALIDATED)?;
    let tag = response::field(&answer, b"etag").ok_or("the file has no entity tag")?;
    Ok(String::from_utf8_lossy(tag).into_owned())
}

fn fetch(address: SocketAddr, target: &str) -> Result<Vec<u8>, Fault> {
    let fetch = || {
        let mut stream = TcpStream::connect(address)?;
        stream.write_all(&row::request(target, "Connection: close\r\n"))?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(answer)
    };
    fetch().map_err(|error: std::io::Error| format!("asking {address} for {target}: {error}"))
}
