//! A login by name and password, shown (PLAIN) or proved (SCRAM).

use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use stentor_proto::Casemapping;
use tokio::sync::mpsc;
use tracing::{debug, info};

use super::certificate::Fingerprint;
use super::hasher::Turn;
use super::record::{HASH, Record, SCRAM};
use super::scram::{Challenge, ClientFirst, Proof, ScramError, Verifier};
use super::throttle::{Pair, Throttle, ThrottleSettings};
use super::{Account, Accounts, Busy, Password, PasswordHash, name_of, set};
use crate::commit_identity::Draft;
use crate::store::{Life, Partition, StoreError};

impl Accounts {
    /// The account that a name and a password belong to. A name that nobody has takes as long as a wrong password.
    ///
    /// The caller guards what follows on the account's epoch and revision: they may have changed since.
    ///
    /// # Errors
    /// See [`LoginError`]; [`LoginError::Slowed`] does not occur.
    pub async fn verify(&self, name: &str, password: &str) -> Result<Account, LoginError> {
        self.verify_if(name, password, || Ok(()), |_| ()).await
    }

    /// Like [`Accounts::verify`]. `allowed` is asked when the work of comparing is about to begin, and `judged` is told
    /// the result before the next in line begins: attempts that wait together do not get through before the first of
    /// them has been counted.
    async fn verify_if(
        &self,
        name: &str,
        password: &str,
        allowed: impl FnOnce() -> Result<(), LoginError> + Send,
        judged: impl FnOnce(&Result<Account, LoginError>) + Send,
    ) -> Result<Account, LoginError> {
        let record = match name_of(name) {
            Ok(name) => self.record(&name).await?,
            Err(_) => Record::Absent,
        };
        let turn = self.hasher().turn().await?;
        allowed()?;
        // No account has such a password, so this tells nothing about any.
        let Ok(password) = Password::new(password) else {
            let wrong = Err(LoginError::Wrong);
            judged(&wrong);
            return wrong;
        };
        let (account, hash, scram) = match record {
            Record::Present(stored) => (Some(stored.account), stored.hash, stored.scram),
            _ => (None, None, None),
        };
        let (matches, turn) = turn.matches(&password, hash.as_ref()).await?;
        let result = match account {
            Some(account) if matches && account.locked.is_some() => Err(LoginError::Locked),
            Some(account) if matches => Ok(account),
            _ => Err(LoginError::Wrong),
        };
        judged(&result);
        if let (Ok(account), Some(hash)) = (&result, hash) {
            let weak = hash.cost() < self.hasher().cost();
            let iterations = self.hasher().iterations();
            let other = iterations.is_some() && scram.map(|scram| scram.iterations()) != iterations;
            if weak || other {
                self.renew(account, &password, weak, other, turn).await;
            }
        }
        result
    }

    /// Replaces a hash of a lower cost than is configured, and a SCRAM verifier that is missing or has other iterations. It
    /// is no change that ends sessions, and its failure no failure of the login: the next login tries again.
    async fn renew(&self, account: &Account, password: &Password, weak: bool, other: bool, turn: Turn<'_>) {
        let mut changes = Vec::with_capacity(2);
        let mut turn = turn;
        if other {
            let Ok((scram, next)) = turn.verifier(password).await else { return };
            changes.extend(scram.map(|scram| set(SCRAM, &scram.to_text())));
            turn = next;
        }
        if weak {
            let Ok(hash) = turn.hash(password).await else { return };
            changes.push(set(HASH, hash.as_str()));
        }
        if changes.is_empty() {
            return;
        }
        let draft = Draft {
            guards: vec![account.unchanged()],
            changes,
            ..Draft::new(Partition::account(&account.folded), Life::Within(account.epoch))
        };
        if let Err(error) = self.committer().attempt(draft).await {
            debug!(account = account.folded, %error, "what is kept of a password was not renewed");
        }
    }
}

