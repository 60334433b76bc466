# SPDX-License-Identifier: GPL-2.0-or-later
# The tests: make check runs everything below; check-unit, check-conf, ... one kind. Included by the Makefile.

SAN := -std=gnu11 -g -O1 $(WARN) -fsanitize=address,undefined -fno-sanitize-recover=undefined
UNIT_CPPFLAGS := -D_GNU_SOURCE -Iinclude -Iuser -I.

# With the real loop, clock and log: they run processes, watch files and write to FIFOs below a temporary folder.
RUN_UNIT := test_exec test_notify test_track
RUN_SRC := user/exec.c user/hand.c user/loop.c user/timer.c user/log.c
test_exec_SRC := $(RUN_SRC)
test_notify_SRC := user/notify.c user/notify_script.c $(RUN_SRC)
test_track_SRC := $(wildcard user/track*.c) $(RUN_SRC)
build/tests/test_notify: | build/tests/vrrp-xdp-mail

build/tests/vrrp-xdp-mail: user/mail/main.c | build/tests
	$(call say,CC,$@)
	$(Q)$(CC) $(UNIT_CPPFLAGS) $(SAN) -o $@ $< $(shell $(PKG_CONFIG) --cflags --libs $(MAIL_LIBS))

# One module per test, no libraries but cmocka: what a test needs beyond it is not pure.
UNIT := test_advert test_arp test_conf test_conf_lines test_conf_lint test_decide test_fsm test_hand test_nd test_packets test_prio test_sd test_table test_timer $(RUN_UNIT)
# conf_io.c asks the machine, the rest is pure.
CONF_SRC := $(filter-out user/conf_io.c,$(wildcard user/conf_*.c))
test_conf_SRC := $(CONF_SRC)
test_conf_lines_SRC := $(CONF_SRC)
test_conf_lint_SRC := $(CONF_SRC)
test_fsm_SRC := user/fsm.c
test_prio_SRC := user/prio.c
test_hand_SRC := user/hand.c
test_sd_SRC := user/sd.c
test_timer_SRC := user/timer.c

define unit_rule
build/tests/$(1): tests/unit/$(1).c $$($(1)_SRC) $$(wildcard include/*.h user/*.h tests/*.h tests/unit/*.h) | build/tests
	$$(call say,CC,$$@)
	$$(Q)$$(CC) $$(UNIT_CPPFLAGS) $$(SAN) -o $$@ $$< $$($(1)_SRC) -lcmocka
endef
$(foreach t,$(UNIT),$(eval $(call unit_rule,$(t))))

# Not pure, so not in UNIT: requests by attributes, and what the kernel in a namespace makes of them.
NL_TESTS := build/tests/test_nl build/tests/net_nl
build/tests/test_nl: tests/unit/test_nl.c
build/tests/net_nl: tests/net/test_nl.c
$(NL_TESTS): user/nl.c user/nl_build.c $(wildcard user/*.h) | build/tests
	$(call say,CC,$@)
	$(Q)$(CC) $(UNIT_CPPFLAGS) $(SAN) -o $@ $(filter %.c,$^) -lcmocka -lmnl

# The BPF program itself, compiled natively: the shim stands in for the kernel, ASan for the verifier.
FUZZ_BPF := build/tests/fuzz_frame build/tests/fuzz_reply
SHIM := bpf/vrrp_xdp.bpf.c $(wildcard tests/shim/*.h tests/shim/*/*.h)
build/tests/test_packets: UNIT_CPPFLAGS := -Itests/shim $(UNIT_CPPFLAGS)
build/tests/test_packets $(FUZZ_BPF) build/tests/pktcost.bpf.o: $(SHIM)

