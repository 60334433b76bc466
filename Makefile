# SPDX-License-Identifier: GPL-2.0-or-later
# make, make demo [PEER=keepalived], make check, make bench, make install [DESTDIR= PREFIX=]; V=1 shows the commands.

VERSION := 0.1.0
PREFIX ?= /usr/local
CC ?= gcc
CLANG ?= clang
BPFTOOL ?= bpftool
PKG_CONFIG ?= pkg-config
PYTHON ?= /usr/bin/python3

LIBS := libxdp libbpf libelf zlib libmnl jansson
ifeq ($(filter clean,$(MAKECMDGOALS)),)
MISSING := $(strip $(foreach l,$(LIBS),$(shell $(PKG_CONFIG) --exists $l 2>/dev/null || echo $l)))
ifneq ($(MISSING),)
$(error missing: $(MISSING); run scripts/install-deps.sh build)
endif
endif

WARN := -Wall -Wextra -Wshadow -Wmissing-prototypes
HARDEN := -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE
CPPFLAGS += -D_GNU_SOURCE -DVX_VERSION='"$(VERSION)"' -Iinclude -Iuser -Ibuild
CFLAGS ?= -O2 -g
ALL_CFLAGS = -std=gnu11 $(CFLAGS) $(WARN) $(HARDEN) $(shell $(PKG_CONFIG) --cflags $(LIBS))
ALL_LDFLAGS = -pie -Wl,-z,relro,-z,now $(LDFLAGS)
LDLIBS = $(shell $(PKG_CONFIG) --libs $(LIBS))
MULTIARCH := $(shell $(CC) -print-multiarch 2>/dev/null)
BPF_CFLAGS := -O2 -g -Wall -Wextra -mcpu=v3 -target bpf -I. -Iinclude $(if $(MULTIARCH),-I/usr/include/$(MULTIARCH))

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' $(1) $(2))

SRC := $(wildcard user/*.c)
OBJ := $(SRC:user/%.c=build/%.o)

all: build/vrrp-xdp

build build/lab build/tests:
	$(Q)mkdir -p $@

build/vrrp-xdp: $(OBJ)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LDLIBS)

build/%.o: user/%.c | build
	$(call say,CC,$@)
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

build/dp.o: build/vrrp_xdp.skel.h

build/%.bpf.o: bpf/%.bpf.c vmlinux.h $(wildcard include/*.h) | build
	$(call say,CLANG,$@)
	$(Q)$(CLANG) $(BPF_CFLAGS) -c -o $@ $<

build/%.skel.h: build/%.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name $*_bpf > $@ 2>build/$*.skel.log || { cat build/$*.skel.log >&2; exit 1; }

build/lab/%.bpf.o: tests/lab/%.bpf.c | build/lab
	$(call say,CLANG,$@)
	$(Q)$(CLANG) $(BPF_CFLAGS) -c -o $@ $<

build/lab/%: tests/lab/%.c | build/lab
	$(call say,CC,$@)
	$(Q)$(CC) -D_GNU_SOURCE $(ALL_CFLAGS) -pie -o $@ $<

LAB := build/vrrp-xdp build/lab/probe build/lab/xdp_pass.bpf.o

demo: $(LAB)
	$(Q)$(PYTHON) tests/demo.py $(if $(PEER),--peer $(PEER))

include tests/tests.mk

install: build/vrrp-xdp
	install -D -m 755 build/vrrp-xdp $(DESTDIR)$(PREFIX)/sbin/vrrp-xdp

clean:
	rm -rf build

-include $(OBJ:.o=.d)

.PHONY: all demo install clean
.DELETE_ON_ERROR:
