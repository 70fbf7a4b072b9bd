//! When files are to be read anew: once they have changed, and have stayed as they are from one look to the next, so that a
//! certificate is not read without the key that is written behind it.

use super::files::Stamps;

/// What was seen of the files.
#[derive(Debug)]
pub(super) struct Changes {
    /// When they were last read.
    read: Stamps,
    /// At the latest look.
    seen: Stamps,
}

impl Changes {
    pub(super) fn new(read: Stamps) -> Self {
        Self { seen: read.clone(), read }
    }

    /// Whether the files, as they are now, are to be read. They count as read then, whether they can be used or not.
    pub(super) fn have_settled(&mut self, now: Stamps) -> bool {
        let has_settled = now == self.seen && now != self.read;
        if has_settled {
            self.read = now.clone();
        }
        self.seen = now;
        has_settled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks at states of the files, one after the other, and whether each is read.
    #[track_caller]
    fn check(looks: &[(u64, bool)]) {
        let stamps = Stamps::of_test;
        let mut changes = Changes::new(stamps(0));
        for (index, (state, is_read)) in looks.iter().enumerate() {
            assert_eq!(changes.have_settled(stamps(*state)), *is_read, "look {index} of {looks:?}");
        }
    }

    #[test]
    fn files_are_read_once_they_have_settled() {
        check(&[(0, false), (0, false)]);
        check(&[(1, false), (1, true), (1, false)]);
        check(&[(1, false), (2, false), (3, false), (3, true), (3, false)]);
        // Back to what is served already.
        check(&[(1, false), (0, false), (0, false)]);
        check(&[(1, false), (1, true), (0, false), (0, true)]);
    }
}
