/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The C that Rust cannot do without: static inlines, and the fields of structures that
 * kernel::bindings keeps opaque (above all struct sock). One section for each file of rt/; what a
 * helper does is said at its definition: in helpers.c, or those of rt/socket.rs in socket_helpers.c.
 */
#ifndef RESIN_SYS_HELPERS_H
#define RESIN_SYS_HELPERS_H

#include <linux/llist.h>
#include <linux/spinlock_types.h>
#include <linux/types.h>

struct bio_vec;
struct delayed_work;
struct file;
struct kiocb;
struct kvec;
struct net;
struct poll_table_struct;
struct proc_dir_entry;
struct shrink_control;
struct shrinker;
struct sock;
struct socket;
struct wait_queue_head;
struct work_struct;
struct workqueue_struct;

/* rt/socket.rs */

/* Parts that are sent by reference at a time, no more than a packet can refer to. */
#define RESIN_HELPER_PARTS 17

struct resin_helper_callbacks {
	void (*data_ready)(struct sock *sk);
	void (*write_space)(struct sock *sk);
	void (*state_change)(struct sock *sk);
};

struct resin_helper_name {
	__u8 addr[16];
	__u16 port;
	bool ipv6;
};

void resin_helper_sk_prepare(struct sock *sk);
void resin_helper_sk_settle(struct sock *sk);

void resin_helper_sk_callbacks(struct sock *sk, struct resin_helper_callbacks *from);
void resin_helper_sk_set_callbacks(struct sock *sk, void *user_data,
				   const struct resin_helper_callbacks *to);
void *resin_helper_sk_enter_callback(struct sock *sk);
void resin_helper_sk_leave_callback(struct sock *sk);
bool resin_helper_sk_take_write_space(struct sock *sk);

bool resin_helper_sk_try_lock(struct sock *sk);
void resin_helper_sk_unlock(struct sock *sk);
void resin_helper_tcp_inline_urgent(struct sock *sk);
int resin_helper_tcp_read_end(struct sock *sk);
int resin_helper_tcp_send(struct sock *sk, const struct kvec *parts, size_t count, size_t size,
			  unsigned int flags);
void resin_helper_part_set(struct bio_vec *part, const void *octets, size_t len);
int resin_helper_tcp_splice(struct sock *sk, const struct bio_vec *parts, size_t count, size_t size,
			    unsigned int flags);
size_t resin_helper_tcp_peek(struct sock *sk, struct bio_vec *parts, size_t count, size_t size,
			     bool *more);
void resin_helper_tcp_peeked(const struct bio_vec *parts, size_t count);
void *resin_helper_frag_take(size_t size);
void resin_helper_frags_free(void);
void resin_helper_tcp_acknowledge(struct sock *sk);
bool resin_helper_tcp_queues_empty(struct sock *sk);
u64 resin_helper_tcp_acked(const struct sock *sk);
u32 resin_helper_tcp_unacked(const struct sock *sk);
void resin_helper_tcp_shutdown_send(struct sock *sk);

int resin_helper_sock_option(struct socket *sock, int level, int name, int value);

int resin_helper_sk_state(const struct sock *sk);
bool resin_helper_sk_readable(const struct sock *sk);
bool resin_helper_sk_failed(const struct sock *sk);
bool resin_helper_sk_accept_pending(const struct sock *sk);
int resin_helper_sk_incoming_cpu(const struct sock *sk);
bool resin_helper_sk_name(const struct sock *sk, bool peer, struct resin_helper_name *name);

/* rt/memory.rs */

#define RESIN_HELPER_SPARE_SIZES 6
#define RESIN_HELPER_SPARE_MOST 32

size_t resin_helper_memory_total(void);
bool resin_helper_spare_alloc(void);
void *resin_helper_spare_take(unsigned int size);
bool resin_helper_spare_put(unsigned int size, void *memory, unsigned int most);
void resin_helper_spare_free(void);

/* rt/pages.rs */

void *resin_helper_page_alloc(void);
void resin_helper_page_free(void *page);

/* rt/net.rs */

bool resin_helper_net_hold(struct net *net);
void resin_helper_net_release(struct net *net);
unsigned int resin_helper_net_number(const struct net *net);
int resin_helper_net_register(int (*init)(struct net *net), void (*exit)(struct net *net));
void resin_helper_net_unregister(void);

/* rt/sync.rs */

void resin_helper_spin_lock_bh(spinlock_t *lock);
void resin_helper_spin_unlock_bh(spinlock_t *lock);
bool resin_helper_spin_trylock_bh(spinlock_t *lock);

/* rt/percpu.rs */

unsigned int resin_helper_cpus_online(void);
u64 __percpu *resin_helper_counters_alloc(size_t count);
void resin_helper_counter_add(u64 __percpu *counter, u64 n);
u64 resin_helper_counter_sum(u64 __percpu *counter);
void resin_helper_counters_free(u64 __percpu *counters);

/* rt/softirq.rs */

struct resin_helper_job {
	struct llist_node node;
	unsigned long queued;
	void (*run)(struct resin_helper_job *job);
};

struct resin_helper_jobs;

struct resin_helper_jobs __percpu *resin_helper_jobs_alloc(void);
bool resin_helper_jobs_add(struct resin_helper_jobs __percpu *jobs, struct resin_helper_job *job);
void resin_helper_jobs_wait(struct resin_helper_jobs __percpu *jobs);
void resin_helper_jobs_free(struct resin_helper_jobs __percpu *jobs);
bool resin_helper_softirq_is_serving(void);

/* rt/workqueue.rs */

bool resin_helper_queue_work_online(u32 cpu, struct workqueue_struct *queue,
				    struct work_struct *work);
bool resin_helper_queue_delayed_work_online(u32 cpu, struct workqueue_struct *queue,
					    struct delayed_work *work, unsigned long delay);

/* rt/proc.rs */

struct proc_dir_entry *resin_helper_proc_net_folder(struct net *net, const char *name);
void *resin_helper_proc_file_data(const struct file *file);
bool resin_helper_proc_file_capable(const struct file *file, const struct net *net);

/* rt/proc/stream.rs */

void resin_helper_stream_open(struct file *file);
bool resin_helper_stream_nowait(const struct kiocb *iocb);
__poll_t resin_helper_stream_events(bool readable, bool closed);
void resin_helper_stream_grown(const struct file *file, loff_t size);

/* rt/shrinker.rs */

typedef unsigned long (*resin_helper_shrink)(struct shrinker *shrinker,
					     struct shrink_control *control);

void resin_helper_shrinker_set(struct shrinker *shrinker, resin_helper_shrink count,
			       resin_helper_shrink scan, void *data);
void *resin_helper_shrinker_data(const struct shrinker *shrinker);
size_t resin_helper_shrink_wanted(const struct shrink_control *control);

/* rt/wait.rs */

void resin_helper_wait_init(struct wait_queue_head *queue);
int resin_helper_wait_until(struct wait_queue_head *queue, bool (*ready)(const void *data),
			    const void *data);
void resin_helper_wait_wake(struct wait_queue_head *queue);
void resin_helper_wait_register(struct file *file, struct wait_queue_head *queue,
				struct poll_table_struct *table);
void resin_helper_wait_expel(struct wait_queue_head *queue);
bool resin_helper_wait_is_empty(struct wait_queue_head *queue);
void resin_helper_wait_leave(struct wait_queue_head *queue);

#endif
