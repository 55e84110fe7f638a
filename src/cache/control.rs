// SPDX-License-Identifier: GPL-2.0

//! What the two sides say about caching: Cache-Control (RFC 9111 section 5.2), its targeted form
//! for caches like this one (RFC 9213), and Pragma (RFC 9111 section 5.4).
//!
//! Directives that nobody here knows are ignored (RFC 9111 section 5.2.3); so is no-transform,
//! since this cache transforms nothing.

use super::delta::DeltaSeconds;
use super::field::{first, values, Field};
use super::structured::{dictionary, Value};
use crate::bytes;
use crate::http::{field, list};

/// What a response's sender says. [`NONE`](Self::NONE) is one that says nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct ResponseControl {
    /// Do not store it (RFC 9111 section 5.2.2.5).
    pub(crate) no_store: bool,
    /// Do not reuse it without validation (section 5.2.2.4). In its unqualified form, or in one
    /// that is qualified with anything but names of fields.
    pub(crate) no_cache: bool,
    /// It is for one user (section 5.2.2.7); unqualified, as above.
    pub(crate) private: bool,
    /// It may be stored even where it would be forbidden (section 5.2.2.9).
    pub(crate) public: bool,
    /// Once stale it must be validated (section 5.2.2.2).
    pub(crate) must_revalidate: bool,
    /// The same for shared caches (section 5.2.2.8).
    pub(crate) proxy_revalidate: bool,
    /// Only a cache that knows the status may store it (section 5.2.2.3).
    pub(crate) must_understand: bool,
    /// It does not change while it is fresh (RFC 8246).
    pub(crate) immutable: bool,
    /// Some fields are not for a shared cache: see [`Directives::withholds`].
    pub(crate) is_qualified: bool,
    /// All this is from CDN-Cache-Control, in place of Cache-Control and Expires.
    pub(crate) is_targeted: bool,
    /// must-revalidate has no argument, and so can [allow](Self::allows_authorized) something.
    pub(crate) is_must_revalidate_bare: bool,
    /// s-maxage is a number, and so can too.
    pub(crate) is_s_maxage_number: bool,
    /// How long it is fresh (RFC 9111 section 5.2.2.1). Zero if it said something else than a
    /// number.
    pub(crate) max_age: Option<DeltaSeconds>,
    /// The same for shared caches (section 5.2.2.10).
    pub(crate) s_maxage: Option<DeltaSeconds>,
    /// How long after that it may be reused while it is validated (RFC 5861 section 3).
    pub(crate) stale_while_revalidate: Option<DeltaSeconds>,
    /// How long after that it may be reused when the origin fails (RFC 5861 section 4).
    pub(crate) stale_if_error: Option<DeltaSeconds>,
}

impl ResponseControl {
    /// Nothing is said.
    pub(crate) const NONE: ResponseControl = ResponseControl {
        no_store: false,
        no_cache: false,
        private: false,
        public: false,
        must_revalidate: false,
        proxy_revalidate: false,
        must_understand: false,
        immutable: false,
        is_qualified: false,
        is_targeted: false,
        is_must_revalidate_bare: false,
        is_s_maxage_number: false,
        max_age: None,
        s_maxage: None,
        stale_while_revalidate: None,
        stale_if_error: None,
    };

    /// Whether no-store is to be obeyed. RFC 9111 section 5.2.2.3: with must-understand, "caches
    /// that understand the status code and conform to its requirements SHOULD ignore no-store";
    /// to store what they do not understand was forbidden them by must-understand itself.
    pub(crate) const fn forbids_storing(&self) -> bool {
        self.no_store && !self.must_understand
    }

    /// Whether the answer to a request with Authorization may be stored (RFC 9111 section 3.5):
    /// "must-revalidate, public, and s-maxage" allow it, each as the grammar has it.
    pub(crate) const fn allows_authorized(&self) -> bool {
        self.public || self.is_must_revalidate_bare || self.is_s_maxage_number
    }

