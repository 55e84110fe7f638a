// SPDX-License-Identifier: GPL-2.0

//! The access log of one namespace: a ring of finished exchanges for each CPU, and its readers.
//!
//! Who ends an exchange copies some numbers and the captured text into the ring of its CPU, under a
//! lock that only another writer on the same CPU could hold; it never waits for a reader and never
//! wakes one. Readers copy records out without a lock and make lines of them
//! ([`crate::log::ring`]). A line's place among those of other CPUs is that of its time; lines that
//! end at the same moment may change places.
//!
//! Readers that wait are woken by a work, some milliseconds after the first line that they miss:
//! under load they get lines by the hundred and cost a wake-up for all of them.
//!
//! The rings are made when the namespace first listens: most namespaces never do.

use kernel::alloc::KVec;
use kernel::prelude::*;
use kernel::sync::atomic::Atomic;
use kernel::sync::atomic::Relaxed;
use kernel::sync::Arc;
use kernel::sync::SetOnce;
use kernel::workqueue::impl_has_delayed_work;
use kernel::workqueue::new_delayed_work;
use kernel::workqueue::DelayedWork;
use kernel::workqueue::WorkItem;

use crate::bytes::Writer;
use crate::log;
use crate::log::ring;
use crate::log::ring::Appender;
use crate::log::ring::Cursor;
use crate::log::Entry;
use crate::log::Format;
use crate::rt::percpu;
use crate::rt::sync::new_spinlock_bh;
use crate::rt::sync::SpinLockBh;
use crate::rt::wait::Waiters;
use crate::rt::words::Words;
use crate::time::Duration;
use crate::time::Instant;

/// Words of a ring, as a power of two: 64 KiB, some 300 lines.
const RING_BITS: u32 = 13;

/// How long a reader may not hear of a line that it waits for.
pub(crate) const NOTICE: Duration = Duration::from_millis(10);

/// Octets of the longest record.
const MAX_RECORD: usize = log::FIELDS * 8 + log::MAX_CAPTURE;

/// Octets of the longest line, and of one that says what is lost before it.
const LINE_ROOM: usize = log::MAX_LINE + 64;

/// The log of one namespace.
#[pin_data]
pub(crate) struct Log {
    rings: SetOnce<KVec<Pin<KBox<Ring>>>>,
    waiters: Waiters,
    /// Lines that readers were too slow for, all readers together.
    lost: Atomic<u64>,
    #[pin]
    work: DelayedWork<Log>,
}

/// The ring of one CPU.
#[pin_data]
struct Ring {
    #[pin]
    appender: SpinLockBh<Appender>,
    words: Words,
}

impl_has_delayed_work! {
    impl HasDelayedWork<Self> for Log { self.work }
}

/// One reader's place in all rings.
pub(crate) struct Reader {
    /// The place in the ring of the same index; there may be more rings.
    cursors: KVec<Cursor>,
    /// Room for a record.
    record: KVec<u8>,
}

impl Log {
    /// A log without rings. Process context.
    pub(crate) fn new() -> Result<Arc<Self>> {
        Arc::pin_init(
            try_pin_init!(Self {
                rings: SetOnce::new(),
                waiters: Waiters::new()?,
                lost: Atomic::new(0),
                work <- new_delayed_work!("resin log"),
            }),
            GFP_KERNEL,
        )
    }

    /// Makes the rings, if they are not there yet. Before that lines are not kept. Process context,
    /// one at a time.
    pub(crate) fn prepare(&self) -> Result {
        if self.rings.as_ref().is_some() {
            return Ok(());
        }
        let count = percpu::online();
        let mut rings = KVec::with_capacity(count, GFP_KERNEL_ACCOUNT)?;
        for _ in 0..count {
            rings.push(Ring::new()?, GFP_KERNEL_ACCOUNT)?;
        }
        self.rings.populate(rings);
        Ok(())
    }

    /// Adds a line. Softirq or process context. Returns whether somebody waits for it: then the
    /// caller lets the work run after [`NOTICE`].
    pub(crate) fn write(
        &self,
        cpu: u32,
        now: Instant,
        format: Format,
        entry: &Entry<'_>,
        captured: &[u8],
    ) -> bool {
        // A CPU that came later shares the ring of another one.
        let Some(ring) = self.ring(cpu) else {
            return false;
        };
        let captured = captured.get(..log::MAX_CAPTURE).unwrap_or(captured);
        ring.appender
            .lock()
            .append(&ring.words, now.as_nanos(), &entry.pack(format), captured);
        self.waiters.disarm()
    }

