// SPDX-License-Identifier: GPL-2.0

//! `cache-mapping`: how long responses are fresh that do not say it, by their targets, one a line.

use kernel::{
    prelude::*,
    sync::Arc, //
};

use super::{
    edited::Part,
    Failure, //
};
use crate::server::{
    mappings::{
        self,
        Mappings, //
    },
    Instance, //
};

pub(super) struct CacheMapping;

impl Part for CacheMapping {
    const FILE: &'static str = "cache-mapping";

    type Value = Mappings;

    fn present(instance: &Instance) -> Arc<Mappings> {
        instance.mappings()
    }

    fn changed(present: &Mappings, text: &[u8]) -> Result<Arc<Mappings>, Failure> {
        let mut scratch = mappings::scratch()?;
        // Dropped on a refusal, when it is half changed.
        let mut list = mappings::copy(present, text)?;
        list.apply(text, &mut scratch)?;
        Ok(list.into())
    }

    fn put(instance: &Instance, mappings: Arc<Mappings>) -> Result {
        instance.set_mappings(mappings)
    }
}
