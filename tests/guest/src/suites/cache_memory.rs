//! The cache keeps to its limits, whatever is done to it meanwhile, and every octet from it is right.

use std::fs;
use std::thread;
use std::time::Duration;

use super::namespaces::{gone, Namespace};
use super::unload::busy_life;
use crate::cached::{lines_with, set, whole, Visitor, FRESH};
use crate::conn::Conn;
use crate::gateway::{self, Gateway};
use crate::leftovers::{self, Sockets};
use crate::load::{run, Plan, Tally, Traffic};
use crate::origin::{Answer, Origin};
use crate::scale;
use crate::testing::{Bed, Context, Failure, Outcome, PORT};
use crate::{ensure, same, tests};

tests![
    more_than_fits in 180 s,
    every_size_and_framing in 180 s,
    expiring_all_the_time in 180 s,
    few_entries in 120 s,
    hot_ones_stay,
    larger_than_all_there_is,
    shrunk_in_use in 180 s,
    cleared_in_use in 180 s,
    switched_in_use in 180 s,
    under_memory_pressure in 180 s,
    given_back_when_the_machine_lacks_memory,
    unloaded_in_use in 300 s,
    each_namespace_has_its_own in 120 s,
    deleted_with_its_namespace in 120 s,
];

const MIB: u64 = 1 << 20;
/// The most octets of a body in most of these tests, so that entries tell how much is held.
const SIZE: u64 = 10_000;

/// Many clients who ask for bodies of [`SIZE`] octets by so many names, again and again.
fn plan(bed: &Bed, keys: u64) -> Plan {
    Plan {
        connections: 8,
        sizes: vec![SIZE],
        ..Plan::mixed(bed.addr()).repeated(keys, "&cc=max-age=3600")
    }
}

/// Fails unless every answer was right, and some of them were from the cache: `before` is how often
/// the backend had been asked before them.
fn all_right(bed: &Bed, before: u64, tally: &Tally) -> Outcome {
    ensure!(tally.wrong == 0 && tally.failed == 0, "{tally:?}");
    let asked = bed.origin.requests() - before;
    ensure!(
        tally.right > asked,
        "{} answers, and the backend was asked {asked} times: nothing was a hit",
        tally.right
    );
    Ok(())
}

/// Does all of a plan, and fails unless that went well.
fn run_right(bed: &Bed, plan: &Plan) -> Outcome {
    let before = bed.origin.requests();
    all_right(bed, before, &run(plan))
}

/// How many entries are held.
fn entries() -> Result<u64, Failure> {
    Ok(lines_with("cache-entries", "seed=")?.len() as u64)
}

/// Waits until no more octets of bodies are held than so many, each entry having [`SIZE`].
fn holds_at_most(octets: u64) -> Outcome {
    let held = || Ok::<_, Failure>(entries()? * SIZE);
    let fits = || held().is_ok_and(|held| held <= octets);
    let came = scale::wait_until(Duration::from_secs(10), fits);
    ensure!(came, "{} octets are held, not {octets}", held()?);
    Ok(())
}

/// Does something again and again while there is load, for as long as that takes.
fn meanwhile(plan: &Plan, mut work: impl FnMut() -> Outcome) -> Result<Tally, Failure> {
    let traffic = Traffic::start(plan);
    let mut outcome = Ok(());
    for _ in 0..20 {
        outcome = work();
        if outcome.is_err() {
            break;
        }
        thread::sleep(scale::time(Duration::from_millis(100)));
    }
    let tally = traffic.stop();
    outcome.map(|()| tally)
}

fn more_than_fits() -> Outcome {
    let bed = Bed::cached(&[("entries", "1000"), ("memory-size", "1M")])?;
    let plan = Plan {
        requests: scale::count(500, 100),
        ..plan(&bed, 500)
    };
    run_right(&bed, &plan)?;
    holds_at_most(MIB)?;
    ensure!(entries()? > 10, "hardly anything is held");
    bed.works()
}

