/* iperf3_json.c: see iperf3_json.h. */
#include "iperf3_json.h"

#include <jansson.h>
#include <string.h>

#define SECONDS_MAX 86400u
#define OMIT_MAX 600u
#define MSS_MAX (9u * 1024)
#define WINDOW_MAX (512u * 1024 * 1024)
#define BLOCK_MAX (1024u * 1024)
#define UDP_BLOCK_MIN 16u
#define UDP_BLOCK_MAX 65507u
#define UDP_BLOCK 1460u			/* where the client leaves the choice */
#define RATE_MAX 1e15

/* A number from 0 to most, whatever way it is written; 0 where there is none. False: out of range. */
static bool number(const json_t *j, const char *key, double most, double *out)
{
	const json_t *value = json_object_get(j, key);
	*out = json_number_value(value);
	return (!value || json_is_number(value)) && *out >= 0 && *out <= most;
}

static bool whole(const json_t *j, const char *key, uint32_t most, uint32_t *out)
{
	double value;
	bool fits = number(j, key, most, &value);
	*out = fits ? (uint32_t)value : 0;
	return fits;
}

/* Options of iperf3 come as true, or as a number that is not 0. */
static bool is_set(const json_t *j, const char *key)
{
	const json_t *value = json_object_get(j, key);
	return json_is_true(value) || (json_is_number(value) && json_number_value(value) != 0);
}

/* What iperf3's server can do and this one cannot. Some of it only matters to who sends. */
static enum iperf3_error unable(const json_t *j, const struct iperf3_params *p)
{
	bool sends = p->reverse || p->both_ways;
	if (is_set(j, "sctp"))
		return IPERF3_NO_SCTP;
	if (json_object_get(j, "server_affinity"))
		return IPERF3_CANNOT_SET_AFFINITY;
	if (is_set(j, "flowlabel"))
		return IPERF3_CANNOT_SET_FLOW_LABEL;
	if (sends && is_set(j, "fqrate"))
		return IPERF3_CANNOT_PACE;
	if (sends && p->udp && is_set(j, "dont_fragment"))
		return IPERF3_NOT_IMPLEMENTED;
	return IPERF3_OK;
}

static enum iperf3_error read_block(const json_t *j, struct iperf3_params *p)
{
	if (!whole(j, "len", BLOCK_MAX, &p->block))
		return IPERF3_BAD_BLOCK;
	if (p->udp && p->block == 0)
		p->block = UDP_BLOCK;
	if (p->udp)
		return p->block < UDP_BLOCK_MIN || p->block > UDP_BLOCK_MAX ? IPERF3_BAD_UDP_BLOCK : IPERF3_OK;
	return p->block ? IPERF3_OK : IPERF3_BAD_BLOCK;
}

static enum iperf3_error read_congestion(const json_t *j, struct iperf3_params *p)
{
	const char *name = json_string_value(json_object_get(j, "congestion"));
	p->congestion = name && !p->udp ? tapir_cc_parse(name) : -1;
	return name && !p->udp && p->congestion < 0 ? IPERF3_CANNOT_SET_CONGESTION : IPERF3_OK;
}

static enum iperf3_error read_numbers(const json_t *j, struct iperf3_params *p)
{
	if (!whole(j, "time", SECONDS_MAX, &p->seconds))
		return IPERF3_BAD_DURATION;
	if (!whole(j, "omit", OMIT_MAX, &p->omit))
		return IPERF3_BAD_OMIT;
	if (!whole(j, "parallel", IPERF3_PARALLEL_MAX, &p->parallel))
		return IPERF3_BAD_PARALLEL;
	if (!whole(j, "MSS", MSS_MAX, &p->mss))
		return IPERF3_BAD_MSS;
	if (!whole(j, "window", WINDOW_MAX, &p->window))
		return IPERF3_BAD_WINDOW;
	if (!whole(j, "TOS", 255, &p->tos))
		return IPERF3_BAD_TOS;
	if (!number(j, "bandwidth", RATE_MAX, &p->bits_per_second))
		return IPERF3_BAD_PARAMS;
	p->parallel = p->parallel ? p->parallel : 1;
	return IPERF3_OK;
}

static enum iperf3_error read_params(const json_t *j, struct iperf3_params *p)
{
	*p = (struct iperf3_params){ .udp = is_set(j, "udp"), .reverse = is_set(j, "reverse"), .nodelay = is_set(j, "nodelay"),
				     .both_ways = is_set(j, "bidirectional"), .wide = is_set(j, "udp_counters_64bit") };
	enum iperf3_error error = unable(j, p);
	if (!error)
		error = read_numbers(j, p);
	if (!error)
		error = read_block(j, p);
	return error ? error : read_congestion(j, p);
}

enum iperf3_error iperf3_params(struct span text, struct iperf3_params *out)
{
	/* As reals: cJSON, with which the client writes, knows no other numbers. */
	json_t *j = json_loadb((const char *)text.p, text.n, JSON_DECODE_INT_AS_REAL, NULL);
	enum iperf3_error error = json_is_object(j) ? read_params(j, out) : IPERF3_BAD_PARAMS;
	json_decref(j);
	return error;
}

static json_t *stream_object(const struct iperf3_stream *s, const struct iperf3_results *r)
{
	return json_pack("{sisIsIsfsIsIsIsIsfsf}", "id", s->id, "bytes", (json_int_t)(s->bytes - s->omitted.bytes),
			 "retransmits", s->sends && r->has_retransmits == 1 ? (json_int_t)s->retransmits : (json_int_t)-1,
			 "jitter", s->jitter, "errors", (json_int_t)s->lost, "omitted_errors", (json_int_t)s->omitted.lost,
			 "packets", (json_int_t)s->packets, "omitted_packets", (json_int_t)s->omitted.packets,
			 "start_time", 0.0, "end_time", r->seconds);
}

static double percent(double part, double of)
{
	return of > 0 ? 100 * part / of : 0;
}

char *iperf3_results(const struct iperf3_results *r)
{
	json_t *streams = json_array();
	for (unsigned i = 0; i < r->count; i++)
		json_array_append_new(streams, stream_object(&r->streams[i], r));
	json_t *j = json_pack("{sfsfsfsiss*so}", "cpu_util_total", percent(r->cpu_user + r->cpu_system, r->seconds),
			      "cpu_util_user", percent(r->cpu_user, r->seconds),
			      "cpu_util_system", percent(r->cpu_system, r->seconds), "sender_has_retransmits", r->has_retransmits,
			      "congestion_used", r->congestion, "streams", streams);
	char *text = json_dumps(j, JSON_COMPACT);
	json_decref(j);
	return text;
}
