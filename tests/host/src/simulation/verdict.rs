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
}

impl Evidence<'_> {
    /// Reads what the client got, response by response.
    pub(super) fn judge(&self) {
        for (request, reply) in self.replies {
            self.judge_request(request, reply.number);
        }
        let mut rest = self.client.received.as_slice();
        for (number, plan) in self.client.plans.iter().enumerate() {
            let mut interims = Vec::new();
            let last = loop {
                let Some(response) = reference::response(rest, plan.head, self.client.after) else {
                    assert!(!self.calm, "no answer to request {number}");
                    return;
                };
                rest = &rest[response.len..];
                if !matches!(response.status, 100..=199) {
                    break response;
                }
                assert!(!plan.http10, "1xx to HTTP/1.0");
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
            if last.status == 408 && plan.head {
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

    /// The backend has seen the request that the client has sent.
    fn judge_request(&self, request: &Request, number: usize) {
        let plan = &self.client.plans[number];
        assert_eq!(plan.expected, Expected::Relayed);
        assert_eq!(request.method, if plan.head { "HEAD" } else { "GET" });
        assert_eq!(request.path, format!("/{number}?q"));
        let host = ("Host".to_owned(), plan.host.clone());
        let fields: Vec<Field> = [&[host], plan.fields.as_slice()].concat();
        assert_eq!(request.fields, fields);
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
                assert!(!whole || !outcome.aborted, "{outcome:?} {response:?}");
            }
            None => panic!("no outcome for request {number}"),
        }
    }

    fn judge_page(&self, plan: &Plan, page: &Response) {
        let allowed: &[u16] = match plan.expected {
            Expected::Page(status) if self.calm => &[status],
            Expected::Page(status) => &[status, 408, 503],
            Expected::Relayed if self.calm => &[],
            Expected::Relayed => &[408, 502, 503, 504],
        };
        assert!(
            allowed.contains(&page.status),
            "{:?} {page:?}",
            plan.expected
        );
        assert_eq!(page.field("Cache-Control"), Some("no-store"));
        if page.end == End::Framed && !plan.head {
            let text = String::from_utf8(page.body.clone()).unwrap();
            let title = format!("<title>{} {}</title>", page.status, page.reason);
            assert!(
                text.contains(&title) && text.ends_with("</html>\n"),
                "{text}"
            );
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
    let own = |name: &str| {
        framing
            .iter()
            .any(|framing| framing.eq_ignore_ascii_case(name))
    };
    let fields = response.fields.iter().filter(|(name, _)| !own(name));
    let head = reply.status == response.status
        && reply.reason == response.reason
        && fields.eq(&reply.fields)
        && (plan.http10 || reply.interims == interims);
    let body = match response.end {
        End::Cut => reply.body.starts_with(&response.body),
        End::Framed | End::Closed => reply.whole && reply.body == response.body,
    };
    let length = response.field("content-length");
    head && body && !reply.garbage && length == reply.length.as_deref()
}
