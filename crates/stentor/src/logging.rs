//! Where the log goes: to standard error, one line an event, coloured on a terminal alone.

use std::io;

use stentor_server::config::LogLevel;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, Registry, fmt};

use crate::output::may_colour;

/// Changes the level of a log that has been started.
#[derive(Clone, Debug)]
pub(crate) struct Log(reload::Handle<Targets, Registry>);

impl Log {
    /// Starts logging; once per process.
    pub(crate) fn start(level: LogLevel) -> Self {
        let (filter, handle) = reload::Layer::new(filter(level));
        let lines = fmt::layer()
            .compact()
            .with_target(false)
            .with_ansi(may_colour(&io::stderr()))
            .with_writer(io::stderr)
            .with_filter(filter);
        tracing_subscriber::registry().with(lines).init();
        Self(handle)
    }

    /// Goes on at another level.
    pub(crate) fn set(&self, level: LogLevel) {
        if let Err(error) = self.0.reload(filter(level)) {
            tracing::warn!("the log level stays what it was: {error}");
        }
    }
}

/// Stentor's own events from `level` up; libraries speak up only when something is wrong.
fn filter(level: LogLevel) -> Targets {
    let own = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    Targets::new()
        .with_default(own.min(LevelFilter::WARN))
        .with_target("stentor", own)
        .with_target("stentor_server", own)
        .with_target("stentor_proto", own)
}
