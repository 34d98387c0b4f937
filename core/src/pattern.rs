//! The one regular-expression dialect (RE2's syntax as far as `regex-lite` has it) and globs.
