// SPDX-License-Identifier: GPL-2.0

/* The C that Rust cannot do without; see helpers.h. Nothing in here decides anything. */

#include <linux/cache.h>
#include <linux/capability.h>
#include <linux/cpumask.h>
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/interrupt.h>
#include <linux/kmemleak.h>
#include <linux/llist.h>
#include <linux/lockdep.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/poll.h>
#include <linux/proc_fs.h>
#include <linux/shrinker.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <net/net_namespace.h>

#include "helpers.h"

/* --- rt/memory.rs ------------------------------------------------------------------------------ */

size_t resin_helper_memory_total(void)
{
	return totalram_pages() << PAGE_SHIFT;
}

/* Memory that each CPU keeps for the next one who wants some, of a number of sizes. */
struct spare {
	unsigned int count;
	void *memory[RESIN_HELPER_SPARE_MOST];
};

/* So many on each CPU; not static, for which modules have little room. */
static struct spare __percpu *resin_spare;

/* Once, before anybody takes any. Process context. */
bool resin_helper_spare_alloc(void)
{
	resin_spare = __alloc_percpu(RESIN_HELPER_SPARE_SIZES * sizeof(struct spare),
				     __alignof__(struct spare));
	return resin_spare;
}

/* Some of this size, or NULL. Any context. */
void *resin_helper_spare_take(unsigned int size)
{
	void *memory = NULL;
	unsigned long flags;
	struct spare *spare;

	local_irq_save(flags);
	spare = this_cpu_ptr(resin_spare) + size;
	if (spare->count)
		memory = spare->memory[--spare->count];
	local_irq_restore(flags);
	return memory;
}

/*
 * Keeps memory of kmalloc(), unless most is kept already: false. Any context. KASAN would not see who uses
 * what is kept.
 */
bool resin_helper_spare_put(unsigned int size, void *memory, unsigned int most)
{
	unsigned long flags;
	struct spare *spare;
	bool kept;

	local_irq_save(flags);
	spare = this_cpu_ptr(resin_spare) + size;
	kept = !IS_ENABLED(CONFIG_KASAN) && spare->count < min(most, RESIN_HELPER_SPARE_MOST);
	if (kept)
		spare->memory[spare->count++] = memory;
	local_irq_restore(flags);
	return kept;
}

/* Nobody puts any more there. */
void resin_helper_spare_free(void)
{
	unsigned int size;
	int cpu;

	for_each_possible_cpu(cpu) {
		for (size = 0; size < RESIN_HELPER_SPARE_SIZES; size++) {
			struct spare *spare = per_cpu_ptr(resin_spare, cpu) + size;

			while (spare->count)
				kfree(spare->memory[--spare->count]);
		}
	}
	free_percpu(resin_spare);
}

/* --- rt/pages.rs ------------------------------------------------------------------------------- */

/* It neither waits nor takes from the reserves: who gets none does without. */
void *resin_helper_page_alloc(void)
{
	return (void *)__get_free_page(GFP_NOWAIT | __GFP_NOWARN);
}

void resin_helper_page_free(void *page)
{
	free_page((unsigned long)page);
}

/* --- rt/net.rs --------------------------------------------------------------------------------- */

bool resin_helper_net_hold(struct net *net)
{
	return maybe_get_net(net);
}

void resin_helper_net_release(struct net *net)
{
	put_net(net);
}

/* What stands in net:[...], as /proc/PID/ns/net and lsns(8) have it. */
unsigned int resin_helper_net_number(const struct net *net)
{
	return net->ns.inum;
}

static struct pernet_operations resin_net_ops;

/* Process context. One registration at a time. */
int resin_helper_net_register(int (*init)(struct net *net), void (*exit)(struct net *net))
{
	resin_net_ops.init = init;
	resin_net_ops.exit = exit;
	return register_pernet_subsys(&resin_net_ops);
}

void resin_helper_net_unregister(void)
{
	unregister_pernet_subsys(&resin_net_ops);
}

/* --- rt/sync.rs -------------------------------------------------------------------------------- */

void resin_helper_spin_lock_bh(spinlock_t *lock)
{
	spin_lock_bh(lock);
}

void resin_helper_spin_unlock_bh(spinlock_t *lock)
{
	spin_unlock_bh(lock);
}

bool resin_helper_spin_trylock_bh(spinlock_t *lock)
{
	return spin_trylock_bh(lock);
}

/* --- rt/percpu.rs ------------------------------------------------------------------------------ */

