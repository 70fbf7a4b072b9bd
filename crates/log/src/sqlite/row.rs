//! An event as a row of the file: its bytes, and the checksum and the chain that show whether they are what was
//! appended. What SQLite does with rows is elsewhere.
//!
//! A row's bytes, numbers in little endian: checksum 8, the seq of the row before it 8, how many rows were stored up to
//! it 8, the number of its source 4, how many dedupe keys 2, the keys 16 each, the lengths of the first two of three
//! JSON texts 4 each, and the texts: names, metadata, body. The checksum covers what follows it, the row's seq, when it
//! was stored and the log's epoch, so that a row of another place or another log is not taken for this one.

use std::borrow::Cow;
use std::sync::Arc;

use fanfare_event::{
    Audience, Delivery, Epoch, Event, EventId, EventType, Headers, InvalidWord, Object, RoomName, Seq,
    SinkName, SourceName, SourceNumber, Stored, Target, UserId,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::keys::KeyHash;
use crate::NewEvent;

/// Levels of arrays and objects in a body or in metadata. `serde_json` reads no more than 127, and what cannot be read
/// back must not be stored. An event with more is rejected.
const MAX_DEPTH: usize = 127;

/// Bytes of a row. SQLite keeps up to 10⁹ in a value, and handles each as a whole. A larger event is rejected.
pub(super) const MAX_ROW: usize = 256 << 20;

const CHECKSUM: usize = 8;
const FIXED: usize = CHECKSUM + 8 + 8 + 4 + 2;
const KEY: usize = size_of::<KeyHash>();

/// Where a row lies: what is known only once its turn has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) seq: u64,
    /// Milliseconds since 1970.
    pub(super) stored_at: i64,
    /// The seq of the row that was stored before it; 0 for the first of all.
    pub(super) previous: u64,
    /// How many rows were stored up to this one.
    pub(super) ordinal: u64,
    pub(super) source: SourceNumber,
}

/// A row that was read, and is what was appended.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) place: Place,
    pub(super) keys: Vec<KeyHash>,
    pub(super) event: Event,
}

/// A row that is not what was appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Damaged;

/// An event's names, the first of a row's texts.
#[derive(Serialize, Deserialize)]
struct Names<'a> {
    id: Cow<'a, str>,
    r#type: Cow<'a, str>,
    source: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subject: Option<Cow<'a, str>>,
    time: Cow<'a, str>,
    origin: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    headers: Option<Cow<'a, Headers>>,
    to: Vec<To<'a>>,
}

/// A delivery. Without more than its sink it goes to everyone.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct To<'a> {
    sink: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    only: Option<Only<'a>>,
}

/// Those who get an event that is not for everyone.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Only<'a> {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    rooms: Vec<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    users: Vec<Cow<'a, str>>,
}

/// The checksum's key: rows of another log do not fit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seal(u64);

impl Seal {
    pub(super) fn new(epoch: &Epoch) -> Self {
        Self(xxh3_64(epoch.as_str().as_bytes()))
    }

    fn sum(self, seq: u64, stored_at: i64, rest: &[u8]) -> u64 {
        let mut hash = Xxh3::with_seed(self.0);
        hash.update(&seq.to_le_bytes());
        hash.update(&stored_at.to_le_bytes());
        hash.update(rest);
        hash.digest()
    }
}

/// The bytes of an event's row, its place still open. Errors say why it can never be stored.
pub(super) fn encode(new: &NewEvent, keys: &[KeyHash]) -> Result<Vec<u8>, String> {
    let event = &*new.event;
    if !is_shallow(&event.body, MAX_DEPTH)
        || !event.metadata.values().all(|value| is_shallow(value, MAX_DEPTH - 1))
    {
        return Err(format!("its JSON is nested deeper than {MAX_DEPTH} levels"));
    }
    let count = u16::try_from(keys.len()).map_err(|_| "it has too many names".to_owned())?;
    let mut row = vec![0; FIXED];
    row[FIXED - 2..].copy_from_slice(&count.to_le_bytes());
    for key in keys {
        row.extend_from_slice(key);
    }
    let lengths = row.len();
    row.extend_from_slice(&[0; 8]);
    let time = event.time.to_string();
    let names = Names {
        id: event.id.as_str().into(),
        r#type: event.kind.as_str().into(),
        source: (&*event.source).into(),
        subject: event.subject.as_deref().map(Cow::from),
        time: time.into(),
        origin: event.origin.as_str().into(),
        headers: (!event.headers.is_empty()).then_some(Cow::Borrowed(&event.headers)),
        to: event.deliveries.iter().map(to).collect(),
    };
    let names = put(&mut row, &names)?;
    let metadata = if event.metadata.is_empty() { 0 } else { put(&mut row, &event.metadata)? };
    put(&mut row, &event.body)?;
    row[lengths..lengths + 4].copy_from_slice(&names.to_le_bytes());
    row[lengths + 4..lengths + 8].copy_from_slice(&metadata.to_le_bytes());
    Ok(row)
}

