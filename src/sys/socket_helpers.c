// SPDX-License-Identifier: GPL-2.0

/* The C that rt/socket.rs cannot do without; see helpers.h. Nothing in here decides anything. */

#include <linux/bvec.h>
#include <linux/cache.h>
#include <linux/errno.h>
#include <linux/gfp.h>
#include <linux/lockdep.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/sizes.h>
#include <linux/skbuff.h>
#include <linux/sockptr.h>
#include <linux/uio.h>
#include <net/inet_connection_sock.h>
#include <net/inet_sock.h>
#include <net/ipv6.h>
#include <net/net_namespace.h>
#include <net/sock.h>
#include <net/tcp.h>

#include "helpers.h"

/*
 * What is parked in a socket of ours that reports to nobody. sk_user_data is never free as long as a
 * socket is ours, for whoever else uses it (the sockmaps of BPF programs) takes only free ones, and
 * takes the callbacks along: ours would be called with his pointer, and as long as he likes.
 */
static u64 resin_nobody;

/*
 * Settings for sends and receives in atomic context; children of a listener inherit them. Nobody else
 * knows the socket yet.
 */
void resin_helper_sk_prepare(struct sock *sk)
{
	rcu_assign_sk_user_data(sk, &resin_nobody);
	sk->sk_allocation = GFP_ATOMIC | __GFP_NOWARN;
	/* In softirq current is whoever was interrupted, perhaps in the middle of its task_frag. */
	sk->sk_use_task_frag = false;
	/* Urgent octets are ordinary ones: nothing may vanish from the middle of a stream. */
	sock_set_flag(sk, SOCK_URGINLINE);
	/* What a slow peer does not take stays with the other one: TCP_NOTSENT_LOWAT. */
	WRITE_ONCE(tcp_sk(sk)->notsent_lowat, SZ_128K);
}

/*
 * To be called once, just before a socket's close, when it has its own callbacks again. A kernel socket
 * holds no namespace, so that one can go while it has connections; but at its close such a socket
 * forgets what is unacknowledged (tcp_close). So from here on it holds the namespace, or, if that is
 * going, closes with RST.
 *
 * FIN is sent here, where a failure can be seen; see resin_helper_tcp_shutdown_send().
 */
void resin_helper_sk_settle(struct sock *sk)
{
	struct net *net = maybe_get_net(sock_net(sk));

	write_lock_bh(&sk->sk_callback_lock);
	rcu_assign_sk_user_data(sk, NULL);
	write_unlock_bh(&sk->sk_callback_lock);
	if (!net) {
		sock_no_linger(sk);
		return;
	}
	lock_sock(sk);
	sk_net_refcnt_upgrade(sk);
	/* tcp_close() sends RST instead of FIN in these two cases. */
	if (!sock_flag(sk, SOCK_LINGER) && skb_queue_empty(&sk->sk_receive_queue))
		resin_helper_tcp_shutdown_send(sk);
	release_sock(sk);
	put_net(net);
}

void resin_helper_sk_callbacks(struct sock *sk, struct resin_helper_callbacks *from)
{
	from->data_ready = sk->sk_data_ready;
	from->write_space = sk->sk_write_space;
	from->state_change = sk->sk_state_change;
}

/*
 * sk_clone() copies both to a listener's children, which nobody counts; but a child is not asked for
 * what is parked in it before it is accepted, see resin_helper_sk_enter_callback().
 */
void resin_helper_sk_set_callbacks(struct sock *sk, void *user_data,
				   const struct resin_helper_callbacks *to)
{
	write_lock_bh(&sk->sk_callback_lock);
	rcu_assign_sk_user_data(sk, user_data ?: &resin_nobody);
	WRITE_ONCE(sk->sk_data_ready, to->data_ready);
	WRITE_ONCE(sk->sk_write_space, to->write_space);
	WRITE_ONCE(sk->sk_state_change, to->state_change);
	write_unlock_bh(&sk->sk_callback_lock);
}

/*
 * Takes sk_callback_lock for reading and returns to whom the socket reports, or NULL: a child that was
 * not accepted yet, which has no struct socket, does not report though its listener's pointer was
 * copied to it.
 */
