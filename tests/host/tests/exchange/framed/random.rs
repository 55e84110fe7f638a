// SPDX-License-Identifier: GPL-2.0

//! Whole conversations in frames, each of them from a seed: requests and answers of all kinds, some
//! of the answers damaged, every octet at a time of its own.

use std::collections::BTreeSet;

use super::super::bench::{Bench, End};
use super::{answer, bench, put, BOTH};
use crate::exchange::{Action, Event, Outcome, Phase};
use crate::frames_grammar::{decode, frame, told};
use crate::simulation::choices::Choices;
use crate::simulation::reference::{self, After, Response};
use crate::srun::Wire;

/// What is said in a conversation.
struct Plan {
    wire: Wire,
    request: Vec<u8>,
    /// What the request's body says.
    content: Vec<u8>,
    to_head: bool,
    answer: Vec<u8>,
    /// The status and the body that the client has to see; none if the answer is no whole one.
    expected: Option<(u16, &'static str)>,
}

const HEADS: [&str; 6] = [
    "GET /a HTTP/1.1\r\n",
    "GET /a HTTP/1.0\r\nConnection: keep-alive\r\n",
    "HEAD /a?b HTTP/1.1\r\n",
    "PUT /a HTTP/1.1\r\nContent-Length: ",
    "POST /a HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: ",
    "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n",
];

const LENGTHS: [usize; 8] = [0, 5, 100, 8192, 8193, 16384, 16385, 40_000];

/// A request, and the content of its body.
fn request(choices: &mut Choices) -> (Vec<u8>, Vec<u8>) {
    let start = *choices.pick(&HEADS);
    let len = *choices.pick(&LENGTHS);
    let content: Vec<u8> = (0..len).map(|at| (at * 7 / 3) as u8).collect();
    let mut text = start.as_bytes().to_vec();
    if start.ends_with(' ') {
        text.extend(format!("{len}\r\nHost: h\r\n\r\n").bytes());
        text.extend(&content);
        return (text, content);
    }
    text.extend(b"Host: h\r\n\r\n");
    if !start.contains("chunked") {
        return (text, Vec::new());
    }
    let mut rest = &content[..];
    while !rest.is_empty() {
        let (chunk, after) = rest.split_at((1 + choices.below(9000)).min(rest.len()));
        text.extend(format!("{:x}\r\n", chunk.len()).bytes());
        text.extend([chunk, b"\r\n"].concat());
        rest = after;
    }
    text.extend(b"0\r\n\r\n");
    (text, content)
}

const STATUSES: [&str; 4] = ["200 OK", "404 Not Found", "204 No Content", "304 X"];
const FIELDS: [(&str, usize); 4] = [
    ("A: b", usize::MAX),
    ("Content-Length: 10", 10),
    ("Content-Length: 0", 0),
    ("Connection: close\nA: b", usize::MAX),
];
const CONTENTS: [(&[&str], &str); 5] = [
    (&["hello", "world"], "helloworld"),
    (&["helloworld"], "helloworld"),
    (&["hello", "", "world", "!"], "helloworld!"),
    (&[], ""),
    (&["", "x"], "x"),
];

fn plan(choices: &mut Choices) -> Plan {
    let wire = *choices.pick(&BOTH);
    let (request, content) = request(choices);
    let to_head = request.starts_with(b"HEAD");
    let status = *choices.pick(&STATUSES);
    let (fields, declared) = *choices.pick(&FIELDS);
    let (pieces, said) = *choices.pick(&CONTENTS);
    let end = if choices.once_in(4) { b'X' } else { b'Q' };
    let has_none = to_head || matches!(&status[..3], "204" | "304");
    let whole = has_none || declared == usize::MAX || declared <= said.len();
    let body = if has_none {
        ""
    } else {
        &said[..said.len().min(declared)]
    };
    let expected = whole.then(|| (status[..3].parse().unwrap(), body));
    let mut plan = Plan {
        wire,
        request,
        content,
        to_head,
        answer: answer(wire, status, fields, pieces, end),
        expected,
    };
    if choices.once_in(3) {
        damage(&mut plan, choices);
    }
    plan
}

/// Changes an octet of the answer, cuts it there, puts one in, or has nothing but an end.
fn damage(plan: &mut Plan, choices: &mut Choices) {
    let at = choices.below(plan.answer.len());
    match choices.below(4) {
        0 => plan.answer[at] ^= 1 << choices.below(8),
        1 => plan.answer.truncate(at),
        2 => plan.answer.insert(at, choices.octet()),
        _ => plan.answer = put(plan.wire, b'X', b""),
    }
    plan.expected = None;
}

struct Conversation {
    plan: Plan,
    bench: Bench,
    /// Octets of the request that the gateway has.
    asked: usize,
    /// Octets of the answer that it has.
    answered: usize,
    /// All that it has from the backend.
    heard: Vec<u8>,
}

impl Conversation {
    fn client(&mut self, most: usize) {
        let rest = &self.plan.request[self.asked..];
        self.asked += self.bench.client(&rest[..most.min(rest.len())]);
    }

