//! What the window has behind a place, taken once for all connections of a group that are there.

use fanfare_event::Seq;

use crate::fanout::GroupIndex;
use crate::frame::Frame;
use crate::{Fanout, GroupId};

/// Frames that one turn may write from the window, so that one stream cannot starve the others. A stream that is
/// further behind takes whole pages, which it shares with all that are where it is.
pub const WRITE_BATCH_FRAMES: usize = 64;

/// Bytes of frames after which a turn ends, for the same reason. One frame goes out whatever its size.
pub const WRITE_BATCH_BYTES: usize = 256 * 1024;

/// The next frames of a group behind one of its events, as many as one turn may write. There is at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    pub(crate) group: GroupId,
    /// The index of the first.
    pub(crate) index: GroupIndex,
    /// One behind the index of the newest event that the group saw when this was taken.
    pub(crate) end: GroupIndex,
    /// [`Fanout::overtaken`] then.
    pub(crate) overtaken: u64,
    /// The newest event then, whether the group sees it or not.
    pub(crate) newest: Option<Seq>,
    pub(crate) seqs: Vec<Seq>,
    frames: Vec<Frame>,
}

impl Batch {
    /// What lies behind `after`, where the group's event `index` is the next one, if anything does.
    pub(crate) fn take(
        fanout: &Fanout,
        group: GroupId,
        after: Option<Seq>,
        index: GroupIndex,
    ) -> Option<Self> {
        let (mut seqs, mut frames, mut bytes) = (Vec::new(), Vec::new(), 0);
        let mut behind = fanout.behind(group, after);
        while frames.len() < WRITE_BATCH_FRAMES
            && bytes < WRITE_BATCH_BYTES
            && let Some((seq, frame)) = behind.next()
        {
            bytes += frame.len();
            seqs.push(seq);
            frames.push(frame.clone());
        }
        let (end, overtaken, newest) = (fanout.end(group), fanout.overtaken(), fanout.newest());
        (!frames.is_empty()).then_some(Self { group, index, end, overtaken, newest, seqs, frames })
    }

    /// The frames, in the order in which they are to be sent.
    pub fn frames(&self) -> &[Frame] {
        &self.frames
    }

    /// Whether it has all that the group had before it when it was taken.
    pub fn is_all(&self) -> bool {
        self.index + self.frames.len() as u64 == self.end
    }
}
