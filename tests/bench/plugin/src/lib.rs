//! Counts the instructions that a guest executes, by the address of the block that they are in, from when
//! it comes to one address until it comes to another.
//!
//! Arguments: `open=ADDRESS`, `close=ADDRESS`, in hexadecimal without a prefix, and `output=FILE`, which
//! gets a line for each block: its address and how many instructions of it were executed.

use std::collections::HashMap;
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result};
use qemu_plugin::install::{Args, Info};
use qemu_plugin::plugin::{HasCallbacks, Plugin, Register, PLUGIN};
use qemu_plugin::{PluginId, TranslationBlock};

#[derive(Default)]
struct Profile {
    open: u64,
    close: u64,
    blocks: Arc<Blocks>,
}

#[derive(Default)]
struct Blocks {
    output: Mutex<String>,
    /// Whether what is executed counts.
    counts: AtomicBool,
    /// How often each block was executed: the same address may be translated in several lengths.
    executed: Mutex<HashMap<(u64, usize), Arc<AtomicU64>>>,
}

impl Blocks {
    fn open(&self) {
        if let Ok(executed) = self.executed.lock() {
            for count in executed.values() {
                count.store(0, Ordering::Relaxed);
            }
        }
        self.counts.store(true, Ordering::Relaxed);
    }

    /// Writes what was counted. The last window is the one that stays.
    fn close(&self) {
        self.counts.store(false, Ordering::Relaxed);
        let (Ok(executed), Ok(output)) = (self.executed.lock(), self.output.lock()) else {
            return;
        };
        let mut text = String::new();
        for ((address, length), count) in executed.iter() {
            let instructions = count.load(Ordering::Relaxed) * *length as u64;
            if instructions != 0 {
                text += &format!("{address:x} {instructions}\n");
            }
        }
        if let Err(error) = fs::write(&*output, text) {
            eprintln!("profile: cannot write {output}: {error}");
        }
    }
}

impl HasCallbacks for Profile {
    fn on_translation_block_translate(
        &mut self,
        _: PluginId,
        block: TranslationBlock,
    ) -> Result<()> {
        let address = block.vaddr();
        let blocks = Arc::clone(&self.blocks);
        if address == self.open {
            block.register_execute_callback(move |_| blocks.open());
        } else if address == self.close {
            block.register_execute_callback(move |_| blocks.close());
        } else if let Ok(mut executed) = self.blocks.executed.lock() {
            let count = executed.entry((address, block.size())).or_default();
            let count = Arc::clone(count);
            block.register_execute_callback(move |_| {
                if blocks.counts.load(Ordering::Relaxed) {
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        Ok(())
    }
}

impl Register for Profile {
    fn register(&mut self, _: PluginId, arguments: &Args, _: &Info) -> Result<()> {
        for argument in &arguments.raw {
            let (name, value) = argument.split_once('=').context("NAME=VALUE is wanted")?;
            match name {
                "open" => self.open = u64::from_str_radix(value, 16)?,
                "close" => self.close = u64::from_str_radix(value, 16)?,
                "output" => *self.blocks.output.lock().unwrap() = value.into(),
                _ => anyhow::bail!("unknown argument {name}"),
            }
        }
        Ok(())
    }
}

impl Plugin for Profile {}

#[ctor::ctor]
fn load() {
    // Nobody else sets it.
    let _ = PLUGIN.set(Mutex::new(Box::new(Profile::default())));
}
