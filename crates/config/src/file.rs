//! Reading files, with a bound.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use crate::Secret;

/// Bytes of a configuration or a program. Both are written by hand; a larger file is something else.
pub(crate) const MAX_FILE: u64 = 1 << 20;

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error("there is no such file")]
    Missing,
    #[error("this process may not read it")]
    Forbidden,
    #[error("it is a folder")]
    Folder,
    #[error("it is no regular file")]
    NotRegular,
    #[error("it is larger than 1 MiB")]
    TooLarge,
    #[error("{0}")]
    Io(io::Error),
    /// The text before what is not UTF-8.
    #[error("it is not UTF-8")]
    NotUtf8(Secret),
}

/// The text of a regular file: a device or a pipe that a configuration names might never end, or never begin.
pub(crate) fn read_regular(path: &Path) -> Result<String, FileError> {
    let kind = std::fs::metadata(path)?.file_type();
    if kind.is_file() || kind.is_dir() { read_text(path) } else { Err(FileError::NotRegular) }
}

/// The text of a file, which may be a pipe.
pub(crate) fn read_text(path: &Path) -> Result<String, FileError> {
    let mut bytes = Vec::new();
    let file = File::open(path)?;
    file.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(FileError::TooLarge);
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let mut bytes = error.into_bytes();
        bytes.truncate(valid);
        FileError::NotUtf8(String::from_utf8_lossy(&bytes).into_owned().into())
    })
}

impl From<io::Error> for FileError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Missing,
            io::ErrorKind::PermissionDenied => Self::Forbidden,
            io::ErrorKind::IsADirectory => Self::Folder,
            _ => Self::Io(error),
        }
    }
}