    /// Octets of the answer, as far as they are wanted.
    fn backend(&mut self, most: usize) {
        let end = self
            .plan
            .answer
            .len()
            .min(self.answered.saturating_add(most));
        while self.answered < end && self.bench.reads_upstream() {
            self.hear(self.plan.answer[self.answered]);
            self.answered += 1;
        }
    }

    /// The backend acknowledges something, wanted or not, before it answers.
    fn acknowledge(&mut self) {
        let ack = put(self.plan.wire, b'A', b"");
        if self.answered == 0 && self.bench.reads_upstream() {
            ack.into_iter().for_each(|octet| self.hear(octet));
        }
    }

    fn hear(&mut self, octet: u8) {
        self.heard.push(octet);
        self.bench.unasked(&[octet]);
    }

    fn is_over(&self) -> bool {
        matches!(
            self.bench.phase(),
            Phase::Idle | Phase::Linger | Phase::Closed | Phase::Route
        )
    }

    /// Something happens, perhaps.
    fn step(&mut self, choices: &mut Choices) {
        match choices.below(8) {
            0 | 1 => _ = self.bench.send_some(1 + choices.below(5000)),
            2 | 3 => self.client(1 + choices.below(9000)),
            4 => _ = self.bench.take_some(1 + choices.below(200)),
            5 => self.acknowledge(),
            6 => self.backend(1 + choices.below(12)),
            _ => self.bench.handle(Event::Tick),
        }
    }

    /// Everybody does what is left to do, and then time passes.
    fn finish(&mut self) {
        loop {
            let before = (self.asked, self.answered);
            self.bench.send();
            self.client(usize::MAX);
            self.bench.take();
            self.backend(usize::MAX);
            self.bench.take();
            if before == (self.asked, self.answered) {
                break;
            }
        }
        if !self.is_over() && self.answered == self.plan.answer.len() {
            self.bench.handle(Event::UpstreamEof);
        }
        if !self.is_over() {
            self.bench.pass(self.bench.deadline() - self.bench.now);
        }
    }
}

/// Leads a conversation to its end.
fn converse(choices: &mut Choices) -> Conversation {
    let plan = plan(choices);
    let mut talk = Conversation {
        bench: bench(plan.wire),
        plan,
        asked: 0,
        answered: 0,
        heard: Vec::new(),
    };
    talk.client(100 + choices.below(20));
    assert!(matches!(talk.bench.actions()[..], [Action::Connect { .. }]));
    let reused = choices.once_in(2);
    talk.bench.handle(Event::UpstreamReady { reused });
    talk.bench.ends.upstream_acked += 1;
    let patience = choices.below(400);
    for _ in 0..patience {
        if talk.is_over() {
            break;
        }
        talk.step(choices);
    }
    for _ in 0..4 {
        if !talk.is_over() {
            talk.finish();
        }
    }
    talk
}

#[test]
fn any_answer_is_right_or_visibly_cut() {
    let mut kinds = BTreeSet::new();
    for seed in 0..20_000 {
        let mut choices = Choices::seeded(seed);
        let mut talk = converse(&mut choices);
        kinds.extend(judge(seed, &mut talk));
    }
    // Conversations without these say little.
    let all = ["again", "cut", "kept", "page", "whole"];
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), all);
}

