# SPDX-License-Identifier: GPL-2.0-or-later
# The tests: make check runs everything below; check-unit, check-conf, ... one kind. Included by the Makefile.

SAN := -std=gnu11 -g -O1 $(WARN) -fsanitize=address,undefined -fno-sanitize-recover=undefined
UNIT_CPPFLAGS := -D_GNU_SOURCE -Iinclude -Iuser -I.

# One module per test, no libraries but cmocka: what a test needs beyond it is not pure.
UNIT := test_conf test_fsm test_timer
test_conf_SRC := $(wildcard user/conf_*.c)
test_fsm_SRC := user/fsm.c
test_timer_SRC := user/timer.c

define unit_rule
build/tests/$(1): tests/unit/$(1).c $$($(1)_SRC) $$(wildcard include/*.h user/*.h tests/*.h) | build/tests
	$$(call say,CC,$$@)
	$$(Q)$$(CC) $$(UNIT_CPPFLAGS) $$(SAN) -o $$@ $$(filter %.c,$$^) -lcmocka
endef
$(foreach t,$(UNIT),$(eval $(call unit_rule,$(t))))

PURE := $(wildcard include/*.h) user/fsm.c user/fsm.h user/timer.c user/timer.h $(wildcard user/conf*.[ch])

# Who may include whom, and that each shared header stands alone natively and for BPF.
check-deps:
	$(Q)! grep -nE '#include [<"](sys/socket|net/|bpf/|xdp/|libmnl|time\.h|log\.h|loop\.h)' $(PURE)
	$(Q)! grep -ln '"vr\.h"' user/tx.c user/nl.c user/dp.c user/ctl.c user/loop.c user/log.c
	$(Q)for h in include/*.h; do \
		$(CC) $(WARN) -Iinclude -fsyntax-only -include $$h -x c /dev/null && \
		$(CLANG) $(BPF_CFLAGS) -fsyntax-only -include $$h -x c /dev/null || exit 1; done

check-format:
	$(Q)clang-format --dry-run -Werror $(wildcard include/*.h bpf/*.c user/*.[ch] tests/*.h tests/*/*.[ch])

# Clean under the other compiler too.
check-clang: build/vrrp_xdp.skel.h
	$(Q)for f in $(SRC); do $(CLANG) $(CPPFLAGS) -std=gnu11 $(WARN) -fsyntax-only $$f || exit 1; done

check-unit: $(UNIT:%=build/tests/%)
	$(Q)for t in $^; do $$t || exit 1; done

check-net: $(LAB)
	$(Q)$(PYTHON) -m pytest -q -p no:cacheprovider tests/net

bench: $(LAB) build/tests/pktcost
	$(Q)$(PYTHON) tests/bench/bench.py $(if $(RUNS),--runs $(RUNS))