void *resin_helper_sk_enter_callback(struct sock *sk)
{
	void *owner;

	read_lock_bh(&sk->sk_callback_lock);
	owner = rcu_dereference_protected(__sk_user_data(sk),
					  lockdep_is_held(&sk->sk_callback_lock));
	/* With a flag it would be somebody else's. */
	if (!sk->sk_socket || owner == &resin_nobody ||
	    WARN_ON_ONCE((uintptr_t)owner & ~SK_USER_DATA_PTRMASK))
		return NULL;
	return owner;
}

void resin_helper_sk_leave_callback(struct sock *sk)
{
	read_unlock_bh(&sk->sk_callback_lock);
}

/* The socket that this CPU is sending on; see resin_helper_tcp_send(). */
static DEFINE_PER_CPU(struct sock *, resin_sending);

/*
 * Like sk_stream_write_space(): is there room worth a wake-up? If so the wish for it is fulfilled.
 * A call out of our own send is no news: nothing was acknowledged.
 */
bool resin_helper_sk_take_write_space(struct sock *sk)
{
	struct socket *sock = sk->sk_socket;

	if (this_cpu_read(resin_sending) == sk || !sock || !sk_stream_is_writeable(sk))
		return false;
	clear_bit(SOCK_NOSPACE, &sock->flags);
	return true;
}

/* Takes the socket's spinlock, unless a process owns the socket. */
bool resin_helper_sk_try_lock(struct sock *sk)
{
	spin_lock_bh(&sk->sk_lock.slock);
	if (likely(!sock_owned_by_user_nocheck(sk)))
		return true;
	spin_unlock_bh(&sk->sk_lock.slock);
	return false;
}

void resin_helper_sk_unlock(struct sock *sk)
{
	spin_unlock_bh(&sk->sk_lock.slock);
}

/*
 * Makes a pending urgent octet an ordinary one (RFC 6093). tcp_read_sock() stops in front of it and
 * nobody but recvmsg() would ever take the mark away. Under the socket's lock.
 */
void resin_helper_tcp_inline_urgent(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);

	if (likely(!tp->urg_data))
		return;
	WRITE_ONCE(tp->urg_data, 0);
	tcp_fast_path_check(sk);
}

/*
 * Why an empty receive queue is empty: 1 = the peer finished, 0 = more may come, else an error, the
 * pending one first. In the order of tcp_recvmsg_locked(). Under the socket's lock.
 */
int resin_helper_tcp_read_end(struct sock *sk)
{
	if (sock_flag(sk, SOCK_DONE))
		return 1;
	if (sk->sk_err)
		return sock_error(sk);
	/* Also after a reset whose error was taken: RCV_SHUTDOWN is set then, but it is no FIN. */
	if (sk->sk_state == TCP_CLOSE)
		return -ENOTCONN;
	return 0;
}

/*
 * tcp_sendmsg_locked() of count parts, size octets in all, under the socket's lock. With nothing
 * queued it calls sk_write_space itself when it gives -EAGAIN; resin_sending tells that call from one
 * that an acknowledgement caused.
 */
static int tcp_send(struct sock *sk, struct msghdr *msg, size_t size)
{
	struct sock *outer = this_cpu_read(resin_sending);
	int ret;

	this_cpu_write(resin_sending, sk);
	ret = tcp_sendmsg_locked(sk, msg, size);
	this_cpu_write(resin_sending, outer);
	return ret;
}

int resin_helper_tcp_send(struct sock *sk, const struct kvec *parts, size_t count, size_t size,
			  unsigned int flags)
{
	struct msghdr msg = { .msg_flags = flags };

	iov_iter_kvec(&msg.msg_iter, ITER_SOURCE, parts, count, size);
	return tcp_send(sk, &msg, size);
}

static_assert(RESIN_HELPER_PARTS <= MAX_SKB_FRAGS);

/*
 * The same without a copy: each part is in one page of the page allocator, or in one compound page, and
 * stays as it is until nobody refers to the page any more.
 */
