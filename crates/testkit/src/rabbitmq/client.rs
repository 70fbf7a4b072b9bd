//! A blocking client of AMQP 0-9-1 with one channel that confirms what is published.

use std::collections::BTreeSet;
use std::io::{self, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::frame::{BODY, Frame, HEADER, METHOD, OVERHEAD, Reader, Writer};

/// For one answer of the broker.
const TIMEOUT: Duration = Duration::from_mins(1);

/// The channel that is used.
const CHANNEL: u16 = 1;

/// A connection to a broker.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    received: BufReader<TcpStream>,
    frame_max: usize,
    published: u64,
    unconfirmed: BTreeSet<u64>,
}

/// A queue to declare; it is durable.
#[derive(Clone, Copy, Debug, Default)]
pub struct Queue<'q> {
    /// Its name.
    pub name: &'q str,
    /// `x-dead-letter-exchange`; the empty one is the default exchange.
    pub dead_letter_exchange: Option<&'q str>,
    /// `x-dead-letter-routing-key`.
    pub dead_letter_routing_key: Option<&'q str>,
}

/// A message to publish.
#[derive(Clone, Debug, Default)]
pub struct Message {
    /// The body.
    pub body: Vec<u8>,
    /// What is said of it.
    pub properties: Properties,
}

/// Properties of a message. It is persistent.
#[derive(Clone, Debug, Default)]
pub struct Properties {
    /// `content-type`
    pub content_type: Option<String>,
    /// `message-id`
    pub message_id: Option<String>,
    /// `headers`; strings only.
    pub headers: Vec<(String, String)>,
    /// The bytes of a table that are sent as `headers` instead.
    pub raw_headers: Option<Vec<u8>>,
}

/// A message that was fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Got {
    /// Where it was published.
    pub exchange: String,
    /// With which routing key.
    pub routing_key: String,
    /// Whether somebody had it before.
    pub redelivered: bool,
    /// The body.
    pub body: Vec<u8>,
}

impl Message {
    /// A message with this body.
    pub fn new(body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), properties: Properties::default() }
    }

    /// With this `message-id`.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.properties.message_id = Some(id.into());
        self
    }

    /// With this `content-type`.
    #[must_use]
    pub fn content_type(mut self, content_type: impl Into<String>) -> Self {
        self.properties.content_type = Some(content_type.into());
        self
    }

    /// With this header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.properties.headers.push((name.into(), value.into()));
        self
    }
}