unsigned int resin_helper_cpus_online(void)
{
	return num_online_cpus();
}

u64 __percpu *resin_helper_counters_alloc(size_t count)
{
	return __alloc_percpu_gfp(array_size(count, sizeof(u64)), __alignof__(u64),
				  GFP_KERNEL_ACCOUNT);
}

void resin_helper_counter_add(u64 __percpu *counter, u64 n)
{
	this_cpu_add(*counter, n);
}

u64 resin_helper_counter_sum(u64 __percpu *counter)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(*per_cpu_ptr(counter, cpu));
	return sum;
}

void resin_helper_counters_free(u64 __percpu *counters)
{
	free_percpu(counters);
}

/* --- rt/softirq.rs ----------------------------------------------------------------------------- */

/* What waits to be run in softirq on one CPU, the last one first. */
struct resin_helper_jobs {
	struct llist_head waiting;
	struct tasklet_struct tasklet;
};

/* Runs what waits; what is added meanwhile, perhaps by itself, gets its turn in the next round. */
static void run_jobs(struct tasklet_struct *tasklet)
{
	struct resin_helper_jobs *own = from_tasklet(own, tasklet, tasklet);
	struct llist_node *waiting = llist_reverse_order(llist_del_all(&own->waiting));
	struct resin_helper_job *job, *next;

	llist_for_each_entry_safe(job, next, waiting, node) {
		/* From here on it can be added again. What was done before that is seen by run(). */
		clear_bit(0, &job->queued);
		smp_mb__after_atomic();
		job->run(job);
	}
}

struct resin_helper_jobs __percpu *resin_helper_jobs_alloc(void)
{
	struct resin_helper_jobs __percpu *jobs =
		alloc_percpu_gfp(struct resin_helper_jobs, GFP_KERNEL_ACCOUNT);
	int cpu;

	if (!jobs)
		return NULL;
	for_each_possible_cpu(cpu) {
		struct resin_helper_jobs *own = per_cpu_ptr(jobs, cpu);

		init_llist_head(&own->waiting);
		tasklet_setup(&own->tasklet, run_jobs);
	}
	return jobs;
}

/* false: it waits already, and will run after this all the same. In softirq. */
bool resin_helper_jobs_add(struct resin_helper_jobs __percpu *jobs, struct resin_helper_job *job)
{
	struct resin_helper_jobs *own = this_cpu_ptr(jobs);

	if (test_and_set_bit(0, &job->queued))
		return false;
	if (llist_add(&job->node, &own->waiting))
		tasklet_schedule(&own->tasklet);
	return true;
}

/* Until all that was added before has run. Process context; nobody adds any more. */
void resin_helper_jobs_wait(struct resin_helper_jobs __percpu *jobs)
{
	int cpu;

	for_each_possible_cpu(cpu)
		tasklet_kill(&per_cpu_ptr(jobs, cpu)->tasklet);
}

void resin_helper_jobs_free(struct resin_helper_jobs __percpu *jobs)
{
	free_percpu(jobs);
}

/* Not in process context with bottom halves off, which is no softirq. */
bool resin_helper_softirq_is_serving(void)
{
	return in_serving_softirq();
}

/* --- rt/workqueue.rs --------------------------------------------------------------------------- */

/*
 * A CPU that has never been online has no workers, and one that is offline no timers: then any CPU
 * will do. With preemption off none can go offline between the look and the queueing.
 */
static int online_or_any(u32 cpu)
{
	return cpu < nr_cpu_ids && cpu_online(cpu) ? cpu : WORK_CPU_UNBOUND;
}

bool resin_helper_queue_work_online(u32 cpu, struct workqueue_struct *queue,
				    struct work_struct *work)
{
	bool queued;

	preempt_disable();
	queued = queue_work_on(online_or_any(cpu), queue, work);
	preempt_enable();
	return queued;
}

bool resin_helper_queue_delayed_work_online(u32 cpu, struct workqueue_struct *queue,
					    struct delayed_work *work, unsigned long delay)
{
	bool queued;

	preempt_disable();
	queued = queue_delayed_work_on(online_or_any(cpu), queue, work, delay);
	preempt_enable();
	return queued;
}

/* --- rt/proc.rs -------------------------------------------------------------------------------- */

/* Its owner, and looking it up anew for each namespace, come from the parent. */
struct proc_dir_entry *resin_helper_proc_net_folder(struct net *net, const char *name)
{
	return proc_mkdir(name, net->proc_net);
}