# The routers of the simulator are the product's code: the BPF program as above, behind a faster shim, and the state machine.
SIM_SRC := $(wildcard tests/sim/*.c) user/fsm.c
SIM_CPPFLAGS := -Itests/sim -Itests/shim $(UNIT_CPPFLAGS) -include tests/sim/mutate.h
SIM_DEPS := $(SIM_SRC) $(SHIM) $(wildcard tests/sim/*.h tests/sim/*/*.h include/*.h user/fsm.h)
build/tests/sim: $(SIM_DEPS) | build/tests
	$(call say,CC,$@)
	$(Q)$(CC) $(SIM_CPPFLAGS) -std=gnu11 -O2 -g $(WARN) -o $@ $(SIM_SRC)

build/tests/sim_san: $(SIM_DEPS) | build/tests
	$(call say,CC,$@)
	$(Q)$(CC) $(SIM_CPPFLAGS) $(SAN) -o $@ $(SIM_SRC)


build/tests/%.bpf.o: tests/bpf/%.bpf.c $(wildcard include/*.h) | build/tests
	$(call say,CLANG,$@)
	$(Q)$(CLANG) $(BPF_CFLAGS) -c -o $@ $<

build/tests/%.bpf.o: tests/bench/%.bpf.c $(wildcard include/*.h) | build/tests
	$(call say,CLANG,$@)
	$(Q)$(CLANG) $(BPF_CFLAGS) -c -o $@ $<

# The same table through the kernel's verifier and BPF_PROG_TEST_RUN, and the cost of a packet.
BPF_TEST = -std=gnu11 -O2 -g $(WARN) -D_GNU_SOURCE -Iinclude -I.
BPF_TESTS := build/tests/bpf_interp build/tests/bpf_packets build/tests/bpf_count
build/tests/bpf_interp: tests/bpf/test_interp.c
build/tests/bpf_packets: tests/bpf/test_packets.c
build/tests/bpf_count: tests/bpf/count.c
$(BPF_TESTS): tests/bpf/interp.c $(wildcard include/*.h tests/*.h tests/bpf/*.h) | build/tests
	$(call say,CC,$@)
	$(Q)$(CC) $(BPF_TEST) -o $@ $(filter %.c,$^) -lcmocka -lbpf

build/tests/pktcost: tests/bench/pktcost.c build/tests/pktcost.bpf.o $(wildcard include/*.h tests/*.h)
	$(call say,CC,$@)
	$(Q)$(CC) $(BPF_TEST) -o $@ $< -lbpf

PURE := $(wildcard include/*.h) user/fsm.c user/fsm.h user/timer.c user/timer.h user/prio.c user/prio.h \
	$(filter-out user/conf_io.c,$(wildcard user/conf*.[ch]))

# Who may include whom, and that each shared header stands alone natively and for BPF.
check-deps:
	$(Q)! grep -nE '#include [<"](sys/socket|net/|bpf/|xdp/|libmnl|time\.h|log\.h|loop\.h)' $(PURE)
	$(Q)! grep -ln '"vr\.h"' user/tx.c user/nl.c user/dp.c user/ctl.c user/loop.c user/log.c \
		user/exec.c user/track*.c user/notify*.c
	$(Q)for h in include/*.h; do \
		$(CC) $(WARN) -Iinclude -fsyntax-only -include $$h -x c /dev/null && \
		$(CLANG) $(BPF_CFLAGS) -fsyntax-only -include $$h -x c /dev/null || exit 1; done

check-format:
	$(Q)clang-format --dry-run -Werror $(wildcard include/*.h bpf/*.c user/*.[ch] user/*/*.c tests/*.h tests/*/*.[ch] tests/shim/*/*.h tests/sim/*/*.h)

# Clean under both compilers.
check-warnings: build/vrrp_xdp.skel.h
	$(Q)for f in $(SRC) user/mail/main.c; do \
		$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -Werror -c -o /dev/null $$f && \
		$(CLANG) $(CPPFLAGS) $(ALL_CFLAGS) -Werror -c -o /dev/null $$f || exit 1; done

# Nothing found by clang-tidy, cppcheck and clang's analyzer, or a reason beside it.
check-static: build/vrrp_xdp.skel.h
	$(Q)CLANG=$(CLANG) tests/static/check -std=gnu11 $(CPPFLAGS) $(shell $(PKG_CONFIG) --cflags $(LIBS) $(MAIL_LIBS))

check-unit: $(UNIT:%=build/tests/%)
	$(Q)for t in $^; do $$t || exit 1; done

check-unit: build/tests/test_nl

# Needs root: it makes a network namespace of its own.
check-nl: build/tests/net_nl
	$(Q)$<

check-bpf: $(BPF_TESTS) build/vrrp_xdp.bpf.o build/tests/reset.bpf.o
	$(Q)for t in $(BPF_TESTS); do $$t || exit 1; done

# Seeds 1, 2, ... until there were so many failovers; then every mutant has to be found. See docs/simulator.md.
SIM_FAILOVERS ?= 1000000
SIM_FROM ?= 1
check-sim: build/tests/sim build/tests/sim_san
	$(Q)build/tests/sim_san --failovers 20000
	$(Q)$< --from $(SIM_FROM) --failovers $(SIM_FAILOVERS)
	$(Q)$< --mutants

