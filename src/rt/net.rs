// SPDX-License-Identifier: GPL-2.0

//! Network namespaces, and one object of ours for each of them.
//!
//! C header: [`include/net/net_namespace.h`](srctree/include/net/net_namespace.h)

use super::errno::ESHUTDOWN;
use crate::sys::bindings;
use core::{
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::{
    error::{
        from_result,
        to_result, //
    },
    ffi::c_int,
    prelude::*,
    sync::Arc, //
};

/// A network namespace.
///
/// It holds no reference: the namespace could not end while something of ours held one for good.
/// Instead a `Net` is given to [`Namespace::start`] and is good until [`Namespace::stop`] returns.
/// Copies may be kept for longer than that, in objects that go a little later, but are not used
/// then, which `stop` sees to: works have ended, files in /proc are removed.
///
/// # Invariants
///
/// While it is used the pointer is to a `struct net` on which our pernet `init` was called and
/// `exit` was not yet, or has not returned.
#[derive(Clone, Copy)]
pub(crate) struct Net(NonNull<bindings::net>);

// SAFETY: A namespace is not bound to a thread.
unsafe impl Send for Net {}
// SAFETY: The only thing that is done through a shared `Net` is passing its address on to functions
// that do their own locking.
unsafe impl Sync for Net {}

impl Net {
    /// Whether this is the namespace that the machine started with.
    pub(crate) fn is_init(&self) -> bool {
        self.as_ptr() == &raw mut bindings::init_net
    }

    /// The kernel's name of it.
    pub(super) fn as_ptr(&self) -> *mut bindings::net {
        self.0.as_ptr()
    }

    /// Keeps the namespace from ending: while something is made in it, or a file is open.
    ///
    /// Fails with `ESHUTDOWN` if its end has begun: then nothing new may be made. Process context.
    pub(super) fn hold(&self) -> Result<HeldNet> {
        // SAFETY: By the type invariants the namespace is there, though its count may be zero.
        if unsafe { bindings::net_hold(self.as_ptr()) } {
            // INVARIANT: The reference that was just taken.
            Ok(HeldNet(*self))
        } else {
            Err(ESHUTDOWN.into())
        }
    }
}

/// A counted reference to a namespace, to be held for the length of a call or while somebody outside
/// holds something of ours open.
///
/// # Invariants
///
/// This value owns one reference (`ns.count`).
pub(super) struct HeldNet(Net);

impl HeldNet {
    /// The kernel's name of the namespace.
    pub(super) fn as_ptr(&self) -> *mut bindings::net {
        self.0.as_ptr()
    }

    /// Leaves the reference to whoever calls [`Self::kept`] later.
    pub(super) fn keep(self) {
        core::mem::forget(self);
    }

    /// Takes over a reference that was left by [`Self::keep`].
    ///
    /// # Safety
    ///
    /// There is such a reference to `net`, and nobody else takes it over.
    pub(super) unsafe fn kept(net: Net) -> Self {
        // INVARIANT: By the requirement of this function.
        Self(net)
    }
}

impl Drop for HeldNet {
    fn drop(&mut self) {
        // SAFETY: By the type invariants the reference is ours to give back.
        unsafe { bindings::net_release(self.as_ptr()) }
    }
}

/// What exists once in every network namespace.
pub(crate) trait Namespace: Send + Sync + 'static {
    /// Makes the object of namespace `net`.
    ///
    /// Called for the namespaces that exist when a [`Registration`] is made and for each one made
    /// later. An error fails the registration, or the creation of that namespace. Process context,
    /// under `pernet_ops_rwsem`: no registration may be made or dropped in here.
    fn start(net: Net) -> Result<Arc<Self>>;

    /// Ends the use of the namespace: it is going, or the [`Registration`] is.
    ///
    /// When this returns nothing may use the [`Net`] any more: sockets that were bound are closed,
    /// works have ended, files in /proc are removed. References to the object itself may remain.
    /// Process context, under `pernet_ops_rwsem`; may sleep.
    fn stop(this: Arc<Self>);
}

/// The promise that every network namespace has its `T`. Dropped, it stops them all.
///
/// Made and dropped in process context, not within [`Namespace::start`] or [`Namespace::stop`].
///
/// # Invariants
///
/// `T`'s callbacks are registered, and nobody else's. The pointer that a namespace keeps for us is
/// null or an [`Arc<T>`] that the namespace owns.
pub(crate) struct Registration<T: Namespace>(PhantomData<fn() -> T>);

impl<T: Namespace> Registration<T> {
    /// Starts a `T` in every network namespace. `EBUSY` if there is a registration already.
    pub(crate) fn new() -> Result<Self> {
        // SAFETY: The callbacks are static, and stay until `drop` has unregistered them: the module
        // cannot go before its registration.
        to_result(unsafe { bindings::net_register(Some(Self::init), Some(Self::exit)) })?;
        // INVARIANT: Just registered; on success this is the only registration.
        Ok(Self(PhantomData))
    }

    /// Called once for a namespace, before anything can be in it.
    ///
    /// # Safety
    ///
    /// To be called by the kernel as `pernet_operations.init` of this registration.
    unsafe extern "C" fn init(net: *mut bindings::net) -> c_int {
        from_result(|| {
            // INVARIANT: `init` is being called on this namespace.
            let net = Net(NonNull::new(net).ok_or(EINVAL)?);
            let object = T::start(net)?;
            // SAFETY: The kernel allocated the slot, zeroed, before it called `init`, and nobody
            // else uses it.
            unsafe { *Self::slot(net) = Arc::into_raw(object).cast_mut().cast() };
            Ok(0)
        })
    }

    /// Called once for a namespace whose `init` succeeded, as its end.
    ///
    /// # Safety
    ///
    /// To be called by the kernel as `pernet_operations.exit` of this registration.
    unsafe extern "C" fn exit(net: *mut bindings::net) {
        let Some(net) = NonNull::new(net).map(Net) else {
            return;
        };
        // SAFETY: The slot is freed only after `exit`, and nobody else uses it.
        let object = unsafe { Self::slot(net).replace(core::ptr::null_mut()) };
        if object.is_null() {
            return;
        }
        // SAFETY: By the type invariants this is what `init` stored; it has just been taken out.
        T::stop(unsafe { Arc::from_raw(object.cast::<T>()) });
    }

    /// Where the namespace keeps our pointer.
    fn slot(net: Net) -> *mut *mut kernel::ffi::c_void {
        // SAFETY: The namespace is valid by the invariants of `Net`; a registration exists or is
        // being made or dropped, since only its callbacks call this.
        unsafe { bindings::net_slot(net.as_ptr()) }
    }
}

impl<T: Namespace> Drop for Registration<T> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants there is a registration. After this no callback runs.
        unsafe { bindings::net_unregister() }
    }
}
