//! `stentor cert`: makes an authority and a certificate, to share among the nodes of a fleet or to look at.

use std::path::Path;
use std::time::SystemTime;

use stentor_server::config::KeyType;
use stentor_server::tls::{self, TlsError, authority::Facts};

use time::Duration;

use crate::cli::{CertArgs, CertCommand, CertKey};
use crate::failure::Failure;
use crate::output::Output;

pub(crate) fn run(args: &CertArgs) -> Result<(), Failure> {
    let CertCommand::Make { out, names, key, days } = &args.command;
    let key = match key {
        CertKey::EcdsaP256 => KeyType::EcdsaP256,
        CertKey::Rsa2048 => KeyType::Rsa2048,
    };
    let made = tls::make_lasting(out, names, key, Duration::days((*days).into()), SystemTime::now().into())?;
    let facts =
        Facts::of(&made.leaf).map_err(|problem| TlsError::Content(made.places.chain.clone(), problem))?;
    let names = facts.names.into_iter().collect::<Vec<_>>().join(", ");
    let row = |what: &str, file: &Path, note: &str| {
        vec![what.to_owned(), file.display().to_string(), note.to_owned()]
    };
    let output = Output::new();
    output.rows(&[
        row("Authority", &made.places.authority, "clients trust this"),
        row("Authority's key", &made.places.authority_key, "keep it secret; it is needed to renew"),
        row("Certificate", &made.places.chain, &format!("for {names}, until {}", facts.expires.date())),
        row("Key", &made.places.key, "keep it secret"),
    ])?;
    let fingerprint = tls::fingerprint_sha256_colons(&made.leaf);
    output.rows(&[vec!["SHA-256".to_owned(), fingerprint]])?;
    let quoted = |path: &Path| format!("{:?}", path.display().to_string());
    let (chain, key) = (quoted(&made.places.chain), quoted(&made.places.key));
    Ok(output.text(&format!("\nIn the configuration:\n\n[tls]\ncert_file = {chain}\nkey_file = {key}\n"))?)
}
