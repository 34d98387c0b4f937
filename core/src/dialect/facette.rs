//! Facette: points of graphs.
