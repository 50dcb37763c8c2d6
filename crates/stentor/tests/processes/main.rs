//! `stentor serve` as real processes: alone, and two that share a `redis-server`.

mod chat;
mod fleet;
mod node;
mod serve;
