//! Black-box tests of resin.ko: what they need, and the suites themselves.
//!
//! `origin` is the backend, `client` the browser, `suite` loads the module between the two.

/// A client's connection.
pub mod conn;
/// Just enough HTTP/1.
pub mod http;
/// A backend that speaks HMUX or srun.
pub mod jvm;
/// Load: many requests, each answer checked.
pub mod load;
/// The test backend.
pub mod origin;
/// The octets of test bodies.
pub mod pattern;
/// Time limits and sizes.
pub mod scale;
/// A client's requests with a body.
pub mod upload;

/// Requests to a cache.
pub mod cached;
/// The module under test and its proc files.
pub mod gateway;
/// What a test leaves behind, and whether it may.
pub mod leftovers;
/// Runs tests, each in a process of its own.
pub mod runner;
/// A BPF program that meddles with connections.
pub mod sockmap;
/// Processes that are stuck inside a read.
pub mod stuck;
/// The tests.
pub mod suites;
/// What every suite uses.
pub mod testing;
