// SPDX-License-Identifier: GPL-2.0

//! The host tests, one module for each part of the core.

mod config;
