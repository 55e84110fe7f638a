//! The files `cache` and `cache-mapping`: what they show, take and refuse.

use nix::errno::Errno;

use super::namespaces::Namespace;
use super::proc::{all_refused, refused};
use crate::gateway::{self, Gateway};
use crate::testing::{Context, Outcome, PORT};
use crate::{same, tests};

tests![
    settings_have_defaults,
    settings_are_shown_as_set,
    settings_whole_or_nothing,
    settings_bad_values,
    mappings_are_shown_as_written,
    mappings_are_replaced_and_cleared,
    mappings_whole_or_nothing,
    mappings_bad_lines,
    mappings_have_limits,
    each_file_leaves_the_others_alone,
    each_namespace_has_its_own,
];

const DEFAULTS: &str = "\
enable on
memory-size 8M
entries 8192
max-entry-size 1M
enable-range on
rewrite-vary-as-private off
path cache/
disk-size 1G
vary-cookie anonymous
set-cookie explicit
heuristic-age 1d
grace 0s
stale-if-error 0s
purge-allow none
cache-status off";

fn settings_have_defaults() -> Outcome {
    Gateway::load(PORT)?;
    same!(gateway::read("cache")?, DEFAULTS, "cache");
    gateway::write("cache", DEFAULTS).context("writing all of it back")?;
    same!(gateway::read("cache")?, DEFAULTS, "cache written back");
    same!(gateway::read("cache-mapping")?, "", "cache-mapping");
    Ok(())
}

fn settings_are_shown_as_set() -> Outcome {
    Gateway::load(PORT)?;
    let mut right = DEFAULTS.to_owned();
    for (line, written, read) in [
        ("enable on", "enable false", "enable off"),
        ("memory-size 8M", "memory-size 256m", "memory-size 256M"),
        ("entries 8192", " entries\t16384 ", "entries 16384"),
        (
            "max-entry-size 1M",
            "max-entry-size 1025",
            "max-entry-size 1025",
        ),
        ("enable-range on", "enable-range off", "enable-range off"),
        (
            "rewrite-vary-as-private off",
            "rewrite-vary-as-private true",
            "rewrite-vary-as-private on",
        ),
        ("path cache/", "path /var/cache", "path /var/cache"),
        ("disk-size 1G", "disk-size 2048M", "disk-size 2G"),
        (
            "vary-cookie anonymous",
            "vary-cookie compared",
            "vary-cookie compared",
        ),
        (
            "set-cookie explicit",
            "set-cookie strip",
            "set-cookie strip",
        ),
        ("heuristic-age 1d", "heuristic-age 24h", "heuristic-age 1d"),
        ("grace 0s", "grace 90s", "grace 90s"),
        (
            "stale-if-error 0s",
            "stale-if-error 3600s",
            "stale-if-error 1h",
        ),
        (
            "purge-allow none",
            "purge-allow 10.0.0.0/8,::1",
            "purge-allow 10.0.0.0/8 ::1",
        ),
        ("cache-status off", "cache-status on", "cache-status on"),
    ] {
        gateway::write("cache", written)?;
        right = right.replace(line, read);
        same!(gateway::read("cache")?, right, "cache after {written:?}");
    }
    gateway::write("cache", DEFAULTS)?;
    gateway::write("cache", &right).context("writing back what was read")?;
    same!(gateway::read("cache")?, right, "cache after that");
    gateway::write("cache", "# a comment\n\n entries   17\ngrace\t5s\n")?;
    let right = right
        .replace("entries 16384", "entries 17")
        .replace("grace 90s", "grace 5s");
    same!(gateway::read("cache")?, right, "cache after two lines");
    Ok(())
}

fn settings_whole_or_nothing() -> Outcome {
    Gateway::load(PORT)?;
    let unknown = "line 2: unknown setting \"header-timeout\"";
    let text = "entries 100\nheader-timeout 1s";
    refused("cache", text, Errno::EINVAL, unknown)?;
    let text = "header-timeout 1s\nentries 100";
    refused("cache", text, Errno::EINVAL, "line 1: unknown setting")?;
    let twice = "line 3: grace: set twice in one text";
    let text = "grace 1m\n\ngrace 2m";
    refused("cache", text, Errno::EINVAL, twice)?;
    let range = "line 2: entries: \"1\" is out of range: write 16 to 4194304";
    refused("cache", "grace 1m\nentries 1", Errno::ERANGE, range)
}

