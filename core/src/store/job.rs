//! CPU work that the store hands to its host: runs anywhere, touches nothing but its own data.

/// (being written)
#[derive(Debug)]
pub struct Job {}

/// (being written)
#[derive(Debug)]
pub struct JobOutput {}
