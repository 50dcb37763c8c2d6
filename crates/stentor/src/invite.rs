//! `stentor invite`: invitations to make an account.

use std::fmt::Write as _;
use std::time::Duration;

use stentor_server::admin::{AdminResponse, Hidden, InviteRequest, Reach};
use stentor_server::config::{Config, Scheme};
use stentor_server::invite::Invite;

use crate::cli::{InviteArgs, InviteCommand};
use crate::dial::Dial;
use crate::failure::Failure;
use crate::operator::{self, Operator, unexpected};
use crate::output::{self, Output, time};
use crate::settings;

pub(crate) fn run(args: &InviteArgs) -> Result<(), Failure> {
    let config = settings::load(&args.common)?;
    match &args.command {
        None => create(args, &config),
        Some(InviteCommand::List { all }) => list(&config, *all),
        Some(InviteCommand::Revoke { code }) => {
            match ask(&config, InviteRequest::Revoke { code: Hidden(code.clone()) })?.0 {
                AdminResponse::Revoked { invite } => {
                    Ok(Output::new().text(&format!("the invitation {} was revoked\n", invite.id))?)
                }
                other => Err(unexpected(&other)),
            }
        }
    }
}

fn create(args: &InviteArgs, config: &Config) -> Result<(), Failure> {
    let request = InviteRequest::Create { uses: args.uses, lifetime: lifetime(args.expires) };
    let (response, reach) = ask(config, request)?;
    let AdminResponse::Invited { code: Hidden(code), invite } = response else {
        return Err(unexpected(&response));
    };
    let output = Output::new();
    if args.code_only {
        return Ok(output.text(&format!("{code}\n"))?);
    }
    let dial = Dial::from_afar(&reach, args.host.as_ref());
    if dial.is_misnamed(&reach.names) {
        output::warning(&format!(
            "the certificate is not for {}, so clients may refuse it; it is for {}",
            dial.host,
            reach.names.join(", ")
        ));
    }
    Ok(output.text(&invitation(&dial, &reach, &code, &invite))?)
}

/// What is printed: first the line to paste.
fn invitation(dial: &Dial, reach: &Reach, code: &str, invite: &Invite) -> String {
    let encrypted = dial.scheme == Scheme::Ircs;
    let fingerprint = dial.pin(reach);
    let mut text = format!("{} --register --invite {code}", dial.command());
    if let Some(fingerprint) = fingerprint {
        let _ = write!(text, " --fingerprint {fingerprint}");
    }
    let uses = match invite.uses_left {
        1 => "1 account".to_owned(),
        uses => format!("{uses} accounts"),
    };
    let until = invite.expires.map_or_else(|| "for ever".to_owned(), |at| format!("until {}", time(at)));
    let _ = write!(
        text,
        "\n\nWhoever pastes this line gets an account. It makes {uses}, and is good {until}; it is shown only now.\n"
    );
    if let Some(note) = dial.note {
        let _ = writeln!(text, "{}: {note}.", dial.host);
    }
    let (host, port) = (&dial.host, dial.port);
    let over = if encrypted { "with TLS" } else { "without TLS" };
    let _ = write!(
        text,
        "\nWith any other IRC client: connect to {host}, port {port}, {over}, with the nick that the account is to \
         have,\nand the server password\n  invite:{code}:PASSWORD\nwhere PASSWORD is the account's from then on. With \
         invite:{code} alone, REGISTER makes the account.\n"
    );
    if let Some(fingerprint) = fingerprint {
        let _ = write!(text, "The certificate's SHA-256 fingerprint is\n  {}\n", with_colons(fingerprint));
    } else if encrypted && !reach.is_public {
        text.push_str(
            "Add --fingerprint HEX to the line, with the certificate's SHA-256 fingerprint as `stentor serve` prints it; \
             or run\nthis where a node runs, with its --data.\n",
        );
    }
    text
}

