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
use crate::config::Settings;
use crate::rt::clock;
use crate::rt::memory;
use crate::rt::net::Net;
use crate::server::backend::Backend;
use crate::server::engine;
use crate::server::engine::Config;
use crate::server::engine::Srun;
use crate::server::listener::Listener;
use crate::server::log::Log;
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
    #[inline(never)] // Keeps its frame out of its caller's.
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
                Some(Listener::start(self.engine.clone(), wanted)?)
            }
        };
        if let Some(old) = self.engine.set_listener(listener) {
            old.stop();
        }
        *port = wanted;
        Ok(())
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
        let _port = self.port.lock();
        let old = self.engine.config();
        let sruns = copy(&old.sruns)?;
        self.configure(&old, settings, sruns)
    }

    /// Puts another configuration in place.
    fn configure(&self, old: &Config, settings: Arc<Settings>, sruns: KVec<Srun>) -> Result {
        self.engine.prepare()?;
        let balancer = self.engine.balancer();
        let plan = balancer.plan(&sruns, &settings)?;
        let config = next_config(old, settings, sruns)?;
        if let Some(listener) = self.engine.listener() {
            listener.configure(&config.settings)?;
        }
        let now = clock::now();
        balancer.configure(now, plan, &config.settings);
        self.engine.set_config(config);
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
        let mut sruns = copy(&old.sruns)?;
        let entry = sruns.get_mut(index).ok_or(ENOENT)?;
        if same {
            entry.config = wanted;
        } else {
            *entry = srun(&wanted)?;
        }
        self.configure(&old, old.settings.clone(), sruns)?;
        if !same {
            before.backend.retire();
        }
        Ok(())
    }

    /// Adds default backends, or drops the last ones. Exchanges with those go on to their end.
    pub(crate) fn set_backend_count(&self, count: usize) -> Result {
        let _port = self.port.lock();
        let old = self.engine.config();
        let mut sruns = copy(&old.sruns)?;
        sruns.truncate(count);
        while sruns.len() < count {
            add(&mut sruns)?;
        }
        self.configure(&old, old.settings.clone(), sruns)?;
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

/// What an instance begins with: the default settings, and one default backend.
#[inline(never)] // Keeps its frame out of its caller's.
fn first_config() -> Result<Arc<Config>> {
    let mut sruns = KVec::new();
    add(&mut sruns)?;
    let config = Config {
        settings: memory::duplicate(&config::DEFAULTS)?.into(),
        sruns,
        own_name: engine::own_name(),
        era: 0,
    };
    Ok(Arc::new(config, GFP_KERNEL_ACCOUNT)?)
}

/// The configuration that follows `old`.
#[inline(never)] // Keeps its frame out of its caller's.
fn next_config(old: &Config, settings: Arc<Settings>, sruns: KVec<Srun>) -> Result<Arc<Config>> {
    let config = Config {
        settings,
        sruns,
        own_name: old.own_name,
        era: old.era.wrapping_add(1),
    };
    Ok(Arc::new(config, GFP_KERNEL_ACCOUNT)?)
}

/// Not on the stack.
static DEFAULT: config::Backend = config::Backend::DEFAULT;

/// Adds a default backend. Only the first one is in use at once: the others are until their address
/// is written, lest they get requests that are not theirs.
#[inline(never)] // Keeps its frame out of its caller's.
fn add(sruns: &mut KVec<Srun>) -> Result {
    let mut srun = srun(&DEFAULT)?;
    if !sruns.is_empty() {
        srun.config.admin = Admin::Down;
    }
    Ok(sruns.push(srun, GFP_KERNEL_ACCOUNT)?)
}

/// A backend of its own.
#[inline(never)] // Keeps its frame out of its caller's.
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
