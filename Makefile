# make           build/tapir, build/libtapir.a, build/libdrivers.a and the example programs
# make run       installs what is missing, builds, shows the stack at work
# make check     installs what is missing, builds with sanitizers, runs every test
# make help      the rest
ifeq ($(origin CC),default)
CC       := gcc
endif
CLANG    ?= clang
OPT      ?= -O2 -g
WERROR   ?= -Werror
WARNINGS := -Wall -Wextra -Wconversion -Wshadow -Wswitch-enum $(WERROR)
CFLAGS   := -std=c11 $(OPT) $(WARNINGS) $(EXTRA_CFLAGS)
# The stack is pure C11. What makes system calls sees the system.
SYSTEM   := -D_GNU_SOURCE -I. -Istack -Idrivers
# AF_XDP where libxdp is; without it driver_open_xdp says so.
XDPLIBS  := $(if $(wildcard /usr/include/xdp/xsk.h /usr/local/include/xdp/xsk.h),-lxdp -lbpf)
# io_uring where liburing is; without it each frame is written by itself (drivers/outbox.c).
URINGLIBS := $(if $(wildcard /usr/include/liburing.h /usr/local/include/liburing.h),-luring)
LDLIBS   := -lpcap $(XDPLIBS) $(URINGLIBS) -lpthread -lm
# For what is in libapps.a.
APPLIBS  := -ljansson
# Asked for when a test is linked, because scripts/deps may only just have installed it.
CHECK     = $$(pkg-config --libs check)

B   := build
SAN := build/san
FZ  := build/fuzz
SAN_OPT  := OPT="-O1 -g -fno-omit-frame-pointer"
SAN_FLAG := -fsanitize=address,undefined -fno-sanitize-recover=all

