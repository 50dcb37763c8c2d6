//! Leases, kept in memory: every node of this store lives in this process.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use crate::store::{Held, Lease, StoreError, StoreTime, Writer};

/// The leases that have not been released.
#[derive(Debug, Default)]
pub(super) struct LeaseBook(Mutex<HashMap<Writer, Page>>);

#[derive(Debug)]
struct Page {
    expires: StoreTime,
    info: String,
    /// Who cleans up after this writer, and until when that claim stands.
    sweep: Option<(Writer, StoreTime)>,
}

impl LeaseBook {
    pub(super) fn hold(
        &self,
        writer: &Writer,
        ttl: Duration,
        info: &str,
        now: StoreTime,
    ) -> Result<Held, StoreError> {
        if info.len() > INFO_LIMIT {
            return Err(StoreError::Refused(format!("a lease's text is longer than {INFO_LIMIT} bytes")));
        }
        let mut book = self.0.lock().expect("no holder of the leases panics");
        let deadline = now.plus(ttl);
        if let Some(own) = book.get_mut(writer) {
            if own.expires <= now {
                return Ok(Held::Over);
            }
            (own.expires, own.info) = (deadline, info.to_owned());
            return Ok(Held::Yes { deadline, now });
        }
        let namesake = book.iter().find(|(other, page)| other.node() == writer.node() && page.expires > now);
        if let Some((_, page)) = namesake {
            return Ok(Held::Taken { until: page.expires, now });
        }
        book.insert(writer.clone(), Page { expires: deadline, info: info.to_owned(), sweep: None });
        Ok(Held::Yes { deadline, now })
    }

    pub(super) fn release(&self, writer: &Writer) {
        self.0.lock().expect("no holder of the leases panics").remove(writer);
    }

    pub(super) fn list(&self) -> Vec<Lease> {
        let book = self.0.lock().expect("no holder of the leases panics");
        let lease = |(writer, page): (&Writer, &Page)| Lease {
            writer: writer.clone(),
            expires: page.expires,
            info: page.info.clone(),
        };
        book.iter().map(lease).collect()
    }

    pub(super) fn claim_sweep(
        &self,
        dead: &Writer,
        by: &Writer,
        margin: Duration,
        ttl: Duration,
        now: StoreTime,
    ) -> bool {
        let mut book = self.0.lock().expect("no holder of the leases panics");
        let Some(page) = book.get_mut(dead).filter(|page| page.expires.plus(margin) <= now) else {
            return false;
        };
        if page.sweep.as_ref().is_some_and(|(claimant, until)| claimant != by && *until > now) {
            return false;
        }
        page.sweep = Some((by.clone(), now.plus(ttl)));
        true
    }
}

/// How long a lease's text may be, in bytes.
const INFO_LIMIT: usize = 4096;
