//! How columns become bytes and come back.
