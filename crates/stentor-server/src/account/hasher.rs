//! The bounded pool where passwords are hashed, so that one user's login stalls no other user's chat.

use std::fmt;
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::TaskTracker;

use super::password::{Password, PasswordHash};
use super::scram::{ITERATIONS_MIN, Verifier};
use crate::config::Config;

/// Hashes and compares passwords on a few threads. Who waits is served in the order of arrival, and only so many may wait.
#[derive(Debug)]
pub struct Hasher {
    /// A hash that no password is known for, of the cost that new hashes get.
    unknown: Mutex<PasswordHash>,
    /// The iterations of new SCRAM verifiers; 0: none are made.
    iterations: AtomicU32,
    threads: Arc<Semaphore>,
    places: Arc<Semaphore>,
    tasks: TaskTracker,
}

/// What an account keeps of a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// For logins that show the password.
    pub hash: PasswordHash,
    /// For logins that prove to know it; `None` where the password itself is not known here, or SCRAM is switched off.
    pub scram: Option<Verifier>,
}

/// Permission for one piece of work. Dropping it passes it on.
#[derive(Debug)]
pub struct Turn<'a> {
    hasher: &'a Hasher,
    held: (OwnedSemaphorePermit, OwnedSemaphorePermit),
}

impl Hasher {
    /// A pool that makes hashes of `cost` ([`COST_MIN`](super::COST_MIN) to [`COST_MAX`](super::COST_MAX)) on at most
    /// `threads` threads, with at most `queue` pieces of work waiting. Verifiers for SCRAM have the fewest iterations there
    /// may be; see [`Hasher::set_iterations`].
    #[must_use]
    pub fn new(cost: u32, threads: NonZeroUsize, queue: usize) -> Self {
        let threads = threads.get().min(Semaphore::MAX_PERMITS / 2);
        let places = threads.saturating_add(queue).min(Semaphore::MAX_PERMITS);
        Self {
            unknown: Mutex::new(PasswordHash::unknown(cost)),
            iterations: AtomicU32::new(ITERATIONS_MIN),
            threads: Arc::new(Semaphore::new(threads)),
            places: Arc::new(Semaphore::new(places)),
            tasks: TaskTracker::new(),
        }
    }

    /// A pool as `config` has it.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let threads = NonZeroUsize::new(config.limits.bcrypt_threads).unwrap_or(NonZeroUsize::MIN);
        let hasher = Self::new(config.accounts.bcrypt_cost, threads, QUEUE);
        hasher.set_iterations(config.accounts.scram_iterations);
        hasher
    }

    /// Waits for a free thread. Giving up the wait gives up the place.
    ///
    /// # Errors
    /// [`Busy`] where too many wait already, or the pool is closed.
    pub async fn turn(&self) -> Result<Turn<'_>, Busy> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| Busy)?;
        let thread = Arc::clone(&self.threads).acquire_owned().await.map_err(|_| Busy)?;
        Ok(Turn { hasher: self, held: (thread, place) })
    }

    /// The cost of new hashes.
    #[must_use]
    pub fn cost(&self) -> u32 {
        self.unknown().cost()
    }

    /// Changes the cost of new hashes, and of comparing with none.
    pub fn set_cost(&self, cost: u32) {
        if cost != self.cost() {
            *self.unknown.lock().expect("no holder of the hash panics") = PasswordHash::unknown(cost);
        }
    }

    /// The iterations of new SCRAM verifiers; `None` where there are to be none.
    #[must_use]
    pub fn iterations(&self) -> Option<NonZeroU32> {
        NonZeroU32::new(self.iterations.load(Ordering::Relaxed))
    }

    /// Changes the iterations of new SCRAM verifiers; `None` where there are to be none.
    pub fn set_iterations(&self, iterations: Option<NonZeroU32>) {
        self.iterations.store(iterations.map_or(0, NonZeroU32::get), Ordering::Relaxed);
    }

    /// Refuses new work and waits for what is under way.
    pub async fn close(&self) {
        self.places.close();
        self.threads.close();
        self.tasks.close();
        self.tasks.wait().await;
    }

    fn unknown(&self) -> PasswordHash {
        self.unknown.lock().expect("no holder of the hash panics").clone()
    }
}