/// Logins of one node, slowed by failures on any.
#[derive(Debug)]
pub struct LoginGate {
    accounts: Arc<Accounts>,
    throttle: Mutex<Throttle>,
    since: Instant,
    /// Makes what stands in for the verifiers of accounts that there are not: the same on every node.
    decoys: Vec<u8>,
    /// Where it tells of those that it slows down, where anybody wants to know.
    slowed: Option<mpsc::Sender<Slowed>>,
}

/// Somebody is slowed down from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slowed {
    /// What the passwords were for, in words: no name that somebody typed and nobody has.
    pub what: String,
    /// Where they came from.
    pub address: IpAddr,
}

impl LoginGate {
    /// A gate before `accounts`. `secret` is the network's own.
    #[must_use]
    pub fn new(accounts: Arc<Accounts>, settings: ThrottleSettings, secret: &str) -> Self {
        Self {
            accounts,
            throttle: Mutex::new(Throttle::new(settings)),
            since: Instant::now(),
            decoys: secret.as_bytes().to_vec(),
            slowed: None,
        }
    }

    /// The same gate, which tells `slowed` whom it slows down. What does not fit there is not told.
    #[must_use]
    pub fn telling(self, slowed: mpsc::Sender<Slowed>) -> Self {
        Self { slowed: Some(slowed), ..self }
    }

    /// The accounts behind the gate.
    #[must_use]
    pub fn accounts(&self) -> &Arc<Accounts> {
        &self.accounts
    }

    /// Logs in from `address`. A failure slows further attempts at that account from there, on every node.
    ///
    /// # Errors
    /// See [`LoginError`].
    pub async fn login(&self, name: &str, password: &str, address: IpAddr) -> Result<Account, LoginError> {
        let pair = Pair::new(&Casemapping::Ascii.fold(name), address);
        self.check(pair)?;
        let mut slowed = false;
        let judged = |result: &Result<Account, LoginError>| match result {
            Ok(_) | Err(LoginError::Locked) => self.with(|throttle, _| throttle.succeeded(pair)),
            Err(LoginError::Wrong) => slowed = self.with(|throttle, now| throttle.failed(pair, now)),
            Err(_) => {}
        };
        let result = self.accounts.verify_if(name, password, || self.check(pair), judged).await;
        if result == Err(LoginError::Wrong) {
            self.tell(pair).await;
        }
        if slowed {
            self.report(name, address).await;
        }
        result
    }

    /// Compares the password of an operator `name` with a hash of the configuration, from `address`. Failures slow further
    /// attempts as with logins. Without a hash no password is right, and that takes as long.
    ///
    /// # Errors
    /// See [`LoginError`]; [`LoginError::Locked`] does not occur.
    pub async fn compare(
        &self,
        name: &str,
        hash: Option<&PasswordHash>,
        password: &str,
        address: IpAddr,
    ) -> Result<(), LoginError> {
        // No account's name has a space.
        let pair = Pair::new(&format!("operator {}", Casemapping::Ascii.fold(name)), address);
        self.judge(pair, "operator", hash, password, address).await
    }

    /// Begins a login by SCRAM. A name that nobody has gets a challenge like all others, which no proof fits.
    ///
    /// # Errors
    /// See [`LoginError`]; [`LoginError::Wrong`] where SCRAM is switched off.
    pub async fn challenge(&self, first: ClientFirst, address: IpAddr) -> Result<Challenged, LoginError> {
        self.check(Pair::new(&Casemapping::Ascii.fold(&first.name), address))?;
        let iterations = self.accounts.hasher().iterations().ok_or(LoginError::Wrong)?;
        let folded = Casemapping::Ascii.fold(&first.name).into_owned();
        let record = match name_of(&first.name) {
            Ok(name) => self.accounts.record(&name).await?,
            Err(_) => Record::Absent,
        };
        let (account, verifier) = match record {
            Record::Present(stored) => (Some(stored.account), stored.scram),
            _ => (None, None),
        };
        let verifier = verifier.unwrap_or_else(|| Verifier::decoy(&self.decoys, &folded, iterations));
        Ok(Challenged { account, challenge: Challenge::new(first, verifier) })
    }