    /// Takes a directive into account.
    ///
    /// RFC 9111 section 4.2.1: of several values "either the first occurrence should be used or
    /// the response should be considered stale"; the first is. "Caches are encouraged to consider
    /// responses that have invalid freshness information (e.g., a max-age directive with a
    /// non-integer value) to be stale": they are. What forbids is obeyed whatever its argument is;
    /// what allows is not obeyed with an argument that it does not have.
    fn note(&mut self, directive: Directive, argument: Argument<'_>) {
        // RFC 9651 section 4.2.2: in a Dictionary the last value of a key counts.
        if self.is_targeted {
            self.forget(directive);
        }
        if argument == Argument::False {
            return;
        }
        let seconds = argument.seconds().unwrap_or(DeltaSeconds::ZERO);
        let is_bare = argument == Argument::None;
        let is_qualified = argument.names().is_some();
        match directive {
            Directive::NoStore => self.no_store = true,
            Directive::MustRevalidate => {
                self.must_revalidate = true;
                self.is_must_revalidate_bare |= is_bare;
            }
            Directive::ProxyRevalidate => self.proxy_revalidate = true,
            Directive::Public => self.public |= is_bare,
            Directive::MustUnderstand => self.must_understand |= is_bare,
            Directive::Immutable => self.immutable |= is_bare,
            Directive::NoCache | Directive::Private if is_qualified => self.is_qualified = true,
            Directive::NoCache => self.no_cache = true,
            Directive::Private => self.private = true,
            Directive::MaxAge => set_first(&mut self.max_age, seconds),
            Directive::SMaxage => {
                // Of several the first, here too.
                self.is_s_maxage_number |= self.s_maxage.is_none() && argument.seconds().is_some();
                set_first(&mut self.s_maxage, seconds);
            }
            Directive::StaleWhileRevalidate => set_first(&mut self.stale_while_revalidate, seconds),
            Directive::StaleIfError => set_first(&mut self.stale_if_error, seconds),
            // Of requests only.
            Directive::MaxStale | Directive::MinFresh | Directive::OnlyIfCached => {}
        }
    }

    /// Takes back what was said. What is withheld stays so.
    fn forget(&mut self, directive: Directive) {
        match directive {
            Directive::NoStore => self.no_store = false,
            Directive::MustRevalidate => {
                (self.must_revalidate, self.is_must_revalidate_bare) = (false, false);
            }
            Directive::ProxyRevalidate => self.proxy_revalidate = false,
            Directive::Public => self.public = false,
            Directive::MustUnderstand => self.must_understand = false,
            Directive::Immutable => self.immutable = false,
            Directive::NoCache => self.no_cache = false,
            Directive::Private => self.private = false,
            Directive::MaxAge => self.max_age = None,
            Directive::SMaxage => (self.s_maxage, self.is_s_maxage_number) = (None, false),
            Directive::StaleWhileRevalidate => self.stale_while_revalidate = None,
            Directive::StaleIfError => self.stale_if_error = None,
            Directive::MaxStale | Directive::MinFresh | Directive::OnlyIfCached => {}
        }
    }
}

/// What a client says (RFC 9111 section 5.2.1).
///
/// These directives "are advisory; caches MAY implement them, but are not required to": a cache
/// that shall not obey its clients decides with [`NONE`](Self::NONE).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct RequestControl {
    /// Do not reuse without validation (section 5.2.1.4).
    pub(crate) no_cache: bool,
    /// Do not store this request or its response (section 5.2.1.5).
    pub(crate) no_store: bool,
    /// Answer from the store or with 504 (section 5.2.1.7).
    pub(crate) only_if_cached: bool,
    /// Not older than this (section 5.2.1.1). Zero if it said something else than a number.
    pub(crate) max_age: Option<DeltaSeconds>,
    /// Fresh for so much longer (section 5.2.1.3).
    pub(crate) min_fresh: Option<DeltaSeconds>,
    /// Stale for not more than this, the longest time if it named none (section 5.2.1.2).
    pub(crate) max_stale: Option<DeltaSeconds>,
    /// Stale for not more than this when the origin fails (RFC 5861 section 4).
    pub(crate) stale_if_error: Option<DeltaSeconds>,
}

impl RequestControl {
    /// Nothing is said.
    pub(crate) const NONE: RequestControl = RequestControl {
        no_cache: false,
        no_store: false,
        only_if_cached: false,
        max_age: None,
        min_fresh: None,
        max_stale: None,
        stale_if_error: None,
    };

    /// What the field lines of a request say.
    ///
    /// RFC 9111 section 5.4: `Pragma: no-cache` counts for Cache-Control's where there is no
    /// Cache-Control.
    pub(crate) fn of(lines: &[u8]) -> RequestControl {
        let mut control = Self::NONE;
        let (mut is_controlled, mut pragma) = (false, false);
        for (name, value) in field::fields(lines) {
            match Field::of(name) {
                Field::CacheControl => {
                    is_controlled = true;
                    each_of_line(value, &mut |directive, argument| {
                        control.note(directive, argument);
                    });
                }
                Field::Pragma => {
                    let mut elements = list::elements(value);
                    pragma |= elements.any(|one| bytes::eq_ignore_case(one, b"no-cache"));
                }
                _ => {}
            }
        }
        control.no_cache |= pragma && !is_controlled;
        control
    }

