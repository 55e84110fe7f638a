//! The test origin as a program of its own: `origin ADDRESS:PORT`.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::thread;

use guest::jvm::{Jvm, Manners, Wire};
use guest::origin::{Mode, Origin, PATHS};

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let usage = || {
        eprintln!("usage: origin ADDRESS:PORT [close|reset|close-after N|drop-after N|hmux|srun]");
        eprintln!("{PATHS}");
        ExitCode::from(2)
    };
    let Some(Ok(addr)) = args.first().map(|text| text.parse::<SocketAddr>()) else {
        return usage();
    };
    let limit = args.get(2).and_then(|text| text.parse().ok()).unwrap_or(1);
    let mode = match args.get(1).map(String::as_str) {
        None => Mode::Serve,
        Some("close") => Mode::AcceptClose,
        Some("reset") => Mode::AcceptReset,
        Some("close-after") => Mode::CloseAfter,
        Some("drop-after") => Mode::DropAfter,
        Some("hmux") => return serve_frames(addr, Wire::Hmux),
        Some("srun") => return serve_frames(addr, Wire::Srun),
        Some(_) => return usage(),
    };
    match Origin::at(addr) {
        Ok(origin) => {
            origin.set(mode, limit);
            println!("origin: listening on {}", origin.addr());
            loop {
                thread::park();
            }
        }
        Err(error) => {
            eprintln!("origin: cannot listen on {addr}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The same paths on another wire.
fn serve_frames(addr: SocketAddr, wire: Wire) -> ExitCode {
    let started = Origin::start().and_then(|origin| {
        let jvm = Jvm::at(addr, wire, Manners::Old, origin.addr())?;
        Ok((origin, jvm))
    });
    match started {
        Ok((_origin, jvm)) => {
            println!("origin: speaking {} on {}", wire.name(), jvm.addr());
            loop {
                thread::park();
            }
        }
        Err(error) => {
            eprintln!("origin: cannot listen on {addr}: {error}");
            ExitCode::FAILURE
        }
    }
}
