//! The commands of the terminal, as people and scripts run them.

mod kit;
mod send;
mod send_again;
mod tail;
mod tail_again;