fn every_size_and_framing() -> Outcome {
    let bed = Bed::cached(&[("entries", "1000"), ("memory-size", "2M")])?;
    let plan = Plan {
        connections: 8,
        requests: scale::count(300, 60),
        ..Plan::mixed(bed.addr()).repeated(200, "&cc=max-age=3600")
    };
    run_right(&bed, &plan)?;
    bed.works()
}

fn expiring_all_the_time() -> Outcome {
    let bed = Bed::cached(&[("entries", "1000"), ("memory-size", "2M")])?;
    let plan = Plan {
        connections: 8,
        requests: scale::count(300, 60),
        ..Plan::mixed(bed.addr()).repeated(20, "&cc=max-age=1")
    };
    let tally = run(&plan);
    // On a slow machine there may be no hit.
    ensure!(tally.wrong == 0 && tally.failed == 0, "{tally:?}");
    bed.works()
}

fn few_entries() -> Outcome {
    let bed = Bed::cached(&[("entries", "16")])?;
    let plan = Plan {
        requests: scale::count(300, 60),
        ..plan(&bed, 100)
    };
    run_right(&bed, &plan)?;
    let count = entries()?;
    ensure!((1..=16).contains(&count), "{count} entries are held");
    set("entries", "200")?;
    run_right(&bed, &plan)?;
    let count = entries()?;
    ensure!(count <= 200, "{count} entries are held");
    set("entries", "16")?;
    run_right(&bed, &plan)?;
    let few = scale::wait_until(Duration::from_secs(10), || {
        entries().is_ok_and(|count| count <= 16)
    });
    ensure!(few, "{} entries are held", entries()?);
    Ok(())
}

/// What is asked for often is not driven out by what is asked for once.
fn hot_ones_stay() -> Outcome {
    let bed = Bed::cached(&[("entries", "1000"), ("memory-size", "1M")])?;
    let mut visitor = Visitor::new(&bed)?;
    let hot = |number: u64| format!("/len/{SIZE}?hot&seed={number}&cc=max-age=3600");
    for _ in 0..4 {
        for number in 0..10 {
            visitor.ask("GET", &hot(number), "")?;
        }
    }
    let mut hits = 0;
    for scan in 0..scale::count(600, 200) {
        let once = format!("/len/{SIZE}?once&seed={scan}&cc=max-age=3600");
        whole(&visitor.miss(&once, "")?, scan, SIZE)?;
        if scan % 20 == 19 {
            let number = scan / 20 % 10;
            let (response, asked) = visitor.ask("GET", &hot(number), "")?;
            whole(&response, number, SIZE)?;
            hits += u64::from(asked == 0);
        }
    }
    let asked = scale::count(600, 200) / 20;
    ensure!(hits * 2 > asked, "{hits} of {asked} were hits");
    holds_at_most(MIB)
}

/// An entry that has no place even alone is only passed on, and drives nothing out in vain.
fn larger_than_all_there_is() -> Outcome {
    let bed = Bed::cached(&[
        ("entries", "1000"),
        ("memory-size", "1M"),
        ("max-entry-size", "64M"),
    ])?;
    let mut visitor = Visitor::new(&bed)?;
    let small = "/len/1000?seed=1&cc=max-age=3600";
    visitor.miss(small, "")?;
    for (kind, seed) in ["len", "chunked", "close"].into_iter().zip(1..) {
        let target = format!("/{kind}/5000000?seed={seed}&cc=max-age=3600");
        for _ in 0..2 {
            whole(&visitor.miss(&target, "")?, seed, 5_000_000).context(&target)?;
        }
        same!(lines_with("cache-entries", "/5000000")?, [""; 0], "entries");
    }
    whole(&visitor.ask("GET", small, "")?.0, 1, 1000)?;
    bed.works()
}