impl Turn<'_> {
    /// Hashes a password with the pool's cost.
    ///
    /// # Errors
    /// [`Busy`] where the runtime is shutting down.
    pub async fn hash(self, password: &Password) -> Result<PasswordHash, Busy> {
        let (password, cost) = (password.clone(), self.hasher.cost());
        self.run(move || PasswordHash::of(&password, cost)).await.map(|(hash, _)| hash)
    }

    /// Makes all that an account keeps of a password.
    ///
    /// # Errors
    /// [`Busy`] where the runtime is shutting down.
    pub async fn credentials(self, password: &Password) -> Result<Credentials, Busy> {
        let (password, cost, iterations) = (password.clone(), self.hasher.cost(), self.hasher.iterations());
        let work = move || Credentials {
            hash: PasswordHash::of(&password, cost),
            scram: iterations.map(|iterations| Verifier::of(&password, iterations)),
        };
        self.run(work).await.map(|(credentials, _)| credentials)
    }

    /// Makes a SCRAM verifier; `None` where SCRAM is switched off. The turn comes back with it.
    ///
    /// # Errors
    /// [`Busy`] where the runtime is shutting down.
    pub async fn verifier(self, password: &Password) -> Result<(Option<Verifier>, Self), Busy> {
        let (password, iterations) = (password.clone(), self.hasher.iterations());
        self.run(move || iterations.map(|iterations| Verifier::of(&password, iterations))).await
    }

    /// Whether `hash` is of `password`. Without a hash the answer is no, after as much work. The turn comes back with the
    /// answer, so that what follows from it can be settled before the next one in line begins.
    ///
    /// # Errors
    /// [`Busy`] where the runtime is shutting down.
    pub async fn matches(
        self,
        password: &Password,
        hash: Option<&PasswordHash>,
    ) -> Result<(bool, Self), Busy> {
        let known = hash.is_some();
        let (password, hash) = (password.clone(), hash.cloned().unwrap_or_else(|| self.hasher.unknown()));
        let (matches, turn) = self.run(move || hash.matches(&password)).await?;
        Ok((matches && known, turn))
    }

    /// The turn goes with the work: a caller that goes away frees no thread that is busy.
    async fn run<T: Send + 'static>(
        self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<(T, Self), Busy> {
        let Self { hasher, held } = self;
        let job = move || (work(), held);
        let (result, held) = hasher.tasks.spawn_blocking(job).await.map_err(|_| Busy)?;
        Ok((result, Self { hasher, held }))
    }
}

/// How many pieces of work may wait: all users of a node that died, coming back at once.
pub(crate) const QUEUE: usize = 1024;

/// More logins are waiting than the pool takes. Worth trying again in a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

impl fmt::Display for Busy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the server is busy with other logins; try again in a moment")
    }
}

impl std::error::Error for Busy {}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::Poll;

    use super::*;
    use crate::account::COST_MIN;

    fn hasher(queue: usize) -> Hasher {
        Hasher::new(COST_MIN, NonZeroUsize::MIN, queue)
    }

    #[tokio::test]
    async fn a_hash_matches_its_password_alone() {
        let hasher = hasher(0);
        let right = Password::new("right").unwrap();
        let wrong = Password::new("wrong").unwrap();
        let hash = hasher.turn().await.unwrap().hash(&right).await.unwrap();
        let mut turn = hasher.turn().await.unwrap();
        for (password, hash, expected) in
            [(&right, Some(&hash), true), (&wrong, Some(&hash), false), (&right, None, false)]
        {
            let (matches, again) = turn.matches(password, hash).await.unwrap();
            assert_eq!(matches, expected);
            turn = again;
        }
    }

    #[test]
    fn comparing_with_no_hash_is_comparing_with_one_of_the_configured_cost() {
        let hasher = hasher(0);
        hasher.set_cost(13);
        let unknown = hasher.unknown();
        assert_eq!(PasswordHash::parse(unknown.as_str()).map(|hash| hash.cost()), Ok(13));
    }

    #[tokio::test]
    async fn past_its_queue_the_pool_is_busy_and_then_goes_on() {
        let hasher = hasher(1);
        let first = hasher.turn().await.unwrap();
        let second = hasher.turn();
        tokio::pin!(second);
        assert!(is_pending(&mut second).await);
        assert_eq!(hasher.turn().await.err(), Some(Busy));
        drop(first);
        assert!(second.await.is_ok());
        assert!(hasher.turn().await.is_ok());
    }

    #[tokio::test]
    async fn who_stops_waiting_leaves_the_queue() {
        let hasher = hasher(1);
        let first = hasher.turn().await.unwrap();
        {
            let waits = hasher.turn();
            tokio::pin!(waits);
            assert!(is_pending(&mut waits).await);
        }
        let waits = hasher.turn();
        tokio::pin!(waits);
        assert!(is_pending(&mut waits).await);
        drop(first);
        assert!(waits.await.is_ok());
    }

    #[tokio::test]
    async fn a_closed_pool_is_busy() {
        let hasher = hasher(1);
        hasher.close().await;
        assert!(hasher.turn().await.is_err());
    }

    /// Polls once.
    async fn is_pending<F: Future + Unpin>(future: &mut F) -> bool {
        std::future::poll_fn(|cx| Poll::Ready(Pin::new(&mut *future).poll(cx).is_pending())).await
    }
}
