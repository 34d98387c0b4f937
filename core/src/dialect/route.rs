//! The route table: which dialect answers a path. Native server and page share it.