fn to(delivery: &Delivery) -> To<'_> {
    let only = match &delivery.audience {
        Audience::Everyone => None,
        Audience::Only(targets) => {
            let mut only = Only { rooms: Vec::new(), users: Vec::new() };
            for target in &**targets {
                match target {
                    Target::Room(room) => only.rooms.push(room.as_str().into()),
                    Target::User(user) => only.users.push(user.as_str().into()),
                }
            }
            Some(only)
        }
    };
    To { sink: delivery.sink.as_str().into(), only }
}

fn delivery(to: &To<'_>) -> Result<Delivery, InvalidWord> {
    let audience = match &to.only {
        None => Audience::Everyone,
        Some(only) => {
            let rooms = only.rooms.iter().map(|room| RoomName::new(room).map(Target::Room));
            let users = only.users.iter().map(|user| UserId::new(user).map(Target::User));
            Audience::only(rooms.chain(users).collect::<Result<Vec<_>, _>>()?)
        }
    };
    Ok(Delivery { sink: SinkName::new(&to.sink), audience })
}

/// Writes a text behind what is there, and tells its length.
fn put(row: &mut Vec<u8>, value: &impl Serialize) -> Result<u32, String> {
    let before = row.len();
    serde_json::to_writer(&mut *row, value).map_err(|error| error.to_string())?;
    if row.len() > MAX_ROW {
        return Err(format!("it is larger than {MAX_ROW} bytes"));
    }
    u32::try_from(row.len() - before).map_err(|error| error.to_string())
}

/// Writes its place and its checksum into an encoded row.
pub(super) fn seal(row: &mut [u8], seal: Seal, place: &Place) {
    row[CHECKSUM..16].copy_from_slice(&place.previous.to_le_bytes());
    row[16..24].copy_from_slice(&place.ordinal.to_le_bytes());
    row[24..28].copy_from_slice(&place.source.get().to_le_bytes());
    let sum = seal.sum(place.seq, place.stored_at, &row[CHECKSUM..]);
    row[..CHECKSUM].copy_from_slice(&sum.to_le_bytes());
}