int resin_helper_tcp_splice(struct sock *sk, const struct bio_vec *parts, size_t count, size_t size,
			    unsigned int flags)
{
	struct msghdr msg = { .msg_flags = flags | MSG_SPLICE_PAGES };

	iov_iter_bvec(&msg.msg_iter, ITER_SOURCE, parts, count, size);
	return tcp_send(sk, &msg, size);
}

/* Octets in the kernel's own mapping of memory as such a part. */
void resin_helper_part_set(struct bio_vec *part, const void *octets, size_t len)
{
	bvec_set_virt(part, (void *)octets, len);
}

/*
 * Refers to up to size octets at the front of the receive queue, in up to count parts, as far as they are
 * in pages that can be sent from: returns in how many. They stay in the queue. more says whether there
 * were more parts. Under the socket's lock.
 *
 * Small parts are better copied: each would hold a page that nobody counts until the recipient has it.
 */
size_t resin_helper_tcp_peek(struct sock *sk, struct bio_vec *parts, size_t count, size_t size,
			     bool *more)
{
	u32 offset, seq = tcp_sk(sk)->copied_seq;
	struct sk_buff *skb = tcp_recv_skb(sk, seq, &offset);
	size_t total = size;
	size_t taken = 0;

	*more = false;
	for (; skb && size; skb = skb_peek_next(skb, &sk->sk_receive_queue)) {
		int n;

		/* One that was sent again may begin with what is known already. */
		offset = seq - TCP_SKB_CB(skb)->seq;
		/* What is not in pages, or may not be read or may change, has to be copied. */
		if (TCP_SKB_CB(skb)->tcp_flags & TCPHDR_SYN || offset < skb_headlen(skb) ||
		    skb_has_frag_list(skb) || skb_zcopy(skb) || !skb_frags_readable(skb))
			break;
		offset -= skb_headlen(skb);
		for (n = 0; n < skb_shinfo(skb)->nr_frags && size; n++) {
			const skb_frag_t *frag = &skb_shinfo(skb)->frags[n];
			size_t len = skb_frag_size(frag);

			if (offset >= len) {
				offset -= len;
				continue;
			}
			if (taken == count) {
				*more = true;
				goto out;
			}
			len = min(len - offset, size);
			get_page(skb_frag_page(frag));
			bvec_set_page(&parts[taken++], skb_frag_page(frag), len,
				      skb_frag_off(frag) + offset);
			size -= len;
			seq += len;
			offset = 0;
		}
	}
out:
	total -= size;
	if (total >= taken * SZ_1K)
		return taken;
	resin_helper_tcp_peeked(parts, taken);
	return 0;
}

/* Lets go of what was referred to. */
void resin_helper_tcp_peeked(const struct bio_vec *parts, size_t count)
{
	size_t n;

	for (n = 0; n < count; n++)
		put_page(parts[n].bv_page);
}

/* A page of each CPU's for what is small: packets refer to the parts of it that were taken. */
static DEFINE_PER_CPU(struct page_frag, resin_frag);

/* size octets in a page, not more than one has; NULL without memory. With bottom halves off. */
void *resin_helper_frag_take(size_t size)
{
	struct page_frag *frag = this_cpu_ptr(&resin_frag);

	if (frag->page && page_ref_count(frag->page) == 1)
		frag->offset = 0;
	if (!frag->page || PAGE_SIZE - frag->offset < size) {
		struct page *page = alloc_page(GFP_ATOMIC | __GFP_NOWARN);

		if (!page)
			return NULL;
		if (frag->page)
			put_page(frag->page);
		frag->page = page;
		frag->offset = 0;
	}
	frag->offset += size;
	return page_address(frag->page) + frag->offset - size;
}

/* Nobody takes any more. */
void resin_helper_frags_free(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct page_frag *frag = per_cpu_ptr(&resin_frag, cpu);

		if (frag->page)
			put_page(frag->page);
		frag->page = NULL;
	}
}

/*
 * Acknowledges what has come and was not yet, as the kernel does at the beginning of a connection that is
 * not made to wait for an answer: Attached::listen(). Under the socket's lock.
 */
