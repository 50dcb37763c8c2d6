//! `stentor account`: the accounts of a store.

use std::fs::{self, File};
use std::io::{self, BufRead, IsTerminal, Read};
use std::path::{self, Path, PathBuf};

use stentor_server::account::import::BadLine;
use stentor_server::account::{ADMIN, Password};
use stentor_server::admin::{AccountRequest, AccountRow, AdminResponse, Hidden};
use stentor_server::config::Config;

use crate::cli::{AccountArgs, AccountCertCommand, AccountCommand, PasswordFrom};
use crate::dial::Dial;
use crate::failure::Failure;
use crate::operator::{self, Operator, unexpected};
use crate::output::{self, Output, date};
use crate::settings;

pub(crate) fn run(args: &AccountArgs) -> Result<(), Failure> {
    let config = settings::load(&args.common)?;
    let done = match &args.command {
        AccountCommand::List => return list(&config),
        AccountCommand::Import { file } => return import(&config, file.as_deref()),
        AccountCommand::Add { name, password } => {
            // Nobody types a password twice to hear that the name is taken.
            check_new(&config, name)?;
            let request = AccountRequest::Add { name: name.clone(), password: read_password(*password)? };
            let done = ask(&config, request, &format!("{name} was added"))?;
            format!("{done}{}", way_in(&config, name)?)
        }
        AccountCommand::Passwd { name, password } => {
            let request = AccountRequest::Passwd { name: name.clone(), password: read_password(*password)? };
            passwd(&config, name, request)?
        }
        AccountCommand::Remove { name } => {
            let done = format!("{name} was removed, and its sessions end; the name stays reserved");
            ask(&config, AccountRequest::Remove { name: name.clone() }, &done)?
        }
        AccountCommand::Lock { name } => {
            let done = format!("{name} is locked, and its sessions end");
            let unchanged = format!("{name} was locked already");
            ask_for_change(&config, AccountRequest::Lock { name: name.clone() }, &done, &unchanged)?
        }
        AccountCommand::Unlock { name } => {
            let (done, unchanged) = (format!("{name} may log in again"), format!("{name} was not locked"));
            ask_for_change(&config, AccountRequest::Unlock { name: name.clone() }, &done, &unchanged)?
        }
        AccountCommand::Cert { name, command: AccountCertCommand::List } => {
            return certificates(&config, name);
        }
        AccountCommand::Cert { name, command: AccountCertCommand::Add { fingerprint } } => {
            let request = AccountRequest::CertAdd { name: name.clone(), fingerprint: fingerprint.clone() };
            let done = format!("{name} can log in with that certificate");
            ask_for_change(&config, request, &done, &format!("{done} already"))?
        }
        AccountCommand::Cert { name, command: AccountCertCommand::Remove { fingerprint } } => {
            let request = AccountRequest::CertRemove { name: name.clone(), fingerprint: fingerprint.clone() };
            let done = format!("{name} cannot log in with that certificate any more, and its sessions end");
            ask_for_change(&config, request, &done, &format!("{name} does not have that certificate"))?
        }
        AccountCommand::Grant { name, role, remove: false } => {
            let request = AccountRequest::Grant { name: name.clone(), role: role.clone() };
            ask(&config, request, &format!("{name} has the role {role}"))?
        }
        AccountCommand::Grant { name, role, remove: true } => {
            let request = AccountRequest::Revoke { name: name.clone(), role: role.clone() };
            ask(&config, request, &format!("{name} no longer has the role {role}"))?
        }
    };
    Ok(Output::new().text(&done)?)
}

fn check_new(config: &Config, name: &str) -> Result<(), Failure> {
    operator::block_on(async {
        let mut operator = Operator::find_quietly(config).await?;
        let response = operator.ask(AccountRequest::CheckNew { name: name.to_owned() }).await;
        operator.close().await;
        response.map(drop)
    })
}

/// How the new account's owner gets in, where that is known.
fn way_in(config: &Config, name: &str) -> Result<String, Failure> {
    let reach = operator::block_on(async {
        let mut operator = Operator::find_quietly(config).await?;
        let reach = operator.reach(config).await;
        operator.close().await;
        Ok(reach)
    })?;
    let dial = Dial::from_afar(&reach, None);
    if !dial.is_known() {
        return Ok(String::new());
    }
    let pin = dial.pin(&reach).map(|fingerprint| format!(" --fingerprint {fingerprint}")).unwrap_or_default();
    Ok(format!("It logs in with: {} --user {name}{pin}\n", dial.command()))
}

