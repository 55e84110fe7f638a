// SPDX-License-Identifier: GPL-2.0

//! What one network namespace has: a configuration, a port, and an [`Engine`] that serves it.
//!
//! # Locking
//!
//! `port` serialises everything that changes the configuration. It is held while a socket is
//! bound and while old connections are closed; nothing that is called under it comes back here.

use kernel::alloc::KVVec;
use kernel::alloc::KVec;
use kernel::new_mutex;
use kernel::prelude::*;
use kernel::sync::Arc;
use kernel::sync::Mutex;

use crate::config;
use crate::config::Admin;
use crate::config::CacheSettings;
use crate::config::Settings;
use crate::rt::clock;
use crate::rt::memory;
use crate::rt::net::Net;
use crate::server::backend::Backend;
use crate::server::cache::Cache;
use crate::server::engine;
use crate::server::engine::Config;
use crate::server::engine::Srun;
use crate::server::listener::Listener;
use crate::server::log::Log;
use crate::server::mappings::Mappings;
use crate::server::Engine;
use crate::status::Format;

/// One namespace's gateway.
#[pin_data]
pub(crate) struct Instance {
    engine: Arc<Engine>,
    /// The port that is listened on, 0 for none.
    #[pin]
    port: Mutex<u16>,
}

impl Instance {
    /// A gateway that does not listen yet, with one default backend. Process context.
    pub(crate) fn new(net: Net) -> Result<Arc<Self>> {
        let engine = Engine::new(net, first_config()?)?;
        let kept = engine.clone();
        let instance = Arc::pin_init(
            pin_init!(Self {
                engine: kept,
                port <- new_mutex!(0, "resin port"),
            }),
            GFP_KERNEL,
        );
        // An engine that is not stopped keeps itself.
        instance
            .and_then(|instance| {
                instance.begin()?;
                Ok(instance)
            })
            .inspect_err(|_| engine.stop())
    }

    /// Lets the balancer know the first configuration.
    fn begin(&self) -> Result {
        let config = self.engine.config();
        let balancer = self.engine.balancer();
        let plan = balancer.plan(&config.sruns, &config.settings)?;
        balancer.configure(clock::now(), plan, &config.settings);
        Ok(())
    }

    /// Ends everything. Process context.
    pub(crate) fn stop(&self) {
        let mut port = self.port.lock();
        *port = 0;
        self.engine.stop();
    }

    pub(crate) fn port(&self) -> u16 {
        *self.port.lock()
    }

    /// Listens on another port, and then no longer on the old one; 0 only stops listening.
    ///
    /// Connections that have been accepted go on. Process context.
    ///
    /// # Errors
    ///
    /// What bind(2) and listen(2) return, `EADDRINUSE` above all. Then nothing has changed.
    pub(crate) fn set_port(&self, wanted: u16) -> Result {
        let mut port = self.port.lock();
        if *port == wanted {
            return Ok(());
        }
        let listener = match wanted {
            0 => None,
            wanted => {
                self.engine.prepare()?;
                self.engine.log().prepare()?;
                self.open_store()?;
                Some(Listener::start(self.engine.clone(), wanted)?)
            }
        };
        if let Some(old) = self.engine.set_listener(listener) {
            old.stop();
        }
        *port = wanted;
        Ok(())
    }

    /// Makes the cache, if there is to be one and was none: most namespaces never need it. If there is
    /// no memory for it nothing is stored.
    fn open_store(&self) -> Result {
        let old = self.engine.config();
        if old.store.is_some() || !old.cache.enable {
            return Ok(());
        }
        match Cache::wanted(None, &old.cache, self.engine.account()) {
            Ok(store) if self.engine.yield_memory().is_ok() => {
                self.put(next_config(&old, Wanted::present(&old)?, store)?)
            }
            _ => pr_warn!("there is no memory for the cache: nothing is stored\n"),
        }
        Ok(())
    }

