//! What to tell clients when a copy had to be replaced by a snapshot.

use super::state::State;
use crate::store::{Kind, Partition};

/// The lines that lead local clients from one state of a channel to another. Messages between the two are not among them:
/// a NOTICE says that some may be missing.
#[must_use]
pub fn lines(partition: &Partition, from: &State, to: &State) -> Vec<String> {
    if partition.kind() != Kind::Channel || from.epoch.is_none() {
        return Vec::new();
    }
    let channel = to.field("name").or_else(|| from.field("name")).unwrap_or_else(|| partition.name());
    let mut lines = Vec::new();
    for (id, member) in &from.members {
        if !to.members.contains_key(id) {
            lines.push(member.line("PART").param(channel).trailing("Resynchronising").build());
        }
    }
    for (id, member) in &to.members {
        if !from.members.contains_key(id) {
            let account = member.account.as_deref().unwrap_or("*");
            lines.push(member.line("JOIN").param(channel).param(account).trailing(&member.realname).build());
        }
    }
    if from.field("topic") != to.field("topic") {
        let setter = to.field("topic.by").unwrap_or("*");
        lines.push(format!(":{setter} TOPIC {channel} :{}", to.field("topic").unwrap_or_default()));
    }
    if from.last != to.last {
        lines.push(format!(
            ":Stentor NOTICE {channel} :This room was read anew from the store; earlier lines may be missing here. They are in its history."
        ));
    }
    lines
}
