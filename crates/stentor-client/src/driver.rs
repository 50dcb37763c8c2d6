//! The engine and the link together: lines are carried, time is told, and what is lost is connected again.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::engine::view::Status;
use crate::engine::{End, Engine, Output};
use crate::link::{Backoff, ConnectError, Connection, Dialer};
use crate::trust::{Rejection, TrustError};

/// Runs an [`Engine`] over a [`Dialer`]'s connections.
///
/// Until the first login a connection that cannot be made is an error. From then on it is made again for as long as it
/// takes.
#[derive(Debug)]
pub struct Driver {
    engine: Engine,
    dialer: Arc<Dialer>,
    backoff: Backoff,
    link: Link,
    /// Since when the server has let the user in, over this connection or an earlier one; none before the first login.
    online: Option<Instant>,
    /// How often the engine asked for another connection before the first login.
    early_drops: u8,
}

/// How the link is.
enum Link {
    /// A connection is being opened.
    Dialling(Pin<Box<dyn Future<Output = Result<Connection, ConnectError>> + Send>>),
    /// One is open.
    Open(Box<Connection>),
    /// It is opened again at this time.
    Waiting(Instant),
    /// The first one ended before the login, for this reason.
    Refused(String),
    /// It is over.
    Closed,
}

/// What woke the driver.
enum Woken {
    Dialled(Result<Connection, ConnectError>),
    Exchanged(Result<(), String>),
    Again,
    Refused(String),
    Timer,
}

impl Driver {
    /// Connects when [`Driver::next`] is first awaited.
    #[must_use]
    pub fn new(mut engine: Engine, dialer: Dialer) -> Self {
        engine.connecting();
        let dialer = Arc::new(dialer);
        let link = Link::dial(&dialer);
        Self { engine, dialer, backoff: Backoff::new(), link, online: None, early_drops: 0 }
    }

    /// The engine, to look at.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The engine, to tell it what the user does. Await [`Driver::next`] afterwards: it returns at once where that has
    /// something to show.
    pub fn engine_mut(&mut self) -> &mut Engine {
        &mut self.engine
    }

    /// Opens the first connection, for who wants to know whether that works before anything is shown.
    ///
    /// # Errors
    /// Where the server cannot be reached or is not trusted. Awaiting again tries again.
    pub async fn connect(&mut self) -> Result<(), ConnectError> {
        while let Link::Dialling(dialling) = &mut self.link {
            let dialled = dialling.await;
            self.dialled(dialled)?;
        }
        Ok(())
    }

    /// Trusts from now on what the server showed, and tries again.
    ///
    /// # Errors
    /// Where it cannot be stored.
    pub fn remember(&mut self, rejection: &Rejection) -> Result<(), TrustError> {
        self.dialer.remember(rejection)
    }

    /// Waits until something happened, and returns what is to be shown; that may be nothing, where only what the engine
    /// lets look at has changed. After [`Output::End`] nothing happens any more, and this waits for ever.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    /// Where the server cannot be reached, is not trusted, or closes the connection before the login, and has not let
    /// the user in before. Where it could not be reached, awaiting again tries again.
    pub async fn next(&mut self) -> Result<Vec<Output>, ConnectError> {
        let outputs = self.drain();
        if !outputs.is_empty() {
            return Ok(outputs);
        }
        match self.wait().await {
            Woken::Dialled(dialled) => self.dialled(dialled)?,
            Woken::Exchanged(exchanged) => {
                // What came before the end of a connection counts.
                self.receive();
                if let Err(reason) = exchanged {
                    let outputs = self.drain();
                    self.lose(&reason);
                    return Ok(outputs.into_iter().chain(self.drain()).collect());
                }
            }
            Woken::Again => {
                self.engine.connecting();
                self.link = Link::dial(&self.dialer);
            }
            Woken::Refused(reason) => {
                self.link = Link::Closed;
                let server = self.dialer.server();
                return Err(ConnectError::Unreachable(format!("{server} did not let you in: {reason}")));
            }
            Woken::Timer => self.engine.wake(Instant::now()),
        }
        Ok(self.drain())
    }

    /// Sends what is still to be sent, and closes the connection. It takes a few seconds at most.
    pub async fn close(mut self) {
        if let Link::Open(mut connection) = self.link {
            while let Some(line) = self.engine.next_line().filter(|_| connection.has_room()) {
                connection.send(&line);
            }
            connection.close().await;
        }
    }

