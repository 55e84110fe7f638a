// SPDX-License-Identifier: GPL-2.0

//! What a client reads of its connection.

/// One answer, as far as it has come.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    /// All of it is here.
    pub(crate) whole: bool,
}

impl Reply {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields(name).first().copied()
    }

    /// The values of all lines of this name.
    pub(crate) fn fields(&self, name: &str) -> Vec<&str> {
        let lines = self.head.lines().skip(1);
        let values = lines.filter_map(|line| {
            let (known, value) = line.split_once(':')?;
            known.eq_ignore_ascii_case(name).then(|| value.trim())
        });
        values.collect()
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// The answers to requests, of which these were with HEAD; `closed` says that the connection ended, in
/// order if it is false.
pub(crate) fn replies(octets: &[u8], heads: &[bool], closed: Option<bool>) -> Vec<Reply> {
    let mut rest = octets;
    let mut replies = Vec::new();
    for is_head in heads {
        let Some(end) = find(rest, b"\r\n\r\n") else {
            break;
        };
        let head = String::from_utf8(rest[..end + 4].to_vec()).unwrap();
        rest = &rest[end + 4..];
        let mut reply = Reply {
            status: head[9..12].parse().unwrap(),
            head,
            body: Vec::new(),
            whole: false,
        };
        rest = body(&mut reply, rest, *is_head, closed);
        replies.push(reply);
    }
    replies
}

fn body<'a>(reply: &mut Reply, rest: &'a [u8], is_head: bool, closed: Option<bool>) -> &'a [u8] {
    if is_head || matches!(reply.status, 204 | 304) {
        reply.whole = true;
        return rest;
    }
    if let Some(len) = reply.field("content-length") {
        let len: usize = len.parse().unwrap();
        let count = len.min(rest.len());
        reply.body = rest[..count].to_vec();
        reply.whole = count == len;
        return &rest[count..];
    }
    if reply.field("transfer-encoding").is_none() {
        reply.body = rest.to_vec();
        reply.whole = closed == Some(false);
        return &[];
    }
    let mut rest = rest;
    loop {
        let Some(end) = find(rest, b"\r\n") else {
            return &[];
        };
        let size = std::str::from_utf8(&rest[..end]).unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        rest = &rest[end + 2..];
        let count = size.min(rest.len());
        reply.body.extend_from_slice(&rest[..count]);
        if rest.len() < size + 2 {
            return &[];
        }
        assert_eq!(&rest[size..size + 2], b"\r\n");
        rest = &rest[size + 2..];
        if size == 0 {
            reply.whole = true;
            return rest;
        }
    }
}

fn find(octets: &[u8], wanted: &[u8]) -> Option<usize> {
    octets.windows(wanted.len()).position(|at| at == wanted)
}
