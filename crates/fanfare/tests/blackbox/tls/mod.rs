//! HTTPS: what clients see of it, certificates that are renewed, and what is refused at the start.

mod certificates;
mod clients;
mod kit;
mod streams;