fn shrunk_in_use() -> Outcome {
    let bed = Bed::cached(&[("entries", "1000")])?;
    let plan = plan(&bed, 1000);
    let mut turn = 0;
    let tally = meanwhile(&plan, || {
        turn += 1;
        set("memory-size", ["8M", "1M", "3M", "1M"][turn % 4])
    })?;
    all_right(&bed, 0, &tally)?;
    set("memory-size", "1M")?;
    holds_at_most(MIB)?;
    let before = bed.origin.requests();
    let traffic = Traffic::start(&plan);
    thread::sleep(scale::time(Duration::from_millis(500)));
    let held = holds_at_most(MIB);
    all_right(&bed, before, &traffic.stop())?;
    held
}

fn cleared_in_use() -> Outcome {
    let bed = Bed::cached(&[
        ("entries", "1000"),
        ("memory-size", "1M"),
        ("purge-allow", "127.0.0.0/8"),
    ])?;
    let mut turn = 0;
    let tally = meanwhile(&plan(&bed, 100), || {
        turn += 1;
        match turn % 5 {
            0 => gateway::write("cache-clear", "all")?,
            1 => gateway::write("cache-clear", "expires")?,
            2 => gateway::write("cache-clear", "pattern test seed=[0-4]")?,
            3 => {
                entries()?;
            }
            _ => {}
        }
        let mut client = bed.client()?;
        for seed in 0..10 {
            for method in ["PURGE", "HEAD"] {
                let target = format!("/len/{SIZE}?seed={seed}&cc=max-age=3600");
                let status = client.ask(method, &target, "")?.status;
                ensure!([200, 404].contains(&status), "{method}: {status}");
            }
        }
        Ok(())
    })?;
    ensure!(tally.wrong == 0 && tally.failed == 0, "{tally:?}");
    holds_at_most(MIB)
}

fn switched_in_use() -> Outcome {
    let bed = Bed::cached(&[])?;
    let mut turn = 0;
    let tally = meanwhile(&plan(&bed, 100), || {
        turn += 1;
        match turn % 5 {
            0 => set("enable", "off"),
            1 => set("enable", "on"),
            2 => set("entries", "100"),
            3 => set("max-entry-size", "5K"),
            _ => set("max-entry-size", "1M").and_then(|()| set("entries", "8192")),
        }
    })?;
    ensure!(tally.wrong == 0 && tally.failed == 0, "{tally:?}");
    bed.works()
}

/// The kernel takes back what it can get; what is being sent stays as it is.
fn under_memory_pressure() -> Outcome {
    let bed = Bed::cached(&[])?;
    let plan = Plan {
        connections: 8,
        ..Plan::mixed(bed.addr()).repeated(100, "&cc=max-age=3600")
    };
    let tally = meanwhile(&plan, || Ok(fs::write("/proc/sys/vm/drop_caches", "2")?))?;
    ensure!(tally.wrong == 0 && tally.failed == 0, "{tally:?}");
    // And what is stored now is there, if nobody takes it back.
    let mut visitor = Visitor::new(&bed)?;
    bed.origin.answer("page", &Answer::new(FRESH, 1, SIZE));
    visitor.miss("/script/page", "")?;
    whole(&visitor.hit("/script/page", "")?, 1, SIZE)
}

/// All but a little, at once; and nobody but the cache is asked for that.
fn given_back_when_the_machine_lacks_memory() -> Outcome {
    let bed = Bed::cached(&[("entries", "1000")])?;
    let plan = Plan {
        requests: scale::count(200, 60),
        ..plan(&bed, 100)
    };
    run_right(&bed, &plan)?;
    let before = entries()?;
    ensure!(before > 50, "only {before} entries");
    fs::write("/proc/sys/vm/drop_caches", "2")?;
    let after = entries()?;
    ensure!(after * 4 < before, "{after} of {before} entries are left");
    run_right(&bed, &plan)?;
    bed.works()
}