void resin_helper_tcp_acknowledge(struct sock *sk)
{
	if (!inet_csk_in_pingpong_mode(sk))
		return;
	inet_csk_exit_pingpong_mode(sk);
	if (inet_csk_ack_scheduled(sk))
		__tcp_send_ack(sk, tcp_sk(sk)->rcv_nxt, 0);
}

bool resin_helper_tcp_queues_empty(struct sock *sk)
{
	return tcp_rtx_and_write_queues_empty(sk);
}

/* RFC 4898's tcpEStatsAppHCThruOctetsAcked. */
u64 resin_helper_tcp_acked(const struct sock *sk)
{
	return READ_ONCE(tcp_sk(sk)->bytes_acked);
}

u32 resin_helper_tcp_unacked(const struct sock *sk)
{
	return READ_ONCE(tcp_sk(sk)->write_seq) - READ_ONCE(tcp_sk(sk)->snd_una);
}

/*
 * The part of inet_shutdown(SHUT_WR) for connected sockets. Under the socket's lock.
 *
 * Without memory tcp_send_fin() gives up, and nothing would ever end the connection: no octet is left
 * to be sent again. So such a socket closes like an aborted one.
 */
void resin_helper_tcp_shutdown_send(struct sock *sk)
{
	u32 end = tcp_sk(sk)->write_seq;

	if (!((1 << sk->sk_state) & (TCPF_ESTABLISHED | TCPF_CLOSE_WAIT)))
		return;
	WRITE_ONCE(sk->sk_shutdown, sk->sk_shutdown | SEND_SHUTDOWN);
	READ_ONCE(sk->sk_prot)->shutdown(sk, SEND_SHUTDOWN);
	if (tcp_sk(sk)->write_seq == end) {
		sk->sk_lingertime = 0;
		sock_set_flag(sk, SOCK_LINGER);
	}
}

/* setsockopt() of an int. Process context, without the socket's lock. */
int resin_helper_sock_option(struct socket *sock, int level, int name, int value)
{
	sockptr_t pointer = KERNEL_SOCKPTR(&value);

	if (level == SOL_SOCKET)
		return sock_setsockopt(sock, level, name, pointer, sizeof(value));
	return READ_ONCE(sock->ops)->setsockopt(sock, level, name, pointer, sizeof(value));
}

/* The rest needs no lock: snapshots, and what does not change while the socket lives. */

int resin_helper_sk_state(const struct sock *sk)
{
	return inet_sk_state_load(sk);
}

bool resin_helper_sk_readable(const struct sock *sk)
{
	return !skb_queue_empty_lockless(&sk->sk_receive_queue) ||
	       (READ_ONCE(sk->sk_shutdown) & RCV_SHUTDOWN) || READ_ONCE(sk->sk_err);
}

/* Reset, timed out or killed. After two FINs a socket is closed as well, but has not failed. */
bool resin_helper_sk_failed(const struct sock *sk)
{
	return READ_ONCE(sk->sk_err);
}

bool resin_helper_sk_accept_pending(const struct sock *sk)
{
	return !reqsk_queue_empty(&inet_csk(sk)->icsk_accept_queue);
}

int resin_helper_sk_incoming_cpu(const struct sock *sk)
{
	return READ_ONCE(sk->sk_incoming_cpu);
}

/* The address of one end, in network order, and the port; false if there is none. */
bool resin_helper_sk_name(const struct sock *sk, bool peer, struct resin_helper_name *name)
{
	const struct inet_sock *inet = inet_sk(sk);

	name->port = ntohs(peer ? inet->inet_dport : inet->inet_sport);
	name->ipv6 = sk->sk_family == AF_INET6;
#if IS_ENABLED(CONFIG_IPV6)
	if (name->ipv6) {
		memcpy(name->addr, peer ? &sk->sk_v6_daddr : &sk->sk_v6_rcv_saddr, 16);
		return name->port;
	}
#endif
	memcpy(name->addr, peer ? &inet->inet_daddr : &inet->inet_rcv_saddr, 4);
	return name->port;
}
