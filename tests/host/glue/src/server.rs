// SPDX-License-Identifier: GPL-2.0

//! The cache of the server, and of the rest of that as much as the cache sees.

use std::sync::Mutex;

use kernel::trial;

use crate::bytes::Writer;
use crate::log::{self, Entry, Format, MAX_LINE};
use crate::time::Instant;

#[path = "../../../../src/server/cache/mod.rs"]
pub(crate) mod cache;

/// Notes who is woken.
#[derive(Default)]
pub(crate) struct Engine {
    woken: Mutex<Vec<u64>>,
    errands: Mutex<Vec<(cache::Question, Vec<u8>)>>,
    stats: stats::Stats,
    log: Mutex<Vec<String>>,
}

impl Engine {
    pub(crate) fn log_line(
        &self,
        format: Format,
        _now: Instant,
        entry: &Entry<'_>,
        captured: &[u8],
    ) {
        let mut line = [0; MAX_LINE];
        let mut out = Writer::new(&mut line);
        log::line(format, entry, captured, &mut out).unwrap();
        let line = String::from_utf8(out.written().to_vec()).unwrap();
        self.log.lock().unwrap().push(line);
    }

    pub(crate) fn account(&self) -> &memory::Account {
        &memory::Account
    }

    pub(crate) fn take_log(&self) -> Vec<String> {
        std::mem::take(&mut *self.log.lock().unwrap())
    }

    pub(crate) fn cache(&self) -> Option<kernel::sync::Arc<cache::Cache>> {
        None
    }

    pub(crate) fn stats(&self) -> &stats::Stats {
        &self.stats
    }

    pub(crate) fn wake(&self, _cpu: u32, who: u64) {
        assert_eq!(trial::locks(), 0, "somebody is woken under a lock");
        let mut woken = self.woken.lock().unwrap();
        if !woken.contains(&who) {
            woken.push(who);
        }
    }

    /// Somebody is to be sent out with a question, and a request of which this is the head.
    pub(crate) fn note_errand(&self, question: cache::Question, head: &[u8]) {
        self.errands.lock().unwrap().push((question, head.to_vec()));
    }

    pub(crate) fn take_errands(&self) -> Vec<(cache::Question, Vec<u8>)> {
        std::mem::take(&mut *self.errands.lock().unwrap())
    }

    pub(crate) fn take_woken(&self) -> Vec<u64> {
        std::mem::take(&mut *self.woken.lock().unwrap())
    }
}

pub(crate) mod stats {
    use crate::status::Count;

    #[derive(Default)]
    pub(crate) struct Stats;

    impl Stats {
        pub(crate) fn count(&self, _what: Count) {}
    }
}

pub(crate) mod engine {
    use kernel::sync::Arc;

    use super::cache::Cache;
    use crate::cache::mapping::list::{Entry, List};
    use crate::cache::regexp::State;
    use crate::config::{CacheSettings, Settings};

    pub(crate) struct Config {
        pub(crate) mappings: List<Vec<Entry>, Vec<u8>, Vec<State>>,
        pub(crate) settings: Arc<Settings>,
        pub(crate) cache: Arc<CacheSettings>,
        pub(crate) store: Option<Arc<Cache>>,
    }

    impl Config {
        pub(crate) fn name(&self) -> &[u8] {
            b"glue"
        }
    }
}

pub(crate) mod memory {
    use kernel::alloc::KVec;
    use kernel::prelude::*;

    pub(crate) struct Charge;

    pub(crate) struct Account;

    impl Account {
        pub(crate) fn admit(&self, _octets: usize) -> Result<Charge> {
            // It fails as an allocation does.
            drop(KVec::<u8>::with_capacity(1, GFP_NOWAIT)?);
            Ok(Charge)
        }

        pub(crate) fn most_cache(&self) -> u64 {
            u64::MAX
        }

        pub(crate) fn admit_cache(&self, _wanted: u64, _: bool) -> Result<(u64, Option<Charge>)> {
            Ok((u64::MAX, None))
        }
    }
}
