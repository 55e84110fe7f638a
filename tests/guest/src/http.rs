//! Just enough HTTP/1 for tests: heads as they are on the wire, checked strictly.

/// Longest head that is read.
pub const HEAD_LIMIT: usize = 1 << 20;

/// A message head, without its empty line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Head {
    /// The request line or status line.
    pub first: String,
    /// Names and values as sent, in order, with the white space around values gone.
    pub fields: Vec<(String, String)>,
    /// Every octet, with the empty line.
    pub raw: Vec<u8>,
}

impl Head {
    /// The head in `raw` (with its empty line), or what is wrong with it.
    pub fn parse(raw: &[u8]) -> Result<Head, String> {
        let text = raw
            .strip_suffix(b"\r\n\r\n")
            .ok_or("the head does not end with an empty line")?;
        let mut lines = Vec::new();
        for line in split_crlf(text) {
            if line.iter().any(|b| *b == b'\r' || *b == b'\n' || *b == 0) {
                return Err(format!(
                    "stray CR, LF or NUL in {:?}",
                    String::from_utf8_lossy(line)
                ));
            }
            lines.push(String::from_utf8_lossy(line).into_owned());
        }
        let first = lines.remove(0);
        let fields = lines
            .iter()
            .map(|line| field(line))
            .collect::<Result<_, _>>()?;
        Ok(Head {
            first,
            fields,
            raw: raw.to_vec(),
        })
    }

    /// The value of the first field of that name.
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields.iter();
        fields
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The values of all fields of that name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let fields = self.fields.iter();
        fields
            .filter(move |(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.as_str())
    }

    /// Whether a comma list of that name holds `token`.
    pub fn has_token(&self, name: &str, token: &str) -> bool {
        self.all(name)
            .flat_map(|v| v.split(','))
            .any(|t| t.trim().eq_ignore_ascii_case(token))
    }

    /// The words of the first line.
    pub fn words(&self) -> (&str, &str, &str) {
        let mut words = self.first.splitn(3, ' ');
        let mut next = || words.next().unwrap_or("");
        (next(), next(), next())
    }
}

fn field(line: &str) -> Result<(String, String), String> {
    let (name, value) = line
        .split_once(':')
        .ok_or_else(|| format!("no colon in {line:?}"))?;
    let tchar = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if name.is_empty() || !name.bytes().all(tchar) {
        return Err(format!("bad field name in {line:?}"));
    }
    Ok((name.to_owned(), value.trim_matches([' ', '\t']).to_owned()))
}

fn split_crlf(text: &[u8]) -> Vec<&[u8]> {
    let mut lines = Vec::new();
    let mut start = 0;
    for at in 0..text.len().saturating_sub(1) {
        if at >= start && &text[at..at + 2] == b"\r\n" {
            lines.push(&text[start..at]);
            start = at + 2;
        }
    }
    lines.push(&text[start..]);
    lines
}

/// The length of the head at the front of `bytes`, empty line included, if it is all there.
/// `from` is how much is known to hold no end of a head.
pub fn head_end(bytes: &[u8], from: usize) -> Option<usize> {
    let from = from.saturating_sub(3);
    let tail = bytes.get(from..)?;
    tail.windows(4)
        .position(|w| w == b"\r\n\r\n")
        .map(|at| from + at + 4)
}

/// How a response says where its body ends (RFC 9112 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// It has none.
    None,
    /// Content-Length.
    Length(u64),
    /// Transfer-Encoding: chunked.
    Chunked,
    /// The connection's end.
    Close,
}

/// The framing of a request, or what is contradictory about it (RFC 9112 6.1 to 6.3).
pub fn request_framing(head: &Head) -> Result<Framing, String> {
    let lengths: Vec<_> = head.all("Content-Length").collect();
    let codings: Vec<_> = head.all("Transfer-Encoding").collect();
    match (&lengths[..], &codings[..]) {
        ([], []) => Ok(Framing::None),
        ([], [coding]) if coding.eq_ignore_ascii_case("chunked") => Ok(Framing::Chunked),
        ([length], []) if !length.is_empty() && length.bytes().all(|b| b.is_ascii_digit()) => {
            let number = length.parse().map(Framing::Length);
            number.map_err(|_| format!("Content-Length: {length:?} is too large"))
        }
        _ => Err(format!(
            "framing of {:?}: lengths {lengths:?}, codings {codings:?}",
            head.first
        )),
    }
}

/// The framing of a response to `method`, or what is contradictory about it.
pub fn framing(method: &str, status: u16, head: &Head) -> Result<Framing, String> {
    let lengths: Vec<_> = head.all("Content-Length").collect();
    let codings: Vec<_> = head.all("Transfer-Encoding").collect();
    if lengths.len() > 1 || codings.len() > 1 || (!lengths.is_empty() && !codings.is_empty()) {
        return Err(format!(
            "contradictory framing: lengths {lengths:?}, codings {codings:?}"
        ));
    }
    if !codings.is_empty() && (status < 200 || status == 204) {
        return Err(format!("a {status} with Transfer-Encoding"));
    }
    if method == "HEAD" || status < 200 || status == 204 || status == 304 {
        return Ok(Framing::None);
    }
    match (lengths.first(), codings.first()) {
        (Some(length), _) => length
            .parse()
            .map(Framing::Length)
            .map_err(|_| format!("Content-Length: {length:?} is no number")),
        (_, Some(coding)) if coding.eq_ignore_ascii_case("chunked") => Ok(Framing::Chunked),
        (_, Some(coding)) => Err(format!("unknown Transfer-Encoding: {coding:?}")),
        (None, None) => Ok(Framing::Close),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_checked() {
        let head = Head::parse(b"HTTP/1.1 200 OK\r\nA: b\r\nC:\r\n\r\n").unwrap();
        assert_eq!(head.words(), ("HTTP/1.1", "200", "OK"));
        assert_eq!(head.get("c"), Some(""));
        for bad in [
            "HTTP/1.1 200 OK\nA: b\r\n\r\n",
            "X\r\nA b\r\n\r\n",
            "X\r\nA : b\r\n\r\n",
        ] {
            assert!(Head::parse(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }
}