/// Reads a row, if it is what was appended.
pub(super) fn decode(row: &[u8], seal: Seal, seq: u64, stored_at: i64) -> Result<Row, Damaged> {
    let mut rest = row;
    let sum = u64::from_le_bytes(take(&mut rest)?);
    if seal.sum(seq, stored_at, rest) != sum {
        return Err(Damaged);
    }
    let previous = u64::from_le_bytes(take(&mut rest)?);
    let ordinal = u64::from_le_bytes(take(&mut rest)?);
    // Each row took a seq at least, and lies behind the one before it. What else counts with these numbers relies on it.
    if previous >= seq || !(1..=seq).contains(&ordinal) {
        return Err(Damaged);
    }
    let source = SourceNumber::new(u32::from_le_bytes(take(&mut rest)?)).ok_or(Damaged)?;
    let count = u16::from_le_bytes(take(&mut rest)?);
    let keys = (0..count).map(|_| take::<KEY>(&mut rest)).collect::<Result<_, _>>()?;
    let names = usize::try_from(u32::from_le_bytes(take(&mut rest)?)).map_err(|_| Damaged)?;
    let metadata = usize::try_from(u32::from_le_bytes(take(&mut rest)?)).map_err(|_| Damaged)?;
    let (names, rest) = rest.split_at_checked(names).ok_or(Damaged)?;
    let (metadata, body) = rest.split_at_checked(metadata).ok_or(Damaged)?;
    let names: Names<'_> = serde_json::from_slice(names).map_err(|_| Damaged)?;
    let metadata: Object = match metadata {
        [] => Object::new(),
        text => serde_json::from_slice(text).map_err(|_| Damaged)?,
    };
    let event = Event {
        id: EventId::new(&names.id).map_err(|_| Damaged)?,
        kind: EventType::new(&names.r#type).map_err(|_| Damaged)?,
        source: names.source.into(),
        subject: names.subject.map(Into::into),
        time: names.time.parse().map_err(|_| Damaged)?,
        origin: SourceName::new(&names.origin),
        metadata,
        headers: names.headers.map(Cow::into_owned).unwrap_or_default(),
        body: serde_json::from_slice(body).map_err(|_| Damaged)?,
        deliveries: names.to.iter().map(delivery).collect::<Result<_, _>>().map_err(|_| Damaged)?,
    };
    Ok(Row { place: Place { seq, stored_at, previous, ordinal, source }, keys, event })
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], Damaged> {
    let (taken, left) = rest.split_first_chunk().ok_or(Damaged)?;
    *rest = left;
    Ok(*taken)
}

impl Row {
    /// What readers get of it.
    pub(super) fn into_stored(self) -> Result<Stored, Damaged> {
        let Place { seq, stored_at, source, .. } = self.place;
        Ok(Stored {
            seq: Seq::new(seq).ok_or(Damaged)?,
            stored_at: Timestamp::from_millisecond(stored_at).map_err(|_| Damaged)?,
            source_number: source,
            event: Arc::new(self.event),
        })
    }
}

fn is_shallow(value: &Value, levels: usize) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
        Value::Array(items) => levels > 0 && items.iter().all(|item| is_shallow(item, levels - 1)),
        Value::Object(members) => levels > 0 && members.values().all(|member| is_shallow(member, levels - 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn nested(levels: usize) -> Value {
        (0..levels).fold(json!(1), |inner, _| json!([inner]))
    }

    /// To every kind of audience.
    fn deliveries() -> [Delivery; 3] {
        let to = |sink, audience| Delivery { sink: SinkName::new(sink), audience };
        let room = |name| Target::Room(RoomName::new(name).unwrap());
        let user = Target::User(UserId::new("42").unwrap());
        [
            to("all", Audience::Everyone),
            to("nobody", Audience::only([])),
            to("some", Audience::only([room("orders"), user, room("42")])),
        ]
    }

    fn event(body: Value, metadata: Value) -> NewEvent {
        let Value::Object(metadata) = metadata else { panic!("no object") };
        let event = Event {
            id: EventId::new("Größe").unwrap(),
            kind: EventType::new("t").unwrap(),
            source: "/s".into(),
            subject: Some("x".into()),
            time: "2024-05-01T12:00:00.123456789Z".parse().unwrap(),
            origin: SourceName::new("ci"),
            metadata,
            headers: [("x-a".to_owned(), "1".to_owned())].into(),
            body,
            deliveries: deliveries().into(),
        };
        NewEvent { event: Arc::new(event), dedupe: vec![] }
    }

    fn place() -> Place {
        Place { seq: 7, stored_at: 1234, previous: 5, ordinal: 2, source: SourceNumber::FIRST }
    }

    fn key() -> Seal {
        Seal::new(&Epoch::new("one").unwrap())
    }

    fn sealed(new: &NewEvent) -> Vec<u8> {
        let mut row = encode(new, &[[1; 16], [2; 16]]).unwrap();
        seal(&mut row, key(), &place());
        row
    }

    #[test]
    fn what_comes_out_is_what_went_in() {
        for (body, metadata) in [
            (json!({"b": 1, "a": [-0.0, 1e300, 0.1, u64::MAX, i64::MIN, "\u{0}\n€"]}), json!({})),
            (json!("text"), json!({"z": {"y": null}})),
            (nested(MAX_DEPTH), json!({"m": nested(MAX_DEPTH - 1)})),
        ] {
            let new = event(body, metadata);
            let row = decode(&sealed(&new), key(), 7, 1234).unwrap();
            assert_eq!((row.place, row.keys.len()), (place(), 2));
            assert_eq!(row.event, *new.event);
            assert_eq!(row.event.body.to_string(), new.event.body.to_string(), "the order of keys too");
        }
    }

    #[test]
    fn what_could_not_be_read_back_is_not_stored() {
        for (body, metadata) in
            [(nested(MAX_DEPTH + 1), json!({})), (json!(1), json!({"m": nested(MAX_DEPTH)}))]
        {
            assert!(encode(&event(body, metadata), &[]).is_err());
        }
    }

    #[test]
    fn any_other_byte_place_or_log_is_noticed() {
        let row = sealed(&event(json!({"a": 1}), json!({})));
        assert!(decode(&row, key(), 7, 1234).is_ok());
        for index in 0..row.len() {
            let mut bent = row.clone();
            bent[index] ^= 1;
            assert!(decode(&bent, key(), 7, 1234).is_err(), "byte {index}");
            assert!(decode(&row[..index], key(), 7, 1234).is_err(), "cut at {index}");
        }
        for impossible in [
            Place { previous: 7, ..place() },
            Place { ordinal: 0, ..place() },
            Place { ordinal: 8, ..place() },
            Place { ordinal: u64::MAX, ..place() },
        ] {
            let mut row = row.clone();
            seal(&mut row, key(), &impossible);
            assert!(decode(&row, key(), 7, 1234).is_err(), "{impossible:?}");
        }
        let other = Seal::new(&Epoch::new("two").unwrap());
        assert!(decode(&row, key(), 8, 1234).is_err());
        assert!(decode(&row, key(), 7, 1235).is_err());
        assert!(decode(&row, other, 7, 1234).is_err());
    }
}