    /// Judges the answer to a challenge: the account, and the server's own proof. A failure counts as one by PLAIN does.
    ///
    /// # Errors
    /// See [`LoginError`].
    pub async fn prove(
        &self,
        challenged: Challenged,
        answer: &str,
        address: IpAddr,
    ) -> Result<(Account, Proof), LoginError> {
        let Challenged { account, challenge } = challenged;
        let pair = Pair::new(&Casemapping::Ascii.fold(challenge.name()), address);
        // Judged and counted in one step: of answers that arrive together, none gets through before the first is counted.
        let judged = self.with(|throttle, now| {
            throttle.check(pair, now).map_err(LoginError::Slowed)?;
            match (challenge.judge(answer), account) {
                (Ok(proof), Some(account)) => {
                    throttle.succeeded(pair);
                    Ok(Ok((account, proof)))
                }
                (Ok(_) | Err(ScramError::Proof), _) => Ok(Err(throttle.failed(pair, now))),
                (Err(error), _) => Err(LoginError::Scram(error)),
            }
        })?;
        match judged {
            Ok((account, _)) if account.locked.is_some() => Err(LoginError::Locked),
            Ok(proved) => Ok(proved),
            Err(slowed) => {
                self.tell(pair).await;
                if slowed {
                    self.report(challenge.name(), address).await;
                }
                Err(LoginError::Wrong)
            }
        }
    }

    /// The account that a client's certificate logs in to; see [`Accounts::verify_certificate`]. Fingerprints cannot be
    /// guessed, so failures slow nobody.
    ///
    /// # Errors
    /// See [`LoginError`].
    pub async fn certificate(&self, fingerprint: &Fingerprint, wanted: &str) -> Result<Account, LoginError> {
        self.accounts.verify_certificate(fingerprint, wanted).await
    }

    /// Whether a password is the one that the network itself, or a gateway to it, asks for. A failure slows further
    /// attempts at `what` from there, on every node.
    ///
    /// # Errors
    /// [`LoginError::Wrong`], [`LoginError::Slowed`], [`LoginError::Busy`].
    pub async fn shared_password(
        &self,
        what: &str,
        password: &str,
        hash: &PasswordHash,
        address: IpAddr,
    ) -> Result<(), LoginError> {
        // A space: the name of no account.
        let pair = Pair::new(&format!(" {what}"), address);
        self.judge(pair, what, Some(hash), password, address).await
    }

    /// Compares a password that belongs to no account. `what` is what the log calls it: no name that somebody typed.
    async fn judge(
        &self,
        pair: Pair,
        what: &str,
        hash: Option<&PasswordHash>,
        password: &str,
        address: IpAddr,
    ) -> Result<(), LoginError> {
        self.check(pair)?;
        let turn = self.accounts.hasher().turn().await?;
        self.check(pair)?;
        let (matches, turn) = match Password::new(password) {
            Ok(password) => turn.matches(&password, hash).await?,
            Err(_) => (false, turn),
        };
        if matches {
            self.with(|throttle, _| throttle.succeeded(pair));
            return Ok(());
        }
        let slowed = self.with(|throttle, now| throttle.failed(pair, now));
        // Whoever comes next finds this counted.
        drop(turn);
        self.tell(pair).await;
        if slowed {
            info!(%address, what, "too many wrong passwords: further attempts are slowed");
            self.tell_slowed(format!("the {what}"), address);
        }
        Err(LoginError::Wrong)
    }