fn settings_bad_values() -> Outcome {
    Gateway::load(PORT)?;
    let bad: [(Errno, &str, &[&str]); 9] = [
        (
            Errno::EINVAL,
            "enable: \"yes\" is neither off nor on",
            &["enable yes"],
        ),
        (Errno::EINVAL, "a value is missing", &["enable", "entries"]),
        (
            Errno::EINVAL,
            "is not a number",
            &["entries many", "entries 1.5"],
        ),
        (
            Errno::ERANGE,
            "memory-size: \"1K\" is out of range: write 1M to 1024G",
            &["memory-size 1K"],
        ),
        (Errno::EINVAL, "is not a size", &["disk-size 1X"]),
        (
            Errno::EINVAL,
            "vary-cookie: \"rfc\" is neither anonymous nor compared",
            &["vary-cookie rfc"],
        ),
        (
            Errno::EINVAL,
            "set-cookie: \"store\" is not one of explicit, strip and refuse",
            &["set-cookie store"],
        ),
        (
            Errno::EINVAL,
            "has bits set after its prefix length",
            &["purge-allow 10.0.0.1/8"],
        ),
        (
            Errno::EINVAL,
            "unknown setting",
            &["Enable on", "enable=on", "\u{0}", "clear"],
        ),
    ];
    all_refused("cache", &bad)
}