void *resin_helper_proc_file_data(const struct file *file)
{
	return pde_data(file_inode(file));
}

/* Could whoever opened the file administer the namespace then? */
bool resin_helper_proc_file_capable(const struct file *file, const struct net *net)
{
	return file_ns_capable(file, net->user_ns, CAP_NET_ADMIN);
}

/* --- rt/proc/stream.rs ------------------------------------------------------------------------- */

/*
 * A file that is read like a stream: several readers of one open file do not wait for each other, and
 * no read is at an offset.
 */
void resin_helper_stream_open(struct file *file)
{
	file->f_mode &= ~(FMODE_ATOMIC_POS | FMODE_PREAD | FMODE_PWRITE);
}

bool resin_helper_stream_nowait(const struct kiocb *iocb)
{
	return (iocb->ki_filp->f_flags & O_NONBLOCK) || (iocb->ki_flags & IOCB_NOWAIT);
}

__poll_t resin_helper_stream_events(bool readable, bool closed)
{
	if (closed)	/* Something that everybody waits for, whatever it is. */
		return EPOLLIN | EPOLLRDNORM | EPOLLPRI | EPOLLERR | EPOLLHUP;
	return readable ? EPOLLIN | EPOLLRDNORM : 0;
}

/* The file has at least size octets, for those who look there for whether it has grown. */
void resin_helper_stream_grown(const struct file *file, loff_t size)
{
	struct inode *inode = file_inode(file);

	if (i_size_read(inode) < size)
		i_size_write(inode, size);
}

/* --- rt/shrinker.rs ---------------------------------------------------------------------------- */

/* Before it is registered. */
void resin_helper_shrinker_set(struct shrinker *shrinker, resin_helper_shrink count,
			       resin_helper_shrink scan, void *data)
{
	shrinker->count_objects = count;
	shrinker->scan_objects = scan;
	shrinker->private_data = data;
}

void *resin_helper_shrinker_data(const struct shrinker *shrinker)
{
	return shrinker->private_data;
}

/* How many objects are to be given back. */
size_t resin_helper_shrink_wanted(const struct shrink_control *control)
{
	return control->nr_to_scan;
}

/* --- rt/wait.rs -------------------------------------------------------------------------------- */

void resin_helper_wait_init(struct wait_queue_head *queue)
{
	init_waitqueue_head(queue);
}

/* 0 once ready(data) is true, -ERESTARTSYS for a signal. Process context. */
int resin_helper_wait_until(struct wait_queue_head *queue, bool (*ready)(const void *data),
			    const void *data)
{
	return wait_event_interruptible(*queue, ready(data));
}

/* All of them, also those who want to be woken one at a time. */
void resin_helper_wait_wake(struct wait_queue_head *queue)
{
	__wake_up(queue, TASK_NORMAL, 0, poll_to_key(EPOLLIN | EPOLLRDNORM));
}

void resin_helper_wait_register(struct file *file, struct wait_queue_head *queue,
				struct poll_table_struct *table)
{
	poll_wait(file, queue, table);
}

/*
 * Epoll, io_uring and aio leave at once; poll() and select() are woken whatever they wait for.
 * wake_up_pollfree() is not for these: it warns of them.
 */
void resin_helper_wait_expel(struct wait_queue_head *queue)
{
	const __poll_t all = EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLNVAL |
			     EPOLLRDNORM | EPOLLRDBAND | EPOLLWRNORM | EPOLLWRBAND | EPOLLMSG |
			     EPOLLRDHUP;

	__wake_up(queue, TASK_NORMAL, 0, poll_to_key(all | POLLFREE));
}

/* Under the lock: whoever has left has also let go of it. */
bool resin_helper_wait_is_empty(struct wait_queue_head *queue)
{
	bool empty;

	spin_lock_irq(&queue->lock);
	empty = list_empty(&queue->head);
	spin_unlock_irq(&queue->lock);
	return empty;
}

/*
 * It is the memory of whoever is in it from here on, and nobody frees it. He may leave it later than
 * the module, with which the lock's class goes: lockdep is not to look at the lock any more. As we
 * hold it nobody else does, so nobody takes it with a class and lets go of it without one, but who
 * waits for it just then.
 */
void resin_helper_wait_leave(struct wait_queue_head *queue)
{
	spin_lock_irq(&queue->lock);
	spin_release(&queue->lock.dep_map, _THIS_IP_);
	lockdep_set_notrack_class(&queue->lock);
	spin_unlock_irq(&queue->lock);
	kmemleak_not_leak(queue);
}
