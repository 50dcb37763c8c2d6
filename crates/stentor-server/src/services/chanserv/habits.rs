//! SET: what replaces here the settings that channels have with other services.

use super::{at, refusal};
use crate::error::Error;
use crate::reply::Reply;
use crate::services::Said;
use crate::session::Session;

pub(super) async fn set(_: &mut Session, words: &[&str], _: &mut Reply) -> Said {
    // Some say the setting first.
    let (channel, setting) = match (at(words, 0), at(words, 1)) {
        (first, second) if first.starts_with('#') => (first, second),
        (first, second) => (second, first),
    };
    told(channel, setting).map(|told| vec![told])
}

fn told(channel: &str, setting: &str) -> Result<String, Error> {
    // As after MLOCK.
    let setting =
        if setting.starts_with(['+', '-']) { "MLOCK".to_owned() } else { setting.to_ascii_uppercase() };
    let found = SETTINGS.iter().find(|(names, _)| names.contains(&&*setting));
    let channel = if channel.starts_with('#') { channel } else { "<#channel>" };
    match found {
        Some((_, instead)) => Ok(instead.replace("#c", channel)),
        None => Err(refusal(
            "Channels have modes in the place of settings: see MODE, and HELP for what else can be said here.",
        )),
    }
}

/// Names of settings in Anope, Atheme and Ergo, and what does the same here. `#c` stands for the channel.
const SETTINGS: &[(&[&str], &str)] = &[
    (&["FOUNDER", "SUCCESSOR"], "Say TRANSFER #c <account>, and let them accept it."),
    (
        &["MLOCK", "MODES", "MODELOCK"],
        "A channel that lasts keeps its modes: set them with MODE #c. Who changes them is for its ranks to say.",
    ),
    (&["KEEPTOPIC", "PERSIST"], "A channel that lasts keeps its topic, and nothing has to be set for it."),
    (&["TOPICLOCK"], "With MODE #c +t only halfops and higher change the topic."),
    (&["PRIVATE", "SECRET"], "With MODE #c +s only its members know of the channel."),
    (
        &["RESTRICTED"],
        "With MODE #c +i only those come in who are invited, or have a standing right of a halfop or higher.",
    ),
    (&["GUARD", "FLOODSERV", "BOT"], "ChanServ needs not be in a channel to look after it."),
    (
        &["ENTRYMSG", "DESCRIPTION", "DESC", "URL", "EMAIL"],
        "Say it in the topic: TOPIC #c <text>. METADATA #c SET keeps more.",
    ),
    (&["HISTORY"], "What was said is kept as long as history.max_age says, for all channels."),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_setting_is_named_once_and_the_channel_in_its_answer() {
        let mut names: Vec<&str> = SETTINGS.iter().flat_map(|(names, _)| *names).copied().collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        assert_eq!(
            told("#room", "topiclock").as_deref().ok(),
            Some("With MODE #room +t only halfops and higher change the topic.")
        );
        assert!(told("#room", "dance").is_err());
    }
}
