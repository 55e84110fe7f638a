//! Answers that wait until a test lets them go on.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use super::lock;

/// Holds whoever comes to it until it is opened; a clone is the same gate.
#[derive(Debug, Clone, Default)]
pub struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    /// Lets everybody pass, now and later.
    pub fn open(&self) {
        let (is_open, opened) = &*self.0;
        *lock(is_open) = true;
        opened.notify_all();
    }

    /// Waits until it is open.
    pub(super) fn pass(&self) {
        let (is_open, opened) = &*self.0;
        let passed = opened.wait_while(lock(is_open), |is_open| !*is_open);
        drop(passed.unwrap_or_else(PoisonError::into_inner));
    }
}
