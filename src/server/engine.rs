// SPDX-License-Identifier: GPL-2.0

//! What all connections of one network namespace share.
//!
//! # Locking
//!
//! `config`, `listener`, `sweep`, `prober`, `shrinker` and each CPU's `clients` are leaf locks. `config`
//! is taken where memory is reclaimed, too ([`pressure`](super::pressure)). The configuration is never
//! changed in place: readers take a reference to it, writers (serialised by [`Instance`](super::Instance)) put a new
//! one in its place.
//!
//! # Stopping
//!
//! [`Engine::stop`] closes the listener first, so that no client is added but by a client: those have done
//! so when the queue was flushed for the first time. After `stopping` is set and a grace period has
//! passed nobody in softirq adds a job or queues work but the jobs that wait, and those are over then; each
//! client is queued once more and closes itself.

use kernel::alloc::KVec;
use kernel::prelude::*;
use kernel::rbtree::RBTree;
use kernel::rbtree::RBTreeNode;
use kernel::sync::atomic::Acquire;
use kernel::sync::atomic::Atomic;
use kernel::sync::atomic::Relaxed;
use kernel::sync::atomic::Release;
use kernel::sync::Arc;
use kernel::sync::ArcBorrow;
use kernel::sync::SetOnce;
use kernel::warn_on;
use kernel::workqueue::HasWork;
use kernel::workqueue::WorkItem;

use crate::config;
use crate::config::CacheSettings;
use crate::config::Settings;
use crate::lb::Grant;
use crate::lb::Ticket;
use crate::lb::Verdict;
use crate::log::Entry;
use crate::log::Format;
use crate::rt::clock;
use crate::rt::net::Net;
use crate::rt::percpu::PerCpu;
use crate::rt::random;
use crate::rt::shrinker::Shrinker;
use crate::rt::softirq::Jobs;
use crate::rt::softirq::Softly;
use crate::rt::sync::new_spinlock_bh;
use crate::rt::sync::synchronize_rcu;
use crate::rt::sync::SpinLockBh;
use crate::rt::workqueue::cancel_delayed_sync;
use crate::rt::workqueue::Queue;
use crate::server::backend::Backend;
use crate::server::balancer::Balancer;
use crate::server::cache::Cache;
use crate::server::census::Census;
use crate::server::client::Client;
use crate::server::journal::Journal;
use crate::server::listener::Listener;
use crate::server::log;
use crate::server::log::Log;
use crate::server::mappings::Mappings;
use crate::server::memory::Account;
use crate::server::prober::Prober;
use crate::server::stats::Stats;
use crate::server::sweep::Sweep;
use crate::status::Count;
use crate::time::Instant;
use crate::time::UnixTime;

/// One state of the configuration.
pub(crate) struct Config {
    pub(crate) settings: Arc<Settings>,
    pub(crate) sruns: KVec<Srun>,
    pub(crate) cache: Arc<CacheSettings>,
    pub(crate) mappings: Arc<Mappings>,
    /// What is cached; none as long as nothing is to be.
    pub(crate) store: Option<Arc<Cache>>,
    /// What the gateway calls itself unless the settings say otherwise.
    pub(crate) own_name: OwnName,
    /// Which one it is: no two of an engine's are alike.
    pub(crate) era: u64,
}

/// A backend, and how it is configured.
#[derive(Clone)]
pub(crate) struct Srun {
    pub(crate) config: config::Backend,
    pub(crate) backend: Arc<Backend>,
}

/// `resin-` and eight hexadecimal digits.
pub(crate) type OwnName = [u8; 14];

impl Config {
    /// What the gateway calls itself in `Via`.
    pub(crate) fn name(&self) -> &[u8] {
        let name = self.settings.via.as_bytes();
        if name.is_empty() {
            &self.own_name
        } else {
            name
        }
    }
}

/// A name that no other gateway has.
pub(crate) fn own_name() -> OwnName {
    let mut name = *b"resin-00000000";
    let mut number = random::number();
    for digit in name.iter_mut().skip(b"resin-".len()) {
        *digit = match (number & 0xf) as u8 {
            value @ 0..=9 => b'0'.wrapping_add(value),
            value => (b'a' - 10).wrapping_add(value),
        };
        number >>= 4;
    }
    name
}

/// From one client's number to the next: each of its requests has one too.
const NUMBERS: u64 = 1 << 20;

/// The most clients without a socket.
const ERRANDS: usize = 256;

/// Clients by their number.
type Clients = SpinLockBh<RBTree<u64, Arc<Client>>>;

