//! `stentor serve` as real processes: alone, two that share a `redis-server`, and as the files in `deploy/` have it; and
//! `stentor chat` beside them.

mod chat;
mod compose;
mod deploy;
mod fleet;
mod line_mode;
mod node;
mod screen;
mod seed_keys;
mod serve;
mod talker;