/// Asks for one thing, and returns what to print: `done`, and the password where one was made up.
fn ask(config: &Config, request: AccountRequest, done: &str) -> Result<String, Failure> {
    ask_for_change(config, request, done, done)
}

/// The same, with what to print where it was so already.
fn ask_for_change(
    config: &Config,
    request: AccountRequest,
    done: &str,
    unchanged: &str,
) -> Result<String, Failure> {
    operator::block_on(async {
        let mut operator = Operator::find(config).await?;
        let response = operator.ask(request).await;
        operator.close().await;
        match response? {
            AdminResponse::Done => Ok(format!("{done}\n")),
            AdminResponse::Unchanged => Ok(format!("{unchanged}\n")),
            AdminResponse::Password { password } => {
                Ok(format!("{done}\nIts password, which is shown only now: {}\n", password.reveal()))
            }
            other => Err(unexpected(&other)),
        }
    })
}

/// Changes a password. A file that holds the one that `admin` was made with is of no more use, and goes.
fn passwd(config: &Config, name: &str, request: AccountRequest) -> Result<String, Failure> {
    let file = if name.eq_ignore_ascii_case(ADMIN) { first_password(config)? } else { None };
    let done = ask(config, request, &format!("{name} has a new password, and its sessions end"))?;
    let Some(file) = file else { return Ok(done) };
    match fs::remove_file(&file) {
        Ok(()) => Ok(format!("{done}{} held the old password, and was removed\n", file.display())),
        Err(error) => {
            output::warning(&format!("{} holds the old password; remove it: {error}", file.display()));
            Ok(done)
        }
    }
}

fn first_password(config: &Config) -> Result<Option<PathBuf>, Failure> {
    operator::block_on(async {
        let operator = Operator::find_quietly(config).await?;
        let file = operator.first_password(config).await.map(|file| path::absolute(&file).unwrap_or(file));
        operator.close().await;
        Ok(file)
    })
}

fn list(config: &Config) -> Result<(), Failure> {
    let mut accounts = operator::block_on(async {
        let mut operator = Operator::find(config).await?;
        let accounts = all(&mut operator).await;
        operator.close().await;
        accounts
    })?;
    accounts.sort_unstable_by_key(|account| account.name.to_ascii_lowercase());
    let mut rows = vec![["NAME", "CREATED", "STATE", "ROLES"].map(str::to_owned).to_vec()];
    rows.extend(accounts.into_iter().map(|account| {
        let state = match (account.removed, account.locked) {
            (Some(since), _) => format!("removed {}", date(since)),
            (None, Some(since)) => format!("locked {}", date(since)),
            (None, None) => "active".to_owned(),
        };
        let created = if account.removed.is_some() { "-".to_owned() } else { date(account.created) };
        vec![account.name, created, state, account.roles.join(" ")]
    }));
    Ok(Output::new().rows(&rows)?)
}

fn certificates(config: &Config, name: &str) -> Result<(), Failure> {
    let response = operator::block_on(async {
        let mut operator = Operator::find(config).await?;
        let response = operator.ask(AccountRequest::CertList { name: name.to_owned() }).await;
        operator.close().await;
        response
    })?;
    match response {
        AdminResponse::Certificates { fingerprints } if fingerprints.is_empty() => {
            Ok(Output::new().text(&format!("no certificate logs in to {name}\n"))?)
        }
        AdminResponse::Certificates { fingerprints } => {
            Ok(Output::new().text(&fingerprints.iter().map(|one| format!("{one}\n")).collect::<String>())?)
        }
        other => Err(unexpected(&other)),
    }
}

async fn all(operator: &mut Operator) -> Result<Vec<AccountRow>, Failure> {
    let (mut all, mut bucket) = (Vec::new(), 0);
    loop {
        match operator.ask(AccountRequest::List { bucket }).await? {
            AdminResponse::Accounts { accounts, next } => {
                all.extend(accounts);
                match next {
                    Some(next) if next > bucket => bucket = next,
                    _ => return Ok(all),
                }
            }
            other => return Err(unexpected(&other)),
        }
    }
}