/// What all connections share.
#[pin_data]
pub(crate) struct Engine {
    net: Net,
    /// When it began, on both clocks.
    started: Instant,
    started_at: UnixTime,
    account: Account,
    stats: Stats,
    #[pin]
    config: SpinLockBh<Arc<Config>>,
    /// That of `config`.
    era: Atomic<u64>,
    /// What `config` says of that.
    works_softly: Atomic<bool>,
    /// There is a configuration that clients at rest have not got yet.
    renewed: Atomic<bool>,
    clients: PerCpu<Clients>,
    census: Census,
    /// The number of the next client.
    next: Atomic<u64>,
    #[pin]
    balancer: Balancer,
    stopping: Atomic<bool>,
    /// There has been a listener, so there may be connections.
    used: Atomic<bool>,
    #[pin]
    listener: SpinLockBh<Option<Arc<Listener>>>,
    /// Clients without a socket.
    errands: Atomic<usize>,
    /// Entries that were evicted from caches that are gone.
    evicted: Atomic<u64>,
    #[pin]
    sweep: SpinLockBh<Option<Arc<Sweep>>>,
    #[pin]
    prober: SpinLockBh<Option<Arc<Prober>>>,
    /// From when there is a cache on.
    #[pin]
    shrinker: SpinLockBh<Option<Shrinker<Engine>>>,
    log: Arc<Log>,
    /// How its backends are.
    journal: Journal,
    /// From [`Engine::prepare`] on. Nothing above refers to works and jobs any more when these are
    /// drained and destroyed.
    jobs: SetOnce<Jobs>,
    queue: SetOnce<Queue>,
}

impl Engine {
    /// An engine with nothing to do. Process context.
    #[inline(never)] // Keeps its frame out of its caller's.
    pub(crate) fn new(net: Net, config: Arc<Config>) -> Result<Arc<Self>> {
        let log = Log::new()?;
        let balancer = Balancer::new()?;
        let engine = Arc::pin_init(
            try_pin_init!(Self {
                account: Account::new(net.is_init())?,
                journal: Journal::new(&net, "changes of backends"),
                net,
                started: clock::now(),
                started_at: clock::unix_now(),
                stats: Stats::new()?,
                era: Atomic::new(config.era),
                works_softly: Atomic::new(config.settings.softirq),
                config <- new_spinlock_bh!(config),
                renewed: Atomic::new(false),
                clients: no_clients()?,
                census <- Census::new(),
                next: Atomic::new(random::number() >> 1),
                balancer <- balancer,
                stopping: Atomic::new(false),
                used: Atomic::new(false),
                listener <- new_spinlock_bh!(None),
                errands: Atomic::new(0),
                evicted: Atomic::new(0),
                sweep <- new_spinlock_bh!(None),
                prober <- new_spinlock_bh!(None),
                shrinker <- new_spinlock_bh!(None),
                log,
                jobs: SetOnce::new(),
                queue: SetOnce::new(),
            }),
            GFP_KERNEL_ACCOUNT,
        )?;
        let sweep = Sweep::new(engine.clone())?;
        let prober = Prober::new(engine.clone())?;
        // Both refer to the engine: from here on it has to be stopped, so nothing may fail after this.
        *engine.sweep.lock() = Some(sweep);
        *engine.prober.lock() = Some(prober);
        Ok(engine)
    }

    pub(crate) fn net(&self) -> &Net {
        &self.net
    }

    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    pub(crate) fn started_at(&self) -> UnixTime {
        self.started_at
    }

    /// To whom memory of this namespace's connections is charged.
    pub(crate) fn account(&self) -> &Account {
        &self.account
    }

    pub(crate) fn stats(&self) -> &Stats {
        &self.stats
    }

    pub(crate) fn census(&self) -> &Census {
        &self.census
    }

    /// Makes what work is done with, if it is not there yet: to be called before anything is
    /// listened on or configured. Most namespaces never have anything to do. Process context, one at a
    /// time.
    pub(crate) fn prepare(&self) -> Result {
        if self.jobs.as_ref().is_none() {
            self.jobs.populate(Jobs::new()?);
        }
        if self.queue.as_ref().is_none() {
            self.queue.populate(Queue::new(c"resin")?);
        }
        Ok(())
    }

    /// Where works are queued; none as long as there is nothing to do.
    pub(crate) fn queue(&self) -> Option<&Queue> {
        self.queue.as_ref()
    }

    pub(crate) fn config(&self) -> Arc<Config> {
        self.config.lock().clone()
    }

    /// What is cached, if anything is.
    pub(crate) fn cache(&self) -> Option<Arc<Cache>> {
        self.config.lock().store.clone()
    }

    /// Gives memory back from now on when the machine lacks it: to be called before there is a cache.
    /// Process context, one at a time.
    pub(crate) fn yield_memory(self: &Arc<Self>) -> Result {
        if self.shrinker.lock().is_none() {
            let shrinker = Shrinker::new(c"resin-cache", self.clone())?;
            *self.shrinker.lock() = Some(shrinker);
        }
        Ok(())
    }

