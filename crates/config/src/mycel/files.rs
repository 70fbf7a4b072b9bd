//! The files of a folder that are a configuration.

use std::path::{Path, PathBuf};

/// Files of one configuration. Each is written by hand.
const MAX_FILES: usize = 1000;

/// Bytes of all of them.
pub(crate) const MAX_BYTES: usize = 16 << 20;

/// Entries of folders that are looked at: a folder with more is something else.
const MAX_ENTRIES: usize = 100_000;

/// How deep folders may lie.
const MAX_DEPTH: usize = 32;

/// The folder in which Mycel keeps what it has fetched.
const FETCHED: &str = "mycel_plugins";

/// Why a folder is no configuration.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FolderError {
    /// There is nothing to read.
    #[error("no file in this folder ends in `.mycel` or `.hcl`")]
    Empty,
    #[error("there are more than {MAX_FILES} files that end in `.mycel` or `.hcl` in this folder")]
    TooMany,
    #[error(
        "there are more than {MAX_ENTRIES} entries in this folder, or folders in it lie more than {MAX_DEPTH} deep"
    )]
    TooLarge,
    #[error("the folder `{0}` cannot be read: {1}")]
    Io(String, std::io::Error),
}

/// The files of a folder and of those in it, in the order of their names. What begins with a dot is left out, and links
/// to folders are not followed: so what a volume of Kubernetes has twice is read once.
pub(crate) fn in_folder(folder: &Path) -> Result<Vec<PathBuf>, FolderError> {
    let mut walk = Walk { files: Vec::new(), entries: 0 };
    walk.folder(folder, 0)?;
    if walk.files.is_empty() { Err(FolderError::Empty) } else { Ok(walk.files) }
}

struct Walk {
    files: Vec<PathBuf>,
    entries: usize,
}

impl Walk {
    fn folder(&mut self, folder: &Path, depth: usize) -> Result<(), FolderError> {
        if depth > MAX_DEPTH {
            return Err(FolderError::TooLarge);
        }
        let failed = |error| FolderError::Io(folder.display().to_string(), error);
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(failed)? {
            self.entries += 1;
            if self.entries > MAX_ENTRIES {
                return Err(FolderError::TooLarge);
            }
            entries.push(entry.map_err(failed)?);
        }
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let (name, path) = (entry.file_name(), entry.path());
            let is_hidden = name.as_encoded_bytes().starts_with(b".");
            if is_hidden || name == FETCHED {
                continue;
            }
            if entry.file_type().map_err(failed)?.is_dir() {
                self.folder(&path, depth + 1)?;
            } else if super::is_file(&path) && !path.is_dir() {
                if self.files.len() == MAX_FILES {
                    return Err(FolderError::TooMany);
                }
                self.files.push(path);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn names(folder: &Path) -> Vec<String> {
        let files = in_folder(folder).unwrap();
        files.iter().map(|path| path.strip_prefix(folder).unwrap().display().to_string()).collect()
    }

    #[test]
    fn files_are_found_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for name in ["b.mycel", "a.HCL", "flows/z.mycel", "flows/a.mycel", "flows/readme.md", ".git/x.mycel"]
        {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        fs::create_dir_all(root.join("mycel_plugins/x")).unwrap();
        fs::write(root.join("mycel_plugins/x/p.mycel"), "").unwrap();
        assert_eq!(names(root), ["a.HCL", "b.mycel", "flows/a.mycel", "flows/z.mycel"]);
    }

    #[test]
    #[cfg(unix)]
    fn a_volume_of_kubernetes_is_read_once() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir(root.join("..2026_01")).unwrap();
        fs::write(root.join("..2026_01/a.mycel"), "").unwrap();
        symlink("..2026_01", root.join("..data")).unwrap();
        symlink("..data/a.mycel", root.join("a.mycel")).unwrap();
        symlink(".", root.join("again")).unwrap();
        assert_eq!(names(root), ["a.mycel"]);
    }

    #[test]
    fn what_is_no_configuration() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(in_folder(folder.path()), Err(FolderError::Empty)));
        for n in 0..=MAX_FILES {
            fs::write(folder.path().join(format!("{n}.mycel")), "").unwrap();
        }
        assert!(matches!(in_folder(folder.path()), Err(FolderError::TooMany)));
        let missing = folder.path().join("missing");
        assert!(matches!(in_folder(&missing), Err(FolderError::Io(..))));
    }
}
