//! What the disk itself can do: how often in a second a page is written and brought to it.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::report;

/// Bytes written before each `fdatasync`.
const PAGE: [u8; 4096] = [0x5a; 4096];

/// Pages of the file that is written over again and again: as many as SQLite's WAL has before a checkpoint.
const PAGES: u64 = 1000;

/// Syncs in a second, one behind the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    /// Of a file that grows with each.
    pub(crate) appending: f64,
    /// Of a file that keeps its length, which is easier.
    pub(crate) overwriting: f64,
}

impl Rate {
    /// Measures in this folder, for so long each.
    pub(crate) fn measure(folder: &Path, time: Duration) -> io::Result<Self> {
        let path = folder.join("fdatasync-rate");
        let file = OpenOptions::new().write(true).create(true).truncate(true).open(&path)?;
        let appending = syncs(&file, time, |number| number)?;
        file.set_len(0)?;
        for page in 0..PAGES {
            write(&file, page)?;
        }
        file.sync_all()?;
        let overwriting = syncs(&file, time, |number| number % PAGES)?;
        fs::remove_file(path)?;
        Ok(Self { appending, overwriting })
    }

    /// Over several measurements of the same length.
    pub(crate) fn mean(all: &[Self]) -> Self {
        let mean =
            |rate: fn(&Self) -> f64| all.iter().map(rate).sum::<f64>() / report::as_f64(all.len() as u64);
        Self { appending: mean(|rate| rate.appending), overwriting: mean(|rate| rate.overwriting) }
    }
}

fn syncs(file: &File, time: Duration, page: impl Fn(u64) -> u64) -> io::Result<f64> {
    let start = Instant::now();
    let mut count = 0u32;
    while start.elapsed() < time {
        write(file, page(count.into()))?;
        file.sync_data()?;
        count += 1;
    }
    Ok(f64::from(count) / start.elapsed().as_secs_f64())
}

fn write(file: &File, page: u64) -> io::Result<()> {
    file.write_all_at(&PAGE, page * PAGE.len() as u64)
}
