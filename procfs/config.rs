// SPDX-License-Identifier: GPL-2.0

//! `config`: every setting with its value, `name value`, one a line.

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
    config::Settings,
    server::Instance, //
};

pub(super) struct Config;

impl Part for Config {
    const FILE: &'static str = "config";

    type Value = Settings;

    fn present(instance: &Instance) -> Arc<Settings> {
        instance.settings()
    }

    fn changed(present: &Settings, text: &[u8]) -> Result<Arc<Settings>, Failure> {
        edited::changed(present, text, Settings::apply)
    }

    fn put(instance: &Instance, settings: Arc<Settings>) -> Result {
        instance.set_settings(settings)
    }
}