    /// As [`ResponseControl::note`]. A max-age without a number asks for validation; the others
    /// that need a number say nothing without it.
    fn note(&mut self, directive: Directive, argument: Argument<'_>) {
        let seconds = argument.seconds();
        match directive {
            Directive::NoCache => self.no_cache = true,
            Directive::NoStore => self.no_store = true,
            Directive::OnlyIfCached => self.only_if_cached = true,
            Directive::MaxAge => {
                set_first(&mut self.max_age, seconds.unwrap_or(DeltaSeconds::ZERO));
            }
            Directive::MinFresh => self.min_fresh = self.min_fresh.or(seconds),
            Directive::MaxStale => {
                // "If no value is assigned to max-stale, then the client will accept a stale
                // response of any age."
                let any = (argument == Argument::None).then_some(DeltaSeconds::MAX);
                self.max_stale = self.max_stale.or(seconds).or(any);
            }
            Directive::StaleIfError => self.stale_if_error = self.stale_if_error.or(seconds),
            _ => {}
        }
    }
}

fn set_first(value: &mut Option<DeltaSeconds>, seconds: DeltaSeconds) {
    *value = value.or(Some(seconds));
}

/// The directives that are known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Directive {
    Immutable,
    MaxAge,
    MaxStale,
    MinFresh,
    MustRevalidate,
    MustUnderstand,
    NoCache,
    NoStore,
    OnlyIfCached,
    Private,
    ProxyRevalidate,
    Public,
    SMaxage,
    StaleIfError,
    StaleWhileRevalidate,
}

const DIRECTIVES: [(&[u8], Directive); 15] = [
    (b"max-age", Directive::MaxAge),
    (b"s-maxage", Directive::SMaxage),
    (b"no-cache", Directive::NoCache),
    (b"no-store", Directive::NoStore),
    (b"private", Directive::Private),
    (b"public", Directive::Public),
    (b"must-revalidate", Directive::MustRevalidate),
    (b"proxy-revalidate", Directive::ProxyRevalidate),
    (b"must-understand", Directive::MustUnderstand),
    (b"immutable", Directive::Immutable),
    (b"stale-while-revalidate", Directive::StaleWhileRevalidate),
    (b"stale-if-error", Directive::StaleIfError),
    (b"max-stale", Directive::MaxStale),
    (b"min-fresh", Directive::MinFresh),
    (b"only-if-cached", Directive::OnlyIfCached),
];

impl Directive {
    /// The directive of this name, in any case (RFC 9111 section 5.2).
    fn of(name: &[u8]) -> Option<Directive> {
        let mut known = DIRECTIVES.iter();
        let found = known.find(|(known, _)| bytes::eq_ignore_case(known, name));
        found.map(|(_, directive)| *directive)
    }

    /// Whether its argument is a number.
    fn is_numeric(self) -> bool {
        matches!(
            self,
            Directive::MaxAge
                | Directive::MaxStale
                | Directive::MinFresh
                | Directive::SMaxage
                | Directive::StaleIfError
                | Directive::StaleWhileRevalidate
        )
    }
}

