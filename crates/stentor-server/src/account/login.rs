//! A login by name and password.

use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use stentor_proto::Casemapping;
use tracing::{debug, info};

use super::hasher::Turn;
use super::record::{HASH, Record};
use super::throttle::{Pair, Throttle, ThrottleSettings};
use super::{Account, Accounts, Busy, Password, PasswordHash, set};
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
        let record = match self.name(name) {
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
        let (account, hash) = match record {
            Record::Present(stored) => (Some(stored.account), stored.hash),
            _ => (None, None),
        };
        let (matches, turn) = turn.matches(&password, hash.as_ref()).await?;
        let result = match account {
            Some(account) if matches && account.locked.is_some() => Err(LoginError::Locked),
            Some(account) if matches => Ok(account),
            _ => Err(LoginError::Wrong),
        };
        judged(&result);
        if let (Ok(account), Some(hash)) = (&result, hash)
            && hash.cost() < self.hasher().cost()
        {
            self.strengthen(account, &password, turn).await;
        }
        result
    }

    /// Replaces a hash of a lower cost than is configured. It is no change that ends sessions, and its failure no failure
    /// of the login: the next login tries again.
    async fn strengthen(&self, account: &Account, password: &Password, turn: Turn<'_>) {
        let Ok(hash) = turn.hash(password).await else { return };
        let draft = Draft {
            guards: vec![account.unchanged()],
            changes: vec![set(HASH, hash.as_str())],
            ..Draft::new(Partition::account(&account.folded), Life::Within(account.epoch))
        };
        if let Err(error) = self.committer().attempt(draft).await {
            debug!(account = account.folded, %error, "a password's hash was not renewed");
        }
    }
}

/// Logins of one node, slowed by failures on any.
#[derive(Debug)]
pub struct LoginGate {
    accounts: Arc<Accounts>,
    throttle: Mutex<Throttle>,
    since: Instant,
}

impl LoginGate {
    /// A gate before `accounts`.
    #[must_use]
    pub fn new(accounts: Arc<Accounts>, settings: ThrottleSettings) -> Self {
        Self { accounts, throttle: Mutex::new(Throttle::new(settings)), since: Instant::now() }
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
            info!(%address, "too many failed attempts to become an operator: further ones are slowed");
        }
        Err(LoginError::Wrong)
    }

    /// Logs that a pair is slowed from now on. A name that nobody has stays out of the log: it may be a password that was
    /// typed in the wrong place.
    async fn report(&self, name: &str, address: IpAddr) {
        match self.accounts.find(name).await {
            Ok(Some(account)) => {
                info!(account = account.name, %address, "too many failed logins: further attempts are slowed");
            }
            _ => info!(%address, "too many failed logins to no account: further attempts are slowed"),
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

/// The first word of what nodes publish about a failed login; the writer and the pair follow.
const FAILED: &str = "login-failed";

/// Why a login failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoginError {
    /// There is no such account, or the password is another. The two are not told apart.
    Wrong,
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