fn import(config: &Config, file: Option<&Path>) -> Result<(), Failure> {
    let text = Hidden(match file {
        Some(path) if path != Path::new("-") => {
            let failed = |error: io::Error| Failure::Failed(format!("{}: {error}", path.display()));
            read_text(File::open(path).map_err(failed)?).map_err(failed)?
        }
        _ => read_text(io::stdin().lock())
            .map_err(|error| Failure::Failed(format!("standard input: {error}")))?,
    });
    let response = operator::block_on(async {
        let mut operator = Operator::find(config).await?;
        let response = operator.ask(AccountRequest::Import { text }).await;
        operator.close().await;
        response
    })?;
    let AdminResponse::Imported { added, unchanged, failed } = response else {
        return Err(unexpected(&response));
    };
    let there = if unchanged > 0 { format!("; {unchanged} were there already") } else { String::new() };
    if failed.is_empty() {
        return Ok(Output::new().text(&format!("{}{there}\n", imported(added)))?);
    }
    Err(Failure::Failed(format!("{}{there}\n{}", imported(added), summary(&failed))))
}

fn imported(count: usize) -> String {
    match count {
        0 => "nothing was imported".to_owned(),
        1 => "1 account was imported".to_owned(),
        count => format!("{count} accounts were imported"),
    }
}

fn summary(failed: &[BadLine]) -> String {
    let mut lines: Vec<String> = failed.iter().take(SHOWN_MAX).map(ToString::to_string).collect();
    if failed.len() > SHOWN_MAX {
        lines.push(format!("and {} more lines", failed.len() - SHOWN_MAX));
    }
    lines.join("\n")
}

fn read_text(stream: impl Read) -> io::Result<String> {
    let mut text = String::new();
    stream.take(IMPORT_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > IMPORT_MAX {
        let why = format!("it has more than {IMPORT_MAX} bytes; import it in parts");
        return Err(io::Error::new(io::ErrorKind::InvalidData, why));
    }
    Ok(text)
}

/// The password that is given; `None` where one is to be made up.
fn read_password(from: PasswordFrom) -> Result<Option<Password>, Failure> {
    let wrong = |error: stentor_server::account::PasswordError| Failure::Failed(error.to_string());
    if from.password_stdin {
        return Password::new(first_line(io::stdin().lock())?).map(Some).map_err(wrong);
    }
    if !io::stdin().is_terminal() {
        return Err(Failure::Usage(
            "there is no terminal to ask for the password; use --password-stdin".to_owned(),
        ));
    }
    let first = rpassword::prompt_password("Password (empty: make one up): ")?;
    if first.is_empty() {
        return Ok(None);
    }
    let password = Password::new(first).map_err(wrong)?;
    if rpassword::prompt_password("The same again: ")? != password.reveal() {
        return Err(Failure::Failed("the two passwords differ".to_owned()));
    }
    Ok(Some(password))
}

/// The first line, without its end. No password is as long as what is read at most.
fn first_line(stream: impl BufRead) -> Result<String, Failure> {
    let mut line = Vec::new();
    stream.take(LINE_MAX).read_until(b'\n', &mut line)?;
    let text =
        String::from_utf8(line).map_err(|_| Failure::Failed("the password is not UTF-8".to_owned()))?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(text.strip_suffix('\r').unwrap_or(text).to_owned())
}

/// How many bytes of `name:hash` lines are imported at once: what one request to a node can hold.
const IMPORT_MAX: u64 = 7 * 1024 * 1024;
const LINE_MAX: u64 = 4096;

/// How many bad lines are shown.
const SHOWN_MAX: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_the_first_line_without_its_end() {
        for (input, expected) in [("a b \n", "a b "), ("a\r\nb\n", "a"), ("a", "a"), ("\n", ""), ("", "")] {
            assert_eq!(first_line(input.as_bytes()).unwrap(), expected);
        }
        assert!(first_line(&b"\xff\n"[..]).is_err());
    }

    #[test]
    fn many_bad_lines_are_counted() {
        let failed: Vec<BadLine> = (1..=25).map(|number| BadLine { number, why: "bad".to_owned() }).collect();
        let text = summary(&failed);
        assert!(
            text.starts_with("line 1: bad\n") && text.ends_with("line 20: bad\nand 5 more lines"),
            "{text}"
        );
    }
}