STACK    := $(sort $(wildcard stack/*.c stack/*/*.c))
DRIVERS  := $(sort $(wildcard drivers/*.c))
EXAMPLES := $(sort $(wildcard apps/example_*.c))
APPS     := $(filter-out $(EXAMPLES) apps/tapir.c,$(sort $(wildcard apps/*.c)))
SUPPORT  := $(filter-out tests/support/runner.c,$(sort $(wildcard tests/support/*.c)))
TESTS    := $(sort $(wildcard tests/unit/*.c tests/rfc/*.c tests/sim/test_*.c))
# All of the adapter but the file that needs packetdrill's header.
DRILL    := $(filter-out tests/packetdrill/adapter.c,$(sort $(wildcard tests/packetdrill/*.c)))
VERSUS   := $(sort $(wildcard tests/versus/*.c))
BENCH    := $(sort $(wildcard tests/bench/*.c))
FUZZERS  := $(sort $(wildcard tests/fuzz/fuzz_*.c))

LIBS     := $(B)/libdrivers.a $(B)/libtapir.a
PROGRAMS := $(B)/tapir $(EXAMPLES:apps/%.c=$(B)/%)

# V=1 shows whole commands.
# What make sim, make versus and make bench are told.
SIM  := 1-20
ARGS :=

Q   := $(if $(V),,@)
SAY  = mkdir -p $(@D); echo '  $(CC) $@'

.PHONY: all sanitized tests-built fuzzers fuzzers-built clang run test check sim versus bench bench-built interop drill fuzz
.PHONY: clean help
.DELETE_ON_ERROR:
.SECONDARY:

all: $(LIBS) $(PROGRAMS)

$(B)/obj/stack/%.o: stack/%.c
	@$(SAY)
	$(Q)$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<
$(B)/obj/%.o: %.c
	@$(SAY)
	$(Q)$(CC) $(CFLAGS) $(SYSTEM) -MMD -MP -c -o $@ $<

# q, not r: two files of one name in different folders are both members.
$(B)/libtapir.a: $(STACK:%.c=$(B)/obj/%.o)
$(B)/libdrivers.a: $(DRIVERS:%.c=$(B)/obj/%.o)
$(B)/libapps.a: $(APPS:%.c=$(B)/obj/%.o)
$(B)/libsupport.a: $(SUPPORT:%.c=$(B)/obj/%.o)
$(B)/libdrill.a: $(DRILL:%.c=$(B)/obj/%.o)
$(B)/%.a:
	@mkdir -p $(@D)
	@rm -f $@
	$(Q)$(AR) qcs $@ $^

$(B)/tapir: $(B)/obj/apps/tapir.o $(B)/libapps.a $(LIBS)
	@$(SAY)
	$(Q)$(CC) $(CFLAGS) -o $@ $^ $(APPLIBS) $(LDLIBS)
$(B)/example_%: $(B)/obj/apps/example_%.o $(LIBS)
	@$(SAY)
	$(Q)$(CC) $(CFLAGS) -o $@ $^ $(LDLIBS)
$(B)/tests/%: $(B)/obj/tests/%.o $(B)/obj/tests/support/runner.o $(B)/libdrill.a $(B)/libsupport.a $(B)/libapps.a $(LIBS)
	@$(SAY)
	$(Q)$(CC) $(CFLAGS) -o $@ $^ $(CHECK) $(APPLIBS) $(LDLIBS)
$(B)/sim: $(B)/obj/tests/sim/net.o $(B)/libsupport.a $(B)/libapps.a $(LIBS)
	@$(SAY)
	$(Q)$(CC) $(CFLAGS) -o $@ $^ $(CHECK) $(LDLIBS)
$(B)/versus/%: $(B)/obj/tests/versus/%.o $(B)/libsupport.a $(B)/libapps.a $(LIBS)
	@$(SAY)
	$(Q)$(CC) $(CFLAGS) -o $@ $^ $(CHECK) $(LDLIBS)
$(B)/fuzzers/%: $(B)/obj/tests/fuzz/%.o $(B)/libsupport.a $(B)/libapps.a $(LIBS)
	@$(SAY)
	$(Q)$(CC) $(CFLAGS) -fsanitize=fuzzer -o $@ $^ $(CHECK) $(APPLIBS) $(LDLIBS)

$(B)/bench/%: $(B)/obj/tests/bench/%.o $(LIBS)
	@$(SAY)
	$(Q)$(CC) $(CFLAGS) -o $@ $^ $(LDLIBS)
# A peer that need not be there; its headers are not held to our warnings.
$(B)/bench/lwip: tests/bench/lwip.c
	@$(SAY)
	$(Q)$(CC) $(CFLAGS) $(SYSTEM) -isystem $$(pkg-config --variable=includedir lwip) -o $@ $< $$(pkg-config --libs lwip)

# What packetdrill loads. Its objects are made a second time, to be moved about in memory.
$(B)/packetdrill.so: $(B)/obj/tests/packetdrill/adapter.o $(B)/libdrill.a $(LIBS)
	@$(SAY)
	$(Q)$(CC) $(CFLAGS) -shared -o $@ $^ -lpthread -ldl

# The same rules again in another folder with other flags.
sanitized:
	@$(MAKE) --no-print-directory B=$(SAN) $(SAN_OPT) EXTRA_CFLAGS="$(SAN_FLAG)" all tests-built
tests-built: $(TESTS:%.c=$(B)/%) $(B)/sim $(VERSUS:tests/%.c=$(B)/%)
fuzzers:
	@$(MAKE) --no-print-directory B=$(FZ) CC="$(CLANG)" $(SAN_OPT) \
		EXTRA_CFLAGS="-fsanitize=fuzzer-no-link $(SAN_FLAG)" fuzzers-built
fuzzers-built: $(FUZZERS:tests/fuzz/%.c=$(B)/fuzzers/%)
# The second compiler's opinion of everything that ships.
clang:
	@$(MAKE) --no-print-directory B=build/clang CC="$(CLANG)" all

run:
	@scripts/deps run
	@$(MAKE) --no-print-directory all
	@$(B)/tapir lab -- scripts/demo

test: sanitized
	@scripts/run-tests quick
check:
	@scripts/deps check
	+@MAKE="$(MAKE)" scripts/run-tests check
sim: $(B)/sim
	@$(B)/sim $(SIM)
versus: $(VERSUS:tests/%.c=$(B)/%)
	@tests/versus/run $(ARGS)
# A bench that cannot be built is named by what runs: lwIP may be missing, the rest may not.
bench: all bench-built
	@tests/bench/run $(ARGS)
bench-built: $(patsubst tests/%.c,$(B)/%,$(filter-out %/lwip.c,$(BENCH)))
	@if pkg-config --exists lwip; then $(MAKE) --no-print-directory $(B)/bench/lwip; fi
interop: all sanitized
	@scripts/run-tests interop
fuzz: fuzzers
	@scripts/run-tests fuzz
# PACKETDRILL: the folder with packetdrill's program and its packetdrill.h, or the program. docs/packetdrill.md
PACKETDRILL_DIR = $(if $(wildcard $(PACKETDRILL)/.),$(PACKETDRILL),$(dir $(PACKETDRILL)))
drill:
	@[ -n "$(PACKETDRILL)" ] || { printf 'drill: %s\n' 'PACKETDRILL is not set: it says where packetdrill was built.' \
		'git clone https://github.com/google/packetdrill /tmp/packetdrill' \
		'cd /tmp/packetdrill/gtests/net/packetdrill && ./configure && make     (needs bison and flex)' \
		'PACKETDRILL=/tmp/packetdrill/gtests/net/packetdrill make drill        (docs/packetdrill.md)' >&2; exit 2; }
	@[ -x "$(PACKETDRILL_DIR)/packetdrill" ] || { echo 'drill: $(PACKETDRILL) has no program packetdrill: build it there' \
		>&2; exit 2; }
	@$(MAKE) --no-print-directory B=build/drill \
		EXTRA_CFLAGS="-fPIC -fvisibility=hidden -isystem $(PACKETDRILL_DIR)" build/drill/packetdrill.so
	@cp build/drill/packetdrill.so build/packetdrill.so
	@tests/packetdrill/run --packetdrill "$(PACKETDRILL_DIR)" $(SCRIPTS)

clean:
	rm -rf build

help:
	@echo 'make            the library, the drivers, the command build/tapir and the example programs'
	@echo 'make run        installs what is missing, builds, shows the stack at work, then a shell beside it'
	@echo 'make check      installs what is missing, builds with sanitizers, runs every test'
	@echo 'make test       the quick rings: unit, rfc, and sim with few seeds'
	@echo 'make sim        the simulator: SIM="1-100", SIM="--flows 4 --cc newreno --loss 1% 1"; build/sim --help says more'
	@echo 'make versus     as root: the kernel and the stack over the same bottlenecks; ARGS=--quick (docs/versus.md)'
	@echo 'make bench      as root: how fast it is, against the kernel, lwIP and what a TAP can carry (docs/performance.md)'
	@echo 'make interop    only the tests against the kernel and the real tools; CASE=name for one'
	@echo 'make drill      packetdrill scripts: PACKETDRILL=path make drill (docs/packetdrill.md)'
	@echo 'make fuzz       libFuzzer on every fuzz target; FUZZ_SECONDS=60 for each'
	@echo 'make sanitized  everything and the tests, with sanitizers, in build/san'
	@echo 'make clean      removes build/'
	@echo 'CC=clang: the other compiler.  SIM_SEEDS=n: how many seeds the simulator runs.  V=1: whole commands.'

-include $(wildcard $(B)/obj/*/*.d $(B)/obj/*/*/*.d)