fn list(config: &Config, all: bool) -> Result<(), Failure> {
    let response = ask(config, InviteRequest::List)?.0;
    let AdminResponse::Invites { invites, .. } = response else { return Err(unexpected(&response)) };
    let mut rows = vec![["ID", "USES LEFT", "EXPIRES", "CREATED", "BY"].map(str::to_owned).to_vec()];
    let shown = invites.into_iter().filter(|invite| all || invite.uses_left > 0);
    rows.extend(shown.map(|invite| {
        let expires = invite.expires.map_or_else(|| "never".to_owned(), time);
        vec![invite.id, invite.uses_left.to_string(), expires, time(invite.created), invite.by]
    }));
    Ok(Output::new().rows(&rows)?)
}

/// The answer, and how clients reach the node.
fn ask(config: &Config, request: InviteRequest) -> Result<(AdminResponse, Reach), Failure> {
    operator::block_on(async {
        let mut operator = Operator::find(config).await?;
        let response = operator.ask(request).await;
        let reach = operator.reach(config).await;
        operator.close().await;
        Ok((response?, reach))
    })
}

/// In milliseconds; zero is for ever.
fn lifetime(expires: Duration) -> Option<u64> {
    (!expires.is_zero()).then(|| u64::try_from(expires.as_millis()).unwrap_or(u64::MAX))
}

/// A fingerprint as irssi and `openssl` show it.
fn with_colons(fingerprint: &str) -> String {
    let mut text = String::with_capacity(95);
    for (index, digit) in fingerprint.chars().enumerate() {
        if index > 0 && index % 2 == 0 {
            text.push(':');
        }
        text.push(digit.to_ascii_uppercase());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(reach: &Reach, uses: u32) -> String {
        let invite = Invite {
            id: "id".to_owned(),
            uses_left: uses,
            expires: Some(1_769_903_999_999),
            created: 0,
            by: "operator".to_owned(),
        };
        invitation(&Dial::from_afar(reach, None), reach, "CODE", &invite)
    }

    #[test]
    fn an_invitation_is_one_line_to_paste_and_a_password_for_other_clients() {
        let reach = Reach {
            listening: vec!["ircs://[::]:7000".to_owned()],
            names: vec!["irc.example.org".to_owned()],
            fingerprint: Some("ab12".to_owned()),
            ..Reach::default()
        };
        let text = told(&reach, 3);
        let line = "stentor chat ircs://irc.example.org:7000 --register --invite CODE --fingerprint ab12\n\n";
        assert!(text.starts_with(line), "{text}");
        for part in [
            "It makes 3 accounts, and is good until 2026-01-31 23:59 UTC",
            "connect to irc.example.org, port 7000, with TLS",
            "  invite:CODE:PASSWORD\n",
            "  AB:12\n",
        ] {
            assert!(text.contains(part), "{part} is missing in:\n{text}");
        }
    }

    #[test]
    fn what_clients_know_by_themselves_is_not_told_and_what_is_not_known_is_asked_for() {
        let listening = vec!["ircs://[::]:6697".to_owned()];
        let names = vec!["irc.example.org".to_owned()];
        let text =
            told(&Reach { listening: listening.clone(), names, is_public: true, ..Reach::default() }, 1);
        assert!(!text.contains("ingerprint") && text.contains("It makes 1 account, "), "{text}");
        let text = told(&Reach { listening, ..Reach::default() }, 1);
        assert!(text.starts_with("stentor chat ircs://HOST:6697 --register --invite CODE\n"), "{text}");
        assert!(
            text.contains("HOST: nothing here tells what others call the node")
                && text.contains("Add --fingerprint HEX")
        );
        let plain = Reach { listening: vec!["irc://127.0.0.1:6667".to_owned()], ..Reach::default() };
        let text = told(&plain, 1);
        assert!(
            text.starts_with("stentor chat irc://localhost:6667 ") && text.contains("without TLS"),
            "{text}"
        );
        assert!(!text.contains("ingerprint"), "{text}");
    }
}