/// What has to hold of any conversation. Returns of what kinds it was.
fn judge(seed: u64, talk: &mut Conversation) -> Vec<&'static str> {
    assert!(talk.is_over(), "seed {seed}: {:?}", talk.bench.phase());
    let sent = talk.bench.requested();
    let actions = talk.bench.actions();
    let mut kinds = Vec::new();
    if actions.contains(&Action::Release { reuse: true }) {
        check_kept(seed, talk, &sent);
        kinds.push("kept");
    }
    if talk.bench.phase() == Phase::Route {
        // Nobody has said a thing.
        let end = put(talk.plan.wire, b'X', b"");
        assert!(talk.heard.is_empty() || talk.heard == end, "seed {seed}");
        return vec!["again"];
    }
    let finished = |action: &Action| match action {
        Action::Finish(outcome) => Some(*outcome),
        _ => None,
    };
    let outcome = actions.iter().find_map(finished);
    let outcome = outcome.unwrap_or_else(|| panic!("seed {seed}: {actions:?}"));
    kinds.push(check_answer(seed, talk, &outcome));
    kinds
}

/// A connection that is kept has carried a whole request and a whole answer, and nothing else.
fn check_kept(seed: u64, talk: &Conversation, sent: &[u8]) {
    let wire = talk.plan.wire;
    let (mut plain, mut rest) = (Vec::new(), sent);
    while let Some((code, _, len)) = frame(wire, rest) {
        if (wire, code) != (Wire::Hmux, b'Y') {
            plain.extend(&rest[..len]);
        }
        rest = &rest[len..];
    }
    let told = told(wire, &plain);
    assert_eq!((told.len, rest.len()), (plain.len(), 0), "seed {seed}");
    assert!(told.content == talk.plan.content, "seed {seed}");
    let seen = decode(wire, None, &talk.heard, [talk.heard.len()]);
    let whole = (Some(false), talk.heard.len());
    assert_eq!((seen.end, seen.len), whole, "seed {seed}");
}

/// The client sees what the backend has said, or that something is missing, or a page.
fn check_answer(seed: u64, talk: &mut Conversation, outcome: &Outcome) -> &'static str {
    let Some(seen) = final_response(talk, outcome) else {
        // It was reset with the head still on its way.
        let may_be = outcome.aborted && talk.plan.expected.is_none();
        assert!(may_be, "seed {seed}: {outcome:?}");
        return "cut";
    };
    if let Some((status, body)) = talk.plan.expected {
        let told = (outcome.aborted, outcome.own_page);
        assert_eq!(told, (false, false), "seed {seed}: {outcome:?}");
        assert_eq!((seen.status, &seen.body[..]), (status, body.as_bytes()));
    }
    if outcome.own_page {
        assert_eq!(seen.end, End::Framed, "seed {seed}");
        return "page";
    }
    let said = decode(talk.plan.wire, None, &talk.heard, [talk.heard.len()]);
    assert!(said.content.starts_with(&seen.body), "seed {seed}");
    if outcome.aborted {
        return "cut";
    }
    assert_ne!(seen.end, End::Cut, "seed {seed}");
    let has_none = talk.plan.to_head || matches!(seen.status, 204 | 304);
    if !has_none && seen.field("Content-Length").is_none() {
        assert!(said.end.is_some(), "seed {seed}");
        assert_eq!(seen.body, said.content, "seed {seed}");
    }
    "whole"
}

/// The response that the client has got in the end, if any.
fn final_response(talk: &mut Conversation, outcome: &Outcome) -> Option<Response> {
    let octets = talk.bench.answered();
    let after = if outcome.aborted {
        After::Reset
    } else {
        After::Fin
    };
    let mut rest = &octets[..];
    loop {
        let response = reference::response(rest, talk.plan.to_head, after)?;
        rest = &rest[response.len..];
        if response.status != 100 {
            assert_eq!(rest, b"");
            return Some(response);
        }
    }
}
