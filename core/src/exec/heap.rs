//! A binary heap whose order among equals can be told: that of the textbook, with the last child moved to the root.
//!
//! Which of two equal members leaves first depends on all that came and went before, so the moves are part of what a
//! [`Ties::Heap`](crate::plan::Ties) promises: leaving, the first and the last change places and the new first sinks
//! below the lesser of its children (the left one if neither is less) while that is less; coming, a member rises above
//! its parent while it is less.

/// Members, by number; what orders them is said at every call.
#[derive(Debug, Default)]
pub(super) struct Heap {
    members: Vec<usize>,
}

impl Heap {
    /// Puts members in, which have no order yet.
    pub(super) fn fill(&mut self, members: impl IntoIterator<Item = usize>, less: &dyn Fn(usize, usize) -> bool) {
        self.members = members.into_iter().collect();
        for at in (0..self.members.len() / 2).rev() {
            self.sink(at, self.members.len(), less);
        }
    }

    pub(super) fn first(&self) -> Option<usize> {
        self.members.first().copied()
    }

    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    pub(super) fn push(&mut self, member: usize, less: &dyn Fn(usize, usize) -> bool) {
        let mut at = self.members.len();
        self.members.push(member);
        while at > 0 {
            let parent = (at - 1) / 2;
            if !less(self.members[at], self.members[parent]) {
                break;
            }
            self.members.swap(at, parent);
            at = parent;
        }
    }

    pub(super) fn pop(&mut self, less: &dyn Fn(usize, usize) -> bool) -> Option<usize> {
        let last = self.members.len().checked_sub(1)?;
        self.members.swap(0, last);
        self.sink(0, last, less);
        self.members.pop()
    }

    /// Among the first `len` members.
    fn sink(&mut self, mut at: usize, len: usize, less: &dyn Fn(usize, usize) -> bool) {
        loop {
            let (left, right) = (2 * at + 1, 2 * at + 2);
            if left >= len {
                return;
            }
            let child = if right < len && less(self.members[right], self.members[left]) { right } else { left };
            if !less(self.members[child], self.members[at]) {
                return;
            }
            self.members.swap(at, child);
            at = child;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Members that step through the same times, in the order in which they come to each.
    fn rounds(members: usize, rounds: usize) -> Vec<usize> {
        let mut at = vec![0; members];
        let mut heap = Heap::default();
        heap.fill(0..members, &|_, _| false);
        let mut order = Vec::new();
        for _ in 0..members * rounds {
            let member = heap.pop(&|a, b| at[a] < at[b]).unwrap();
            order.push(member);
            at[member] += 1;
            heap.push(member, &|a, b| at[a] < at[b]);
        }
        order
    }

    #[test]
    fn two_members_take_turns_and_three_do_not() {
        assert_eq!(rounds(2, 3), [0, 1, 0, 1, 0, 1]);
        assert_eq!(rounds(3, 3), [0, 2, 1, 2, 1, 0, 1, 0, 2]);
    }

    #[test]
    fn what_is_less_leaves_first() {
        let numbers = [5, 3, 9, 1, 7, 3];
        let mut heap = Heap::default();
        let less = |a: usize, b: usize| numbers[a] < numbers[b];
        heap.fill(0..3, &less);
        (3..6).for_each(|member| heap.push(member, &less));
        let sorted: Vec<i32> = std::iter::from_fn(|| heap.pop(&less)).map(|member| numbers[member]).collect();
        assert_eq!(sorted, [1, 3, 3, 5, 7, 9]);
    }
}
