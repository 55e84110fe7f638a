// SPDX-License-Identifier: GPL-2.0

//! Classes of octets, and looking for them eight at a time.
//!
//! Eight octets are a word, and arithmetic on the word is arithmetic on each of them, as long as
//! nothing carries from one into the next. Where it may, it comes from an octet that is looked for:
//! the lowest mark in a little-endian word, which is the first octet, is right all the same.

const TCHAR: u8 = 1;
const HOST: u8 = 2;

/// The classes of each octet.
static CLASSES: [u8; 256] = classes();

#[allow(clippy::arithmetic_side_effects, clippy::indexing_slicing)] // Run by the compiler only.
const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut octet = 0u8;
    // Nothing above ASCII has a class.
    while octet < 128 {
        let mut class = 0;
        // RFC 9110 section 5.6.2.
        if octet.is_ascii_alphanumeric()
            || matches!(
                octet,
                b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_'
            )
            || matches!(octet, b'`' | b'|' | b'~')
        {
            class |= TCHAR;
        }
        // RFC 3986 section 3.2.2: unreserved, sub-delims but the comma.
        if octet.is_ascii_alphanumeric()
            || matches!(
                octet,
                b'-' | b'.' | b'_' | b'~' | b'!' | b'$' | b'&' | b'\'' | b'('
            )
            || matches!(octet, b')' | b'*' | b'+' | b';' | b'=')
        {
            class |= HOST;
        }
        table[octet as usize] = class;
        octet += 1;
    }
    table
}

fn has(octet: u8, class: u8) -> bool {
    let classes = CLASSES.get(usize::from(octet));
    classes.is_some_and(|classes| classes & class != 0)
}

/// An octet of a token: a method, a field name (RFC 9110 section 5.6.2).
pub(crate) fn is_tchar(octet: u8) -> bool {
    has(octet, TCHAR)
}

/// Whether it is a token (RFC 9110 section 5.6.2).
pub(crate) fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && skip_tchars(text).is_empty()
}

/// An octet of a request target: any visible one of ASCII but `#`. RFC 3986 would have some more
/// of them percent-encoded, which browsers do not do.
pub(crate) const fn is_target_char(octet: u8) -> bool {
    matches!(octet, b'!'..=b'~') && octet != b'#'
}

/// An octet that may stand in the name of a host as it is: unreserved or one of sub-delims (RFC
/// 3986 section 3.2.2), but no comma.
pub(crate) fn is_host_char(octet: u8) -> bool {
    has(octet, HOST)
}

/// An octet of a field value: visible, space, tab or obs-text (RFC 9110 section 5.5).
pub(crate) const fn is_field_content(octet: u8) -> bool {
    octet == b'\t' || !is_control(octet)
}

/// A control of ASCII, the tab among them.
const fn is_control(octet: u8) -> bool {
    octet < 0x20 || octet == 0x7f
}

/// Whether two words are the same but for the case of ASCII letters.
pub(crate) fn eq_ignore_case(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    // Both have a last chunk or none has; it overlaps the one before.
    let (Some(last), Some(other_last)) = (one.last_chunk(), other.last_chunk()) else {
        return eq_lower_case(short_word(one), short_word(other));
    };
    let (mut rest, mut other_rest) = (one, other);
    while let (Some((chunk, tail)), Some((other_chunk, other_tail))) =
        (rest.split_first_chunk(), other_rest.split_first_chunk())
    {
        if !eq_word_ignore_case(chunk, other_chunk) {
            return false;
        }
        (rest, other_rest) = (tail, other_tail);
    }
    eq_word_ignore_case(last, other_last)
}

#[inline]
fn eq_word_ignore_case(one: &[u8; 8], other: &[u8; 8]) -> bool {
    eq_lower_case(u64::from_le_bytes(*one), u64::from_le_bytes(*other))
}

/// Whether the octets of two words are the same but for the case of letters.
#[inline]
const fn eq_lower_case(one: u64, other: u64) -> bool {
    let differ = one ^ other;
    let small = small_letters(one | other);
    // From the bit that makes letters small to the highest one of an octet.
    differ & !repeat(0x20) == 0 && (differ << 2) & !small == 0
}

/// Marks the small letters of ASCII in a word, exactly.
const fn small_letters(word: u64) -> u64 {
    // Without their highest bits no octet carries into the next one when less than 0x80 is added.
    let low = word & !HIGH_BITS;
    let from_a = low.wrapping_add(repeat(0x80 - b'a'));
    let after_z = low.wrapping_add(repeat(0x7f - b'z'));
    from_a & !after_z & !word & HIGH_BITS
}

/// Fewer than eight octets as a word; it is the same for no others of the same length.
#[inline]
fn short_word(octets: &[u8]) -> u64 {
    match (octets.first_chunk(), octets.last_chunk()) {
        (Some(first), Some(last)) => {
            let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
            (u64::from(last) << 32) | u64::from(first)
        }
        _ => octets
            .iter()
            .fold(0, |word, octet| (word << 8) | u64::from(*octet)),
    }
}

/// Index of the first `needle`.
pub(crate) fn find_byte(hay: &[u8], needle: u8) -> Option<usize> {
    let needles = repeat(needle);
    find(hay, |word| zeros(word ^ needles), |octet| octet == needle)
}

