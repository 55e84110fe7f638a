// SPDX-License-Identifier: GPL-2.0

//! Whether what came out of a run is right.

use super::client::{Client, Expected, Plan};
use super::reference::{self, After, End, Field, Request, Response};
use super::reply::{Reply, MARK};
use crate::exchange::Outcome;

/// What there is to judge by.
pub(super) struct Evidence<'a> {
    pub(super) client: &'a Client,
    pub(super) replies: &'a [(Request, Reply)],
    pub(super) finished: &'a [Outcome],
    /// Nothing may have failed.
    pub(super) calm: bool,
    /// What each backend heard after it had switched to another protocol.
    pub(super) tunnels: Vec<Vec<u8>>,
}

impl Evidence<'_> {
    /// Reads what the client got, response by response.
    pub(super) fn judge(&self) {
        for (at, (request, reply)) in self.replies.iter().enumerate() {
            self.judge_request(at, request, reply);
        }
        let mut rest = self.client.received.as_slice();
        for (number, plan) in self.client.plans.iter().enumerate() {
            let mut interims = Vec::new();
            let mut own = false;
            let last = loop {
                let Some(response) = reference::response(rest, plan.is_head(), self.client.after)
                else {
                    assert!(!self.calm, "no answer to request {number}");
                    return;
                };
                rest = &rest[response.len..];
                if !matches!(response.status, 100..=199) {
                    break response;
                }
                if response.status == 101 {
                    return self.judge_tunnel(plan, &response, rest);
                }
                assert!(!plan.http10, "1xx to HTTP/1.0");
                if response.status == 100 && response.field(MARK).is_none() {
                    // Ours, for a backend that may have no word for it.
                    let known = self
                        .replies
                        .iter()
                        .position(|(_, reply)| reply.number >= number);
                    assert!(
                        self.spoke_old(known.unwrap_or(self.replies.len())),
                        "{plan:?}"
                    );
                    assert!(
                        !std::mem::replace(&mut own, true) && plan.expects(),
                        "{plan:?}"
                    );
                    continue;
                }
                assert_eq!(response.field(MARK), Some(number.to_string().as_str()));
                interims.push(response.status);
            };
            if last.end == End::Cut {
                assert!(!self.calm, "a cut answer to request {number}: {last:?}");
                assert_ne!(self.client.after, After::More);
            }
            if last.status == 0 {
                break;
            }
            if last.status == 408 && plan.is_head() {
                // It has content if not even the method was there: nobody can tell.
                return;
            }
            self.judge_response(number, plan, &last, &interims);
            if last.closes() || last.end != End::Framed {
                break;
            }
        }
        assert!(
            rest.is_empty(),
            "after the last answer: {}",
            rest.escape_ascii()
        );
    }

    /// One of the first so many answers was in HTTP/1.0.
    fn spoke_old(&self, first: usize) -> bool {
        self.replies[..first]
            .iter()
            .any(|(_, reply)| reply.is_old())
    }

    /// The backend has seen the request that the client has sent, before its answer, which is that many
    /// in.
    fn judge_request(&self, at: usize, request: &Request, reply: &Reply) {
        let plan = &self.client.plans[reply.number];
        assert_eq!(plan.expected, Expected::Relayed);
        assert_eq!(request.method, plan.method);
        assert_eq!(request.path, format!("/{}?q", reply.number));
        let host = ("Host".to_owned(), plan.host.clone());
        let mut fields: Vec<Field> = [&[host], plan.fields.as_slice()].concat();
        let mut seen = request.fields.clone();
        // Ours, from this hop to the next.
        seen.retain(|(name, _)| name != "Connection" && name != "TE");
        if plan.expects() && !seen.iter().any(|(name, _)| name == "Expect") {
            // It was sent again, and the client had gone on already; or to a backend that is known
            // to have no word for it.
            assert!(!self.calm || self.spoke_old(at), "{plan:?}");
            fields.retain(|(name, _)| name != "Expect");
        }
        fields.sort();
        seen.sort();
        assert_eq!(seen, fields);
        assert!(plan.body.starts_with(&request.body));
        if request.whole {
            assert_eq!(plan.body, request.body);
            assert_eq!(plan.trailers, request.trailers);
        }
    }

    /// What each end has said has come to the other, or the front of it.
    fn judge_tunnel(&self, plan: &Plan, response: &Response, rest: &[u8]) {
        let asked = plan.tunnel.as_ref().expect("a tunnel that was asked for");
        let mut sent = self.replies.iter().map(|(_, reply)| reply);
        let reply = sent.find(|reply| reply.tunnel).expect("a 101");
        assert_eq!(
            response.field(MARK),
            Some(reply.number.to_string().as_str())
        );
        assert_eq!(response.field("Upgrade"), Some("echo"));
        assert_eq!(response.field("Connection"), Some("upgrade"));
        assert!(reply.body.starts_with(rest));
        let [heard] = &self.tunnels[..] else {
            panic!("{} tunnels", self.tunnels.len());
        };
        assert!(asked.starts_with(heard));
        if self.calm {
            assert_eq!(reply.body, rest);
            assert_eq!(asked, heard);
        }
    }

    fn judge_response(&self, number: usize, plan: &Plan, response: &Response, interims: &[u16]) {
        let page = response.field(MARK).is_none();
        if page {
            self.judge_page(plan, response);
        } else {
            self.judge_relayed(number, plan, response, interims);
        }
        if !plan.keeps {
            assert!(response.closes(), "{plan:?} {response:?}");
        }
        if plan.http10 && !response.closes() {
            assert_eq!(response.field("Connection"), Some("keep-alive"));
        }
        let whole = response.end != End::Cut;
        match self.finished.get(number) {
            Some(outcome) => {
                assert_eq!(
                    outcome.status.map(|status| status.code()),
                    Some(response.status)
                );
                assert_eq!(outcome.own_page, page);
                // The client may have gone before the rest of its request was out.
                let aborted = outcome.aborted && plan.body.is_empty();
                assert!(!whole || !aborted, "{outcome:?} {response:?}");
            }
            None => panic!("no outcome for request {number}"),
        }
    }

    fn judge_page(&self, plan: &Plan, page: &Response) {
        let allowed: &[u16] = match plan.expected {
            Expected::Page(status) if self.calm => &[status],
            Expected::Page(status) => &[status, 408, 503],
            // A kept-alive connection that has died, and a request too large to be kept.
            Expected::Relayed if self.calm && plan.octets.len() > 16_000 => &[502],
            Expected::Relayed if self.calm => &[],
            Expected::Relayed => &[400, 408, 502, 503, 504],
        };
        assert!(
            allowed.contains(&page.status),
            "{:?} {page:?}",
            plan.expected
        );
        assert_eq!(page.field("Cache-Control"), Some("no-store"));
        if page.end == End::Framed && !plan.is_head() {
            let text = String::from_utf8(page.body.clone()).unwrap();
            let title = format!("{} {}", page.status, page.reason);
            // Of a head that is none nobody knows who reads it.
            let plain = page.field("Content-Type") == Some("text/plain; charset=utf-8");
            let right = match plain {
                true => text.starts_with(&title) && text.contains("\nRequest "),
                false => {
                    text.contains(&format!("<title>{title}</title>")) && text.ends_with("</html>\n")
                }
            };
            assert!(right, "{text}");
        }
    }

    fn judge_relayed(&self, number: usize, plan: &Plan, response: &Response, interims: &[u16]) {
        assert_eq!(plan.expected, Expected::Relayed);
        assert_eq!(response.field(MARK), Some(number.to_string().as_str()));
        let mut sent = self.replies.iter().map(|(_, reply)| reply);
        let found =
            sent.any(|reply| reply.number == number && is_that(reply, plan, response, interims));
        assert!(found, "nobody sent {response:?} for request {number}");
    }
}

/// Whether the client got this very answer, or the front of it and knows that it is not all.
fn is_that(reply: &Reply, plan: &Plan, response: &Response, interims: &[u16]) -> bool {
    let framing = ["connection", "content-length", "transfer-encoding"];
    let dated = reply.fields.iter().any(|(name, _)| name == "Date");
    let own = |name: &str| {
        let added = name == "Date" && !dated;
        // It goes with the trailers that it announces.
        let announces = name == "Trailer";
        let frames = framing
            .iter()
            .any(|framing| framing.eq_ignore_ascii_case(name));
        added || announces || frames
    };
    let fields = response.fields.iter().filter(|(name, _)| !own(name));
    let head = reply.status == response.status
        && reply.reason == response.reason
        && fields.eq(&reply.fields)
        && (plan.http10 || reply.interims == interims);
    let body = match response.end {
        End::Cut => reply.body.starts_with(&response.body),
        End::Framed | End::Closed => {
            let trailers = plan.http10 || reply.trailers == response.trailers;
            reply.whole && reply.body == response.body && trailers
        }
    };
    let length = response.field("content-length");
    head && body && !reply.garbage && length == reply.length.as_deref()
}
