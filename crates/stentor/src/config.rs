//! `stentor config`: prints the defaults, checks a file.

use std::path::Path;
use std::time::SystemTime;

use stentor_server::config::{Config, SYSTEM_FILE, Sources};
use stentor_server::tls;

use crate::cli::{ConfigArgs, ConfigCommand};
use crate::failure::Failure;
use crate::output::{self, Output};

pub(crate) fn run(args: &ConfigArgs) -> Result<(), Failure> {
    match &args.command {
        ConfigCommand::Default => Ok(Output::new().text(&Config::default_text())?),
        ConfigCommand::Check { file: Some(file) } => {
            report(&file.display().to_string(), &Config::from_file(file)?)
        }
        ConfigCommand::Check { file: None } => {
            let config = Sources::of_process(None, Vec::new()).load()?;
            let what = if Path::new(SYSTEM_FILE).exists() {
                format!("{SYSTEM_FILE} and the environment")
            } else {
                format!(
                    "the environment (there is no {SYSTEM_FILE}; `config check FILE` checks another file)"
                )
            };
            report(&what, &config)
        }
    }
}

fn report(what: &str, config: &Config) -> Result<(), Failure> {
    for text in &config.warnings {
        output::warning(text);
    }
    if let Some(files) = &config.tls.files {
        let pair = tls::files::load(&files.chain, &files.key)?;
        let leaf = pair.cert.first().map(|leaf| tls::authority::Facts::of(leaf));
        if let Some(Ok(facts)) = leaf
            && facts.expires < SystemTime::now()
        {
            output::warning(&format!(
                "the certificate in {} ended on {}",
                files.chain.display(),
                facts.expires.date()
            ));
        }
    }
    let count = config.given().count();
    let settings = if count == 1 { "1 setting" } else { &format!("{count} settings") };
    Ok(Output::new().text(&format!("{what}: correct, {settings}\n"))?)
}