    /// Lines that readers were too slow for.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Relaxed)
    }

    /// Those who wait for lines.
    pub(crate) fn waiters(&self) -> &Waiters {
        &self.waiters
    }

    /// A number that grows with every line.
    pub(crate) fn version(&self) -> u64 {
        let heads = self.rings().iter().map(|ring| ring.words.head());
        heads.fold(0, u64::wrapping_add)
    }

    /// A reader that begins with the oldest lines there are. Process context.
    pub(crate) fn reader(&self) -> Result<Reader> {
        let mut reader = Reader {
            cursors: KVec::new(),
            record: KVec::from_elem(0, MAX_RECORD, GFP_KERNEL_ACCOUNT)?,
        };
        reader.meet(self.rings())?;
        Ok(reader)
    }

    /// Whether there are lines for `reader`.
    pub(crate) fn is_ready(&self, reader: &Reader) -> bool {
        self.rings().iter().enumerate().any(|(index, ring)| {
            let known = reader.cursors.get(index).copied();
            let cursor = known.unwrap_or_else(|| Cursor::new(&ring.words));
            cursor.is_ready(&ring.words)
        })
    }

    /// Writes as many lines as there are for `reader`, or as fit. Process context.
    pub(crate) fn fill(&self, reader: &mut Reader, out: &mut [u8]) -> Result<usize> {
        reader.meet(self.rings())?;
        let mut out = Writer::new(out);
        while out.room() >= LINE_ROOM && self.line(reader, &mut out) {}
        Ok(out.len())
    }

    /// Writes the earliest line. Returns whether there was something to write, or to skip.
    fn line(&self, reader: &mut Reader, out: &mut Writer<'_>) -> bool {
        let places = self.rings().iter().zip(reader.cursors.iter_mut());
        let earliest = places
            .filter_map(|(ring, cursor)| Some((cursor.time(&ring.words)?, ring, cursor)))
            .min_by_key(|(time, _, _)| *time);
        let Some((_, ring, cursor)) = earliest else {
            return false;
        };
        let Some(record) = cursor.read(&ring.words, &mut reader.record) else {
            // Overwritten just now, which makes this do nothing; or not one of ours.
            cursor.skip(&ring.words);
            return true;
        };
        cursor.advance(&record);
        let octets = reader.record.get(..record.len).unwrap_or(&[]);
        let Some((format, entry, captured)) = Entry::unpack(octets) else {
            return true;
        };
        if record.lost > 0 {
            self.lost.fetch_add(u64::from(record.lost), Relaxed);
            // There is room for both.
            let _ = log::lost(format, record.lost.into(), out);
        }
        let _ = log::line(format, &entry, captured, out);
        true
    }

    fn rings(&self) -> &[Pin<KBox<Ring>>] {
        self.rings.as_ref().map_or(&[], |rings| rings)
    }

    fn ring(&self, cpu: u32) -> Option<&Ring> {
        let rings = self.rings();
        let index = (cpu as usize).checked_rem(rings.len())?;
        rings.get(index).map(|ring| &**ring)
    }
}

impl Ring {
    fn new() -> Result<Pin<KBox<Self>>> {
        KBox::pin_init(
            try_pin_init!(Self {
                appender <- new_spinlock_bh!(Appender::default(), "Ring::appender"),
                words: Words::new(RING_BITS)?,
            }),
            GFP_KERNEL,
        )
    }
}

impl Reader {
    /// Takes up its place in rings that it does not know yet.
    fn meet(&mut self, rings: &[Pin<KBox<Ring>>]) -> Result {
        for ring in rings.iter().skip(self.cursors.len()) {
            self.cursors
                .push(Cursor::new(&ring.words), GFP_KERNEL_ACCOUNT)?;
        }
        Ok(())
    }
}

impl WorkItem for Log {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        this.waiters.wake();
    }
}

impl ring::Words for Words {
    #[inline]
    fn len(&self) -> u64 {
        self.count() as u64
    }

    #[inline]
    fn load(&self, at: u64) -> u64 {
        self.load(at)
    }

    #[inline]
    fn store(&self, at: u64, word: u64) {
        self.store(at, word);
    }

    #[inline]
    fn head(&self) -> u64 {
        self.head()
    }

    #[inline]
    fn set_head(&self, head: u64) {
        self.set_head(head);
    }

    #[inline]
    fn oldest(&self) -> u64 {
        self.oldest()
    }

    #[inline]
    fn set_oldest(&self, oldest: u64) {
        self.set_oldest(oldest);
    }

    #[inline]
    fn read_barrier(&self) {
        self.read_barrier();
    }
}
