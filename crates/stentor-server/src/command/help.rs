//! HELP: lists the commands, or explains one.

use stentor_proto::message::Message;
use stentor_proto::numeric::Numeric;

use super::{Command, TABLE};
use crate::error::Error;
use crate::modes;
use crate::reply::Reply;
use crate::session::Session;

pub(super) async fn run(_: &mut Session, message: &Message<'_>, reply: &mut Reply) -> Result<(), Error> {
    let Some(subject) = message.nonempty(0) else {
        index(reply);
        return Ok(());
    };
    if let Some(lines) = modes::help(subject) {
        reply.numeric(Numeric::RPL_HELPSTART, &[subject], "What each mode does");
        for line in lines {
            reply.numeric(Numeric::RPL_HELPTXT, &[subject], &line);
        }
        reply.numeric(Numeric::RPL_ENDOFHELP, &[subject], "End of /HELP");
        return Ok(());
    }
    let command = super::find(subject).ok_or_else(|| {
        let text = "There is no help on that; HELP alone lists the commands";
        Error::numeric(Numeric::ERR_HELPNOTFOUND, &[subject], text)
    })?;
    let (usage, does) = command.help;
    reply.numeric(Numeric::RPL_HELPSTART, &[command.name], usage);
    for line in std::iter::once(&does).chain(command.details) {
        reply.numeric(Numeric::RPL_HELPTXT, &[command.name], line);
    }
    reply.numeric(Numeric::RPL_ENDOFHELP, &[command.name], "End of /HELP");
    Ok(())
}

fn index(reply: &mut Reply) {
    reply.numeric(
        Numeric::RPL_HELPSTART,
        &["index"],
        "What you can send; HELP <command> tells more, HELP CMODES and HELP UMODES of modes",
    );
    for Command { help: (usage, does), .. } in TABLE {
        reply.numeric(Numeric::RPL_HELPTXT, &["index"], &format!("{usage} - {does}"));
    }
    reply.numeric(Numeric::RPL_ENDOFHELP, &["index"], "End of /HELP");
}
