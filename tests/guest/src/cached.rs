//! Requests to a gateway with a cache: whether the cache has answered them or the backend, and what
//! the files of the cache say.

use crate::conn::{Conn, Response};
use crate::gateway;
use crate::pattern::Checker;
use crate::testing::{Bed, Context, Failure, Outcome};
use crate::{ensure, same};

/// For an answer that stays fresh for longer than any test takes.
pub const FRESH: &str = "Cache-Control: max-age=3600\r\n";

impl Bed {
    /// The usual set-up with a cache that tells what it did, and with settings of its file.
    pub fn cached(settings: &[(&str, &str)]) -> Result<Bed, Failure> {
        let bed = Bed::new()?;
        set("cache-status", "on")?;
        settings
            .iter()
            .try_for_each(|(name, value)| set(name, value))?;
        Ok(bed)
    }
}

/// Changes a setting of the cache.
pub fn set(name: &str, value: &str) -> Outcome {
    gateway::write("cache", &format!("{name} {value}"))
}

/// The lines of `cache-entries` or `cache-uncacheable` that hold this text.
pub fn lines_with(file: &str, text: &str) -> Result<Vec<String>, Failure> {
    let all = gateway::read(file)?;
    let lines = all.lines().filter(|line| line.contains(text));
    Ok(lines.map(str::to_owned).collect())
}

/// Fails unless the answer is a 200 with all of that body and nothing else.
pub fn whole(response: &Response, seed: u64, len: u64) -> Outcome {
    same!(response.status, 200, "the status");
    body(response, seed, len)
}

/// Fails unless the answer has all of that body and nothing else.
pub fn body(response: &Response, seed: u64, len: u64) -> Outcome {
    let mut checker = Checker::new(seed);
    checker.feed(&response.body);
    same!(checker.len(), len, "the body's length");
    same!(checker.wrong(), None, "the first wrong octet");
    Ok(())
}

/// What an answer says of its age.
pub fn age(response: &Response) -> Result<u64, Failure> {
    let ages: Vec<_> = response.head.all("Age").collect();
    let [age] = ages[..] else {
        return Err(Failure(format!("not one Age: {:?}", response.head.fields)));
    };
    age.parse::<u64>().context(format!("Age: {age:?}"))
}

/// Fails unless the answer says that it comes from the cache (RFC 9211, RFC 9111 section 5.1).
fn is_marked(response: &Response) -> Outcome {
    let fields = &response.head.fields;
    let said = response.head.get("Cache-Status").unwrap_or("");
    let is_hit = said.split(';').skip(1).any(|part| part.trim() == "hit");
    ensure!(is_hit, "no hit by Cache-Status: {fields:?}");
    // Of those without content of their own nothing is the older for it.
    if !matches!(response.status, 304 | 416) {
        age(response)?;
    }
    Ok(())
}

/// Somebody who makes requests one after the other, while nobody else does.
pub struct Visitor<'a> {
    bed: &'a Bed,
    conn: Conn,
}

impl<'a> Visitor<'a> {
    /// On a connection of his own.
    pub fn new(bed: &'a Bed) -> Result<Visitor<'a>, Failure> {
        let conn = bed.client()?;
        Ok(Visitor { bed, conn })
    }

    /// One request with more fields, each with its CRLF: the answer, and how many requests the backend
    /// has got meanwhile.
    pub fn ask(
        &mut self,
        method: &str,
        target: &str,
        fields: &str,
    ) -> Result<(Response, u64), Failure> {
        let before = self.bed.origin.requests();
        let what = format!("{method} {target} {fields:?}");
        let response = self.conn.ask(method, target, fields).context(&what)?;
        if !response.persistent() {
            self.conn = self.bed.client()?;
        }
        Ok((response, self.bed.origin.requests() - before))
    }

    /// The same with the method that is mostly used; fails unless the backend was asked, once.
    pub fn miss(&mut self, target: &str, fields: &str) -> Result<Response, Failure> {
        let (response, asked) = self.ask("GET", target, fields)?;
        same!(
            asked,
            1,
            "{target} {fields:?}, a miss: requests of the backend"
        );
        Ok(response)
    }

    /// The same; fails if the backend was asked, or the answer does not say where it comes from.
    pub fn hit(&mut self, target: &str, fields: &str) -> Result<Response, Failure> {
        self.hit_by("GET", target, fields)
    }

    /// The same with another method.
    pub fn hit_by(
        &mut self,
        method: &str,
        target: &str,
        fields: &str,
    ) -> Result<Response, Failure> {
        let what = format!("{method} {target} {fields:?}, a hit");
        let (response, asked) = self.ask(method, target, fields)?;
        same!(asked, 0, "{what}: requests of the backend");
        is_marked(&response).context(&what)?;
        Ok(response)
    }

    /// Fails unless that is asked for in vain twice: the backend is asked each time.
    pub fn never_stored(&mut self, target: &str, fields: &str) -> Outcome {
        for _ in 0..2 {
            self.miss(target, fields)?;
        }
        Ok(())
    }
}