fn unloaded_in_use() -> Outcome {
    let before = Sockets::now();
    let origin = Origin::start()?;
    let plan = Plan {
        connections: 6,
        ..Plan::mixed(([127, 0, 0, 1], PORT).into()).repeated(30, "&cc=max-age=3600")
    };
    let traffic = Traffic::start(&plan);
    // At once, and when there is something stored and most of what is sent comes from there.
    let lives = scale::count(20, 6);
    let busy: Result<Vec<_>, _> = (0..lives).map(|life| busy_life(&origin, life)).collect();
    let tally = traffic.stop();
    busy?;
    ensure!(tally.wrong == 0 && tally.right >= lives, "{tally:?}");
    drop(origin);
    leftovers::sockets_gone(before)?;
    let gateway = Gateway::load(PORT)?;
    same!(
        gateway::read("cache-entries")?.contains("seed="),
        false,
        "old entries"
    );
    gateway.unload()?;
    Ok(())
}

/// A namespace with a cache, and what its origin serves as `/script/page`.
struct Site {
    origin: Origin,
    space: Namespace,
    seed: u64,
}

impl Site {
    fn new(name: &'static str, number: u8, seed: u64) -> Result<Site, Failure> {
        let space = Namespace::new(name, number)?;
        let origin = space.serve()?;
        space.enter(|| set("enable", "on"))?;
        origin.answer("page", &Answer::new(FRESH, seed, SIZE));
        Ok(Site {
            origin,
            space,
            seed,
        })
    }

    /// Asks for the page, which has to be its own; whether it was a hit.
    fn is_hit(&self) -> Result<bool, Failure> {
        let before = self.origin.asked("page");
        let response = Conn::open(self.space.addr())?.get("/script/page")?;
        whole(&response, self.seed, SIZE).context(self.space.name)?;
        Ok(self.origin.asked("page") == before)
    }
}

fn each_namespace_has_its_own() -> Outcome {
    Gateway::load(PORT)?;
    let sites = [Site::new("one", 31, 1)?, Site::new("two", 32, 2)?];
    for right in [[false, false], [true, true]] {
        let seen = [sites[0].is_hit()?, sites[1].is_hit()?];
        same!(seen, right, "which of them are hits");
    }
    let [one, two] = &sites;
    one.space.enter(|| gateway::write("cache-clear", "all"))?;
    same!(two.is_hit()?, true, "after the other one was cleared");
    same!(one.is_hit()?, false, "after it was cleared");
    two.space.enter(|| set("enable", "off"))?;
    same!(one.is_hit()?, true, "with the other one switched off");
    same!(two.is_hit()?, false, "switched off");
    for (site, right) in [(one, "enable on"), (two, "enable off")] {
        let file = site.space.enter(|| gateway::read("cache"))?;
        ensure!(file.lines().any(|line| line == right), "{right}: {file}");
    }
    let listed = one
        .space
        .enter(|| lines_with("cache-entries", "/script/page"))?;
    same!(listed.len(), 1, "the entries of the first");
    same!(
        lines_with("cache-entries", "/script/page")?,
        [""; 0],
        "ours"
    );
    Ok(())
}

fn deleted_with_its_namespace() -> Outcome {
    let gateway = Gateway::load(PORT)?;
    for round in 0..3 {
        let site = Site::new("brief", 33, 3)?;
        let plan = Plan::mixed(site.space.addr()).repeated(50, "&cc=max-age=3600");
        let traffic = Traffic::start(&plan);
        let flows = || site.origin.requests() > 20;
        let flowing = scale::wait_until(Duration::from_secs(10), flows);
        site.is_hit()?;
        site.space.delete();
        thread::sleep(Duration::from_millis(100));
        let tally = traffic.stop();
        ensure!(flowing && tally.wrong == 0, "round {round}: {tally:?}");
        drop(site);
        gone(33)?;
    }
    gateway.unload()?;
    Ok(())
}
