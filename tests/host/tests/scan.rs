// SPDX-License-Identifier: GPL-2.0

//! Looking at eight octets at a time: it finds what a loop over the octets finds.

use proptest::prelude::*;

use crate::bytes::{
    before, eq_ignore_case, find_byte, find_unquotable, is_field_content, is_target_char, is_tchar,
    skip_field_content, skip_target, skip_tchars,
};

/// Octets of a class are skipped, and nothing else.
fn check(text: &[u8]) {
    type Skip = fn(&[u8]) -> &[u8];
    type Class = (&'static str, Skip, fn(u8) -> bool);
    let classes: [Class; 3] = [
        ("tchars", skip_tchars, is_tchar),
        ("target", skip_target, is_target_char),
        ("field content", skip_field_content, is_field_content),
    ];
    for (name, skip, is) in classes {
        let len = text.iter().position(|octet| !is(*octet));
        let rest = skip(text);
        assert_eq!(
            rest,
            &text[len.unwrap_or(text.len())..],
            "{name} of {}",
            text.escape_ascii()
        );
        assert_eq!(before(text, rest), &text[..len.unwrap_or(text.len())]);
    }
    let is_unquotable = |octet: &u8| !matches!(octet, b' '..=b'~') || matches!(octet, b'"' | b'\\');
    assert_eq!(find_unquotable(text), text.iter().position(is_unquotable));
}

/// Every two octets that follow one another, and so every carry from one into the next, at each
/// place in a word.
#[test]
fn no_octet_is_mistaken_for_what_its_neighbour_makes_of_it() {
    for one in 0..=255u8 {
        for other in 0..=255u8 {
            for at in 0..8 {
                let mut text = *b"ab-Zz0!a-AZ_x";
                text[at] = one;
                text[at + 1] = other;
                check(&text);
            }
        }
    }
}

/// What is looked for, among others of many kinds, at each place of texts of each length, each of
/// which begins at each place of a word.
#[test]
fn octets_are_found_at_every_place() {
    for noise in [0x20, 0x21, 0x2d, 0x41, 0x61, 0x7a, 0x7e, 0x80, 0xff] {
        for sought in [
            0, b'\t', b'\n', b'\r', 0x1f, b' ', b'#', b':', 0x7f, 0x80, 0xff,
        ] {
            for len in 0..36 {
                let mut room = vec![noise; 8 + len];
                for at in 0..=len {
                    let place = room.get_mut(8 + at).filter(|_| at < len);
                    let kept = place.map(|octet| std::mem::replace(octet, sought));
                    let start = 8 - at % 8;
                    let text = &room[start..];
                    check(text);
                    let plain = text.iter().position(|octet| *octet == sought);
                    assert_eq!(find_byte(text, sought), plain);
                    if let Some(octet) = kept {
                        room[8 + at] = octet;
                    }
                }
            }
        }
    }
}

#[test]
fn words_are_the_same_but_for_the_case_of_letters() {
    for one in 0..=255u8 {
        for other in 0..=255u8 {
            for len in [1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 24] {
                for at in [0, len / 2, len - 1] {
                    let (mut left, mut right) = (vec![b'a'; len], vec![b'A'; len]);
                    (left[at], right[at]) = (one, other);
                    let same = one.eq_ignore_ascii_case(&other);
                    assert_eq!(
                        eq_ignore_case(&left, &right),
                        same,
                        "{one:#x} {other:#x} {len}"
                    );
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(super::cases(2000))]

    #[test]
    fn texts_of_any_octets_are_read_as_a_loop_reads_them(text: Vec<u8>, from: prop::sample::Index) {
        check(&text);
        // Without most controls, so that the search goes on for a while.
        let tame: Vec<_> = text.iter().map(|octet| octet | 0x20).collect();
        check(&tame);
        check(&tame[from.index(tame.len() + 1)..]);
        let letters: Vec<_> = text.iter().map(|octet| octet & 0x3f | 0x40).collect();
        check(&letters);
        check(&letters[from.index(letters.len() + 1)..]);
    }

    #[test]
    fn any_two_words_are_compared_as_the_standard_library_does(
        one in "[@-Za-z0-9_\u{80}-]{0,24}",
        flips: Vec<bool>,
        damage: Option<(prop::sample::Index, u8)>,
    ) {
        let mut other = one.clone().into_bytes();
        for (octet, flip) in other.iter_mut().zip(flips) {
            *octet ^= u8::from(flip) << 5;
        }
        if let (Some((index, octet)), false) = (damage, other.is_empty()) {
            let at = index.index(other.len());
            other[at] = octet;
        }
        let plain = one.as_bytes().eq_ignore_ascii_case(&other);
        prop_assert_eq!(eq_ignore_case(one.as_bytes(), &other), plain);
    }
}