/// What follows the octets of a token ([`is_tchar`]) at the front of `text`.
#[inline(always)]
pub(crate) fn skip_tchars(text: &[u8]) -> &[u8] {
    let mut rest = text;
    loop {
        // Most names are of letters and hyphens: those are skipped at once.
        rest = skip(rest, no_letters_nor_hyphens);
        match rest {
            [octet, tail @ ..] if is_tchar(*octet) => rest = tail,
            _ => return rest,
        }
    }
}

/// What follows the octets of a target ([`is_target_char`]) at the front of `text`.
#[inline(always)]
pub(crate) fn skip_target(text: &[u8]) -> &[u8] {
    // All of them are right for octets of ASCII, and those above it are looked for.
    let others = |word: u64| {
        let below_visible = word.wrapping_sub(repeat(b'!'));
        let delete = word.wrapping_add(repeat(1));
        let hash = (word ^ repeat(b'#')).wrapping_sub(repeat(1));
        (below_visible | delete | hash | word) & HIGH_BITS
    };
    let mut rest = skip(text, others);
    while let [octet, tail @ ..] = rest {
        if !is_target_char(*octet) {
            break;
        }
        rest = tail;
    }
    rest
}

/// What follows the octets of a field value ([`is_field_content`]) at the front of `text`.
#[inline(never)] // The loop needs the registers.
pub(crate) fn skip_field_content(text: &[u8]) -> &[u8] {
    // All controls, and perhaps one that follows 0xff and is none: below it is looked at.
    let controls = |word: u64| {
        let below_space = word.wrapping_sub(repeat(b' '));
        let delete = word.wrapping_add(repeat(1));
        (below_space | delete) & !word & HIGH_BITS
    };
    let mut rest = skip(text, controls);
    while let [octet, tail @ ..] = rest {
        // It may also be a tab, or one of the last octets.
        if !is_field_content(*octet) {
            break;
        }
        rest = skip(tail, controls);
    }
    rest
}

/// What follows the octets at the front of `text` that are not marked, or a part of it that begins
/// within its last seven octets.
#[inline(always)]
fn skip(text: &[u8], marks: impl Fn(u64) -> u64) -> &[u8] {
    let mut rest = text;
    while let Some(chunk) = rest.first_chunk() {
        let marked = marks(u64::from_le_bytes(*chunk));
        if marked != 0 {
            let within = (marked.trailing_zeros() / 8) as usize;
            return rest.get(within..).unwrap_or(&[]);
        }
        rest = rest.get(8..).unwrap_or(&[]);
    }
    rest
}

/// Index of the first octet that cannot stand between double quotes as it is: a control, one above
/// ASCII, a quote or a backslash.
#[inline]
pub(crate) fn find_unquotable(hay: &[u8]) -> Option<usize> {
    let marks = |word| {
        let above = word & HIGH_BITS | zeros(word ^ repeat(0x7f));
        let quotes = zeros(word ^ repeat(b'"')) | zeros(word ^ repeat(b'\\'));
        below(word, b' ') | above | quotes
    };
    let marked = |octet| is_control(octet) || !octet.is_ascii() || matches!(octet, b'"' | b'\\');
    find(hay, marks, marked)
}

const HIGH_BITS: u64 = repeat(0x80);

/// A word of eight times the same octet.
const fn repeat(octet: u8) -> u64 {
    u64::from_ne_bytes([octet; 8])
}

/// Marks the octets of a word that are zero in their highest bit. Octets above the lowest one
/// that is marked may be marked falsely (by the borrow of the subtraction).
const fn zeros(word: u64) -> u64 {
    below(word, 1)
}

/// Marks the octets of a word that are below `limit`, which is at most 0x80: see [`zeros`].
const fn below(word: u64, limit: u8) -> u64 {
    word.wrapping_sub(repeat(limit)) & !word & HIGH_BITS
}

/// Marks the octets of a word that are neither letters of ASCII nor hyphens. Only the lowest mark is
/// right: octets above ASCII carry.
const fn no_letters_nor_hyphens(word: u64) -> u64 {
    let lower_case = word | repeat(0x20);
    let from_a = lower_case.wrapping_add(repeat(0x80 - b'a'));
    let after_z = lower_case.wrapping_add(repeat(0x7f - b'z'));
    let unlike_hyphen = (word ^ repeat(b'-')).wrapping_add(!HIGH_BITS);
    (((after_z | !from_a) & unlike_hyphen) | word) & HIGH_BITS
}

/// Searches eight octets at a time: `marks` marks hits in a little-endian word, the lowest mark
/// being right; `hits` looks at one octet.
#[inline(always)]
fn find(hay: &[u8], marks: impl Fn(u64) -> u64, hits: impl Fn(u8) -> bool) -> Option<usize> {
    let mut rest = hay;
    while let Some(chunk) = rest.first_chunk() {
        let marked = marks(u64::from_le_bytes(*chunk));
        if marked != 0 {
            let within = (marked.trailing_zeros() / 8) as usize;
            return Some(hay.len().wrapping_sub(rest.len()).wrapping_add(within));
        }
        rest = rest.get(8..).unwrap_or(&[]);
    }
    let within = rest.iter().position(|octet| hits(*octet))?;
    Some(hay.len().wrapping_sub(rest.len()).wrapping_add(within))
}