const LINES: &str = "\
url-pattern *.gif max-age 86400s
url-regexp ^/wiki/[^?]*$ max-age 10s s-max-age 300s
url-pattern /images/* s-max-age 60s
url-pattern / max-age 0s";

fn mappings_are_shown_as_written() -> Outcome {
    Gateway::load(PORT)?;
    let text = "# Resin's own example\n\
        url-pattern *.gif expires 24h\n\n\
        \turl-regexp  ^/wiki/[^?]*$\tmax-age 10 s-max-age 5m \n\
        url-pattern /images/* s-max-age 1m\nurl-pattern / max-age 0\n";
    gateway::write("cache-mapping", text)?;
    same!(gateway::read("cache-mapping")?, LINES, "cache-mapping");
    gateway::write("cache-mapping", LINES).context("writing it back")?;
    same!(
        gateway::read("cache-mapping")?,
        LINES,
        "what is written back"
    );
    gateway::write("cache-mapping", "clear")?;
    same!(gateway::read("cache-mapping")?, "", "what is cleared");
    for line in LINES.lines() {
        gateway::write("cache-mapping", line).context("one line")?;
    }
    same!(gateway::read("cache-mapping")?, LINES, "line by line");
    Ok(())
}

fn mappings_are_replaced_and_cleared() -> Outcome {
    Gateway::load(PORT)?;
    gateway::write("cache-mapping", LINES)?;
    let text = "url-pattern / s-max-age 1h\nurl-regexp ^/wiki/[^?]*$ expires 1D";
    gateway::write("cache-mapping", text)?;
    let right = LINES
        .replace("/ max-age 0s", "/ s-max-age 3600s")
        .replace("max-age 10s s-max-age 300s", "max-age 86400s");
    same!(gateway::read("cache-mapping")?, right, "what is replaced");
    // What is in one write is done in its order.
    let text = "url-pattern *.a max-age 1\nclear\nurl-regexp b max-age 2";
    gateway::write("cache-mapping", text)?;
    let right = "url-regexp b max-age 2s";
    same!(gateway::read("cache-mapping")?, right, "what is left");
    Ok(())
}

fn mappings_whole_or_nothing() -> Outcome {
    Gateway::load(PORT)?;
    gateway::write("cache-mapping", LINES)?;
    for (text, reason) in [
        (
            "url-pattern *.png max-age 1h\nurl-pattern *.gif",
            "line 2: write max-age or s-max-age, and a time",
        ),
        (
            "clear\n# nothing\nurl-regexp (a max-age 1h",
            "line 3: url-regexp: a parenthesis or bracket is not closed, or not opened",
        ),
        (
            "url-pattern *.gif max-age 1s\nclear all",
            "line 2: \"all\" is one word too many",
        ),
    ] {
        refused("cache-mapping", text, Errno::EINVAL, reason)?;
    }
    Ok(())
}

fn mappings_bad_lines() -> Outcome {
    Gateway::load(PORT)?;
    gateway::write("cache-mapping", LINES)?;
    let bad: [(Errno, &str, &[&str]); 8] = [
        (
            Errno::EINVAL,
            "is not one of url-pattern, url-regexp and clear",
            &["*.gif 1h", "Clear", "url-pattern=*.gif max-age 1h", "\u{0}"],
        ),
        (
            Errno::EINVAL,
            "a pattern is missing",
            &["url-pattern", "url-regexp"],
        ),
        (
            Errno::EINVAL,
            "is not a pattern: write one such as *.gif",
            &["url-pattern a*b max-age 1h", "url-pattern gif max-age 1h"],
        ),
        (
            Errno::EINVAL,
            "has something else than ASCII in it",
            &["url-regexp \u{e9} max-age 1h"],
        ),
        (
            Errno::EINVAL,
            "is not a time",
            &[
                "url-pattern *.x max-age never",
                "url-pattern *.x expires -1s",
            ],
        ),
        (
            Errno::EINVAL,
            "url-regexp: there is nothing to repeat",
            &["url-regexp * max-age 1h", "url-regexp a|+ max-age 1h"],
        ),
        (
            Errno::EINVAL,
            "url-regexp: counted or possessive repetition and (? are not supported",
            &["url-regexp a{2} max-age 1h", "url-regexp (?=a) max-age 1h"],
        ),
        (
            Errno::EINVAL,
            "url-regexp: a \\ is before something that it says nothing about",
            &["url-regexp a\\ max-age 1h", "url-regexp \\p max-age 1h"],
        ),
    ];
    all_refused("cache-mapping", &bad)
}

fn mappings_have_limits() -> Outcome {
    Gateway::load(PORT)?;
    let lines = |count: usize| {
        let lines = (0..count).map(|number| format!("url-pattern *.{number} max-age 1s"));
        lines.collect::<Vec<_>>().join("\n")
    };
    gateway::write("cache-mapping", &lines(256))?;
    same!(gateway::read("cache-mapping")?, lines(256), "256 mappings");
    let many = "there can be 256 mappings at most";
    let one_more = "url-pattern *.x max-age 1s";
    refused("cache-mapping", one_more, Errno::ERANGE, many)?;
    gateway::write("cache-mapping", &lines(256)).context("writing them back")?;

    let expression = |letter: &str| format!("url-regexp {} max-age 1s", letter.repeat(128));
    let eight = ["a", "b", "c", "d", "e", "f", "g", "h"].map(expression);
    gateway::write("cache-mapping", "clear")?;
    gateway::write("cache-mapping", &eight.join("\n"))?;
    let much = "all expressions together would have more than 1024 characters";
    let one_more = "url-regexp i max-age 1s";
    refused("cache-mapping", one_more, Errno::ERANGE, much)?;
    let long = format!("url-regexp {} max-age 1s", "i".repeat(129));
    let why = "it has more than 128 characters to compare";
    gateway::write("cache-mapping", "clear")?;
    refused("cache-mapping", &long, Errno::EINVAL, why)?;

    // In three writes: one takes no more than can be shown.
    let long = |number| format!("url-pattern /{}{number} max-age 1s", "x".repeat(6000));
    gateway::write("cache-mapping", &format!("{}\n{}", long(0), long(1)))?;
    let full = "all mappings together would be more than 16384 octets";
    refused("cache-mapping", &long(2), Errno::ERANGE, full)?;
    gateway::write("cache-mapping", &gateway::read("cache-mapping")?).context("writing it back")
}

fn each_file_leaves_the_others_alone() -> Outcome {
    Gateway::load(PORT)?;
    gateway::write("cache", "entries 17")?;
    gateway::write("cache-mapping", LINES)?;
    gateway::write("config", "header-timeout 7s")?;
    gateway::write("srun-count", "2")?;
    gateway::write("srun-1", "10.1.2.3 80")?;
    let settings = DEFAULTS.replace("entries 8192", "entries 17");
    same!(gateway::read("cache")?, settings, "cache");
    same!(gateway::read("cache-mapping")?, LINES, "cache-mapping");
    let config = gateway::read("config")?;
    gateway::write("cache", "grace 1m")?;
    gateway::write("cache-mapping", "clear")?;
    same!(gateway::read("config")?, config, "config");
    same!(gateway::read("srun-1")?, "10.1.2.3 80", "srun-1");
    Ok(())
}

fn each_namespace_has_its_own() -> Outcome {
    Gateway::load(PORT)?;
    let space = Namespace::new("one", 1)?;
    gateway::write("cache", "entries 17")?;
    gateway::write("cache-mapping", LINES)?;
    let inner = space.enter(|| {
        let before = gateway::read("cache")?;
        gateway::write("cache-mapping", "url-pattern *.b max-age 2s")?;
        Ok((before, gateway::read("cache-mapping")?))
    })?;
    same!(inner.0, DEFAULTS, "cache of a new namespace");
    same!(inner.1, "url-pattern *.b max-age 2s", "its cache-mapping");
    same!(gateway::read("cache-mapping")?, LINES, "the outer one");
    Ok(())
}
