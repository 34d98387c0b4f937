//! An expression as instructions, run over all ways at once: time in proportion to text × instructions at worst.
//!
//! Only whether there is a match is asked for, never where. So it makes no difference which way is tried first, and lazy
//! repetitions are as greedy ones.

/// One step. Targets are relative to the instruction itself, so that code can be moved and copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Char(char),
    /// An ASCII letter of either case; it is given in lower case.
    Letter(char),
    /// One of [`Program::classes`].
    Class(u32),
    Any,
    NotNewline,
    Look(Look),
    Jump(i32),
    /// Goes on at the next instruction and at the target.
    Fork(i32),
    Match,
}

/// What must hold between two characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    TextStart,
    TextEnd,
    LineStart,
    LineEnd,
    WordEdge,
    NoWordEdge,
}

impl Look {
    fn holds(self, before: Option<char>, after: Option<char>) -> bool {
        let is_word = |char: Option<char>| char.is_some_and(|char| char.is_ascii_alphanumeric() || char == '_');
        match self {
            Self::TextStart => before.is_none(),
            Self::TextEnd => after.is_none(),
            Self::LineStart => matches!(before, None | Some('\n')),
            Self::LineEnd => matches!(after, None | Some('\n')),
            Self::WordEdge => is_word(before) != is_word(after),
            Self::NoWordEdge => is_word(before) == is_word(after),
        }
    }
}

/// Characters by ranges, both ends within.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Class {
    pub(super) negated: bool,
    pub(super) ranges: Vec<(char, char)>,
}

impl Class {
    fn takes(&self, char: char) -> bool {
        self.ranges.iter().any(|(low, high)| *low <= char && char <= *high) != self.negated
    }
}

/// Begins at its first instruction and ends with [`Step::Match`].
#[derive(Clone, Debug, Default)]
pub(super) struct Program {
    pub(super) code: Vec<Step>,
    pub(super) classes: Vec<Class>,
}

impl Program {
    /// Whether some part of the text, or all of it, is what the expression says.
    pub(super) fn is_match(&self, text: &str) -> bool {
        let anchored = self.code.first() == Some(&Step::Look(Look::TextStart));
        let mut run =
            Run { program: self, seen: vec![0; self.code.len()], round: 0, left: Vec::new(), open: Vec::new() };
        // Where the ways stand that have taken the character before.
        let mut moved: Vec<usize> = Vec::new();
        let mut chars = text.chars();
        let mut before = None;
        loop {
            let mut rest = chars.clone();
            let after = rest.next();
            run.round += 1;
            run.open.clear();
            if before.is_none() || !anchored {
                moved.push(0);
            }
            for at in moved.drain(..) {
                if run.reaches_match(at, before, after) {
                    return true;
                }
            }
            let Some(char) = after else { return false };
            moved.extend(run.open.iter().filter(|at| self.takes(**at, char)).map(|at| at + 1));
            if anchored && moved.is_empty() {
                return false;
            }
            (before, chars) = (after, rest);
        }
    }

    fn takes(&self, at: usize, char: char) -> bool {
        match self.code[at] {
            Step::Char(own) => own == char,
            Step::Letter(own) => own == char.to_ascii_lowercase(),
            Step::Class(class) => self.classes[class as usize].takes(char),
            Step::Any => true,
            Step::NotNewline => char != '\n',
            _ => false,
        }
    }
}

struct Run<'a> {
    program: &'a Program,
    /// The round, a place in the text, in which each instruction was last come to.
    seen: Vec<u32>,
    round: u32,
    left: Vec<usize>,
    /// The instructions of this round that wait for a character.
    open: Vec<usize>,
}

impl Run<'_> {
    /// Follows all ways from an instruction up to the next character.
    fn reaches_match(&mut self, from: usize, before: Option<char>, after: Option<char>) -> bool {
        self.left.clear();
        self.left.push(from);
        while let Some(at) = self.left.pop() {
            if std::mem::replace(&mut self.seen[at], self.round) == self.round {
                continue;
            }
            match self.program.code[at] {
                Step::Jump(by) => self.left.push(at.wrapping_add_signed(by as isize)),
                Step::Fork(by) => self.left.extend([at + 1, at.wrapping_add_signed(by as isize)]),
                Step::Look(look) if look.holds(before, after) => self.left.push(at + 1),
                Step::Look(_) => {}
                Step::Match => return true,
                _ => self.open.push(at),
            }
        }
        false
    }
}