    /// Waits for the link or for the engine's timer.
    async fn wait(&mut self) -> Woken {
        let wake_at = self.engine.wake_at();
        let timer = async {
            match wake_at {
                Some(at) => tokio::time::sleep_until(at.into()).await,
                None => std::future::pending().await,
            }
        };
        let link = async {
            match &mut self.link {
                Link::Dialling(dialling) => Woken::Dialled(dialling.await),
                Link::Open(connection) => Woken::Exchanged(connection.exchange().await),
                Link::Waiting(until) => {
                    tokio::time::sleep_until((*until).into()).await;
                    Woken::Again
                }
                Link::Refused(reason) => Woken::Refused(reason.clone()),
                Link::Closed => std::future::pending().await,
            }
        };
        tokio::select! {
            woken = link => woken,
            () = timer => Woken::Timer,
        }
    }

    fn dialled(&mut self, dialled: Result<Connection, ConnectError>) -> Result<(), ConnectError> {
        match dialled {
            Ok(connection) => {
                self.link = Link::Open(Box::new(connection));
                self.engine.connected(Instant::now());
            }
            Err(error) if self.online.is_none() => {
                self.link = Link::dial(&self.dialer);
                return Err(error);
            }
            Err(error) => self.lose(&error.to_string()),
        }
        Ok(())
    }

    /// Gives the engine all lines that have come.
    fn receive(&mut self) {
        while let Link::Open(connection) = &mut self.link
            && let Some(line) = connection.next_line()
        {
            let was_online = matches!(self.engine.status(), Status::Online { .. });
            self.engine.receive(&line, Instant::now());
            if !was_online && matches!(self.engine.status(), Status::Online { .. }) {
                self.online = Some(Instant::now());
            }
        }
    }

    /// Takes what the engine wants sent and shown, and does what it asks the driver itself to do.
    fn drain(&mut self) -> Vec<Output> {
        let mut outputs = Vec::new();
        loop {
            if let Link::Open(connection) = &mut self.link {
                while connection.has_room()
                    && let Some(line) = self.engine.next_line()
                {
                    connection.send(&line);
                }
            }
            match self.engine.next_output() {
                None => return outputs,
                // A registration whose outcome is not known is settled by a login over another connection.
                Some(Output::Drop(reason)) if self.online.is_none() && self.early_drops < EARLY_DROPS => {
                    self.early_drops += 1;
                    self.try_again(&reason);
                }
                Some(Output::Drop(reason)) => self.lose(&reason),
                // Who was never let in has not reached the server, whatever the engine calls it.
                Some(Output::End(End::Failed(reason))) if matches!(self.link, Link::Refused(_)) => {
                    self.link = Link::Refused(reason);
                    return outputs;
                }
                Some(end @ Output::End(_)) => {
                    outputs.push(end);
                    return outputs;
                }
                Some(output) => outputs.push(output),
            }
        }
    }

    /// There is no connection any more: waits before the next attempt, or gives up where there never was a login, or
    /// where no more is to be done.
    fn lose(&mut self, reason: &str) {
        if self.engine.finished() || matches!(self.engine.status(), Status::Ended) {
            self.link = Link::Closed;
            return self.engine.lost(reason, None);
        }
        let Some(online) = self.online else {
            self.link = Link::Refused(reason.to_owned());
            return self.engine.lost(reason, None);
        };
        // A server that lets in and throws out again is not asked more often for it.
        if matches!(self.engine.status(), Status::Online { .. }) && online.elapsed() >= STEADY {
            self.backoff.reset();
        }
        self.try_again(reason);
    }

    /// Waits before the next attempt.
    fn try_again(&mut self, reason: &str) {
        let until = Instant::now() + self.backoff.next_pause();
        self.link = Link::Waiting(until);
        self.engine.lost(reason, Some(until));
    }
}

impl Link {
    fn dial(dialer: &Arc<Dialer>) -> Self {
        let dialer = Arc::clone(dialer);
        Self::Dialling(Box::pin(async move { dialer.dial().await }))
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Dialling(_) => "Dialling",
            Self::Open(_) => "Open",
            Self::Waiting(_) => "Waiting",
            Self::Refused(_) => "Refused",
            Self::Closed => "Closed",
        })
    }
}

/// How long a connection lasts that shows the server to be well.
const STEADY: Duration = Duration::from_secs(30);
/// How often the engine may ask for another connection before the first login.
const EARLY_DROPS: u8 = 3;
