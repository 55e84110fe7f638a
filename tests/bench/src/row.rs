//! The rows of the table: what is asked for, how often, over how many connections.

use crate::connection::Check;
use crate::pattern::{self, Kind};

/// One thing that is asked for, and what must come.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The request's octets, its body included.
    pub request: Vec<u8>,
    /// The status code that must come.
    pub status: u16,
    /// The body that must come.
    pub body: Vec<u8>,
    /// Whether a peer has to ask the origin for it.
    pub relayed: bool,
}

/// A row.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// What the table calls it.
    pub name: &'static str,
    /// Connections at a time.
    pub connections: usize,
    /// Requests that are counted.
    pub requests: usize,
    /// Whether each request has a connection of its own.
    pub closes: bool,
    /// What is asked for.
    pub work: Work,
}

/// What a row asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// A body of so many octets from the origin.
    Relay(usize),
    /// A body of so many octets from the cache.
    Hit(usize),
    /// An upload of so many octets.
    Upload(usize),
    /// Whether what the client has is still good.
    Validate,
    /// Four hits and one relay, with the fields that a browser sends.
    Mix,
}

const fn row(
    name: &'static str,
    work: Work,
    connections: usize,
    requests: usize,
    closes: bool,
) -> Row {
    Row {
        name,
        connections,
        requests,
        closes,
        work,
    }
}

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// All rows that count instructions.
pub const ROWS: [Row; 12] = [
    row("W1", Work::Relay(KIB), 32, 2000, false),
    row("W1s", Work::Relay(KIB), 1, 500, false),
    row("W2", Work::Relay(KIB), 32, 500, true),
    row("W3", Work::Hit(KIB), 32, 2000, false),
    row("W3s", Work::Hit(KIB), 1, 500, false),
    row("W3c", Work::Hit(KIB), 32, 500, true),
    row("W4", Work::Hit(64 * KIB), 32, 400, false),
    row("W5", Work::Hit(MIB), 8, 128, false),
    row("W6", Work::Relay(MIB), 8, 128, false),
    row("W8", Work::Upload(MIB), 8, 64, false),
    row("W9", Work::Validate, 32, 1000, false),
    row("W10", Work::Mix, 32, 1000, false),
];

/// What a browser sends besides the host's name, so that there are 20 fields in all.
const BROWSER: &str = "Connection: keep-alive\r\n\
    Cookie: consent=all; theme=dark\r\n\
    sec-ch-ua: \"Chromium\";v=\"142\", \"Google Chrome\";v=\"142\", \"Not_A Brand\";v=\"99\"\r\n\
    sec-ch-ua-mobile: ?0\r\n\
    sec-ch-ua-platform: \"Linux\"\r\n\
    DNT: 1\r\n\
    Upgrade-Insecure-Requests: 1\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 \
    Safari/537.36\r\n\
    Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8\r\n\
    Sec-Fetch-Site: same-origin\r\n\
    Sec-Fetch-Mode: navigate\r\n\
    Sec-Fetch-User: ?1\r\n\
    Sec-Fetch-Dest: document\r\n\
    Sec-GPC: 1\r\n\
    Referer: http://bench/applications/catalogue/items?page=3&sort=price\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\n\
    Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\n\
    Priority: u=0, i\r\n\
    X-Requested-With: XMLHttpRequest\r\n";

impl Row {
    /// The row of that name.
    pub fn named(name: &str) -> Option<Row> {
        ROWS.into_iter().find(|row| row.name == name)
    }

    /// What is asked for, one after the other, and again from the start; `tag` is what the origin says
    /// of the version that [`Work::Validate`] has, and `check` what whoever gets an upload makes of it.
    pub fn cycle(&self, tag: &str, check: Check) -> Vec<Exchange> {
        let fields = if self.closes {
            "Connection: close\r\n"
        } else {
            ""
        };
        match self.work {
            Work::Relay(length) => vec![get(Kind::Relayed, length, fields)],
            Work::Hit(length) => vec![get(Kind::Cached, length, fields)],
            Work::Upload(length) => vec![upload(length, check)],
            Work::Validate => vec![Exchange {
                request: request(VALIDATED, &format!("If-None-Match: {tag}\r\n")),
                status: 304,
                body: Vec::new(),
                relayed: false,
            }],
            Work::Mix => {
                let hit = get(Kind::Cached, KIB, BROWSER);
                let relay = get(Kind::Relayed, KIB, BROWSER);
                vec![hit.clone(), hit.clone(), hit.clone(), hit, relay]
            }
        }
    }
}

/// A file of the origin's of 1 KiB, which has an entity tag.
pub const VALIDATED: &str = "/c/file";

/// The request for `target`.
pub fn request(target: &str, fields: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nHost: bench\r\n{fields}\r\n").into_bytes()
}

fn get(kind: Kind, length: usize, fields: &str) -> Exchange {
    let folder = if kind == Kind::Relayed { 'p' } else { 'c' };
    let name = match length {
        MIB.. => format!("{}m", length / MIB),
        _ => format!("{}k", length / KIB),
    };
    Exchange {
        request: request(&format!("/{folder}/{name}"), fields),
        status: 200,
        body: pattern::body(kind, length),
        relayed: kind == Kind::Relayed,
    }
}

/// How a request begins whose body's octets are compared.
pub const UPLOAD_COMPARED: &str = "POST /u/compared ";

fn upload(length: usize, check: Check) -> Exchange {
    let start = match check {
        Check::First => "POST /u ",
        Check::All => UPLOAD_COMPARED,
    };
    let head = format!("{start}HTTP/1.1\r\nHost: bench\r\nContent-Length: {length}\r\n\r\n");
    let mut request = head.into_bytes();
    request.extend(pattern::body(Kind::Upload, length));
    Exchange {
        request,
        status: 200,
        body: crate::serve::RECEIVED.to_vec(),
        relayed: true,
    }
}
