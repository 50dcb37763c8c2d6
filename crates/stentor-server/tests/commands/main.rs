//! Every command's behaviour, as clients of a real node see it.

#[path = "../support/mod.rs"]
mod support;

mod ping;
