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
use crate::config::Settings;
use crate::rt::memory;
use crate::rt::net::Net;
use crate::server::backend::Backend;
use crate::server::engine;
use crate::server::engine::Config;
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
        let mut backends = KVec::new();
        backends.push(
            Backend::new(config::Backend::default())?,
            GFP_KERNEL_ACCOUNT,
        )?;
        let config = Config {
            settings: memory::duplicate(&config::DEFAULTS)?.into(),
            backends,
            own_name: engine::own_name(),
        };
        let engine = Engine::new(net, Arc::new(config, GFP_KERNEL_ACCOUNT)?)?;
        let kept = engine.clone();
        let instance = Arc::pin_init(
            pin_init!(Self {
                engine: kept,
                port <- new_mutex!(0, "resin port"),
            }),
            GFP_KERNEL,
        );
        // An engine that is not stopped keeps itself.
        instance.inspect_err(|_| engine.stop())
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
        let backends = copy(&old.backends)?;
        self.configure(&old, settings, backends)
    }

    /// Puts another configuration in place.
    fn configure(
        &self,
        old: &Config,
        settings: Arc<Settings>,
        backends: KVec<Arc<Backend>>,
    ) -> Result {
        let config = Config {
            settings,
            backends,
            own_name: old.own_name,
        };
        let config = Arc::new(config, GFP_KERNEL_ACCOUNT)?;
        if let Some(listener) = self.engine.listener() {
            listener.configure(&config.settings)?;
        }
        self.engine.set_config(config);
        Ok(())
    }

    pub(crate) fn backend_count(&self) -> usize {
        self.engine.config().backends.len()
    }

    pub(crate) fn backend(&self, index: usize) -> Option<config::Backend> {
        self.engine
            .config()
            .backends
            .get(index)
            .map(|backend| *backend.config())
    }

    /// Replaces a backend. Exchanges with the old one go on to their end.
    ///
    /// # Errors
    ///
    /// `ENOENT` if there is none of this number; `ENOMEM`.
    pub(crate) fn set_backend(&self, index: usize, wanted: config::Backend) -> Result {
        let _port = self.port.lock();
        let old = self.engine.config();
        let replaced = old.backends.get(index).ok_or(ENOENT)?;
        if *replaced.config() == wanted {
            return Ok(());
        }
        let mut backends = copy(&old.backends)?;
        *backends.get_mut(index).ok_or(ENOENT)? = Backend::new(wanted)?;
        self.configure(&old, old.settings.clone(), backends)?;
        replaced.retire();
        Ok(())
    }

    /// Adds default backends, or drops the last ones. Exchanges with those go on to their end.
    pub(crate) fn set_backend_count(&self, count: usize) -> Result {
        let _port = self.port.lock();
        let old = self.engine.config();
        let mut backends = copy(&old.backends)?;
        backends.truncate(count);
        while backends.len() < count {
            backends.push(
                Backend::new(config::Backend::default())?,
                GFP_KERNEL_ACCOUNT,
            )?;
        }
        self.configure(&old, old.settings.clone(), backends)?;
        for dropped in old.backends.iter().skip(count) {
            dropped.retire();
        }
        Ok(())
    }

    /// Tells how the gateway is: see [`Engine::report`].
    pub(crate) fn report(&self, format: Format) -> Result<KVVec<u8>> {
        self.engine.report(format)
    }
}

/// Another list of the same backends.
fn copy(backends: &KVec<Arc<Backend>>) -> Result<KVec<Arc<Backend>>> {
    let mut copy = KVec::with_capacity(backends.len(), GFP_KERNEL_ACCOUNT)?;
    for backend in backends {
        copy.push(backend.clone(), GFP_KERNEL_ACCOUNT)?;
    }
    Ok(copy)
}