    /// The cache that these settings want, the present one if they are the same: that there is no memory
    /// for another one hinders nobody who wants none. There is none before anything is listened on.
    fn store(&self, old: &Config, wanted: &CacheSettings) -> Result<Option<Arc<Cache>>> {
        let is_same = core::ptr::eq(wanted, &*old.cache);
        if is_same || (self.engine.port() == 0 && old.store.is_none()) {
            return Ok(old.store.clone());
        }
        let store = Cache::wanted(old.store.as_ref(), wanted, self.engine.account())?;
        if store.is_some() {
            self.engine.yield_memory()?;
        }
        Ok(store)
    }

    /// Puts a configuration in force.
    fn put(&self, config: Arc<Config>) {
        let old = self.engine.set_config(config.clone());
        if let Some(store) = &config.store {
            store.configure(&config.cache);
        }
        // Those who still use the old one would drop all of it under a lock.
        let is_kept = |old| matches!(&config.store, Some(store) if Arc::ptr_eq(old, store));
        if let Some(gone) = old.store.as_ref().filter(|old| !is_kept(old)) {
            gone.clear(|_| true);
            self.engine.add_evicted(gone.counts().evictions);
        }
    }

    /// What is cached, if anything is.
    pub(crate) fn cache(&self) -> Option<Arc<Cache>> {
        self.engine.cache()
    }

    /// The access log.
    pub(crate) fn log(&self) -> Arc<Log> {
        self.engine.log().clone()
    }

    pub(crate) fn settings(&self) -> Arc<Settings> {
        self.engine.config().settings.clone()
    }

    /// Puts other settings in force, for connections and requests that begin from now on.
    pub(crate) fn set_settings(&self, settings: Arc<Settings>) -> Result {
        self.change(|wanted| wanted.settings = settings)
    }

    pub(crate) fn cache_settings(&self) -> Arc<CacheSettings> {
        self.engine.config().cache.clone()
    }

    /// Puts other settings of the cache in force.
    pub(crate) fn set_cache(&self, cache: Arc<CacheSettings>) -> Result {
        self.change(|wanted| wanted.cache = cache)
    }

    /// How long responses are fresh that do not say it.
    pub(crate) fn mappings(&self) -> Arc<Mappings> {
        self.engine.config().mappings.clone()
    }

    /// Puts other mappings in force, for responses that come from now on.
    pub(crate) fn set_mappings(&self, mappings: Arc<Mappings>) -> Result {
        self.change(|wanted| wanted.mappings = mappings)
    }

    /// Puts a configuration in place that is another one in this.
    fn change(&self, how: impl FnOnce(&mut Wanted)) -> Result {
        let _port = self.port.lock();
        let old = self.engine.config();
        let mut wanted = Wanted::present(&old)?;
        how(&mut wanted);
        self.configure(&old, wanted)
    }

    /// Puts another configuration in place.
    fn configure(&self, old: &Config, wanted: Wanted) -> Result {
        self.engine.prepare()?;
        let balancer = self.engine.balancer();
        let plan = balancer.plan(&wanted.sruns, &wanted.settings)?;
        let store = self.store(old, &wanted.cache)?;
        let config = next_config(old, wanted, store)?;
        if let Some(listener) = self.engine.listener() {
            listener.configure(&config.settings)?;
        }
        let now = clock::now();
        balancer.configure(now, plan, &config.settings);
        self.put(config);
        self.engine.hand_out(now);
        // Clients at rest are to hear of it, and backends perhaps to be asked how they are.
        self.engine.sweep_soon();
        Ok(())
    }

    pub(crate) fn backend_count(&self) -> usize {
        self.engine.config().sruns.len()
    }

    pub(crate) fn backend(&self, index: usize) -> Option<config::Backend> {
        self.engine
            .config()
            .sruns
            .get(index)
            .map(|srun| srun.config)
    }

    /// Configures a backend anew. If that makes it another server, exchanges with the old one go on
    /// to their end.
    ///
    /// # Errors
    ///
    /// `ENOENT` if there is none of this number; `ENOMEM`.
    pub(crate) fn set_backend(&self, index: usize, wanted: config::Backend) -> Result {
        let _port = self.port.lock();
        let old = self.engine.config();
        let before = old.sruns.get(index).ok_or(ENOENT)?;
        if before.config == wanted {
            return Ok(());
        }
        let same = before.config.is_same_server(&wanted);
        self.configure(&old, Wanted::with_backend(&old, index, &wanted, same)?)?;
        if !same {
            before.backend.retire();
        }
        Ok(())
    }

