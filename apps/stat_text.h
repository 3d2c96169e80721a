/* stat_text.h: a snapshot (snapshot.h) as people read it: netstat, ss and arp -a are the models. */
#ifndef STAT_TEXT_H
#define STAT_TEXT_H

#include <jansson.h>
#include <stdio.h>

/* What to show: a set. */
enum { STAT_TCP = 1, STAT_UDP = 2, STAT_ARP = 4, STAT_ROUTES = 8, STAT_COUNTERS = 16, STAT_TIMERS = 32, STAT_MEMORY = 64 };

/* whole: {"stack": {...}, "tcp": [...], "memory": {...} ...}; what is not in it is shown as empty. */
void stat_text(FILE *out, const json_t *whole, unsigned what);
/* "tap0  10.0.0.2/24  tapir serve, process 123": for the first line, and for a list of stacks. stack: the object of that name. */
void stat_text_stack(FILE *out, const json_t *stack);

#define STAT_DURATION 24
/* "45us", "12.3ms", "1.25s", "3m20s", "2h05m", "4d03h": three digits, as far as they go. */
const char *stat_duration(json_int_t us, char text[STAT_DURATION]);

#endif
