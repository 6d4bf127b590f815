//! The service on its sockets (服务端): connections, TLS, who calls, deadlines, load shedding.
//!
//! A connection is accepted ([`connection`]), encrypted ([`tls`]), and every call on it goes through the same layers:
//! the caller is known and admitted ([`caller`]), the call finds a place or is shed ([`shed`]), and has until its
//! deadline ([`deadline`]). What takes a processor's time is done by [`workers`].

mod activity;
pub mod caller;
pub mod connection;
pub mod deadline;
mod held;
mod peers;
pub mod shed;
pub mod stack;
pub mod tls;
pub mod workers;

pub use connection::{Listening, Peer, listen};
