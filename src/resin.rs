// SPDX-License-Identifier: GPL-2.0

//! resin: an HTTP/1.1 gateway in the kernel.
//!
//! Layers, each importing only what is left of it:
//! `sys <- rt <- server <- procfs`, and the pure core
//! (`bytes, time, slab <- http, srun, config <- cache, lb, log, probe, status <- exchange`).

// The pure core, which the host's tests include too.
#[expect(dead_code, reason = "some of it is for what comes next")]
mod bytes;
#[expect(
    dead_code,
    unused_imports,
    reason = "the cache that uses it comes next"
)]
mod cache;
mod config;
mod exchange;
#[expect(dead_code, reason = "some of it is for what comes next")]
mod http;
#[expect(dead_code, reason = "some of it is for what comes next")]
mod lb;
mod log;
mod probe;
#[expect(dead_code, reason = "some of it is for the cache")]
mod slab;
mod srun;
mod status;
mod time;

// The kernel, in safe clothes.
mod rt;
mod sys;

// The glue and its files.
#[path = "../procfs/mod.rs"]
mod procfs;
mod server;

use core::borrow::Borrow;
use kernel::prelude::*;
use kernel::sync::Arc;
use kernel::sync::Mutex;

use crate::procfs::Tree;
use crate::rt::memory::Spare;
use crate::rt::net::Namespace;
use crate::rt::net::Net;
use crate::rt::net::Registration;
use crate::rt::socket::Frags;
use crate::rt::wait::Remains;
use crate::server::Instance;

module! {
    type: Resin,
    name: "resin",
    authors: ["The resin developers"],
    description: "HTTP/1.1 gateway, sticky-session load balancer and proxy cache",
    license: "GPL v2",
    params: {
        port: u16 {
            default: 80,
            description: "TCP port to listen on in the initial network namespace; 0: none",
        },
    },
}

/// The module. What it has is dropped in this order.
struct Resin {
    /// Stops every namespace.
    _sites: Registration<Site>,
    /// What their sockets have sent from, and buffers had.
    _frags: Frags,
    _spare: Spare,
    /// Their wait queues, if somebody is still in them.
    _remains: Remains,
}

impl kernel::Module for Resin {
    fn init(_: &'static ThisModule) -> Result<Self> {
        // First: there can be some also when the registration fails.
        let remains = Remains::new();
        let (frags, spare) = (Frags::new(), Spare::new()?);
        Ok(Self {
            _sites: Registration::new()?,
            _frags: frags,
            _spare: spare,
            _remains: remains,
        })
    }
}

/// What one network namespace has of resin.
///
/// # Locking
///
/// `tree` (a mutex) is held while the files are made known and while they are removed, which waits
/// for whoever is inside of one of their calls; those calls do not take it. While they last on
/// account of a caller's own memory, the namespace is held ([`rt::proc`]), so that
/// nothing else that takes the lock waits with it: the end of the namespace cannot come.
#[pin_data]
struct Site {
    instance: Arc<Instance>,
    /// The files, until the namespace stops.
    #[pin]
    tree: Mutex<Option<KBox<Tree>>>,
}

impl Site {
    /// Listens and makes the files: these last, for who is inside of one holds up whoever has to take
    /// it away again.
    fn open(&self, net: &Net, port: u16) -> Result {
        self.instance.set_port(port).inspect_err(|error| {
            pr_err!("cannot listen on port {}: {:?}\n", port, error);
        })?;
        self.publish(net)
    }

    fn publish(&self, net: &Net) -> Result {
        let tree = Tree::new(net, self.instance.clone())?;
        *self.tree.lock() = Some(tree);
        Ok(())
    }

    /// Removes the files, if there are any.
    fn unpublish(&self) {
        // Under the lock: when this returns they are removed, whoever does it.
        *self.tree.lock() = None;
    }
}

impl Namespace for Site {
    /// Only the initial namespace listens by itself; the others do once a port is written.
    fn start(net: Net) -> Result<Arc<Self>> {
        let site = Arc::pin_init(
            try_pin_init!(Self {
                instance: Instance::new(net)?,
                tree <- kernel::new_mutex!(None, "resin tree"),
            }),
            GFP_KERNEL,
        )?;
        let port = if net.is_init() {
            // A value from Linux 7.3 on, a reference before.
            *Borrow::<u16>::borrow(&module_parameters::port.value())
        } else {
            0
        };
        site.open(&net, port)
            .inspect_err(|_| Self::stop(site.clone()))?;
        Ok(site)
    }

    /// The files only: somebody may be inside of them. What they work on goes on until the end.
    fn leave(&self) {
        self.unpublish();
    }

    /// First the files, so that nobody changes anything any more; then all that they work on.
    fn stop(this: Arc<Self>) {
        this.unpublish();
        this.instance.stop();
    }
}