    /// Logs that a pair is slowed from now on. A name that nobody has stays out of the log: it may be a password that was
    /// typed in the wrong place.
    async fn report(&self, name: &str, address: IpAddr) {
        match self.accounts.find(name).await {
            Ok(Some(account)) => {
                info!(account = account.name, %address, "too many failed logins: further attempts are slowed");
                self.tell_slowed(format!("the account {}", account.name), address);
            }
            _ => {
                info!(%address, "too many failed logins to no account: further attempts are slowed");
                self.tell_slowed("an account that there is not".to_owned(), address);
            }
        }
    }

    fn tell_slowed(&self, what: String, address: IpAddr) {
        if let Some(slowed) = &self.slowed {
            // Where nobody keeps up, there were more than anybody reads.
            let _ = slowed.try_send(Slowed { what, address });
        }
    }

    /// Takes in a text that was published on the fleet's partition. True if it was about a failed login.
    pub fn hear(&self, text: &str) -> bool {
        let mut words = text.split(' ');
        let (Some(FAILED), Some(writer), Some(pair), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return false;
        };
        // The failures of this node are counted already.
        if writer != self.accounts.committer().writer().as_str()
            && let Some(pair) = Pair::from_text(pair)
        {
            self.with(|throttle, now| throttle.failed(pair, now));
        }
        true
    }

    /// Goes on with other settings.
    pub fn set(&self, settings: ThrottleSettings) {
        self.with(|throttle, _| throttle.set(settings));
    }

    /// Forgets what is old, so that the table shrinks at rest. To be called every few minutes.
    pub fn tidy(&self) {
        self.with(Throttle::forget_old);
    }

    /// The other nodes learn of the failure if they can be reached: it slows guessing, and decides nothing.
    async fn tell(&self, pair: Pair) {
        let committer = self.accounts.committer();
        let text = format!("{FAILED} {} {}", committer.writer(), pair.to_text());
        if let Err(error) = committer.store().publish(&Partition::fleet(), &text).await {
            debug!(%error, "the other nodes were not told of a failed login");
        }
    }

    fn check(&self, pair: Pair) -> Result<(), LoginError> {
        self.with(|throttle, now| throttle.check(pair, now)).map_err(LoginError::Slowed)
    }

    fn with<T>(&self, action: impl FnOnce(&mut Throttle, Duration) -> T) -> T {
        let mut throttle = self.throttle.lock().expect("no holder of the throttle panics");
        action(&mut throttle, self.since.elapsed())
    }
}

/// A login by SCRAM that waits for its proof.
#[derive(Debug)]
pub struct Challenged {
    /// Where there is such an account.
    account: Option<Account>,
    challenge: Challenge,
}

impl Challenged {
    /// What the client is to answer.
    #[must_use]
    pub fn message(&self) -> String {
        self.challenge.message()
    }
}

/// The first word of what nodes publish about a failed login; the writer and the pair follow.
const FAILED: &str = "login-failed";

/// Why a login failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoginError {
    /// There is no such account, or the password is another. The two are not told apart.
    Wrong,
    /// The certificate logs in to no account, or to another one than was asked for.
    Certificate,
    /// What the client sent does not follow the mechanism.
    Scram(ScramError),
    /// The password is right, and the account is locked.
    Locked,
    /// This account and address failed too often; the next attempt is heard after this time.
    Slowed(Duration),
    /// Too many logins are waiting.
    Busy,
    /// The store could not be asked.
    Store(StoreError),
}

impl fmt::Display for LoginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wrong => f.write_str("the account or the password is wrong"),
            Self::Certificate => f.write_str("your certificate does not log in to that account"),
            Self::Scram(error) => error.fmt(f),
            Self::Locked => f.write_str("the account is locked"),
            Self::Slowed(wait) => {
                let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                write!(f, "too many failed logins; try again in {seconds} s")
            }
            Self::Busy => Busy.fmt(f),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for LoginError {}

impl From<Busy> for LoginError {
    fn from(_: Busy) -> Self {
        Self::Busy
    }
}

impl From<StoreError> for LoginError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
