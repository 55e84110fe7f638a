// SPDX-License-Identifier: GPL-2.0

//! The attribute macros of the stand-in for the kernel crate.

use proc_macro::{Delimiter, Group, TokenStream, TokenTree};

/// Nothing is pinned on the host: takes the `#[pin]` away.
#[proc_macro_attribute]
pub fn pin_data(_: TokenStream, item: TokenStream) -> TokenStream {
    strip(item)
}

fn strip(tokens: TokenStream) -> TokenStream {
    let mut out = Vec::new();
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let is_hash = matches!(&token, TokenTree::Punct(punct) if punct.as_char() == '#');
        if is_hash && tokens.next_if(is_pin).is_some() {
            continue;
        }
        out.push(match token {
            TokenTree::Group(group) => {
                TokenTree::Group(Group::new(group.delimiter(), strip(group.stream())))
            }
            other => other,
        });
    }
    out.into_iter().collect()
}

fn is_pin(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Group(group)
        if group.delimiter() == Delimiter::Bracket && group.stream().to_string() == "pin")
}
