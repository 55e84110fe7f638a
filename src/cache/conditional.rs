// SPDX-License-Identifier: GPL-2.0

//! Validators and conditional requests (RFC 9110 sections 8.8 and 13, RFC 9111 section 4.3).

use super::field::{first, values, Field};
use crate::bytes::{self, Full, Writer};
use crate::http::{date, field, Method, Status};
use crate::time::UnixTime;

/// An entity-tag (RFC 9110 section 8.8.3).
///
/// One without quotes is taken as weak: it is none by the grammar, but the server that sends it
/// knows it again, and it is equal to nothing else.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct EntityTag<'a> {
    /// Whether it says only that two representations are equivalent.
    pub(crate) is_weak: bool,
    /// The opaque-tag, with its quotes.
    pub(crate) opaque: &'a [u8],
}

impl<'a> EntityTag<'a> {
    /// Reads a field value that is one entity-tag; none if it is empty or goes on after it.
    pub(crate) fn parse(text: &'a [u8]) -> Option<EntityTag<'a>> {
        let (tag, rest) = Self::take(text)?;
        rest.is_empty().then_some(tag)
    }

    /// Strong comparison (RFC 9110 section 8.8.3.2).
    pub(crate) fn strongly_equals(self, other: EntityTag<'_>) -> bool {
        !self.is_weak && !other.is_weak && self.opaque == other.opaque
    }

    /// Weak comparison (RFC 9110 section 8.8.3.2).
    pub(crate) fn weakly_equals(self, other: EntityTag<'_>) -> bool {
        self.opaque == other.opaque
    }

    /// The tag at the front, and what follows it:
    ///
    /// ```text
    /// entity-tag = [ "W/" ] DQUOTE *( %x21 / %x23-7E / obs-text ) DQUOTE
    /// ```
    ///
    /// It is no quoted-string: a backslash means nothing in it.
    fn take(text: &'a [u8]) -> Option<(EntityTag<'a>, &'a [u8])> {
        let (is_weak, opaque) = match text.strip_prefix(b"W/") {
            Some(opaque) => (true, opaque),
            None => (false, text),
        };
        if let [b'"', inner @ ..] = opaque {
            let len = bytes::find_byte(inner, b'"')?.checked_add(2)?;
            let (opaque, rest) = opaque.split_at_checked(len)?;
            return Some((EntityTag { is_weak, opaque }, rest));
        }
        let end = bytes::find_byte(text, b',').unwrap_or(text.len());
        let (opaque, rest) = text.split_at_checked(end)?;
        let opaque = bytes::trim_ows(opaque);
        let is_weak = true;
        (!opaque.is_empty()).then_some((EntityTag { is_weak, opaque }, rest))
    }
}

/// The entity-tags of a list (RFC 9110 section 13.1.2), up to where it breaks the grammar.
fn entity_tags(list: &[u8]) -> impl Iterator<Item = EntityTag<'_>> {
    let mut rest = list;
    core::iter::from_fn(move || {
        while let [b' ' | b'\t' | b',', after @ ..] = rest {
            rest = after;
        }
        let (tag, after) = EntityTag::take(rest)?;
        let after = bytes::trim_ows(after);
        rest = if after.first().is_none_or(|octet| *octet == b',') {
            after
        } else {
            &[]
        };
        Some(tag)
    })
}

/// The validators of a response (RFC 9110 section 8.8).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Validators<'a> {
    /// ETag as it was sent, if it is an entity-tag.
    etag: Option<&'a [u8]>,
    /// Last-Modified as it was sent, if it is a date.
    last_modified: Option<(&'a [u8], UnixTime)>,
    /// The Date of the message that brought the body, or when that came if it had none.
    ///
    /// Not of a 304 that has updated it since: a Last-Modified that was too young to be a strong
    /// validator of this body does not become one with time (RFC 9110 section 8.8.2.2).
    pub(crate) dated: UnixTime,
}

impl<'a> Validators<'a> {
    /// Those in the field lines of a response, the body of which is of the time `dated`. The first
    /// of several counts; what does not parse is none.
    pub(crate) fn of(lines: &'a [u8], dated: UnixTime) -> Validators<'a> {
        let mut found = Validators {
            dated,
            ..Validators::default()
        };
        for (name, value) in field::fields(lines) {
            match Field::of(name) {
                Field::Etag => {
                    let etag = EntityTag::parse(value).map(|_| value);
                    found.etag = found.etag.or(etag);
                }
                Field::LastModified => {
                    let time = date::parse(value, dated).map(|time| (value, time));
                    found.last_modified = found.last_modified.or(time);
                }
                _ => {}
            }
        }
        found
    }

    /// Whether there is one that the origin can be asked with.
    pub(crate) const fn is_some(&self) -> bool {
        self.etag.is_some() || self.last_modified.is_some()
    }

    /// The entity-tag.
    pub(crate) fn entity_tag(&self) -> Option<EntityTag<'a>> {
        EntityTag::parse(self.etag?)
    }

