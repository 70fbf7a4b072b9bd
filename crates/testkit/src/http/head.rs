//! The head of a response: status line and headers (RFC 9112, 4 and 5).

/// Status and headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The status code.
    pub status: u16,
    /// Names in lower case, in the order of the wire; a value that is not UTF-8 is read lossily.
    pub headers: Vec<(String, String)>,
}

impl Head {
    /// The value of the first header of this name, which is given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers(name).next()
    }

    /// The values of all headers of this name, which is given in lower case.
    pub fn headers(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Reads the bytes before the empty line.
    pub(crate) fn parse(head: &[u8]) -> Result<Self, &'static str> {
        let text = String::from_utf8_lossy(head);
        let mut lines = text.split("\r\n");
        let status = lines
            .next()
            .and_then(|line| line.strip_prefix("HTTP/1."))
            .and_then(|rest| rest.split(' ').nth(1))
            .and_then(|code| code.parse().ok())
            .ok_or("the first line is no HTTP/1 status line")?;
        Ok(Self { status, headers: fields(lines)? })
    }
}

/// Header lines as names, in lower case, and values.
pub(crate) fn fields<'l>(
    lines: impl Iterator<Item = &'l str>,
) -> Result<Vec<(String, String)>, &'static str> {
    let field = |line: &str| {
        let (name, value) = line.split_once(':').ok_or("a header has no colon")?;
        Ok((name.to_ascii_lowercase(), value.trim_matches([' ', '\t']).to_owned()))
    };
    lines.map(field).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_status_and_headers() {
        let head = Head::parse(b"HTTP/1.1 200 OK\r\nVary: origin\r\nX:\ta b \r\nvary:accept").unwrap();
        assert_eq!(head.status, 200);
        assert_eq!(head.header("x"), Some("a b"));
        assert_eq!(head.headers("vary").collect::<Vec<_>>(), ["origin", "accept"]);
        assert_eq!(head.header("date"), None);
        assert_eq!(Head::parse(b"HTTP/1.1 404 "), Ok(Head { status: 404, headers: Vec::new() }));

        for bad in ["", "HTTP/2 200", "HTTP/1.1 abc", "HTTP/1.1 200 OK\r\nnope"] {
            assert!(Head::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
