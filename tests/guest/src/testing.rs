//! What every suite uses: the outcome of a test, checks, and the usual set-up.

use std::fmt::Display;
use std::io;
use std::net::SocketAddr;
use std::process::{Command, Output};

use crate::conn::{Conn, Fault, Options};
use crate::gateway::Gateway;
use crate::origin::Origin;

/// Why a test failed, in words.
#[derive(Debug)]
pub struct Failure(pub String);

/// What a test returns.
pub type Outcome = Result<(), Failure>;

// As in `anyhow`: `Failure` itself must not implement `Display`.
impl<E: Display> From<E> for Failure {
    fn from(error: E) -> Failure {
        Failure(error.to_string())
    }
}

/// Says what was being done when something failed.
pub trait Context<T> {
    /// Puts `what` in front of the message.
    fn context(self, what: impl Display) -> Result<T, Failure>;
}

impl<T, E: Into<Failure>> Context<T> for Result<T, E> {
    fn context(self, what: impl Display) -> Result<T, Failure> {
        self.map_err(|error| Failure(format!("{what}: {}", error.into().0)))
    }
}

/// Fails the test with a message unless the condition holds.
#[macro_export]
macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err($crate::testing::Failure(format!($($message)+)));
        }
    };
}

/// Fails the test unless both are equal: `same!(what was seen, what is right, "what it is")`.
#[macro_export]
macro_rules! same {
    ($seen:expr, $right:expr, $($what:tt)+) => {{
        let (seen, right) = (&$seen, &$right);
        if *seen != *right {
            return Err($crate::testing::Failure(format!(
                "{}: expected {:?}, saw {:?}", format!($($what)+), right, seen
            )));
        }
    }};
}

/// One test.
#[derive(Clone, Copy)]
pub struct Test {
    /// `suite::name`.
    pub name: &'static str,
    /// The test.
    pub run: fn() -> Outcome,
    /// How many seconds it may take, before scaling.
    pub limit: u64,
    /// Why it cannot run here, if it cannot.
    pub unfit: fn() -> Option<&'static str>,
}

/// The tests of a suite: functions of the module, each with a time limit if not the usual one.
#[macro_export]
macro_rules! tests {
    ($($name:ident $(in $limit:literal s)? $(unless $unfit:path)?),* $(,)?) => {
        /// The tests of this suite.
        pub(super) const TESTS: &[$crate::testing::Test] = &[$($crate::testing::Test {
            name: concat!(module_path!(), "::", stringify!($name)),
            run: $name,
            limit: [$($limit,)? 120][0],
            unfit: [$($unfit as fn() -> Option<&'static str>,)? $crate::testing::fit][0],
        }),*];
    };
}

/// For tests that run everywhere.
pub fn fit() -> Option<&'static str> {
    None
}

/// The port that the gateway listens on in most tests.
pub const PORT: u16 = 8080;

/// The usual set-up: an origin and a gateway in front of it.
pub struct Bed {
    /// The backend.
    pub origin: Origin,
    /// The module.
    pub gateway: Gateway,
}

impl Bed {
    /// Loads the module and names a new origin as its only backend.
    pub fn new() -> Result<Bed, Failure> {
        let origin = Origin::start()?;
        let gateway = Gateway::load(PORT)?;
        gateway.backend(0, origin.addr())?;
        Ok(Bed { origin, gateway })
    }

    /// The same, with settings.
    pub fn with(settings: &[(&str, &str)]) -> Result<Bed, Failure> {
        let bed = Bed::new()?;
        settings
            .iter()
            .try_for_each(|(name, value)| bed.gateway.set(name, value))?;
        Ok(bed)
    }

    /// Where the gateway listens.
    pub fn addr(&self) -> SocketAddr {
        self.gateway.addr()
    }

    /// A new client's connection.
    pub fn client(&self) -> Result<Conn, Fault> {
        Conn::open(self.addr())
    }

    /// A new client's connection with options.
    pub fn client_with(&self, options: Options) -> Result<Conn, Fault> {
        Conn::with(self.addr(), options)
    }

    /// Fails unless a plain request on a new connection gets its answer.
    pub fn works(&self) -> Outcome {
        let response = self
            .client()?
            .get("/len/10?seed=99")
            .context("afterwards, GET /len/10")?;
        same!(
            response.status,
            200,
            "afterwards, the status of GET /len/10"
        );
        same!(
            response.body,
            crate::pattern::body(99, 10),
            "afterwards, the body of GET /len/10"
        );
        Ok(())
    }
}

/// Runs a shell command.
pub fn shell(command: &str) -> io::Result<Output> {
    Command::new("bash").args(["-c", command]).output()
}

/// What a shell command prints on stdout; fails if it fails.
pub fn sh(command: &str) -> Result<String, Failure> {
    let output = shell(command)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    ensure!(
        output.status.success(),
        "`{command}` failed ({}): {}{}",
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    );
    Ok(text(&output.stdout))
}
