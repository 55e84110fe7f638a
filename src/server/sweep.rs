// SPDX-License-Identifier: GPL-2.0

//! The coarse timer: wakes clients whose time is up, closes backend connections that have been idle
//! for too long, has backends asked how they are, and tells the kernel log when that has changed. It
//! runs only while there is anything of that.

use kernel::prelude::*;
use kernel::sync::Arc;
use kernel::workqueue::impl_has_delayed_work;
use kernel::workqueue::new_delayed_work;
use kernel::workqueue::DelayedWork;
use kernel::workqueue::WorkItem;

use crate::rt::clock;
use crate::rt::workqueue::cancel_delayed_sync;
use crate::server::engine::Srun;
use crate::server::Engine;
use crate::status::News;
use crate::status::State;
use crate::time::Duration;

/// How late a time limit may be noticed.
const PERIOD: Duration = Duration::from_millis(200);

/// The sweep of one engine.
#[pin_data]
pub(crate) struct Sweep {
    engine: Arc<Engine>,
    #[pin]
    work: DelayedWork<Sweep>,
}

impl_has_delayed_work! {
    impl HasDelayedWork<Self> for Sweep { self.work }
}

impl Sweep {
    /// A sweep that is not armed. Process context.
    pub(crate) fn new(engine: Arc<Engine>) -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                engine,
                work <- new_delayed_work!("resin sweep"),
            }),
            GFP_KERNEL_ACCOUNT,
        )
    }

    /// Lets the sweep run within its period. Any context.
    pub(crate) fn arm(self: &Arc<Self>) {
        if let Some(queue) = self.engine.queue() {
            queue.queue_after(self.engine.here(), self.as_arc_borrow(), PERIOD);
        }
    }

    /// Ends it: it does not run any more after this. Process context.
    pub(crate) fn cancel(self: &Arc<Self>) {
        cancel_delayed_sync(self.as_arc_borrow());
    }

    /// Returns whether anything is left to look after.
    fn sweep(&self) -> bool {
        let now = clock::now();
        let mut left = false;
        let renewed = self.engine.take_renewed();
        let config = self.engine.config();
        self.engine.for_each_client(|client| {
            left = true;
            if renewed {
                client.renew(&config);
            }
            client.wake_if_due(now);
            client.rest();
        });
        for srun in &config.sruns {
            left |= srun.backend.sweep(now, config.settings.idle_timeout);
        }
        self.engine.balancer().tick(now);
        if self.engine.era() == config.era {
            self.tell(&config.sruns);
        }
        self.engine.hand_out(now);
        let prober = self.engine.prober();
        left |= prober.is_some_and(|prober| prober.sweep());
        let listener = self.engine.listener();
        left | listener.is_some_and(|listener| listener.sweep())
    }
}

impl Sweep {
    /// Tells the kernel log which backends are not as they were.
    fn tell(&self, sruns: &[Srun]) {
        for (slot, srun) in sruns.iter().enumerate() {
            let Some((view, _)) = self.engine.balancer().view(slot) else {
                continue;
            };
            let news = News {
                slot,
                addr: srun.backend.addr(),
                state: State::of(view.condition),
                why: view.why,
            };
            if !srun.backend.note(news.state) {
                continue;
            }
            let journal = self.engine.journal();
            match news.state {
                State::Ok => journal.notice(format_args!("{news}")),
                _ => journal.warn(format_args!("{news}")),
            }
        }
    }
}

impl WorkItem for Sweep {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        if this.sweep() && !this.engine.is_stopping() {
            this.arm();
        }
    }
}
