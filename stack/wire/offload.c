/* offload.c: completes the checksum of a frame out when nobody below will (out.h, tapir_out_copy). The only place that
 * does. A driver that copies frames anyway does well to say that it can do checksums: the sum is then made in the same pass.
 *
 * A partial checksum field holds the folded sum of the pseudo-header, not complemented, as in a virtio_net_hdr; so the
 * sum from csum_start to the end, field included, is the checksum. */
#include "../base/out.h"
#include "checksum.h"

/* Stores sum's complement at p. A result of 0 is written as its other form, all ones: in UDP 0 would say that there is
 * no checksum (RFC 768), elsewhere the two mean the same. */
static void store(uint8_t *p, uint64_t sum)
{
	uint16_t value = checksum_finish(sum);

	put_be16(p, value ? value : 0xffff);
}

/* Sums headers from csum_start on and all slices, odd ones too. */
static uint64_t sum_out(const struct tapir_out *out)
{
	struct span headers = span_from(span_of(out->head + out->head_at, out->head_len), out->offload.csum_start);
	uint64_t sum = checksum_add(0, headers);
	size_t done = headers.n;

	for (size_t i = 0; i < out->slice_count; i++) {
		sum = done & 1 ? checksum_add_odd(sum, out->slices[i]) : checksum_add(sum, out->slices[i]);
		done += out->slices[i].n;
	}
	return sum;
}

void out_finish(struct tapir_out *out, const struct tapir_offload_caps *caps)
{
	struct tapir_offload *o = &out->offload;

	if (o->csum != TAPIR_CSUM_PARTIAL || caps->csum)
		return;
	assert(o->csum_start + o->csum_offset + 2 <= out->head_len);
	store(out->head + out->head_at + o->csum_start + o->csum_offset, sum_out(out));
	o->csum = TAPIR_CSUM_NONE;
	o->csum_start = o->csum_offset = 0;
}

static void copy_text(const struct tapir_out *out, uint8_t *to)
{
	for (size_t i = 0; i < out->slice_count; to += out->slices[i++].n)
		memcpy(to, out->slices[i].p, out->slices[i].n);
}

/* As sum_out, in the same pass. Spans that begin at an odd byte are summed on their own, and swapped. */
static uint64_t copy_and_sum(const struct tapir_out *out, uint8_t *to)
{
	struct span headers = span_from(span_of(out->head + out->head_at, out->head_len), out->offload.csum_start);
	uint64_t sum = checksum_add(0, headers);
	size_t done = headers.n;

	for (size_t i = 0; i < out->slice_count; done += out->slices[i].n, to += out->slices[i].n, i++) {
		if (done & 1) {
			memcpy(to, out->slices[i].p, out->slices[i].n);
			sum = checksum_add_odd(sum, out->slices[i]);
		} else {
			sum = checksum_copy(sum, to, out->slices[i]);
		}
	}
	return sum;
}

void tapir_out_copy(const struct tapir_out *out, uint8_t *buf, bool keep_partial)
{
	const struct tapir_offload *o = &out->offload;
	uint32_t field_at = o->csum_start + o->csum_offset;
	bool sums = o->csum == TAPIR_CSUM_PARTIAL && !keep_partial;

	memcpy(buf, out->head + out->head_at, out->head_len);
	if (sums && field_at + 2 <= out->head_len) {
		store(buf + field_at, copy_and_sum(out, buf + out->head_len));
		return;
	}
	copy_text(out, buf + out->head_len);
	if (!sums)
		return;
	assert(field_at + 2 <= out->len);	/* a copy: its headers are a slice, too */
	store(buf + field_at, checksum_add(0, span_from(span_of(buf, out->len), o->csum_start)));
}
