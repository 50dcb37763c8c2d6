//! `stentor serve` as real processes: alone, two that share a `redis-server`, and as the files in `deploy/` have it.

mod chat;
mod compose;
mod deploy;
mod fleet;
mod node;
mod seed_keys;
mod serve;
