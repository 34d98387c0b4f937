//! Which queries are being answered: so that they can be listed, counted and stopped.
//!
//! A query enters with the time of its request and leaves when its [`Ticket`] is dropped. It is asked to stop, never
//! made to: it looks at its ticket between two steps.

use crate::sorted::SortedMap;
use crate::time::Timestamp;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The queries of one host. Copies are the same list.
#[derive(Clone, Debug, Default)]
pub struct RunningQueries {
    list: Arc<Mutex<List>>,
}

#[derive(Debug, Default)]
struct List {
    last: u64,
    queries: SortedMap<u64, RunningQuery>,
}

/// A query as the list has it.
#[derive(Clone, Debug)]
pub struct RunningQuery {
    /// From 1, in order of arrival.
    pub id: u64,
    /// Without secrets.
    pub text: String,
    /// Empty when the request names none.
    pub database: String,
    pub began: Timestamp,
    killed: Arc<AtomicBool>,
}

impl RunningQuery {
    pub fn is_killed(&self) -> bool {
        self.killed.load(Ordering::Relaxed)
    }
}

/// What became of a kill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kill {
    Done,
    NotFound,
    AlreadyKilled,
}

/// A query's place in the list, while it is held.
#[derive(Debug)]
pub struct Ticket {
    id: u64,
    killed: Arc<AtomicBool>,
    list: Arc<Mutex<List>>,
}

impl RunningQueries {
    /// A query begins. `Err` is how many run already when that is `max` (0: as many as like).
    pub fn begin(&self, text: String, database: String, began: Timestamp, max: u64) -> Result<Ticket, u64> {
        let mut list = lock(&self.list);
        let running = list.queries.len() as u64;
        if max > 0 && running >= max {
            return Err(running);
        }
        list.last += 1;
        let id = list.last;
        let killed = Arc::new(AtomicBool::new(false));
        list.queries.insert(id, RunningQuery { id, text, database, began, killed: Arc::clone(&killed) });
        Ok(Ticket { id, killed, list: Arc::clone(&self.list) })
    }

    /// In order of arrival.
    pub fn list(&self) -> Vec<RunningQuery> {
        lock(&self.list).queries.values().cloned().collect()
    }

    /// Asks a query to stop.
    pub fn kill(&self, id: u64) -> Kill {
        match lock(&self.list).queries.get(&id) {
            None => Kill::NotFound,
            Some(query) if query.killed.swap(true, Ordering::Relaxed) => Kill::AlreadyKilled,
            Some(_) => Kill::Done,
        }
    }
}

impl Ticket {
    /// Somebody wants the query to stop.
    pub fn is_killed(&self) -> bool {
        self.killed.load(Ordering::Relaxed)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        lock(&self.list).queries.remove(&self.id);
    }
}

fn lock(list: &Mutex<List>) -> MutexGuard<'_, List> {
    // A list is whole between any two of its methods.
    list.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_listed_killed_once_and_leave_with_their_ticket() {
        let queries = RunningQueries::default();
        let begin = |text: &str, max| queries.begin(text.into(), "db".into(), Timestamp::from_nanos(5), max);
        let first = begin("a", 2).unwrap();
        let second = begin("b", 2).unwrap();
        assert_eq!(begin("c", 2).unwrap_err(), 2);
        let texts = || queries.list().iter().map(|query| (query.id, query.text.clone())).collect::<Vec<_>>();
        assert_eq!(texts(), [(1, "a".to_owned()), (2, "b".to_owned())]);
        assert_eq!(
            (queries.kill(2), queries.kill(2), queries.kill(9)),
            (Kill::Done, Kill::AlreadyKilled, Kill::NotFound)
        );
        assert!(second.is_killed() && !first.is_killed() && queries.list()[1].is_killed());
        drop(first);
        assert_eq!(texts(), [(2, "b".to_owned())]);
    }
}
