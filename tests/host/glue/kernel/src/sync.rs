// SPDX-License-Identifier: GPL-2.0

//! References that are counted, and what is set once.

pub mod atomic;

use core::ops::Deref;
use std::mem::size_of;
use std::sync::OnceLock;

use crate::alloc::{AllocError, Flags};
use crate::init::Init;
use crate::prelude::Result;
use crate::trial;

/// A counted reference.
pub struct Arc<T>(std::sync::Arc<Counted<T>>);

struct Counted<T>(T);

impl<T> Drop for Counted<T> {
    fn drop(&mut self) {
        trial::free(Arc::<T>::SIZE);
    }
}

impl<T> Arc<T> {
    const SIZE: usize = size_of::<T>() + size_of::<u64>();

    /// The first reference to a value.
    pub fn new(value: T, flags: Flags) -> Result<Self, AllocError> {
        trial::allocate(Self::SIZE, flags)?;
        Ok(Self(std::sync::Arc::new(Counted(value))))
    }

    /// The first reference to what is made so.
    pub fn pin_init(init: Init<T>, flags: Flags) -> Result<Self> {
        Ok(Self::new(init.0?, flags)?)
    }

    /// Whether it is the same one.
    pub fn ptr_eq(one: &Self, other: &Self) -> bool {
        std::sync::Arc::ptr_eq(&one.0, &other.0)
    }
}

impl<T> Clone for Arc<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Deref for Arc<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0 .0
    }
}

/// What is set once.
pub struct SetOnce<T>(OnceLock<T>);

impl<T> SetOnce<T> {
    /// It is not set.
    #[allow(clippy::new_without_default)]
    pub const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// What it is set to.
    #[allow(clippy::should_implement_trait)]
    pub fn as_ref(&self) -> Option<&T> {
        let value = self.0.get();
        trial::moment();
        value
    }

    /// Sets it; false if it was.
    pub fn populate(&self, value: T) -> bool {
        self.0.set(value).is_ok()
    }
}
