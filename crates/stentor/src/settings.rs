//! From the command line to a checked configuration.

use std::path::Path;

use stentor_server::config::{Config, Flag, Sources};

use crate::cli::{Common, Serve};
use crate::failure::Failure;
use crate::output;

/// The places that the flags of every command name.
pub(crate) fn sources(common: &Common) -> Result<Sources, Failure> {
    let mut flags = Vec::new();
    if let Some(data) = &common.data {
        flags.push(Flag { name: "--data", key: "data.dir", values: vec![path("--data", data)?] });
    }
    if let Some(redis) = &common.redis {
        flags.push(Flag { name: "--redis", key: "redis.url", values: vec![redis.clone()] });
    }
    Ok(Sources::of_process(common.config.clone(), flags))
}

/// The same, and what the flags of `serve` set.
pub(crate) fn sources_to_serve(args: &Serve) -> Result<Sources, Failure> {
    let mut sources = sources(&args.common)?;
    if !args.listen.is_empty() {
        sources.flags.push(Flag { name: "--listen", key: "listen", values: args.listen.clone() });
    }
    if let Some(name) = &args.name {
        sources.flags.push(Flag { name: "--name", key: "node.name", values: vec![name.clone()] });
    }
    if let Some(chain) = &args.tls_cert {
        let values = vec![path("--tls-cert", chain)?];
        sources.flags.push(Flag { name: "--tls-cert", key: "tls.cert_file", values });
    }
    if let Some(key) = &args.tls_key {
        let values = vec![path("--tls-key", key)?];
        sources.flags.push(Flag { name: "--tls-key", key: "tls.key_file", values });
    }
    Ok(sources)
}

/// Reads the configuration for a command that ends soon; warnings go to standard error at once.
pub(crate) fn load(common: &Common) -> Result<Config, Failure> {
    let config = sources(common)?.load()?;
    for text in &config.warnings {
        output::warning(text);
    }
    Ok(config)
}

fn path(flag: &str, path: &Path) -> Result<String, Failure> {
    let text = path.to_str().map(str::to_owned);
    text.ok_or_else(|| Failure::Usage(format!("{flag}: {} is not UTF-8", path.display())))
}
