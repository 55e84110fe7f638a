// SPDX-License-Identifier: GPL-2.0

//! Network namespaces, and one object of ours for each of them.
//!
//! # The end
//!
//! The kernel ends the use of all namespaces by one registration at once, with `pernet_ops_rwsem`
//! held, without which no namespace on the machine can be made or go. What may last for as long as
//! somebody else likes must not be waited for there. So whoever drops a [`Registration`] first has
//! all objects [leave](Namespace::leave), one by one and without that lock, while namespaces come
//! (and get no object any more) and go. It is the same if a registration fails half-way: the kernel is
//! told nothing of that, and all ends as usual.
//!
//! # Locking
//!
//! A registration's `members` (a mutex) is a leaf: nothing is called with it held. It is taken under
//! `pernet_ops_rwsem` and without it.
//!
//! C header: [`include/net/net_namespace.h`](srctree/include/net/net_namespace.h)

use super::errno::ESHUTDOWN;
use crate::sys::bindings;
use core::ptr::{
    null_mut,
    NonNull, //
};
use kernel::{
    error::{
        from_result,
        to_result, //
    },
    ffi::{
        c_int,
        c_void, //
    },
    new_mutex,
    prelude::*,
    rbtree::{
        RBTree,
        RBTreeNode, //
    },
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Full,
            Release, //
        },
        Arc,
        Mutex, //
    },
};

/// A network namespace.
///
/// It holds no reference: the namespace could not end while something of ours held one for good.
/// Instead a `Net` is given to [`Namespace::start`] and is good until [`Namespace::stop`] returns.
/// Copies may be kept for longer than that, in objects that go a little later, but are not used
/// then, which `stop` sees to: works have ended, files in /proc are removed. That is a duty of code
/// without `unsafe`, and the only one.
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

    /// The number that stands in `net:[...]`, as /proc/PID/ns/net and lsns(8) name it.
    pub(crate) fn number(&self) -> u32 {
        // SAFETY: By the type invariants; it does not change.
        unsafe { bindings::net_number(self.as_ptr()) }
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

    /// The [`Registration`] is about to be dropped: gives up what others can be inside of for as long
    /// as they like, and waits for them.
    ///
    /// The namespace may end meanwhile: [`Namespace::stop`] can come at the same time, or have
    /// returned. It must not return, and end the namespace, while this uses it. Process context,
    /// with no lock held.
    fn leave(&self);

    /// Ends the use of the namespace: it is going, or the [`Registration`] is.
    ///
    /// When this returns nothing may use the [`Net`] any more: sockets that were bound are closed,
    /// works have ended, files in /proc are removed. References to the object itself may remain.
    /// Process context, under `pernet_ops_rwsem`; may sleep, but not for as long as somebody likes.
    fn stop(this: Arc<Self>);
}

/// The objects of one registration.
struct Members<T> {
    /// Whether namespaces that are made get one.
    is_open: bool,
    /// Whether all namespaces that there were have been told. One that fails before ends all of it.
    is_made: bool,
    failed: Result,
    /// By the address of their namespace.
    objects: RBTree<usize, Arc<T>>,
}

/// The `Mutex<Members<T>>` of the registration that there is; null without one.
static MEMBERS: Atomic<*mut c_void> = Atomic::new(null_mut());

/// The promise that every network namespace has its `T`. Dropped, it stops them all.
///
/// Made and dropped in process context, not within [`Namespace::start`] or [`Namespace::stop`].
///
/// # Invariants
///
/// `T`'s callbacks are registered, and nobody else's; [`MEMBERS`] points to `members`.
pub(crate) struct Registration<T: Namespace> {
    members: Pin<KBox<Mutex<Members<T>>>>,
}

