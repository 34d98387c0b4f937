//! What was worked out from a value that does not change, kept beside it for the next who asks.
//!
//! So a dialect has an index of its own over the index and the fields without these knowing the dialect. A copy begins
//! empty, since copies are made to be changed; who changes a value in place clears its memo. What is in a memo never
//! shows: it is a function of the value it stands beside.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// A place for one thing of any type.
#[derive(Default)]
pub struct Memo(OnceLock<Arc<dyn Any + Send + Sync>>);

impl Memo {
    /// What is kept, made when nothing is. Of two that ask at the same time one waits.
    pub fn get_or_make<T: Any + Send + Sync>(&self, make: impl FnOnce() -> T) -> Arc<T> {
        let mut make = Some(make);
        let mut made = || Arc::new((make.take().expect("called once"))());
        let kept = Arc::clone(self.0.get_or_init(|| made()));
        // The place is somebody else's: theirs stays.
        kept.downcast().unwrap_or_else(|_| made())
    }

    /// Forgets what is kept: the value is about to change.
    pub fn clear(&mut self) {
        self.0.take();
    }
}

impl Clone for Memo {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl fmt::Debug for Memo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Memo")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_once_until_cleared_and_never_copied() {
        let mut memo = Memo::default();
        assert_eq!(*memo.get_or_make(|| 1_u32), 1);
        assert_eq!(*memo.get_or_make(|| 2_u32), 1);
        assert_eq!(*memo.get_or_make(|| "another type"), "another type");
        assert_eq!(*memo.clone().get_or_make(|| 3_u32), 3);
        memo.clear();
        assert_eq!(*memo.get_or_make(|| 4_u32), 4);
    }
}