    /// Which configuration is in force.
    pub(crate) fn era(&self) -> u64 {
        self.era.load(Acquire)
    }

    /// Puts another configuration in place and returns the old one.
    pub(crate) fn set_config(&self, config: Arc<Config>) -> Arc<Config> {
        let era = config.era;
        self.works_softly.store(config.settings.softirq, Relaxed);
        let old = core::mem::replace(&mut *self.config.lock(), config);
        // Who sees it finds the configuration in its place.
        self.era.store(era, Release);
        self.renewed.store(true, Release);
        old
    }

    /// A cache goes that has evicted so many.
    pub(crate) fn add_evicted(&self, count: u64) {
        self.evicted.fetch_add(count, Relaxed);
    }

    /// How many entries were evicted from caches that are gone.
    pub(crate) fn evicted(&self) -> u64 {
        self.evicted.load(Relaxed)
    }

    /// Whether there has been another configuration since this was last asked.
    pub(crate) fn take_renewed(&self) -> bool {
        self.renewed.xchg(false, Acquire)
    }

    /// Where the kernel log is told how backends are.
    pub(crate) fn journal(&self) -> &Journal {
        &self.journal
    }

    pub(crate) fn log(&self) -> &Arc<Log> {
        &self.log
    }

    /// Adds a line to the access log: what [`crate::log::capture`] has captured of the request in
    /// this format, and the rest. Softirq or process context; waits for nobody.
    pub(crate) fn log_line(
        &self,
        format: Format,
        now: Instant,
        entry: &Entry<'_>,
        captured: &[u8],
    ) {
        let cpu = self.here();
        if self.log.write(cpu, now, format, entry, captured) && !self.is_stopping() {
            let log = self.log.as_arc_borrow();
            if let Some(queue) = self.queue() {
                queue.queue_after(cpu, log, log::NOTICE);
            }
        }
    }

