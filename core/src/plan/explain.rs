//! A plan as text that stays the same from release to release: one node a line, children indented.
