// SPDX-License-Identifier: GPL-2.0

//! `cache`: every setting of the cache with its value, `name value`, one a line.

use kernel::{
    prelude::*,
    sync::Arc, //
};

use super::{
    edited::{
        self,
        Part, //
    },
    Failure, //
};
use crate::{
    config::CacheSettings,
    server::Instance, //
};

pub(super) struct Cache;

impl Part for Cache {
    const FILE: &'static str = "cache";

    type Value = CacheSettings;

    fn present(instance: &Instance) -> Arc<CacheSettings> {
        instance.cache_settings()
    }

    fn changed(present: &CacheSettings, text: &[u8]) -> Result<Arc<CacheSettings>, Failure> {
        edited::changed(present, text, CacheSettings::apply)
    }

    fn put(instance: &Instance, settings: Arc<CacheSettings>) -> Result {
        instance.set_cache(settings)
    }
}
