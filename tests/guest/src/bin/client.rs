//! The client as a program of its own, for use by hand and by other tests.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use guest::conn::{Conn, Fault, Options};
use guest::load::{run, Plan};
use guest::pattern::Checker;
use guest::upload::Upload;

const USAGE: &str = "\
usage: client MODE ADDRESS:PORT [ARG]...
  raw [dribble=MS] [half-close] [reset] [window=N] [slow=MS]
                        sends stdin as it is, prints what comes until the end
                        dribble: octet by octet; half-close: FIN after it; reset: RST after it;
                        window: a tiny receive buffer; slow: reads a little, waits, and so on
  load CONNECTIONS REQUESTS [PER-CONNECTION]
                        mixed requests to the test origin, every octet of the answers checked
  idle CONNECTIONS      opens so many connections and holds them until it is killed
  download OCTETS [KIND]
                        one body of the test origin (len, chunked or close), checked as it comes
  upload OCTETS [chunk=K] [target=T] [pace=K] [ms=M] [expect]
                        sends one body to the test origin (T is /upload), checks its report; chunk: in
                        chunks; pace, ms: K octets, a pause of M ms, and so on";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [mode, addr, rest @ ..] = &args[..] else {
        return usage();
    };
    let Ok(addr) = addr.parse() else {
        return usage();
    };
    let outcome = match mode.as_str() {
        "raw" => raw(addr, rest),
        "load" => load(addr, rest),
        "idle" => idle(addr, rest),
        "download" => download(addr, rest),
        "upload" => upload(addr, rest),
        _ => return usage(),
    };
    match outcome {
        Ok(code) => code,
        Err(fault) => {
            eprintln!("client: {fault}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("{USAGE}");
    ExitCode::from(2)
}

fn number(args: &[String], at: usize, default: u64) -> u64 {
    args.get(at)
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

fn option(args: &[String], name: &str) -> Option<u64> {
    args.iter()
        .find_map(|arg| arg.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
}

fn raw(addr: SocketAddr, args: &[String]) -> Result<ExitCode, Fault> {
    let mut input = Vec::new();
    io::stdin().read_to_end(&mut input).map_err(Fault::Io)?;
    let receive_buffer = option(args, "window").map(|size| size as usize);
    let mut conn = Conn::with(
        addr,
        Options {
            receive_buffer,
            ..Options::default()
        },
    )?;
    match option(args, "dribble") {
        None => conn.send(&input)?,
        Some(pause) => {
            for octet in &input {
                conn.send(&[*octet])?;
                thread::sleep(Duration::from_millis(pause));
            }
        }
    }
    if args.iter().any(|arg| arg == "reset") {
        return conn.reset().map(|()| ExitCode::SUCCESS);
    }
    if args.iter().any(|arg| arg == "half-close") {
        conn.half_close()?;
    }
    let pause = Duration::from_millis(option(args, "slow").unwrap_or(0));
    let piece = if pause.is_zero() { 65_536 } else { 256 };
    loop {
        let bytes = conn.nibble(piece)?;
        if bytes.is_empty() {
            return Ok(ExitCode::SUCCESS);
        }
        io::stdout().write_all(&bytes).map_err(Fault::Io)?;
        thread::sleep(pause);
    }
}

fn load(addr: SocketAddr, args: &[String]) -> Result<ExitCode, Fault> {
    let plan = Plan {
        connections: number(args, 0, 4) as usize,
        requests: number(args, 1, 100),
        per_connection: number(args, 2, 0),
        ..Plan::mixed(addr)
    };
    let started = Instant::now();
    let tally = run(&plan);
    let time = started.elapsed().as_secs_f64();
    println!(
        "right {}\noctets {}\nwrong {}\nfailed {}",
        tally.right, tally.octets, tally.wrong, tally.failed
    );
    println!("seconds {time:.3}");
    tally.notes.iter().for_each(|note| println!("note {note}"));
    Ok(ExitCode::from(u8::from(tally.wrong + tally.failed > 0)))
}

fn idle(addr: SocketAddr, args: &[String]) -> Result<ExitCode, Fault> {
    let wanted = number(args, 0, 2000);
    let mut held = Vec::new();
    for _ in 0..wanted {
        held.push(Conn::open(addr)?);
    }
    println!("idle {}", held.len());
    loop {
        thread::park();
    }
}

fn download(addr: SocketAddr, args: &[String]) -> Result<ExitCode, Fault> {
    let size = number(args, 0, 1 << 30);
    let kind = args.get(1).map_or("len", String::as_str);
    let mut conn = Conn::open(addr)?;
    let started = Instant::now();
    let mut checker = Checker::new(1);
    conn.request("GET", &format!("/{kind}/{size}?seed=1"))?;
    let response = conn.response_into("GET", &mut |bytes| checker.feed(bytes))?;
    let time = started.elapsed().as_secs_f64();
    println!(
        "status {}\noctets {}\nseconds {time:.3}",
        response.status,
        checker.len()
    );
    match checker.wrong() {
        None if checker.len() == size => Ok(ExitCode::SUCCESS),
        wrong => {
            println!("wrong at {wrong:?}, expected {size} octets");
            Ok(ExitCode::FAILURE)
        }
    }
}

fn upload(addr: SocketAddr, args: &[String]) -> Result<ExitCode, Fault> {
    let size = number(args, 0, 1 << 30);
    let target = args.iter().find_map(|arg| arg.strip_prefix("target="));
    let target = target.unwrap_or("/upload");
    let joint = if target.contains('?') { '&' } else { '?' };
    let target = format!("{target}{joint}seed=1");
    let mut plan = Upload::new(&target, 1, size);
    if let Some(chunk) = option(args, "chunk") {
        plan = plan.chunked(chunk);
    }
    if let Some(pause) = option(args, "ms") {
        let piece = option(args, "pace").unwrap_or(65_536);
        plan.pace = Some((piece, Duration::from_millis(pause)));
    }
    plan.expect = args.iter().any(|arg| arg == "expect");
    // The origin's answer comes when it has read everything, which may take its time.
    let mut conn = Conn::with(
        addr,
        Options {
            patience: Some(Duration::from_secs(3600)),
            ..Options::default()
        },
    )?;
    let started = Instant::now();
    let uploaded = conn.upload(&plan)?;
    let time = started.elapsed().as_secs_f64();
    print!(
        "status {}\nseconds {time:.3}\nsent {}\n{}",
        uploaded.response.status,
        uploaded.sent,
        uploaded.response.text()
    );
    let report = uploaded.response.text();
    let right = [
        format!("octets {size}"),
        format!("crc32 {:08x}", plan.crc()),
        "wrong none".to_owned(),
        "complete true".to_owned(),
    ];
    let all = right.iter().all(|line| report.lines().any(|l| l == line));
    if uploaded.response.status == 200 && all {
        return Ok(ExitCode::SUCCESS);
    }
    println!("expected a 200 with {right:?}");
    Ok(ExitCode::FAILURE)
}