impl Client {
    /// Connects as `guest` to the virtual host `/`.
    pub fn connect(addr: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&addr, TIMEOUT)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        let received = BufReader::new(stream.try_clone()?);
        let mut client = Self { stream, received, frame_max: 0, published: 0, unconfirmed: BTreeSet::new() };
        client.stream.write_all(b"AMQP\0\0\x09\x01")?;
        client.wait_for((10, 10))?;
        let start = Writer::method(10, 11).table(&[]).short("PLAIN").long(b"\0guest\0guest").short("en_US");
        client.send(start, 0)?;
        let tune = client.wait_for((10, 30))?;
        let mut tune = Reader(&tune);
        let (channels, frame_max) = (tune.u16()?, tune.u32()?);
        client.frame_max = frame_max as usize;
        client.send(Writer::method(10, 31).u16(channels).u32(frame_max).u16(0), 0)?;
        client.send(Writer::method(10, 40).short("/").short("").u8(0), 0)?;
        client.wait_for((10, 41))?;
        client.call(Writer::method(20, 10).short(""), (20, 11))?;
        client.call(Writer::method(85, 10).u8(0), (85, 11))?;
        Ok(client)
    }

    /// Declares a durable queue.
    pub fn declare_queue(&mut self, queue: &Queue<'_>) -> io::Result<()> {
        let arguments = [
            ("x-dead-letter-exchange", queue.dead_letter_exchange),
            ("x-dead-letter-routing-key", queue.dead_letter_routing_key),
        ];
        let arguments =
            arguments.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
        let arguments: Vec<_> = arguments.collect();
        let durable = 0b10;
        self.call(Writer::method(50, 10).u16(0).short(queue.name).u8(durable).table(&arguments), (50, 11))?;
        Ok(())
    }

    /// Declares a durable exchange.
    pub fn declare_exchange(&mut self, name: &str, kind: &str) -> io::Result<()> {
        let durable = 0b10;
        self.call(Writer::method(40, 10).u16(0).short(name).short(kind).u8(durable).table(&[]), (40, 11))?;
        Ok(())
    }

    /// Binds a queue to an exchange.
    pub fn bind(&mut self, queue: &str, exchange: &str, key: &str) -> io::Result<()> {
        let bind = Writer::method(50, 20).u16(0).short(queue).short(exchange).short(key).u8(0).table(&[]);
        self.call(bind, (50, 21))?;
        Ok(())
    }

    /// How many messages of a queue nobody has taken.
    pub fn ready_messages(&mut self, queue: &str) -> io::Result<u32> {
        let passive = 0b1;
        let declared =
            self.call(Writer::method(50, 10).u16(0).short(queue).u8(passive).table(&[]), (50, 11))?;
        let mut declared = Reader(&declared);
        declared.short()?;
        declared.u32()
    }

    /// Publishes a message; the number is how the broker will confirm it.
    pub fn publish(&mut self, exchange: &str, routing_key: &str, message: &Message) -> io::Result<u64> {
        let Properties { content_type, message_id, headers, raw_headers } = &message.properties;
        let has_headers = !headers.is_empty() || raw_headers.is_some();
        let persistent = 2;
        let flag = |is_there: bool, bit: u16| u16::from(is_there) << bit;
        let flags = flag(content_type.is_some(), 15)
            | flag(has_headers, 13)
            | flag(true, 12)
            | flag(message_id.is_some(), 7);
        let mut header = Writer::default().u16(60).u16(0).u64(message.body.len() as u64).u16(flags);
        if let Some(content_type) = content_type {
            header = header.short(content_type);
        }
        header = match raw_headers {
            Some(table) => header.long(table),
            None if has_headers => header.table(headers),
            None => header,
        };
        header = header.u8(persistent);
        if let Some(id) = message_id {
            header = header.short(id);
        }
        let publish = Writer::method(60, 40).u16(0).short(exchange).short(routing_key).u8(0);
        let mut bytes = publish.frame(METHOD, CHANNEL);
        bytes.extend(header.frame(HEADER, CHANNEL));
        for part in message.body.chunks(self.frame_max.saturating_sub(OVERHEAD).max(1)) {
            bytes.extend(Writer::default().bytes(part).frame(BODY, CHANNEL));
        }
        self.stream.write_all(&bytes)?;
        self.published += 1;
        self.unconfirmed.insert(self.published);
        Ok(self.published)
    }

    /// Publishes a message and waits until the broker has it.
    pub fn publish_confirmed(
        &mut self,
        exchange: &str,
        routing_key: &str,
        message: &Message,
    ) -> io::Result<()> {
        self.publish(exchange, routing_key, message)?;
        while self.unconfirmed() > 0 {
            self.next_confirms()?;
        }
        Ok(())
    }

    /// How many messages the broker has not confirmed yet.
    pub fn unconfirmed(&self) -> usize {
        self.unconfirmed.len()
    }

    /// Waits for the next confirmation, and gives the numbers of the messages that it means.
    pub fn next_confirms(&mut self) -> io::Result<Vec<u64>> {
        loop {
            let (method, arguments) = self.next_method()?;
            if method == (60, 80) {
                return self.confirm(&arguments);
            }
        }
    }

    /// Takes a message from a queue, for good.
    pub fn get(&mut self, queue: &str) -> io::Result<Option<Got>> {
        let no_ack = 1;
        self.send(Writer::method(60, 70).u16(0).short(queue).u8(no_ack), CHANNEL)?;
        loop {
            let (method, arguments) = self.next_method()?;
            match method {
                (60, 72) => return Ok(None),
                (60, 71) => {
                    let mut arguments = Reader(&arguments);
                    arguments.u64()?;
                    let redelivered = arguments.u8()? != 0;
                    let (exchange, routing_key) = (arguments.short()?, arguments.short()?);
                    let body = self.content()?;
                    return Ok(Some(Got { exchange, routing_key, redelivered, body }));
                }
                (60, 80) => {
                    self.confirm(&arguments)?;
                }
                _ => {}
            }
        }
    }

    /// Takes a message from a queue, for good, and asks for it until it is there: what is rejected comes to the dead letters a
    /// moment later.
    pub fn get_when_there(&mut self, queue: &str, timeout: Duration) -> io::Result<Got> {
        let deadline = Instant::now() + timeout;
        while Instant::now() < deadline {
            if let Some(got) = self.get(queue)? {
                return Ok(got);
            }
        }
        Err(io::Error::new(io::ErrorKind::TimedOut, format!("nothing came to the queue {queue}")))
    }

    /// The content behind a method.
    fn content(&mut self) -> io::Result<Vec<u8>> {
        let header = Frame::read(&mut self.received)?;
        let mut header = Reader(&header.payload);
        header.u32()?;
        let size = header.u64()?;
        let mut body = Vec::new();
        while (body.len() as u64) < size {
            let frame = Frame::read(&mut self.received)?;
            if frame.kind == BODY {
                body.extend(frame.payload);
            }
        }
        Ok(body)
    }

    fn confirm(&mut self, arguments: &[u8]) -> io::Result<Vec<u64>> {
        let mut arguments = Reader(arguments);
        let (tag, multiple) = (arguments.u64()?, arguments.u8()? != 0);
        let first = if multiple { 0 } else { tag };
        let confirmed: Vec<_> = self.unconfirmed.range(first..=tag).copied().collect();
        for tag in &confirmed {
            self.unconfirmed.remove(tag);
        }
        Ok(confirmed)
    }

    fn send(&mut self, method: Writer, channel: u16) -> io::Result<()> {
        self.stream.write_all(&method.frame(METHOD, channel))
    }

    /// Calls a method and waits for its answer.
    fn call(&mut self, method: Writer, answer: (u16, u16)) -> io::Result<Vec<u8>> {
        self.send(method, CHANNEL)?;
        self.wait_for(answer)
    }

    fn wait_for(&mut self, answer: (u16, u16)) -> io::Result<Vec<u8>> {
        loop {
            let (method, arguments) = self.next_method()?;
            if method == answer {
                return Ok(arguments);
            }
            if method == (60, 80) {
                self.confirm(&arguments)?;
            }
        }
    }

    /// The next method and its arguments. That the broker closes the channel or the connection, or refuses a message, is
    /// an error.
    fn next_method(&mut self) -> io::Result<((u16, u16), Vec<u8>)> {
        loop {
            let frame = Frame::read(&mut self.received)?;
            if frame.kind != METHOD {
                continue;
            }
            let mut reader = Reader(&frame.payload);
            let method = (reader.u16()?, reader.u16()?);
            match method {
                (10, 50) | (20, 40) => {
                    let (code, text) = (reader.u16()?, reader.short()?);
                    return Err(io::Error::other(format!("the broker closes: {code} {text}")));
                }
                (60, 120) => return Err(io::Error::other("the broker refuses a message")),
                _ => return Ok((method, reader.0.to_vec())),
            }
        }
    }
}
