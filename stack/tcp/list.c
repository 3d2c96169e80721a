/* list.c: what a program that looks at the whole stack (netstat) may know of TCP: each connection, and the ways to other
 * hosts. Copies, changes nothing. What one connection's user may know is status.c. */
#include "internal.h"

/* What SND.UNA has not passed: a SYN and a FIN count as in the sequence space. */
static uint32_t send_queue(const struct tcp_conn *c)
{
	return c->tx.bytes + tcp_syn_unacked(c) + (c->fin_queued && !c->fin_acked);
}

uint32_t tcp_places(const struct tapir *t) { return tcp_slot_count(&t->cfg) + tcp_mini_places(t); }

bool tcp_row(struct tapir *t, uint32_t i, struct tapir_tcp_row *row)
{
	uint32_t slots = tcp_slot_count(&t->cfg);
	const struct tcp_conn *c = i < slots ? &t->tcp->slots[i] : NULL;

	if (!c)
		return tcp_mini_row(t, i - slots, row);
	if (c->state == TCP_CLOSED)
		return false;
	row->brief = false;
	tcp_status(t, c, &row->info);
	row->recv_q = c->rx.bytes;
	row->send_q = send_queue(c);
	row->sndbuf = c->tx.limit;
	row->rcvbuf = c->rx.limit;
	row->orphan = !c->owner && !c->listener;
	for (enum tapir_tcp_timer n = 0; n < TAPIR_TIMER_COUNT; n++)
		row->due_us[n] = tcp_timer_due(c, n);
	return true;
}

/* The row about host among n; NULL: there is none. */
static struct tapir_path *find_row(struct tapir_path *rows, uint32_t n, const struct tapir_addr *host)
{
	for (uint32_t i = 0; i < n; i++)
		if (tapir_addr_equal(&rows[i].host, host))
			return &rows[i];
	return NULL;
}

/* TCP's search joins what IP has learned of the same host; where max is too small, a host may be counted twice. */
uint32_t tapir_path_list(const struct tapir *t, struct tapir_path *rows, uint32_t max)
{
	uint32_t n = ip_path_list(t, rows, max);

	for (const struct tcp_path *p = t->tcp->paths; p < t->tcp->paths + TCP_PATHS; p++) {
		struct tapir_path *row = p->low ? find_row(rows, min_u32(n, max), &p->dst) : NULL;

		if (p->low && !row && n++ < max) {
			row = &rows[n - 1];
			*row = (struct tapir_path){.host = p->dst, .mtu = t->cfg.mtu};
		}
		if (!row)
			continue;
		row->mtu = (uint16_t)min_u32(row->mtu, p->low);
		row->low = p->low;
		row->high = p->high;
		row->probe = p->prober ? p->size : 0;
	}
	return n;
}
