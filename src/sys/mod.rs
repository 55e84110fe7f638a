// SPDX-License-Identifier: GPL-2.0

//! What the C side declares: bindings and nothing else. Only [`crate::rt`] looks in here.

/// The kernel items that `kernel::bindings` lacks, and the helpers of `helpers.h`.
///
/// Everything of `kernel::bindings` is visible here too, and the types are those very types:
/// `bindgen` makes only what `bindgen_parameters` names.
#[allow(
    missing_docs,
    unreachable_pub,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    unsafe_op_in_unsafe_fn,
    dead_code,
    improper_ctypes,
    unused_imports,
    clippy::all,
    clippy::undocumented_unsafe_blocks,
    reason = "made by bindgen from C; which of them apply depends on `bindgen_parameters`"
)]
pub(crate) mod bindings {
    pub(crate) use kernel::bindings::*;
    use kernel::ffi;
    use pin_init::MaybeZeroable;

    include!(concat!(env!("RESIN_OBJ"), "/src/sys/bindings_generated.rs"));
}
