//! The closed loop: each connection asks again as soon as it has its answer, until enough was asked for.

use std::net::SocketAddr;
use std::time::Instant;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use crate::clock::{Spent, Window};
use crate::connection::{Check, Connection, Progress, Room};
use crate::row::{Exchange, Row};
use crate::Fault;

/// Nothing may stand still for so long, in milliseconds.
const STALL: u16 = 20_000;

/// The loop over one row's exchanges.
#[derive(Debug)]
pub struct Load<'a> {
    address: SocketAddr,
    row: &'a Row,
    cycle: &'a [Exchange],
    epoll: Epoll,
    slots: Vec<Slot>,
    room: Room,
    check: Check,
    asked: usize,
    answered: usize,
    wanted: usize,
    /// Nanoseconds that each exchange has taken, if anybody wants to know.
    times: Option<Vec<u64>>,
}

#[derive(Debug)]
struct Slot {
    connection: Option<Connection>,
    /// The exchange it is at, an index into the cycle.
    exchange: usize,
    /// Whether it waits for room to send.
    full: bool,
    began: Option<Instant>,
}

impl<'a> Load<'a> {
    /// Connects, unless each request has a connection of its own.
    pub fn new(
        address: SocketAddr,
        row: &'a Row,
        cycle: &'a [Exchange],
    ) -> Result<Load<'a>, Fault> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(fault("epoll_create"))?;
        let slot = || Slot {
            connection: None,
            exchange: 0,
            full: false,
            began: None,
        };
        let mut load = Load {
            address,
            row,
            cycle,
            epoll,
            slots: (0..row.connections).map(|_| slot()).collect(),
            room: Room::default(),
            check: Check::All,
            asked: 0,
            answered: 0,
            wanted: 0,
            times: None,
        };
        if !row.closes {
            for slot in 0..row.connections {
                load.connect(slot)?;
            }
        }
        Ok(load)
    }

    /// Asks for so much more, and waits for all of it.
    pub fn run(&mut self, requests: usize, check: Check) -> Result<(), Fault> {
        self.check = check;
        self.wanted = self.answered + requests;
        let first = self.answered;
        for slot in 0..self.slots.len() {
            self.next(slot, first)?;
        }
        let mut events = [EpollEvent::empty(); 64];
        while self.answered < self.wanted {
            let count = match self.epoll.wait(&mut events, EpollTimeout::from(STALL)) {
                Ok(0) => return Err(format!("nothing came for {} s", STALL / 1000)),
                Ok(count) => count,
                Err(Errno::EINTR) => continue,
                Err(errno) => return Err(format!("epoll_wait: {errno}")),
            };
            for event in &events[..count] {
                self.step(event.data() as usize, first)?;
            }
        }
        Ok(())
    }

    /// The same, measured from when nothing else goes on until nothing goes on any more.
    pub fn measure(&mut self, requests: usize) -> Result<Spent, Fault> {
        let window = Window::open().map_err(|error| error.to_string())?;
        self.run(requests, Check::First)?;
        window.close().map_err(|error| error.to_string())
    }

    /// The same by the clock on the wall: nanoseconds in all, and of each exchange, in order of size.
    pub fn time(&mut self, requests: usize) -> Result<(u64, Vec<u64>), Fault> {
        self.times = Some(Vec::with_capacity(requests));
        let began = Instant::now();
        self.run(requests, Check::First)?;
        let elapsed = began.elapsed().as_nanos() as u64;
        let mut times = self.times.take().unwrap_or_default();
        times.sort_unstable();
        Ok((elapsed, times))
    }

    fn connect(&mut self, slot: usize) -> Result<(), Fault> {
        let connection = Connection::open(self.address, self.row.closes)
            .map_err(|error| format!("connecting to {}: {error}", self.address))?;
        let event = EpollEvent::new(EpollFlags::EPOLLIN, slot as u64);
        self.epoll
            .add(&connection, event)
            .map_err(fault("epoll_ctl"))?;
        self.slots[slot].connection = Some(connection);
        Ok(())
    }

    /// Has a connection ask for what comes next, if anything does.
    fn next(&mut self, slot: usize, first: usize) -> Result<(), Fault> {
        if self.asked == self.wanted {
            return Ok(());
        }
        self.slots[slot].began = self.times.is_some().then(Instant::now);
        if self.row.closes {
            self.connect(slot)?;
        }
        let exchange = (self.asked - first) % self.cycle.len();
        self.asked += 1;
        let Slot { connection, .. } = &mut self.slots[slot];
        let Some(connection) = connection else {
            return Err("a connection is missing".into());
        };
        let progress = connection.ask(&self.cycle[exchange])?;
        self.slots[slot].exchange = exchange;
        self.watch(slot, progress == Progress::Full)
    }

    fn step(&mut self, slot: usize, first: usize) -> Result<(), Fault> {
        let Slot {
            connection,
            exchange,
            ..
        } = &mut self.slots[slot];
        let Some(connection) = connection else {
            return Err("an event for a connection that is over".into());
        };
        let progress = connection.step(&self.cycle[*exchange], self.check, &mut self.room)?;
        if progress != Progress::Done {
            return self.watch(slot, progress == Progress::Full);
        }
        self.answered += 1;
        if let (Some(times), Some(began)) = (&mut self.times, self.slots[slot].began) {
            times.push(began.elapsed().as_nanos() as u64);
        }
        if self.row.closes {
            self.slots[slot].connection = None;
        }
        self.next(slot, first)
    }

    /// Watches for room to send only where there was none.
    fn watch(&mut self, slot: usize, full: bool) -> Result<(), Fault> {
        let Slot {
            connection: Some(connection),
            full: before,
            ..
        } = &mut self.slots[slot]
        else {
            return Ok(());
        };
        if *before == full {
            return Ok(());
        }
        *before = full;
        let mut flags = EpollFlags::EPOLLIN;
        flags.set(EpollFlags::EPOLLOUT, full);
        let mut event = EpollEvent::new(flags, slot as u64);
        self.epoll
            .modify(connection, &mut event)
            .map_err(fault("epoll_ctl"))
    }
}

fn fault(what: &'static str) -> impl Fn(Errno) -> Fault {
    move |errno| format!("{what}: {errno}")
}
