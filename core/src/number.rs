//! Number text: how each wire prints a float, and how text becomes one.
