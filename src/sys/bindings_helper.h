/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What bindgen reads. bindgen_parameters says which items it makes of it: those that kernel::bindings
 * lacks.
 */
#include <linux/net.h>
#include <linux/proc_fs.h>
#include <linux/random.h>
#include <linux/seq_file.h>
#include <linux/shrinker.h>
#include <linux/skbuff.h>
#include <net/net_namespace.h>
#include <net/sock.h>
#include <net/tcp.h>

#include "helpers.h"
