/* values.h: what people write on a command line, as numbers. Each function answers whether the whole text is such a value;
 * *out is only written when it is. No locale, no hexadecimal, no infinity. */
#ifndef VALUES_H
#define VALUES_H

#include "../stack/tapir.h"

bool value_number(const char *text, uint64_t min, uint64_t max, uint64_t *out);	/* decimal digits */
bool value_port(const char *text, uint16_t *port);		/* 1 to 65535 */
bool value_probability(const char *text, double *out);		/* "1%", "0.01": 0 to 1 */
/* "250us", "20ms", "1.5s"; a number without a unit counts bare_us each, or is refused when that is 0 (but "0" is 0).
 * At most a day. */
bool value_duration(const char *text, usec_t bare_us, usec_t *out);
bool value_rate(const char *text, uint64_t *bps);		/* "10mbit", "1.5gbit", "64kbit", "9600": bits a second, not 0 */
bool value_size(const char *text, uint64_t *bytes);		/* "10M", "1.5G", "64k", "100000": bytes, not 0 */
bool value_mac(const char *text, uint8_t mac[6]);		/* "02:00:00:00:00:01", one host's */
/* "10.0.0.2/24": an address that a host of that network may have. */
bool value_host(const char *text, struct tapir_addr *addr, uint8_t *prefix_len);

#endif