impl<T: Namespace> Registration<T> {
    /// Starts a `T` in every network namespace. `EBUSY` if there is a registration already.
    pub(crate) fn new() -> Result<Self> {
        let members = Members {
            is_open: true,
            is_made: false,
            failed: Ok(()),
            objects: RBTree::new(),
        };
        let members = KBox::pin_init(new_mutex!(members, "Registration::members"), GFP_KERNEL)?;
        let address = (&raw const *members).cast_mut().cast();
        MEMBERS
            .cmpxchg(null_mut(), address, Full)
            .map_err(|_| EBUSY)?;
        // SAFETY: The callbacks are static, and stay until `drop` has unregistered them: the module
        // cannot go before its registration.
        to_result(unsafe { bindings::net_register(Some(Self::init), Some(Self::exit)) })
            .inspect_err(|_| MEMBERS.store(null_mut(), Release))?;
        // INVARIANT: Just registered; nobody else is while `MEMBERS` is not null.
        let registration = Self { members };
        registration.made()?;
        Ok(registration)
    }

    /// All namespaces that there were have been told: says whether one has failed.
    fn made(&self) -> Result {
        let mut members = self.members.lock();
        members.is_made = true;
        core::mem::replace(&mut members.failed, Ok(()))
    }

    /// Called once for a namespace, before anybody can be in it unless the registration is being
    /// made.
    ///
    /// # Safety
    ///
    /// To be called by the kernel as `pernet_operations.init` of this registration.
    unsafe extern "C" fn init(net: *mut bindings::net) -> c_int {
        from_result(|| {
            // INVARIANT: `init` is being called on this namespace.
            let net = Net(NonNull::new(net).ok_or(EINVAL)?);
            // SAFETY: This is a callback of the registration.
            let members = unsafe { Self::members() };
            if !members.lock().is_open {
                return Ok(0);
            }
            let entered = Self::enter(members, net);
            let mut members = members.lock();
            if entered.is_err() && !members.is_made {
                // The kernel would end those that there are under its lock.
                members.is_open = false;
                members.failed = entered;
                return Ok(0);
            }
            entered.map(|()| 0)
        })
    }

    /// Called once for a namespace whose `init` succeeded, as its end.
    ///
    /// # Safety
    ///
    /// To be called by the kernel as `pernet_operations.exit` of this registration.
    unsafe extern "C" fn exit(net: *mut bindings::net) {
        // SAFETY: This is a callback of the registration.
        let members = unsafe { Self::members() };
        let node = members.lock().objects.remove_node(&net.addr());
        if let Some(node) = node {
            let (_, object) = node.to_key_value();
            T::stop(object);
        }
    }

    /// The members of the registration.
    ///
    /// # Safety
    ///
    /// To be called by a callback of the registration, and used until that returns.
    unsafe fn members<'a>() -> &'a Mutex<Members<T>> {
        // SAFETY: `MEMBERS` points to the members of the registration, which are of this `T`, from
        // before the callbacks are registered until after they are not.
        unsafe { &*MEMBERS.load(Acquire).cast() }
    }

    /// Makes the object of a namespace a member.
    fn enter(members: &Mutex<Members<T>>, net: Net) -> Result {
        let object = T::start(net)?;
        let node = RBTreeNode::new(net.as_ptr().addr(), object.clone(), GFP_KERNEL)
            .inspect_err(|_| T::stop(object.clone()))?;
        let mut inner = members.lock();
        if inner.is_open {
            inner.objects.insert(node);
            return Ok(());
        }
        drop(inner);
        // The end has begun just then. The namespace does without, as those that come later.
        T::stop(object);
        Ok(())
    }

    /// The first object whose namespace is at `least` or above, and where.
    fn next(&self, least: usize) -> Option<(usize, Arc<T>)> {
        let members = self.members.lock();
        let cursor = members.objects.cursor_lower_bound(&least)?;
        let (address, object) = cursor.current();
        Some((*address, object.clone()))
    }
}

impl<T: Namespace> Drop for Registration<T> {
    fn drop(&mut self) {
        self.members.lock().is_open = false;
        let mut least = 0;
        while let Some((address, object)) = self.next(least) {
            object.leave();
            least = address.saturating_add(1);
        }
        // SAFETY: By the type invariants there is a registration. After this no callback runs.
        unsafe { bindings::net_unregister() };
        MEMBERS.store(null_mut(), Release);
    }
}
