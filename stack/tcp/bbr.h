/* bbr.h: what the parts of BBR share: bbr_model.c, what is known of the path; bbr_states.c, what to try next; and bbr.c, what
 * follows for window and rate. Names
 * are those of draft-ietf-ccwg-bbr without its "BBR.". Volumes are bytes, rates bytes a second, times microseconds. */
#ifndef TCP_BBR_H
#define TCP_BBR_H

#include "cc.h"

#define BBR_INFINITE UINT32_MAX		/* a volume that was not bounded yet */
#define BBR_INFINITE_RATE UINT64_MAX
#define BBR_PROBE_RTT_CWND_PERCENT 50u	/* 2.16.2 ProbeRTTCwndGain */
#define BBR_RTT_MAX (1u << 26)	/* a minute: times a rate it stays within 64 bits */

enum bbr_state {		/* 5.1.1 */
	BBR_STARTUP, BBR_DRAIN, BBR_DOWN, BBR_CRUISE, BBR_REFILL, BBR_UP, BBR_PROBE_RTT,
	BBR_NO_STATE		/* undo_state: no transition is to be undone */
};
enum bbr_acks {			/* 2.14: what the ACKs that arrive are an answer to */
	BBR_ACKS_INIT, BBR_ACKS_REFILLING, BBR_ACKS_STARTING, BBR_ACKS_FEEDBACK, BBR_ACKS_STOPPING
};

struct bbr_peak { uint32_t bytes, round; };

/* The controller's memory, all of it. */
struct bbr {
	uint64_t bw[2];				/* max_bw_filter: the previous cycle's and this cycle's maximum (5.5.6) */
	uint64_t bw_shortterm, bw_latest;
	uint64_t full_bw;
	uint64_t next_round_delivered, loss_round_delivered;
	uint64_t lost_seen;			/* of cc_rate.total_lost */
	uint64_t low_from, low_until;		/* what left when so much was delivered is a sample of ProbeRTT, not of the path */
	usec_t cycle_stamp_us, extra_acked_start_us;
	usec_t min_rtt_stamp_us, probe_rtt_min_stamp_us;
	usec_t probe_rtt_done_us;		/* USEC_NEVER: it has not begun to count */
	uint32_t min_rtt_us, probe_rtt_min_us;	/* CC_NONE: not known yet */
	uint64_t undo_bw_shortterm;
	uint64_t pacing_rate;			/* C.pacing_rate */
	uint32_t undo_inflight_shortterm, undo_inflight_longterm;
	uint32_t prior_cwnd;
	uint32_t inflight_latest, inflight_shortterm, inflight_longterm;
	uint32_t extra_acked_delivered;
	struct bbr_peak extra_acked[3];		/* extra_acked_filter: the greatest, second and third greatest, in time's order */
	uint32_t round_count, drain_start_round, rounds_since_probe_up;
	uint32_t bw_probe_wait_us, bw_probe_up_acked, probe_up_acked_per_inc;
	uint32_t lost_runs_seen;		/* of cc_rate.lost_runs, when this round of losses began */
	uint32_t random;
	uint8_t state, ack_phase, undo_state;	/* enum bbr_state, bbr_acks, bbr_state */
	uint8_t bw_probe_up_rounds, full_bw_count;
	bool started, has_seen_rtt, idle_restart, in_recovery;
	bool full_bw_reached, full_bw_now;
	bool is_loss_in_round, is_bw_probe_sample, prev_probe_too_high, prev_probe_precautionary;
	bool probe_rtt_expired, probe_rtt_round_done;
	bool limited_before, limited_now;	/* the window was full in the previous round, in this one */
};

/* One event's view: what arrived, and what was found out about it on the way. */
struct bbr_step {
	struct bbr *b;
	struct cc *cc;
	const struct cc_sample *s;
	uint64_t rate;				/* RS.delivery_rate; 0: none */
	bool app_limited;			/* RS.is_app_limited, or from ProbeRTT */
	bool round_start, loss_round_start;
};

/* --- bbr_model.c --- */
struct bbr_step bbr_step_of(struct bbr *b, struct cc *cc, const struct cc_sample *s);
uint32_t bbr_random(struct bbr *b, uint32_t below);		/* uniform, 0 .. below-1 */
static inline uint64_t bbr_max_bw(const struct bbr *b) { return b->bw[0] > b->bw[1] ? b->bw[0] : b->bw[1]; }
static inline uint64_t bbr_bw(const struct bbr *b)		/* BoundBWForModel() */
{
	return bbr_max_bw(b) < b->bw_shortterm ? bbr_max_bw(b) : b->bw_shortterm;
}
static inline uint32_t bbr_min_pipe(const struct bbr_step *k) { return 4 * k->s->mss; }	/* 2.8 MinPipeCwnd */
uint32_t bbr_bdp(const struct bbr_step *k, uint64_t bw, uint32_t percent);	/* BDPMultiple() */
uint32_t bbr_quantized(const struct bbr_step *k, uint64_t inflight);		/* QuantizationBudget() */
uint32_t bbr_extra_acked(const struct bbr *b);
uint32_t bbr_headroom(const struct bbr_step *k);				/* InflightWithHeadroom() */
uint32_t bbr_target_inflight(const struct bbr_step *k);
void bbr_start_round(const struct bbr_step *k);
void bbr_reset_congestion_signals(struct bbr *b);
void bbr_reset_shortterm(struct bbr *b);
void bbr_note_loss(const struct bbr_step *k);
void bbr_save_state(const struct bbr_step *k);
void bbr_update_latest(struct bbr_step *k);
void bbr_update_congestion(struct bbr_step *k);
void bbr_update_aggregation(const struct bbr_step *k);
void bbr_advance_latest(const struct bbr_step *k);
void bbr_advance_max_bw(struct bbr *b);
void bbr_update_min_rtt(const struct bbr_step *k);

/* --- bbr_states.c --- */
static inline bool bbr_is_probing(const struct bbr *b)
{
	return b->state == BBR_STARTUP || b->state == BBR_REFILL || b->state == BBR_UP;
}
static inline bool bbr_is_probe_bw(const struct bbr *b) { return b->state >= BBR_DOWN && b->state <= BBR_UP; }
void bbr_save_cwnd(const struct bbr_step *k);
void bbr_restore_cwnd(const struct bbr_step *k);
void bbr_reset_full_bw(struct bbr *b, uint64_t baseline);
void bbr_check_full_bw(const struct bbr_step *k);
void bbr_startup_is_too_high(const struct bbr_step *k);		/* congestion says that Startup has filled the pipe */
void bbr_check_startup_done(const struct bbr_step *k);
void bbr_check_drain_done(const struct bbr_step *k);
void bbr_start_refill(const struct bbr_step *k);
/* A probe lost too much: tx_flight is what was in flight when it was too much. */
void bbr_handle_too_high(const struct bbr_step *k, uint32_t tx_flight, bool app_limited);
void bbr_update_cycle(const struct bbr_step *k);
void bbr_check_probe_rtt(const struct bbr_step *k);
void bbr_check_probe_rtt_done(const struct bbr_step *k);
uint32_t bbr_probe_rtt_cwnd(const struct bbr_step *k);

#endif
