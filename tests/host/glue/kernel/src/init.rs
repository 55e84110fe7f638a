// SPDX-License-Identifier: GPL-2.0

//! What makes a value in its place; here it is made before.

use crate::prelude::Error;

/// A value, or why there is none.
pub struct Init<T>(pub Result<T, Error>);

/// As the kernel's.
#[macro_export]
macro_rules! try_pin_init {
    ($name:ident { $($fields:tt)* }) => {
        $crate::init::Init((|| -> ::core::result::Result<$name, $crate::prelude::Error> {
            ::core::result::Result::Ok($crate::with_fields!($name [] $($fields)*))
        })())
    };
}

/// As the kernel's.
#[macro_export]
macro_rules! pin_init {
    ($($tokens:tt)*) => { $crate::try_pin_init!($($tokens)*) };
}

/// A value with these fields.
#[doc(hidden)]
#[macro_export]
macro_rules! with_fields {
    ($name:ident [$($done:tt)*]) => {
        $name { $($done)* }
    };
    ($name:ident [$($done:tt)*] $field:ident <- $value:expr $(, $($rest:tt)*)?) => {
        $crate::with_fields!($name [$($done)* $field: ($value).0?,] $($($rest)*)?)
    };
    ($name:ident [$($done:tt)*] $field:ident : $value:expr $(, $($rest:tt)*)?) => {
        $crate::with_fields!($name [$($done)* $field: $value,] $($($rest)*)?)
    };
    ($name:ident [$($done:tt)*] $field:ident $(, $($rest:tt)*)?) => {
        $crate::with_fields!($name [$($done)* $field,] $($($rest)*)?)
    };
}

/// The same.
#[macro_export]
macro_rules! init {
    ($($tokens:tt)*) => { $crate::try_pin_init!($($tokens)*) };
}
