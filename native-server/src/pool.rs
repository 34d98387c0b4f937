//! The threads that queries share: as many as the machine has cores, unless told otherwise.

use isopoint_core::exec::Pool;

/// Lends its threads to one query's lanes at a time, and to the next while some lanes are still at work.
#[derive(Debug)]
pub(crate) struct Threads {
    pool: rayon_core::ThreadPool,
}

impl Threads {
    /// `count` threads, 0 for one a core. `None` for one: a query's own thread then does it all. They live as long as
    /// the process.
    pub(crate) fn start(count: usize) -> Result<Option<&'static Self>, String> {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let count = if count == 0 { cores() } else { count };
        if count == 1 {
            return Ok(None);
        }
        let builder = rayon_core::ThreadPoolBuilder::new().num_threads(count);
        let pool = builder.thread_name(|at| format!("query-{at}")).build();
        pool.map(|pool| Some(&*Box::leak(Box::new(Self { pool })))).map_err(|error| error.to_string())
    }
}

impl Pool for Threads {
    fn run(&self, jobs: usize, job: &(dyn Fn(usize) + Sync)) {
        self.pool.scope(|scope| {
            for at in 0..jobs {
                scope.spawn(move |_| job(at));
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn every_job_is_done_once_before_the_call_returns() {
        let threads = Threads::start(3).unwrap().unwrap();
        let done: Vec<AtomicUsize> = (0..100).map(|_| AtomicUsize::new(0)).collect();
        threads.run(done.len(), &|at| {
            done[at].fetch_add(1, Ordering::Relaxed);
        });
        assert!(done.iter().all(|count| count.load(Ordering::Relaxed) == 1));
        threads.run(0, &|_| unreachable!());
        assert!(Threads::start(1).unwrap().is_none());
    }
}
