//! The load that `make bench` puts on resin.ko and its peers: one thread, epoll, a closed loop over a
//! fixed number of connections, and exactly so many requests.

pub mod clock;
pub mod connection;
pub mod idle;
pub mod load;
pub mod origin;
pub mod pattern;
pub mod picture;
pub mod profile;
pub mod ratchet;
pub mod report;
pub mod response;
pub mod row;
pub mod serve;
pub mod wall;

/// What ends a row, and with it the run: an answer that is not what it must be, or none.
pub type Fault = String;
