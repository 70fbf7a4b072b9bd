//! A source that listens to the stream of another server: of this one, or one whose every byte the test says.

mod hops;
mod kit;
