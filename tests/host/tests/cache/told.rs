// SPDX-License-Identifier: GPL-2.0

//! What gateways before us have told belongs to the key.

use super::lines;
use crate::cache::key::Scheme::{self, Http, Https};
use crate::cache::{scheme, Believed};

fn told(fields: &[&str], [proto, host, forwarded]: [bool; 3]) -> Option<Scheme> {
    let believed = Believed {
        proto,
        host,
        forwarded,
    };
    scheme(&lines(fields), b"shop", believed)
}

#[test]
fn the_scheme_is_that_of_the_first_hop() {
    for (fields, right) in [
        (vec![], Some(Http)),
        (vec!["X-Forwarded-Proto: http"], Some(Http)),
        (vec!["X-Forwarded-Proto: https"], Some(Https)),
        (vec!["x-forwarded-proto: HTTPS , https"], Some(Https)),
        (vec!["X-Forwarded-Proto: "], Some(Http)),
        (vec!["Forwarded: for=a;proto=https"], Some(Https)),
        (
            vec!["Forwarded: for=a;Proto=\"https\";host=\"SHOP\", for=b"],
            Some(Https),
        ),
        (vec!["Forwarded: for=\"[::1]:1;proto=https\""], Some(Http)),
        (vec!["X-Forwarded-Host: Shop"], Some(Http)),
        (vec!["X-Forwarded-For: https"], Some(Http)),
        (
            vec!["X-Forwarded-Proto: https", "Forwarded: proto=https"],
            Some(Https),
        ),
        // Nobody knows which of these it goes by.
        (vec!["X-Forwarded-Proto: https, http"], None),
        (
            vec!["X-Forwarded-Proto: https", "X-Forwarded-Proto: http"],
            None,
        ),
        (
            vec!["X-Forwarded-Proto: https", "Forwarded: proto=http"],
            None,
        ),
        (vec!["Forwarded: proto=https, proto=http"], None),
        // What is none of ours.
        (vec!["X-Forwarded-Proto: wss"], None),
        (vec!["Forwarded: proto"], None),
        (vec!["Forwarded: proto=\"ht\\tps\""], None),
        (vec!["X-Forwarded-Host: evil"], None),
        (vec!["X-Forwarded-Host: shop:8080"], None),
        (vec!["X-Forwarded-Host: shop, evil"], None),
        (vec!["Forwarded: host=evil"], None),
        (vec!["Forwarded: for=a, host=evil;for=b"], None),
        // A quoted string that does not end is none.
        (vec!["Forwarded: for=\"a;host=evil"], None),
    ] {
        assert_eq!(told(&fields, [true; 3]), right, "{fields:?}");
        // What the origin does not see does not matter.
        assert_eq!(told(&fields, [false; 3]), Some(Http), "{fields:?}");
    }
}

#[test]
fn each_field_counts_by_itself() {
    let fields = [
        "X-Forwarded-Proto: https",
        "X-Forwarded-Host: evil",
        "Forwarded: proto=x",
    ];
    assert_eq!(told(&fields, [true, false, false]), Some(Https));
    assert_eq!(told(&fields, [false, true, false]), None);
    assert_eq!(told(&fields, [false, false, true]), None);
}
