//! Ports to listen on later, or again.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering};

/// A port on loopback that is free. It stays so while nobody listens there: the system gives none of these to connections,
/// and no other caller in this process gets it.
///
/// # Panics
/// Where none is free.
pub fn to_come_back_to() -> u16 {
    static ASKED: AtomicU32 = AtomicU32::new(0);
    // Other processes begin elsewhere.
    let first = std::process::id() % COUNT * 7919;
    let next = || u16::try_from(FIRST + (first + ASKED.fetch_add(1, Ordering::Relaxed)) % COUNT).ok();
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let free = std::iter::repeat_with(next).take(COUNT as usize).flatten().find(is_free);
    free.expect("one of ten thousand is free")
}

/// All are below those that Linux gives to connections.
const FIRST: u32 = 20_000;
const COUNT: u32 = 10_000;
