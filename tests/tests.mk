# SPDX-License-Identifier: GPL-2.0-or-later
# The tests: make check runs everything below; check-unit, check-conf, ... one kind. Included by the Makefile.

SAN := -std=gnu11 -g -O1 $(WARN) -fsanitize=address,undefined -fno-sanitize-recover=undefined
UNIT_CPPFLAGS := -D_GNU_SOURCE -Iinclude -Iuser -I.

# One module per test, no libraries but cmocka: what a test needs beyond it is not pure.
UNIT := test_advert test_arp test_conf test_decide test_fsm test_packets test_timer
test_conf_SRC := $(wildcard user/conf_*.c)
test_fsm_SRC := user/fsm.c
test_timer_SRC := user/timer.c

define unit_rule
build/tests/$(1): tests/unit/$(1).c $$($(1)_SRC) $$(wildcard include/*.h user/*.h tests/*.h) | build/tests
	$$(call say,CC,$$@)
	$$(Q)$$(CC) $$(UNIT_CPPFLAGS) $$(SAN) -o $$@ $$< $$($(1)_SRC) -lcmocka
endef
$(foreach t,$(UNIT),$(eval $(call unit_rule,$(t))))

# The BPF program itself, compiled natively: the shim stands in for the kernel, ASan for the verifier.
SHIM := bpf/vrrp_xdp.bpf.c $(wildcard tests/shim/*.h tests/shim/*/*.h)
build/tests/test_packets: UNIT_CPPFLAGS := -Itests/shim $(UNIT_CPPFLAGS)
build/tests/test_packets build/tests/fuzz_frame build/tests/pktcost.bpf.o: $(SHIM)

build/tests/fuzz_frame: tests/fuzz/fuzz_frame.c $(wildcard include/*.h tests/*.h) | build/tests
	$(call say,CLANG,$@)
	$(Q)$(CLANG) -Itests/shim $(UNIT_CPPFLAGS) $(SAN) -fsanitize=fuzzer -o $@ $<

build/tests/%.bpf.o: tests/bpf/%.bpf.c $(wildcard include/*.h) | build/tests
	$(call say,CLANG,$@)
	$(Q)$(CLANG) $(BPF_CFLAGS) -c -o $@ $<

build/tests/%.bpf.o: tests/bench/%.bpf.c $(wildcard include/*.h) | build/tests
	$(call say,CLANG,$@)
	$(Q)$(CLANG) $(BPF_CFLAGS) -c -o $@ $<

# The same table through the kernel's verifier and BPF_PROG_TEST_RUN, and the cost of a packet.
BPF_TEST = -std=gnu11 -O2 -g $(WARN) -D_GNU_SOURCE -Iinclude -I.
build/tests/bpf_packets: tests/bpf/test_packets.c $(wildcard include/*.h tests/*.h) | build/tests
	$(call say,CC,$@)
	$(Q)$(CC) $(BPF_TEST) -o $@ $< -lcmocka -lbpf

build/tests/pktcost: tests/bench/pktcost.c build/tests/pktcost.bpf.o $(wildcard include/*.h tests/*.h)
	$(call say,CC,$@)
	$(Q)$(CC) $(BPF_TEST) -o $@ $< -lbpf

PURE := $(wildcard include/*.h) user/fsm.c user/fsm.h user/timer.c user/timer.h $(wildcard user/conf*.[ch])

# Who may include whom, and that each shared header stands alone natively and for BPF.
check-deps:
	$(Q)! grep -nE '#include [<"](sys/socket|net/|bpf/|xdp/|libmnl|time\.h|log\.h|loop\.h)' $(PURE)
	$(Q)! grep -ln '"vr\.h"' user/tx.c user/nl.c user/dp.c user/ctl.c user/loop.c user/log.c
	$(Q)for h in include/*.h; do \
		$(CC) $(WARN) -Iinclude -fsyntax-only -include $$h -x c /dev/null && \
		$(CLANG) $(BPF_CFLAGS) -fsyntax-only -include $$h -x c /dev/null || exit 1; done

check-format:
	$(Q)clang-format --dry-run -Werror $(wildcard include/*.h bpf/*.c user/*.[ch] tests/*.h tests/*/*.[ch] tests/shim/*/*.h)

# Clean under both compilers.
check-warnings: build/vrrp_xdp.skel.h
	$(Q)for f in $(SRC); do \
		$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -Werror -c -o /dev/null $$f && \
		$(CLANG) $(CPPFLAGS) $(ALL_CFLAGS) -Werror -c -o /dev/null $$f || exit 1; done

check-unit: $(UNIT:%=build/tests/%)
	$(Q)for t in $^; do $$t || exit 1; done

check-bpf: build/tests/bpf_packets build/vrrp_xdp.bpf.o build/tests/reset.bpf.o
	$(Q)$<

# A short run finds what a change broke; CI is not the place to search for days.
FUZZ_SECONDS ?= 20
check-fuzz: build/tests/fuzz_frame
	$(Q)$< -max_len=1200 -max_total_time=$(FUZZ_SECONDS) -artifact_prefix=build/ -print_final_stats=1 -verbosity=0

check-net: $(LAB)
	$(Q)$(PYTHON) -m pytest -q -p no:cacheprovider tests/net

bench: $(LAB) build/tests/pktcost
	$(Q)$(PYTHON) tests/bench/bench.py $(if $(RUNS),--runs $(RUNS))

CHECKS := check-deps check-format check-warnings check-unit check-bpf check-fuzz check-net

check: $(LAB) $(UNIT:%=build/tests/%) build/tests/bpf_packets build/tests/fuzz_frame build/tests/pktcost
	$(Q)$(PYTHON) tests/run.py $(foreach c,$(CHECKS),"$c: $(MAKE) --no-print-directory $c")

.PHONY: check $(CHECKS) bench