    /// When it was last modified.
    pub(crate) fn last_modified(&self) -> Option<UnixTime> {
        self.last_modified.map(|(_, time)| time)
    }

    /// Writes the fields with which the origin is asked whether a stored response that has these
    /// validators is still good (RFC 9111 section 4.3.1). "One such field is If-None-Match [...] A
    /// cache MUST send the relevant entity tags (using If-None-Match) if the entity tags were
    /// provided in the stored response(s) being validated"; a Last-Modified goes with it.
    ///
    /// They go in the place of those that the client sent: see
    /// [`is_replaced`](crate::http::forward::is_replaced).
    pub(crate) fn put(&self, out: &mut Writer<'_>) -> Result<(), Full> {
        if let Some(etag) = self.etag {
            field::put_field(b"If-None-Match", etag, out)?;
        }
        if let Some((text, _)) = self.last_modified {
            field::put_field(b"If-Modified-Since", text, out)?;
        }
        Ok(())
    }

    /// Whether two messages brought parts of one version for certain: they have "the same strong
    /// validator" (RFC 9111 section 3.4, RFC 9110 section 15.3.7.3). Entity-tags decide if either
    /// has one.
    pub(crate) fn allow_combining_with(&self, other: &Validators<'_>) -> bool {
        match (self.entity_tag(), other.entity_tag()) {
            (Some(one), Some(other)) => one.strongly_equals(other),
            (None, None) => self
                .strong_date()
                .is_some_and(|date| other.strong_date() == Some(date)),
            _ => false,
        }
    }

    /// Whether a Range is to be obeyed although there is an If-Range of this value; if not, the
    /// whole is sent (RFC 9110 section 13.1.5). Entity-tags are compared strongly, dates to the
    /// letter, and a date only if it is a strong validator.
    pub(crate) fn pass_if_range(&self, value: &[u8]) -> bool {
        let tags = EntityTag::parse(value).zip(self.entity_tag());
        tags.is_some_and(|(asked, own)| asked.strongly_equals(own))
            || self.strong_date() == Some(value)
    }

    /// Last-Modified, if there was time to see a second change of the same second: "that cache
    /// entry includes a Date value which is at least one second after the Last-Modified value" (RFC
    /// 9110 section 8.8.2.2).
    fn strong_date(&self) -> Option<&'a [u8]> {
        let (text, modified) = self.last_modified?;
        (modified < self.dated).then_some(text)
    }
}

/// What the conditions of a request make of a stored response.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    /// Nothing: the client gets the response.
    Whole,
    /// The client has it already: 304.
    NotModified,
    /// The origin must decide.
    Origin,
}

/// Which conditions a request has: one pass over its field lines.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Conditions<'a> {
    has_if_none_match: bool,
    if_modified_since: Option<&'a [u8]>,
    /// More than one, which makes it none (RFC 9110 section 13.1.3).
    is_modified_since_repeated: bool,
    /// If-Match or If-Unmodified-Since.
    is_for_origin: bool,
}

impl<'a> Conditions<'a> {
    /// Those of a request with these field lines.
    pub(crate) fn of(lines: &'a [u8]) -> Conditions<'a> {
        let mut found = Conditions::default();
        for (name, value) in field::fields(lines) {
            match Field::of(name) {
                Field::IfNoneMatch => found.has_if_none_match = true,
                Field::IfMatch | Field::IfUnmodifiedSince => found.is_for_origin = true,
                Field::IfModifiedSince => {
                    found.is_modified_since_repeated = found.if_modified_since.is_some();
                    found.if_modified_since = Some(value);
                }
                _ => {}
            }
        }
        found
    }

    /// Whether only the origin can evaluate them: such a request is not answered from the cache
    /// (RFC 9110 sections 13.1.1 and 13.1.4 have these guard a state that the cache does not know).
    pub(crate) const fn are_for_origin(&self) -> bool {
        self.is_for_origin
    }

    /// What they make of a stored response that could be reused (RFC 9111 section 4.3.2), in the
    /// order of RFC 9110 section 13.2.2.
    ///
    /// `lines` are the field lines of the request.
    pub(crate) fn evaluate(
        &self,
        lines: &[u8],
        method: Method,
        status: Status,
        stored: &Validators<'_>,
    ) -> Outcome {
        if self.is_for_origin {
            return Outcome::Origin;
        }
        // RFC 9110 section 13.2.1: conditions are ignored where the response without them would be
        // no success, and 304 is for GET and HEAD.
        let is_success = matches!(status.code(), 200..=299);
        if !is_success || !matches!(method, Method::Get | Method::Head) {
            return Outcome::Whole;
        }
        let is_current = if self.has_if_none_match {
            matches_any(lines, stored.entity_tag())
        } else {
            self.is_unmodified(stored)
        };
        match is_current {
            true => Outcome::NotModified,
            false => Outcome::Whole,
        }
    }

    /// If-Modified-Since (RFC 9110 section 13.1.3). RFC 9111 section 4.3.2: where there is no
    /// Last-Modified, Date counts, and where there is none of them, when the response came.
    fn is_unmodified(&self, stored: &Validators<'_>) -> bool {
        let since = self
            .if_modified_since
            .filter(|_| !self.is_modified_since_repeated)
            .and_then(|text| date::parse(text, stored.dated));
        let modified = stored.last_modified().unwrap_or(stored.dated);
        since.is_some_and(|since| modified <= since)
    }
}

/// If-None-Match (RFC 9110 section 13.1.2), with weak comparison. There is a stored response, so
/// `*` is true.
fn matches_any(lines: &[u8], stored: Option<EntityTag<'_>>) -> bool {
    values(lines, Field::IfNoneMatch).any(|list| {
        list == b"*"
            || stored.is_some_and(|stored| entity_tags(list).any(|tag| tag.weakly_equals(stored)))
    })
}

/// How a 304 selects a stored response that it updates (RFC 9111 section 4.3.4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Selection {
    /// By a strong validator: every stored response that is selected so is updated.
    Strong,
    /// By a weak one: the most recent stored response that is selected so is updated.
    Weak,
    /// It has no validator, but it is the answer to those of this stored response, and of no other:
    /// that one is updated.
    Asked,
    /// Not at all: the 304 must not be used for it. What was asked is asked again without
    /// conditions.
    Nothing,
}

