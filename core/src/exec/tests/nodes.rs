//! Node by node, what the plain executor does not show.
