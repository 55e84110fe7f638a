// SPDX-License-Identifier: GPL-2.0

//! The list of mappings: what a text changes, what is printed, which mapping counts.

use crate::cache::mapping::list::{Entry, List, Room};
use crate::cache::regexp::{Scratch, State};
use crate::config::Kind::{self, Invalid, Range};
use crate::config::Refusal;

type Mappings = List<Vec<Entry>, Vec<u8>, Vec<State>>;

/// The list that a text makes of another, in no more memory than is needed.
fn changed(old: &Mappings, text: &str) -> Result<Mappings, Refusal> {
    let room = old.room(text.as_bytes());
    let mut list = List::copy(
        old,
        vec![Entry::EMPTY; room.entries],
        vec![0; room.octets],
        vec![State::EMPTY; room.states],
    );
    list.apply(text.as_bytes(), &mut { Scratch::NEW })?;
    Ok(list)
}

fn list(text: &str) -> Mappings {
    changed(&Mappings::default(), text).unwrap_or_else(|why| panic!("{text}: {why}"))
}

fn found(list: &Mappings, target: &str) -> Option<u32> {
    Some(list.find(target.as_bytes())?.ours()?.as_secs())
}

fn assert_refused(old: &Mappings, text: &str, kind: Kind, why: &str) {
    let refusal = changed(old, text).expect_err(why);
    assert_eq!(refusal.to_string(), why);
    assert_eq!(refusal.kind(), kind, "{why}");
    assert!(why.len() <= Refusal::MAX_LEN);
}

