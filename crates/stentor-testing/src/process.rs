//! Signals to processes that a test started.

use std::process::{Child, Command};

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

/// Sends a child process a signal, such as `TERM`. After `STOP` it waits until all of its threads stand: the signal alone
/// is on its way when `kill` returns, and the process may go on for a moment.
///
/// # Panics
/// Where it cannot be sent.
pub fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status();
    assert!(sent.is_ok_and(|status| status.success()), "kill -{name} failed");
    if name == "STOP" {
        let stopped = WaitIdOptions::STOPPED | WaitIdOptions::NOWAIT;
        waitid(WaitId::Pid(Pid::from_child(child)), stopped).expect("it is ours");
    }
}