    /// Whether everything is to end.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Acquire)
    }

    /// Whether what need not sleep is done by jobs.
    pub(crate) fn works_softly(&self) -> bool {
        self.works_softly.load(Relaxed)
    }

    /// Lets the job of `item` run on this CPU, unless the engine is stopping. In softirq.
    pub(crate) fn run_softly<T: Softly>(&self, item: ArcBorrow<'_, T>) {
        if self.is_stopping() {
            return;
        }
        if let Some(jobs) = self.jobs.as_ref() {
            jobs.add(item);
        }
    }

    /// Queues a work item on `cpu`, unless the engine is stopping. Any context.
    pub(crate) fn queue_on<T>(&self, cpu: u32, item: ArcBorrow<'_, T>)
    where
        T: WorkItem<0, Pointer = Arc<T>> + HasWork<T, 0> + Send + Sync + 'static,
    {
        if self.is_stopping() {
            return;
        }
        if let Some(queue) = self.queue() {
            queue.queue_on(cpu, item);
        }
    }

    /// Queues a work item on the CPU that this runs on, unless the engine is stopping.
    pub(crate) fn queue_here<T>(&self, item: ArcBorrow<'_, T>)
    where
        T: WorkItem<0, Pointer = Arc<T>> + HasWork<T, 0> + Send + Sync + 'static,
    {
        self.queue_on(self.here(), item);
    }

    /// The CPU that this runs on, or ran on a moment ago.
    pub(crate) fn here(&self) -> u32 {
        self.clients.current().0
    }

    /// The port that is listened on, 0 for none.
    pub(crate) fn port(&self) -> u16 {
        let listener = self.listener.lock();
        listener.as_ref().map_or(0, |listener| listener.port())
    }

    /// Puts another listener in place and returns the old one. Process context.
    pub(crate) fn set_listener(&self, listener: Option<Arc<Listener>>) -> Option<Arc<Listener>> {
        if listener.is_some() {
            self.used.store(true, Relaxed);
        }
        core::mem::replace(&mut *self.listener.lock(), listener)
    }

    /// The socket that is listened on, if there is one.
    pub(crate) fn listener(&self) -> Option<Arc<Listener>> {
        self.listener.lock().clone()
    }

    /// Makes sure that the sweep runs before long. Any context.
    pub(crate) fn sweep_soon(&self) {
        if let Some(sweep) = &*self.sweep.lock() {
            sweep.arm();
        }
    }

    /// Who asks the backends how they are; none at the end.
    pub(crate) fn prober(&self) -> Option<Arc<Prober>> {
        self.prober.lock().clone()
    }

    /// A number for a new client.
    pub(crate) fn number(&self) -> u64 {
        self.next.fetch_add(NUMBERS, Relaxed)
    }

    /// Adds a client to those that the sweep and the end know of. Process context.
    pub(crate) fn enter(&self, cpu: u32, number: u64, client: Arc<Client>) -> Result {
        let node = RBTreeNode::new(number, client, GFP_KERNEL)?;
        let old = self.clients.get(cpu).lock().insert(node);
        drop(old);
        self.sweep_soon();
        Ok(())
    }

    /// Counts one more client without a socket; false if there are enough. Any context.
    pub(crate) fn begin_errand(&self) -> bool {
        let is_one = self.errands.fetch_add(1, Relaxed) < ERRANDS;
        if !is_one {
            self.end_errand();
        }
        is_one
    }

    /// It is gone. Any context.
    pub(crate) fn end_errand(&self) {
        self.errands.fetch_sub(1, Relaxed);
    }

    /// Forgets a client. The caller holds another reference to it.
    pub(crate) fn leave(&self, cpu: u32, number: u64) {
        let node = self.clients.get(cpu).lock().remove_node(&number);
        drop(node);
    }

    /// Calls `each` for all clients, some at a time, with no lock held. Process context.
    pub(crate) fn for_each_client(&self, mut each: impl FnMut(&Arc<Client>)) {
        for clients in self.clients.iter() {
            let mut next = 0;
            while let Some(client) = next_client(clients, next) {
                next = client.number().saturating_add(1);
                each(&client);
            }
        }
    }

    pub(crate) fn balancer(&self) -> &Balancer {
        &self.balancer
    }

    /// Gives a place back, to whoever waits for it. Any context.
    pub(crate) fn give_back(&self, now: Instant, ticket: Ticket, verdict: Verdict) {
        let grant = self.balancer.finish(now, ticket, verdict);
        self.deliver(now, grant);
    }

    /// Gives places that have become free to those who wait for them. Any context.
    pub(crate) fn hand_out(&self, now: Instant) {
        let grant = self.balancer.next_grant(now);
        self.deliver(now, grant);
    }

    /// Tells somebody that he has a place, and then others until there are no more places.
    fn deliver(&self, now: Instant, mut grant: Option<Grant>) {
        while let Some(Grant { waiter, ticket }) = grant {
            let unused = match self.client(waiter.cpu, waiter.who) {
                Some(client) => client.grant(ticket),
                None => Some(ticket),
            };
            grant = match unused {
                Some(ticket) => self.balancer.finish(now, ticket, Verdict::None),
                None => self.balancer.next_grant(now),
            };
        }
    }

    /// Wakes a client, if it is still there. Any context.
    pub(crate) fn wake(&self, cpu: u32, number: u64) {
        if let Some(client) = self.client(cpu, number) {
            client.wake();
        }
    }

    fn client(&self, cpu: u32, number: u64) -> Option<Arc<Client>> {
        self.clients.get(cpu).lock().get(&number).cloned()
    }

    /// Ends everything: the listener, every connection, all work. Process context.
    pub(crate) fn stop(&self) {
        if let Some(listener) = self.set_listener(None) {
            listener.stop();
        }
        self.stopping.store(true, Release);
        if self.used.load(Relaxed) {
            // Callbacks, which run in softirq, see it after this. Namespaces that nobody has used
            // go without the wait.
            synchronize_rcu();
        }
        let sweep = self.sweep.lock().take();
        if let Some(sweep) = sweep {
            sweep.cancel();
        }
        let prober = self.prober.lock().take();
        if let Some(prober) = prober {
            prober.stop();
        }
        // That waits, too.
        let shrinker = self.shrinker.lock().take();
        drop(shrinker);
        if let Some(jobs) = self.jobs.as_ref() {
            jobs.wait();
        }
        if let Some(queue) = self.queue() {
            // The last accepted connections are among the clients after this.
            queue.flush();
            self.for_each_client(|client| {
                queue.queue_on(client.cpu(), client.as_arc_borrow());
            });
            queue.flush();
        }
        // Nobody logs any more.
        cancel_delayed_sync(self.log.as_arc_borrow());
        for srun in &self.config().sruns {
            srun.backend.retire();
        }
        let left = self.stats.get(Count::Open);
        if warn_on!(left != 0) {
            pr_err!("{} client connections were not closed\n", left);
        }
        let left = self.errands.load(Relaxed);
        if warn_on!(left != 0) {
            pr_err!("{} errands did not end\n", left);
        }
    }
}

fn no_clients() -> Result<PerCpu<Clients>> {
    PerCpu::try_new(|_| new_spinlock_bh!(RBTree::new()))
}

/// The first client whose number is `least` or higher.
fn next_client(clients: &Clients, least: u64) -> Option<Arc<Client>> {
    let clients = clients.lock();
    let cursor = clients.cursor_lower_bound(&least)?;
    let (_, client) = cursor.current();
    Some(client.clone())
}