/// Whether a 304 with the validators `new` is about a stored response with `stored`.
///
/// `is_asked` says that the request was made with the validators of this stored response.
pub(crate) fn select(new: &Validators<'_>, stored: &Validators<'_>, is_asked: bool) -> Selection {
    let is_matched = |is: bool, selection| if is { selection } else { Selection::Nothing };
    match (new.entity_tag(), stored.entity_tag()) {
        // "If the new response contains one or more strong validators [...] If none of the initial
        // set contains at least one of the same strong validators, then the cache MUST NOT use the
        // new response to update any stored responses."
        (Some(tag), other) if !tag.is_weak => {
            let is_same = other.is_some_and(|other| tag.strongly_equals(other));
            is_matched(is_same, Selection::Strong)
        }
        (Some(tag), other) => {
            let is_same = other.is_some_and(|other| tag.weakly_equals(other));
            is_matched(is_same, Selection::Weak)
        }
        // A Last-Modified alone counts as weak (RFC 9110 section 8.8.2.2).
        (None, _) if new.last_modified.is_some() => {
            let is_same = new.last_modified() == stored.last_modified();
            is_matched(is_same, Selection::Weak)
        }
        // "A 304 [...] response status code indicates that the stored response can be updated and
        // reused" (section 4.3.3), and a server need not repeat a Last-Modified in it: it "SHOULD
        // NOT generate representation metadata other than" ETag and the like (RFC 9110 section
        // 15.4.5).
        (None, _) => is_matched(is_asked, Selection::Asked),
    }
}

/// What the answer to a HEAD does to a stored answer to GET (RFC 9111 section 4.3.5).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum HeadEffect {
    /// It updates it as a 304 would.
    Update,
    /// It shows that there is a newer one: the stored one is stale.
    MakeStale,
    /// Nothing.
    Nothing,
}

/// Whether two entity-tags are of two representations, however alike; those that are none, too.
fn is_another(one: &[u8], other: &[u8]) -> bool {
    match EntityTag::parse(one).zip(EntityTag::parse(other)) {
        Some((one, other)) => !one.weakly_equals(other),
        None => one != other,
    }
}

/// What an answer to a HEAD with this status and these field lines does to a stored response whose
/// body is `length` octets long.
///
/// The RFC has an answer that says nothing update what is stored, and one with another length make it
/// stale. Here it must have one of the validators that are stored, or another one in its place: else
/// nobody knows what it is about, and whoever sends a HEAD could have an old page last for ever. And many
/// an origin gets the length wrong.
pub(crate) fn freshen_by_head(
    status: Status,
    lines: &[u8],
    stored: &Validators<'_>,
    length: u64,
    now: UnixTime,
) -> HeadEffect {
    if status != Status::OK {
        return HeadEffect::Nothing;
    }
    let new = Validators::of(lines, now);
    let tags = new.etag.zip(stored.etag);
    let dates = new.last_modified().zip(stored.last_modified());
    let has_other = tags.is_some_and(|(new, stored)| is_another(new, stored))
        || dates.is_some_and(|(new, stored)| new != stored);
    let declared = first(lines, Field::ContentLength);
    let has_same_length = declared.is_none_or(|text| bytes::parse_decimal(text) == Some(length));
    // A date says nothing where there is a tag, nor does one that only GET has, or that a filter weakens.
    let is_same = match (new.etag, stored.etag) {
        (Some(new), Some(stored)) => new == stored,
        (None, None) => dates.is_some(),
        _ => false,
    };
    if has_other {
        HeadEffect::MakeStale
    } else if has_same_length && is_same {
        HeadEffect::Update
    } else {
        HeadEffect::Nothing
    }
}
