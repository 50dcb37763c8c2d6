//! TOPIC: shows or changes a channel's topic.

use stentor_proto::message::Message;
use stentor_proto::numeric::Numeric;
use stentor_proto::text::{MAX_CONTENT, truncate_utf8};

use crate::error::Error;
use crate::hub::{Decision, Replica, clock};
use crate::modes::Rank;
use crate::policy;
use crate::reply::Reply;
use crate::session::Session;
use crate::store::{Change, Guard, Is};

pub(super) async fn run(
    session: &mut Session,
    message: &Message<'_>,
    reply: &mut Reply,
) -> Result<(), Error> {
    let target = message.param(0).unwrap_or_default();
    let folded = target.to_ascii_lowercase();
    let held = session.room(target).await?;
    let id = session.client.id.clone();
    let Some(topic) = message.param(1) else {
        held.with_state(|state| policy::visible(state, target, &id))?;
        show(&held, &folded, reply, true);
        return Ok(());
    };
    let topic = truncate_utf8(topic, session.node.config().limits.topic_length);
    let origin = reply.origin(false, true);
    session
        .node
        .hub
        .transact(&held, &session.client.tenure(), Some(origin), |state| {
            let member = policy::own_member(state, target, &id)?;
            if policy::has_mode(state, 't') {
                policy::own_ranked(state, target, &id, Rank::Halfop)?;
            }
            let changes = vec![
                Change::Set("topic".to_owned(), topic.to_owned()),
                Change::Set("topic.by".to_owned(), member.source()),
                Change::Set("topic.at".to_owned(), (clock::wall_ms() / 1000).to_string()),
            ];
            let line = member.line("TOPIC").param(policy::name(state, &folded)).trailing(topic);
            let guards =
                vec![Guard::Member(id.to_string(), Is::Equal(member.to_value())), policy::rules_guard(state)];
            Ok::<_, Error>(Decision {
                life: state.within(),
                guards,
                changes,
                lines: vec![line.build_within(MAX_CONTENT)],
            })
        })
        .await?;
    Ok(())
}

/// Tells a channel's topic, or, where `none_too`, that there is none.
pub(super) fn show(replica: &Replica, folded: &str, reply: &mut Reply, none_too: bool) {
    let (name, topic, by, at) = replica.with_state(|state| {
        let field = |field: &str| state.field(field).unwrap_or_default().to_owned();
        (policy::name(state, folded).to_owned(), field("topic"), field("topic.by"), field("topic.at"))
    });
    if !topic.is_empty() {
        reply.numeric(Numeric::RPL_TOPIC, &[&name], &topic);
        reply.bare(Numeric::RPL_TOPICWHOTIME, &[&name, &by, &at]);
    } else if none_too {
        reply.numeric(Numeric::RPL_NOTOPIC, &[&name], "No topic is set");
    }
}