const LINES: &str = "\
url-regexp gif max-age 1s
url-pattern *.gif max-age 2s
url-pattern /a/* max-age 3s s-max-age 7s
url-pattern /a/b.gif s-max-age 4s
url-regexp ^/w max-age 5s
url-regexp iki max-age 6s
";

#[test]
fn what_is_printed_can_be_written_back() {
    let all = list(LINES);
    assert_eq!(all.to_string(), LINES);
    assert_eq!(list(&all.to_string()).to_string(), LINES);
    // Over what is there nothing changes either.
    assert_eq!(changed(&all, LINES).unwrap().to_string(), LINES);
    assert_eq!(Mappings::default().to_string(), "");
}

#[test]
fn a_text_has_comments_and_empty_lines() {
    let all =
        list("\n # gone: clear\n\turl-pattern  *.gif expires 24h \r\n\nurl-regexp # max-age 1");
    let printed = "url-pattern *.gif max-age 86400s\nurl-regexp # max-age 1s\n";
    assert_eq!(all.to_string(), printed);
    assert_eq!(list(" \n#\n").to_string(), "");
}

/// Patterns before expressions, the closest pattern first, of expressions that which is first.
#[test]
fn the_closest_one_counts() {
    let all = list(LINES);
    let reversed: Vec<&str> = LINES.lines().rev().collect();
    let reversed = list(&reversed.join("\n"));
    for (target, right, right_reversed) in [
        ("/a/b.gif", Some(4), Some(4)),
        ("/a/b.gif;jsessionid=x?y", Some(4), Some(4)),
        ("/a/c.gif?x", Some(7), Some(7)),
        ("/b/c.gif", Some(2), Some(2)),
        ("/gifs/x", Some(1), Some(1)),
        ("/x?gif", Some(1), Some(1)),
        ("/wiki/x", Some(5), Some(6)),
        ("/wiki/gif", Some(1), Some(6)),
        ("/x/wiki", Some(6), Some(6)),
        ("/x", None, None),
    ] {
        assert_eq!(found(&all, target), right, "{target}");
        assert_eq!(found(&reversed, target), right_reversed, "{target}");
    }
    // What is the default for all is a pattern, too.
    let all = changed(&all, "url-pattern / max-age 8").unwrap();
    assert_eq!(found(&all, "/gifs/x"), Some(8));
    assert_eq!(found(&Mappings::default(), "/"), None);
}

#[test]
fn a_selector_that_is_there_is_replaced_in_its_place() {
    let all = changed(
        &list(LINES),
        "url-regexp ^/w s-max-age 50\nurl-pattern *.gif expires 1m",
    );
    let right = LINES
        .replace("^/w max-age 5s", "^/w s-max-age 50s")
        .replace("*.gif max-age 2s", "*.gif max-age 60s");
    let all = all.unwrap();
    assert_eq!(all.to_string(), right);
    assert_eq!(found(&all, "/wiki"), Some(50));
    // A pattern and an expression may be the same text.
    let both = list("url-pattern /a max-age 1\nurl-regexp /a max-age 2\nurl-pattern /a max-age 3");
    assert_eq!(both.to_string().lines().count(), 2);
    assert_eq!(found(&both, "/a"), Some(3));
    assert_eq!(found(&both, "/ab"), Some(2));
}

#[test]
fn what_is_cleared_is_gone_and_leaves_room() {
    let all = changed(&list(LINES), "clear\nurl-regexp x max-age 9").unwrap();
    assert_eq!(all.to_string(), "url-regexp x max-age 9s\n");
    assert_eq!(found(&all, "/wiki"), None);
    assert_eq!(found(&all, "/x"), Some(9));
    let none = changed(&all, "url-pattern *.a max-age 1\nclear").unwrap();
    assert_eq!(none.to_string(), "");
    assert_eq!(none.room(b""), Room::default());
}

#[test]
fn refusals_say_why() {
    let malformed = [
        (
            "(a",
            "a parenthesis or bracket is not closed, or not opened",
        ),
        ("*", "there is nothing to repeat"),
        (r"a\", r"a \ is before something that it says nothing about"),
        ("[b-a]", "a class in brackets is empty, or a range in it is"),
        (
            "a{2}",
            "counted or possessive repetition and (? are not supported",
        ),
        ("(((((((((a)))))))))", "its groups are more than 8 deep"),
    ];
    for (expression, why) in malformed {
        let text = format!("url-pattern *.x max-age 1\nurl-regexp {expression} max-age 1");
        let why = format!("line 2: url-regexp: {why}");
        assert_refused(&list(LINES), &text, Invalid, &why);
    }
    for (text, why) in [
        ("clear\n\nclear it", "line 3: \"it\" is one word too many"),
        (
            "url-pattern *.x max-age 1\n# x\nnonsense",
            "line 3: \"nonsense\" is not one of url-pattern, url-regexp and clear",
        ),
    ] {
        assert_refused(&list(LINES), text, Invalid, why);
    }
}

#[test]
fn an_expression_has_its_limit() {
    let fits = "a".repeat(128);
    let all = list(&format!("url-regexp {fits} max-age 1"));
    assert_eq!(found(&all, &format!("/{fits}")), Some(1));
    assert_eq!(found(&all, "/aaa"), None);
    let why = "line 1: url-regexp: it has more than 128 characters to compare";
    let text = format!("url-regexp {fits}a max-age 1");
    assert_refused(&Mappings::default(), &text, Invalid, why);
}

#[test]
fn all_together_have_their_limits() {
    let lines = |count: usize| -> String {
        let line = |number| format!("url-pattern *.{number} max-age 1s\n");
        (0..count).map(line).collect()
    };
    let all = list(&lines(256));
    assert_eq!(all.to_string(), lines(256));
    assert_eq!(found(&all, "/x.255"), Some(1));
    let why = "line 257: there can be 256 mappings at most";
    assert_refused(&Mappings::default(), &lines(257), Range, why);
    let why = "line 1: there can be 256 mappings at most";
    assert_refused(&all, "url-pattern *.256 max-age 1s", Range, why);
    // Those that are there can be changed, and others be in their place.
    let text = lines(256).replace("1s", "2s");
    assert_eq!(changed(&all, &text).unwrap().to_string(), text);
    let text = format!("clear\n{}", lines(256));
    assert_eq!(changed(&all, &text).unwrap().to_string(), lines(256));
}

#[test]
fn expressions_together_have_a_limit_of_their_own() {
    let line = |letter: char, count| {
        format!(
            "url-regexp {} max-age 1\n",
            letter.to_string().repeat(count)
        )
    };
    let eight: String = ('a'..='h').map(|letter| line(letter, 128)).collect();
    let all = list(&eight);
    assert_eq!(found(&all, &format!("/{}", "h".repeat(128))), Some(1));
    let why = "all expressions together would have more than 1024 characters to compare";
    assert_refused(&all, &line('i', 1), Range, &format!("line 1: {why}"));
    assert_refused(
        &Mappings::default(),
        &format!("{eight}{}", line('i', 1)),
        Range,
        &format!("line 9: {why}"),
    );
    // Parentheses are not compared with anything.
    let text = format!("url-regexp {}a{} max-age 1", "(".repeat(8), ")".repeat(8));
    assert_refused(&all, &text, Range, &format!("line 1: {why}"));
    assert!(changed(&all, &format!("clear\n{}", line('i', 128))).is_ok());
}

#[test]
fn what_one_write_could_not_restore_is_refused() {
    let line = |number: usize, len: usize| {
        format!(
            "url-pattern /{}{number:03} max-age 0s\n",
            "x".repeat(len - 4)
        )
    };
    // Each is 128 octets: "url-pattern " and " max-age 0s\n" are 24.
    let full: String = (0..128).map(|number| line(number, 104)).collect();
    assert_eq!(full.len(), 16_384);
    let all = list(&full);
    assert_eq!(all.to_string(), full);
    let why = "all mappings together would be more than 16384 octets";
    assert_refused(&all, "url-pattern /a max-age 0", Range, why);
    assert_refused(&all, &line(0, 104).replace("0s", "10s"), Range, why);
}
