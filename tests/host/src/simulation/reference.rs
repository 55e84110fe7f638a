// SPDX-License-Identifier: GPL-2.0

//! Messages as somebody else reads them: heads by httparse, bodies by the simplest code there is.
//! Nothing here may use the core's own parsers.

/// A field's name and value.
pub(crate) type Field = (String, String);

/// How a response's end was seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum End {
    /// By its framing.
    Framed,
    /// The connection ended, in order, and nothing else marks the end.
    Closed,
    /// The connection ended before the message did, or with a reset.
    Cut,
}

/// A response as a client reads it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) reason: String,
    pub(crate) fields: Vec<Field>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Vec<Field>,
    pub(crate) end: End,
    /// Octets of the whole message.
    pub(crate) len: usize,
}

impl Response {
    /// The value of the only field of this name.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let mut found = self
            .fields
            .iter()
            .filter(|(key, _)| key.eq_ignore_ascii_case(name));
        let value = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "two fields {name} in {self:?}");
        value
    }

    /// The connection ends after it, as the field says.
    pub(crate) fn closes(&self) -> bool {
        self.field("connection") == Some("close")
    }
}

/// What follows what was read so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum After {
    /// More may come.
    More,
    /// A FIN.
    Fin,
    /// A reset.
    Reset,
}

/// The response at the front of `input`; none if there is nothing of it.
pub(crate) fn response(input: &[u8], to_head: bool, after: After) -> Option<Response> {
    if input.is_empty() {
        return None;
    }
    let mut slots = [httparse::EMPTY_HEADER; 256];
    let mut head = httparse::Response::new(&mut slots);
    let parsed = head.parse(input);
    let Ok(parsed) = parsed else {
        panic!("not a response: {}", input.escape_ascii());
    };
    let httparse::Status::Complete(start) = parsed else {
        return Some(cut_head(input.len()));
    };
    let mut response = Response {
        status: head.code.unwrap(),
        reason: head.reason.unwrap().to_owned(),
        fields: owned(head.headers),
        body: Vec::new(),
        trailers: Vec::new(),
        end: End::Framed,
        len: start,
    };
    read_body(&mut response, &input[start..], to_head, after);
    Some(response)
}

fn cut_head(len: usize) -> Response {
    Response {
        status: 0,
        reason: String::new(),
        fields: Vec::new(),
        body: Vec::new(),
        trailers: Vec::new(),
        end: End::Cut,
        len,
    }
}

fn owned(fields: &[httparse::Header<'_>]) -> Vec<Field> {
    let text = |value: &[u8]| value.iter().copied().map(char::from).collect();
    let owned = |field: &httparse::Header<'_>| (field.name.to_owned(), text(field.value));
    fields.iter().map(owned).collect()
}

/// RFC 9112 section 6.3, in its order.
fn read_body(response: &mut Response, rest: &[u8], to_head: bool, after: After) {
    if to_head || response.status < 200 || matches!(response.status, 204 | 304) {
        return;
    }
    let length = response
        .field("content-length")
        .map(|text| text.parse().unwrap());
    let (body, taken, end) = match (response.field("transfer-encoding"), length) {
        (Some(coding), None) => {
            assert_eq!(coding, "chunked");
            dechunked(rest, &mut response.trailers)
        }
        (None, Some(length)) => {
            let taken = rest.len().min(length);
            let end = if taken == length {
                End::Framed
            } else {
                End::Cut
            };
            (rest[..taken].to_vec(), taken, end)
        }
        (None, None) => {
            let end = if after == After::Fin {
                End::Closed
            } else {
                End::Cut
            };
            (rest.to_vec(), rest.len(), end)
        }
        both => panic!("two framings {both:?} in {response:?}"),
    };
    response.body = body;
    response.len += taken;
    response.end = end;
}

/// The data of a chunked body, the octets that it takes, and how it ends.
fn dechunked(input: &[u8], trailers: &mut Vec<Field>) -> (Vec<u8>, usize, End) {
    let mut body = Vec::new();
    let mut at = 0;
    loop {
        let Some(line) = line(&input[at..]) else {
            return (body, input.len(), End::Cut);
        };
        let size = usize::from_str_radix(&line, 16).expect(&line);
        at += line.len() + 2;
        if size == 0 {
            break;
        }
        let data = &input[at..input.len().min(at + size)];
        body.extend_from_slice(data);
        at += data.len();
        let end = &input[at..input.len().min(at + 2)];
        if data.len() < size || end.len() < 2 {
            return (body, input.len(), End::Cut);
        }
        assert_eq!(end, b"\r\n", "after a chunk of {size}");
        at += 2;
    }
    loop {
        let Some(line) = line(&input[at..]) else {
            return (body, input.len(), End::Cut);
        };
        at += line.len() + 2;
        if line.is_empty() {
            return (body, at, End::Framed);
        }
        let (name, value) = line.split_once(": ").expect(&line);
        trailers.push((name.to_owned(), value.to_owned()));
    }
}

/// The line at the front, if it is whole.
fn line(input: &[u8]) -> Option<String> {
    let len = input.windows(2).position(|pair| pair == b"\r\n")?;
    // Octets above 127 are allowed in values (RFC 9110 section 5.5), and are not text.
    Some(input[..len].iter().copied().map(char::from).collect())
}

/// A request as a backend reads it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    /// Without the framing.
    pub(crate) fields: Vec<Field>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Vec<Field>,
    /// All of it is there.
    pub(crate) whole: bool,
}

/// The one request that `input` is; none as long as its head is not whole.
pub(crate) fn request(input: &[u8]) -> Option<Request> {
    let mut slots = [httparse::EMPTY_HEADER; 256];
    let mut head = httparse::Request::new(&mut slots);
    let parsed = head.parse(input);
    let Ok(parsed) = parsed else {
        panic!("not a request: {}", input.escape_ascii());
    };
    let httparse::Status::Complete(len) = parsed else {
        return None;
    };
    assert_eq!(head.version, Some(1));
    let mut fields = owned(head.headers);
    let mut framing = Vec::new();
    fields.retain(|(name, value)| {
        let frames = ["content-length", "transfer-encoding"].contains(&&*name.to_ascii_lowercase());
        if frames {
            framing.push(value.clone());
        }
        !frames
    });
    let rest = &input[len..];
    let mut trailers = Vec::new();
    let (body, taken, end) = match framing.as_slice() {
        [] => (Vec::new(), 0, End::Framed),
        [coding] if coding == "chunked" => dechunked(rest, &mut trailers),
        [length] => {
            let length = length.parse().unwrap();
            let taken = rest.len().min(length);
            let whole = taken == length;
            let end = if whole { End::Framed } else { End::Cut };
            (rest[..taken].to_vec(), taken, end)
        }
        _ => panic!("two framings {framing:?}"),
    };
    let behind = rest[taken..].escape_ascii();
    assert_eq!(taken, rest.len(), "more than a request: {behind}");
    Some(Request {
        method: head.method.unwrap().to_owned(),
        path: head.path.unwrap().to_owned(),
        fields,
        body,
        trailers,
        whole: end == End::Framed,
    })
}
