//! Bodies of every size and framing are stored as they are, and only if they are all there.

use crate::cached::{set, whole, Visitor, FRESH};
use crate::conn::{Fault, Response};
use crate::http::Framing;
use crate::origin::{Answer, Step};
use crate::testing::{Bed, Context, Failure, Outcome};
use crate::{ensure, tests};

tests![
    of_many_sizes,
    one_octet_too_many,
    chunked,
    until_close,
    cut_short,
];

fn of_many_sizes() -> Outcome {
    let bed = Bed::cached(&[])?;
    let mut visitor = Visitor::new(&bed)?;
    let sizes = [
        0,
        1,
        2,
        1000,
        4095,
        4096,
        4097,
        8192,
        65_537,
        100_000,
        1 << 20,
    ];
    for (size, seed) in sizes.into_iter().zip(1..) {
        let target = format!("/len/{size}?seed={seed}&cc=max-age=3600");
        whole(&visitor.miss(&target, "")?, seed, size).context(&target)?;
        for _ in 0..2 {
            whole(&visitor.hit(&target, "")?, seed, size).context(&target)?;
        }
    }
    Ok(())
}

/// More than `max-entry-size` is for its client alone.
fn one_octet_too_many() -> Outcome {
    let bed = Bed::cached(&[])?;
    let mut visitor = Visitor::new(&bed)?;
    let most = 1 << 20;
    for (kind, seed) in ["len", "chunked", "close"].into_iter().zip(1..) {
        for (size, is_stored) in [(most, true), (most + 1, false)] {
            let target = format!("/{kind}/{size}?seed={seed}&cc=max-age=3600");
            whole(&visitor.miss(&target, "")?, seed, size).context(&target)?;
            let again = match is_stored {
                true => visitor.hit(&target, "")?,
                false => visitor.miss(&target, "")?,
            };
            whole(&again, seed, size).context(&target)?;
        }
    }
    set("max-entry-size", "10K")?;
    whole(&visitor.miss("/len/10240?cc=max-age=60", "")?, 0, 10_240)?;
    whole(&visitor.hit("/len/10240?cc=max-age=60", "")?, 0, 10_240)?;
    visitor.never_stored("/len/10241?cc=max-age=60", "")
}

fn chunked() -> Outcome {
    let bed = Bed::cached(&[])?;
    let mut visitor = Visitor::new(&bed)?;
    for (size, seed) in [0, 1, 4096, 100_000].into_iter().zip(1..) {
        for chunk in [1000, 4096, 70_000] {
            let target = format!("/chunked/{size}?seed={seed}&chunk={chunk}&cc=max-age=3600");
            whole(&visitor.miss(&target, "")?, seed, size).context(&target)?;
            whole(&visitor.hit(&target, "")?, seed, size).context(&target)?;
        }
    }
    // Trailers are for the client whose answer they end, and are no octets of a body.
    let target = "/chunked/500?trailers=1&cc=max-age=3600";
    whole(&visitor.miss(target, "")?, 0, 500)?;
    whole(&visitor.hit(target, "")?, 0, 500)
}

fn until_close() -> Outcome {
    let bed = Bed::cached(&[])?;
    let mut visitor = Visitor::new(&bed)?;
    for (size, seed) in [0, 1, 4096, 100_000].into_iter().zip(1..) {
        for old in [0, 1] {
            let target = format!("/close/{size}?seed={seed}&http10={old}&cc=max-age=3600");
            whole(&visitor.miss(&target, "")?, seed, size).context(&target)?;
            let stored = visitor.hit(&target, "")?;
            whole(&stored, seed, size).context(&target)?;
            ensure!(stored.persistent(), "{target}: the connection ends");
        }
    }
    Ok(())
}

/// Fails unless a client saw that the answer was not all there.
pub(super) fn is_cut(answer: Result<Response, Fault>) -> Outcome {
    match answer {
        Err(Fault::Truncated(..) | Fault::Reset(_) | Fault::Closed) => Ok(()),
        Err(fault) => Err(fault.into()),
        Ok(response) if response.status == 502 => Ok(()),
        Ok(response) => Err(Failure(format!(
            "a {} with {} octets, to the client's belief all",
            response.status, response.length
        ))),
    }
}

/// RFC 9111 section 3.3: what ends before its end is not complete.
fn cut_short() -> Outcome {
    let bed = Bed::cached(&[])?;
    for (name, framing) in [
        ("length", Framing::Length(9000)),
        ("chunked", Framing::Chunked),
        ("close", Framing::Close),
    ] {
        for (end, step) in [("close", Step::Close), ("reset", Step::Reset)] {
            // Nobody can tell this one from a whole one.
            if (name, end) == ("close", "close") {
                continue;
            }
            let page = format!("{name}-{end}");
            let target = format!("/script/{page}");
            let good = Answer::new(FRESH, 5, 9000).framed(framing);
            // One with a length is whole with its last octet, the others with what follows it.
            let most = if name == "length" { 8999 } else { 9000 };
            for at in [0, 100, most] {
                let cut = good.clone().midway(at, step.clone());
                bed.origin.answer(&page, &cut);
                let answer = bed.client()?.get(&target);
                is_cut(answer).context(format!("{page}, after {at}"))?;
            }
            bed.origin.answer(&page, &good);
            let mut visitor = Visitor::new(&bed)?;
            whole(&visitor.miss(&target, "")?, 5, 9000).context(&page)?;
            whole(&visitor.hit(&target, "")?, 5, 9000).context(&page)?;
        }
    }
    Ok(())
}