# Inputs to the code under ASan and UBSan: frames, configuration files, netlink messages, requests to the control socket.
FUZZ := conf frame reply nl ctl
fuzz_conf_SRC := $(CONF_SRC)
fuzz_nl_SRC := user/nl.c user/nl_build.c
fuzz_nl_LIBS := libmnl
fuzz_ctl_SRC := user/ctl.c user/hand.c user/loop.c user/timer.c
fuzz_ctl_LIBS := jansson
fuzz_command = $(CLANG) $(if $(filter %/fuzz_$(1),$(FUZZ_BPF)),-Itests/shim) $(UNIT_CPPFLAGS) $(SAN) -fsanitize=fuzzer \
	tests/fuzz/fuzz_$(1).c $(fuzz_$(1)_SRC) $(if $(fuzz_$(1)_LIBS),$(shell $(PKG_CONFIG) --cflags --libs $(fuzz_$(1)_LIBS)))

define fuzz_rule
build/tests/fuzz_$(1): tests/fuzz/fuzz_$(1).c $$(fuzz_$(1)_SRC) $$(wildcard include/*.h user/*.h tests/*.h tests/fuzz/*.h) | build/tests
	$$(call say,CLANG,$$@)
	$$(Q)$$(call fuzz_command,$(1)) -o $$@
endef
$(foreach t,$(FUZZ),$(eval $(call fuzz_rule,$(t))))

# A short run finds what a change broke; CI is not the place to search for days. Two at once, as there are two CPUs.
FUZZ_SECONDS ?= 60
check-fuzz: $(FUZZ:%=build/tests/fuzz_%)
	$(Q)printf '%s\n' $(FUZZ) | xargs -n 1 -P 2 tests/fuzz/run $(FUZZ_SECONDS)

# Which lines the corpora reach.
fuzz-coverage: $(FUZZ:%=coverage-%)

define coverage_rule
coverage-$(1): build/tests/fuzz_$(1)
	$$(Q)tests/fuzz/coverage $(1) $$(call fuzz_command,$(1))
endef
$(foreach t,$(FUZZ),$(eval $(call coverage_rule,$(t))))

# Tests that mostly wait: so many at a time, and what fails there once more when nothing else runs, see tests/lanes.py.
NET_LANES ?= 3
NET_TESTS ?= tests/net
BESIDE := build/beside.lock
check-net: $(LAB)
	$(Q)$(PYTHON) tests/lanes.py --lanes $(NET_LANES) --beside $(BESIDE) $(NET_TESTS)

# The network suite with the controller under ASan and UBSan, leaks included, or under valgrind. Slower by far, so not part of make
# check. NET_TESTS picks files or takes any flag of pytest. What is found is in build/asan or build/valgrind, one file per process.
# They measure memory, leave too little of it for the sanitizer, or put a malloc() of their own in front of its.
ASAN_LEAVE_OUT := --deselect tests/net/test_counts.py::test_a_takeover_allocates_nothing \
	--deselect tests/net/test_counts.py::test_a_takeover_of_another_kind_allocates_nothing \
	--deselect tests/net/test_reload.py::test_the_resources_after_twenty_reloads_are_those_of_the_start \
	--deselect tests/net/test_soak.py::test_a_hundred_failovers_take_nothing_that_they_do_not_give_back \
	--deselect 'tests/net/test_resources.py::test_a_start_without_descriptors_or_memory_fails_with_a_word_and_leaves_nothing[--as-values1]'
VALGRIND_TESTS ?= $(wildcard $(addprefix tests/net/test_,$(addsuffix .py,failover reload arp ipv6 status leftovers)))
# Its data segment is its own; see tests/lab/pidfd.c for the guardian.
VALGRIND_LEAVE_OUT := -k "not resources_after and not guardian"

build/asan/vrrp-xdp: $(SRC) $(wildcard include/*.h user/*.h) build/vrrp_xdp.skel.h
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(SAN) $(shell $(PKG_CONFIG) --cflags $(LIBS)) -o $@ $(SRC) $(LDLIBS)

# A timing test may fail at this speed, and says so; a report fails it in any case.
no_reports = if ls $(1).* >/dev/null 2>&1; then tail -n +1 $(1).*; exit 1; fi

check-net-asan: $(LAB) build/asan/vrrp-xdp
	$(Q)rm -f build/asan/report.*
	$(Q)ASAN_OPTIONS=log_path=$(CURDIR)/build/asan/report:detect_leaks=1:detect_stack_use_after_return=1 UBSAN_OPTIONS=print_stacktrace=1 \
		VRRP_XDP=$(CURDIR)/build/asan/vrrp-xdp VRRP_XDP_SLOW=$(or $(VRRP_XDP_SLOW),3) \
		$(PYTHON) -m pytest -q -p no:cacheprovider $(ASAN_LEAVE_OUT) $(NET_TESTS); rc=$$?; $(call no_reports,build/asan/report); exit $$rc

build/lab/%.so: tests/lab/%.c | build/lab
	$(call say,CC,$@)
	$(Q)$(CC) -D_GNU_SOURCE -std=gnu11 -O2 -g $(WARN) -fPIC -shared -o $@ $< -ldl -lpthread

check-net-valgrind: $(LAB) build/lab/pidfd.so
	$(Q)rm -rf build/valgrind && mkdir -p build/valgrind
	$(Q)VRRP_XDP=$(CURDIR)/tests/lab/valgrind.sh VRRP_XDP_SLOW=$(or $(VRRP_XDP_SLOW),6) \
		$(PYTHON) -m pytest -q -p no:cacheprovider $(VALGRIND_LEAVE_OUT) $(VALGRIND_TESTS); rc=$$?; \
	if grep "^==" build/valgrind/*.log; then rc=1; fi; exit $$rc

# In QEMU guests with Debian's kernels; needs root, and the net once per kernel. make check runs the smoke tests on 6.1; all of
# it, and what of the network suite does not measure microseconds: make check-vm VM_TESTS=all VM_KERNELS="6.1 6.12 6.12-rt"
VM_KERNELS ?= 6.1
VM_TESTS ?= smoke
VM_SELECT_smoke := -m smoke tests/vm
VM_SELECT_all := tests/vm $(wildcard $(addprefix tests/net/test_,$(addsuffix .py,arp equal_priority failover frames interface \
	keepalived preemption second_interface vmac accept)))
check-vm: $(LAB)
	$(Q)$(PYTHON) tests/vm/vm.py $(VM_KERNELS:%=--kernel %) $(or $(VM_SELECT_$(VM_TESTS)),$(VM_TESTS))

# Thousands of failovers, and an hour of random faults: nothing may be left of them. make soak FAILOVERS=10000 SECONDS=3600 SEED=1
soak: $(LAB)
	$(Q)$(PYTHON) tests/soak/soak.py $(if $(FAILOVERS),--failovers $(FAILOVERS)) $(if $(SECONDS),--seconds $(SECONDS)) \
		$(if $(SEED),--seed $(SEED))

# The lease, proved: docs/lease.md. Needs Spin.
check-model:
	$(Q)tests/model/run

# What the benchmarks make of their samples.
check-bench:
	$(Q)$(PYTHON) -m pytest -q -p no:cacheprovider tests/bench

# make bench [QUICK=1] [RUNS=15]: see tests/bench/bench.py.
bench: $(LAB) build/tests/pktcost
	$(Q)CLANG="$(CLANG)" $(PYTHON) tests/bench/bench.py $(if $(QUICK),--quick) $(if $(RUNS),--runs $(RUNS))

CHECKS := check-deps check-format check-warnings check-unit check-nl check-bpf check-bench check-net check-vm
# What only computes and waits for nothing: on the CPU time that the others leave, all the while, see tests/run.py.
LOW_CHECKS := check-static check-fuzz check-sim check-model

check: $(LAB) $(UNIT:%=build/tests/%) $(NL_TESTS) $(BPF_TESTS) $(FUZZ:%=build/tests/fuzz_%) build/tests/pktcost \
		build/tests/sim build/tests/sim_san
	$(Q)$(PYTHON) tests/run.py --beside $(BESIDE) $(foreach c,$(CHECKS),"$c: $(MAKE) --no-print-directory $c") \
		$(foreach c,$(LOW_CHECKS),"low $c: $(MAKE) --no-print-directory $c")

.PHONY: check $(CHECKS) $(LOW_CHECKS) check-net-asan check-net-valgrind bench soak fuzz-coverage $(FUZZ:%=coverage-%)