    /// Adds default backends, or drops the last ones. Exchanges with those go on to their end.
    pub(crate) fn set_backend_count(&self, count: usize) -> Result {
        let _port = self.port.lock();
        let old = self.engine.config();
        let mut wanted = Wanted::present(&old)?;
        wanted.sruns.truncate(count);
        while wanted.sruns.len() < count {
            add(&mut wanted.sruns)?;
        }
        self.configure(&old, wanted)?;
        for dropped in old.sruns.iter().skip(count) {
            dropped.backend.retire();
        }
        Ok(())
    }

    /// Tells how the gateway is: see [`Engine::report`].
    pub(crate) fn report(&self, format: Format) -> Result<KVVec<u8>> {
        self.engine.report(format)
    }
}

/// What somebody can set of a configuration.
struct Wanted {
    settings: Arc<Settings>,
    sruns: KVec<Srun>,
    cache: Arc<CacheSettings>,
    mappings: Arc<Mappings>,
}

impl Wanted {
    /// What is set already.
    fn present(config: &Config) -> Result<Self> {
        Ok(Self {
            settings: config.settings.clone(),
            sruns: copy(&config.sruns)?,
            cache: config.cache.clone(),
            mappings: config.mappings.clone(),
        })
    }

    /// The same with another configuration of a backend, which is of the `same` server or not.
    fn with_backend(
        old: &Config,
        index: usize,
        wanted: &config::Backend,
        same: bool,
    ) -> Result<Self> {
        let mut next = Self::present(old)?;
        let entry = next.sruns.get_mut(index).ok_or(ENOENT)?;
        if same {
            entry.config = *wanted;
        } else {
            *entry = srun(wanted)?;
        }
        Ok(next)
    }
}

/// What an instance begins with: the default settings, one default backend, no mappings.
fn first_config() -> Result<Arc<Config>> {
    let mut sruns = KVec::new();
    add(&mut sruns)?;
    let config = Config {
        settings: memory::duplicate(&config::DEFAULTS)?.into(),
        sruns,
        cache: memory::duplicate(&config::CACHE_DEFAULTS)?.into(),
        mappings: Arc::new(Mappings::default(), GFP_KERNEL_ACCOUNT)?,
        store: None,
        own_name: engine::own_name(),
        era: 0,
    };
    Ok(Arc::new(config, GFP_KERNEL_ACCOUNT)?)
}

/// The configuration that follows `old`.
fn next_config(old: &Config, wanted: Wanted, store: Option<Arc<Cache>>) -> Result<Arc<Config>> {
    let config = Config {
        settings: wanted.settings,
        sruns: wanted.sruns,
        cache: wanted.cache,
        mappings: wanted.mappings,
        store,
        own_name: old.own_name,
        era: old.era.wrapping_add(1),
    };
    Ok(Arc::new(config, GFP_KERNEL_ACCOUNT)?)
}

/// Not on the stack.
static DEFAULT: config::Backend = config::Backend::DEFAULT;

/// Adds a default backend. Only the first one is in use at once: the others are until their address
/// is written, lest they get requests that are not theirs.
fn add(sruns: &mut KVec<Srun>) -> Result {
    let mut srun = srun(&DEFAULT)?;
    if !sruns.is_empty() {
        srun.config.admin = Admin::Down;
    }
    Ok(sruns.push(srun, GFP_KERNEL_ACCOUNT)?)
}

/// A backend of its own.
fn srun(config: &config::Backend) -> Result<Srun> {
    let backend = Backend::new(config.addr, config.protocol)?;
    let config = *config;
    Ok(Srun { config, backend })
}

/// Another list of the same backends.
fn copy(sruns: &[Srun]) -> Result<KVec<Srun>> {
    let mut copy = KVec::with_capacity(sruns.len(), GFP_KERNEL_ACCOUNT)?;
    for srun in sruns {
        copy.push(srun.clone(), GFP_KERNEL_ACCOUNT)?;
    }
    Ok(copy)
}