/// The argument of a directive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Argument<'a> {
    /// There is none.
    None,
    /// A token: "recipients ought to accept both forms" (RFC 9111 section 5.2).
    Token(&'a [u8]),
    /// The text of a quoted string.
    Quoted(&'a [u8]),
    /// Something else.
    Bad,
    /// Of a targeted field: the directive is not there.
    False,
}

impl<'a> Argument<'a> {
    /// Of what follows a directive's name and `=`.
    fn of(text: &'a [u8]) -> Argument<'a> {
        match text {
            [b'"', inner @ .., b'"'] if bytes::find_unquotable(inner).is_none() => {
                Argument::Quoted(inner)
            }
            [] | [b'"' | b' ' | b'\t', ..] => Argument::Bad,
            _ => Argument::Token(text),
        }
    }

    /// The same of a value of a targeted field (RFC 9213 section 2.1): a number is an Integer,
    /// names of fields are a String.
    fn of_value(value: Value<'a>, directive: Directive) -> Argument<'a> {
        match value {
            Value::Boolean(true) => Argument::None,
            Value::Boolean(false) => Argument::False,
            Value::Integer(text) if directive.is_numeric() => Argument::Token(text),
            Value::String(text) if !directive.is_numeric() => Argument::Quoted(text),
            _ => Argument::Bad,
        }
    }

    /// A number of seconds. `15s` is one too: Resin's servlets say so.
    fn seconds(self) -> Option<DeltaSeconds> {
        let (Argument::Token(text) | Argument::Quoted(text)) = self else {
            return None;
        };
        DeltaSeconds::parse(text.strip_suffix(b"s").unwrap_or(text))
    }

    /// A list of field names, with at least one in it and nothing else.
    ///
    /// RFC 9111 section 5.2.2.4: "This directive uses the quoted-string form of the argument
    /// syntax." What is not quoted (`private=1`) may be meant otherwise, and is no list.
    ///
    /// Nor is a list with a field that this cache cannot do without. It may not keep it either, so
    /// the directive counts as if it was about the whole response, as the RFC says that many caches
    /// take it anyway.
    fn names(self) -> Option<&'a [u8]> {
        let Argument::Quoted(names) = self else {
            return None;
        };
        let mut tokens = bytes::tokens(names).peekable();
        let is_listed = |name| bytes::is_token(name) && !Field::of(name).is_indispensable();
        let is_list = tokens.peek().is_some() && tokens.all(is_listed);
        is_list.then_some(names)
    }
}

/// The directives of a response, where they are.
///
/// RFC 9213 section 2.2: a cache "MUST select the first (in target-list order) field with a valid,
/// non-empty value and use its value to determine the caching policy for the response, and it MUST
/// ignore the Cache-Control and Expires header fields in that response".
#[derive(Clone, Copy, Debug)]
pub(crate) struct Directives<'a> {
    lines: &'a [u8],
    /// In CDN-Cache-Control.
    is_targeted: bool,
}

impl<'a> Directives<'a> {
    /// Those in the field lines of a response.
    pub(crate) fn of(lines: &'a [u8]) -> Directives<'a> {
        Self::merged(&[], lines)
    }

    /// Those of a stored response once a newer one has updated it: each of the two fields is the
    /// newer one's, if that has it at all (RFC 9111 section 3.2).
    pub(crate) fn merged(stored: &'a [u8], newer: &'a [u8]) -> Directives<'a> {
        let with = |field| match first(newer, field) {
            Some(_) => newer,
            None => stored,
        };
        let targeted = with(Field::CdnCacheControl);
        let is_targeted = is_targeted(targeted);
        let lines = match is_targeted {
            true => targeted,
            false => with(Field::CacheControl),
        };
        Directives { lines, is_targeted }
    }

    /// What they say together.
    pub(crate) fn control(&self) -> ResponseControl {
        let mut control = ResponseControl {
            is_targeted: self.is_targeted,
            ..ResponseControl::NONE
        };
        self.each(&mut |directive, argument| control.note(directive, argument));
        control
    }

    /// Whether a shared cache must not keep or reuse this field of the response: a qualified
    /// no-cache or private names it.
    ///
    /// RFC 9111 section 5.2.2.7 forbids to store what private names; section 5.2.2.4 forbids to
    /// reuse what no-cache names without validation. This cache stores neither, so that a reused
    /// response has them only from a validation just made.
    pub(crate) fn withholds(&self, name: &[u8]) -> bool {
        let mut is_named = false;
        self.each(&mut |directive, argument| {
            if matches!(directive, Directive::NoCache | Directive::Private) {
                let mut names = argument.names().into_iter().flat_map(bytes::tokens);
                is_named |= names.any(|named| bytes::eq_ignore_case(named, name));
            }
        });
        is_named
    }

    /// Shows each one that is known.
    fn each(&self, show: &mut dyn FnMut(Directive, Argument<'a>)) {
        if !self.is_targeted {
            for value in values(self.lines, Field::CacheControl) {
                each_of_line(value, show);
            }
            return;
        }
        for value in values(self.lines, Field::CdnCacheControl) {
            // It was read whole before: see `is_targeted`.
            let _ = dictionary(value, &mut |key, value| {
                if let Some(directive) = Directive::of(key) {
                    show(directive, Argument::of_value(value, directive));
                }
            });
        }
    }
}

/// Shows each directive of one line of Cache-Control:
///
/// ```text
/// cache-directive = token [ "=" ( token / quoted-string ) ]
/// ```
///
/// Around the `=` there may be no white space: with some the directive is seen, but not what its
/// argument is.
fn each_of_line<'a>(line: &'a [u8], show: &mut dyn FnMut(Directive, Argument<'a>)) {
    for element in list::elements(line) {
        let (name, argument) = match bytes::find_byte(element, b'=') {
            None => (element, Argument::None),
            Some(at) => {
                let (name, rest) = element.split_at_checked(at).unwrap_or((element, &[]));
                let argument = Argument::of(rest.get(1..).unwrap_or(&[]));
                match bytes::trim_ows(name) {
                    trimmed if trimmed.len() == name.len() => (name, argument),
                    trimmed => (trimmed, Argument::Bad),
                }
            }
        };
        if let Some(directive) = Directive::of(name) {
            show(directive, argument);
        }
    }
}

/// Whether there is a CDN-Cache-Control that is valid and says something.
///
/// RFC 9213 section 2.1: "If a targeted field in a given response is empty or a parsing error is
/// encountered, that field MUST be ignored by the cache". One line that is empty, or that does not
/// parse, spoils all of them, as it would if they were joined.
fn is_targeted(lines: &[u8]) -> bool {
    let mut found = false;
    for value in values(lines, Field::CdnCacheControl) {
        if value.is_empty() || dictionary(value, &mut |_, _| {}).is_none() {
            return false;
        }
        found = true;
    }
    found
}
