// SPDX-License-Identifier: GPL-2.0
/*
 * Damage done on purpose: insmod control.ko control=NAME does what NAME says, so that each detector
 * that the guest suites rely on can be shown to fire. Never load it into a machine you like.
 */
#include <linux/gfp.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

static char *control = "none";
module_param(control, charp, 0444);
MODULE_PARM_DESC(control, "the damage to do: a name of the table at the end");

#define LOST 2000

/* Hides a pointer's origin from the compiler, which would refuse the damage or optimise it away. */
#define hidden(p) ({ typeof(p) hidden_p = (p); OPTIMIZER_HIDE_VAR(hidden_p); hidden_p; })

/* What a correct module does: it allocates, and gives it all back. */
static int none(void)
{
	struct page *pages[64];
	int i;

	for (i = 0; i < ARRAY_SIZE(pages); i++)
		pages[i] = alloc_page(GFP_KERNEL);
	for (i = 0; i < ARRAY_SIZE(pages); i++)
		if (pages[i])
			__free_page(pages[i]);
	return 0;
}

static int warn(void)
{
	WARN(1, "control: a warning on purpose\n");
	return 0;
}

static int oops(void)
{
	*(volatile int *)hidden((int *)NULL) = 1;
	return 0;
}

static int uaf(void)
{
	char *object = kmalloc(200, GFP_KERNEL);

	if (!object)
		return -ENOMEM;
	kfree(object);
	/* A look, no more: KASAN's own list goes through what is freed, and the rest has to work. */
	return *(volatile char *)hidden(object) & 0;
}

static int out_of_bounds(void)
{
	char *object = kmalloc(200, GFP_KERNEL);

	if (!object)
		return -ENOMEM;
	((volatile char *)hidden(object))[200] = 1;
	kfree(object);
	return 0;
}

/* An allocation that may sleep: the classic. It does not, so that the rest still works. */
static int sleep(void)
{
	static DEFINE_SPINLOCK(lock);
	void *object;

	spin_lock(&lock);
	object = kmalloc(200, GFP_KERNEL);
	spin_unlock(&lock);
	kfree(object);
	return 0;
}

/* The two orders never meet in time: only lockdep can know. */
static int lock(void)
{
	static DEFINE_MUTEX(first);
	static DEFINE_MUTEX(second);

	mutex_lock(&first);
	mutex_lock(&second);
	mutex_unlock(&second);
	mutex_unlock(&first);
	mutex_lock(&second);
	mutex_lock(&first);
	mutex_unlock(&first);
	mutex_unlock(&second);
	return 0;
}

/* Not inlined, so that no register or stack slot of init keeps a pointer to the last one. */
static noinline int leak(void)
{
	int i;

	for (i = 0; i < LOST; i++) {
		char *object = kmalloc(200, GFP_KERNEL);

		if (!object)
			return -ENOMEM;
		memset(object, 0x5a, 200);
		OPTIMIZER_HIDE_VAR(object);
	}
	return 0;
}

static noinline int page(void)
{
	int i;

	for (i = 0; i < LOST; i++) {
		struct page *lost = alloc_page(GFP_KERNEL);

		if (!lost)
			return -ENOMEM;
		OPTIMIZER_HIDE_VAR(lost);
	}
	return 0;
}

/* The hung task detector's limit must be below this. */
static int hung(void)
{
	set_current_state(TASK_UNINTERRUPTIBLE);
	schedule_timeout(12 * HZ);
	return 0;
}

/* The soft lockup detector's limit must be below this. */
static int spin(void)
{
	unsigned long end = jiffies + 12 * HZ;

	preempt_disable();
	while (time_before(jiffies, end))
		cpu_relax();
	preempt_enable();
	return 0;
}

static const struct {
	const char *name;
	int (*run)(void);
} controls[] = {
	{ "none", none }, { "warn", warn }, { "oops", oops }, { "uaf", uaf },
	{ "out-of-bounds", out_of_bounds }, { "sleep", sleep }, { "lock", lock },
	{ "leak", leak }, { "page", page }, { "hung", hung }, { "spin", spin },
};

static int __init control_init(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(controls); i++)
		if (!strcmp(control, controls[i].name))
			return controls[i].run();
	return -EINVAL;
}

static void __exit control_exit(void)
{
}

module_init(control_init);
module_exit(control_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Damage done on purpose");
