# SPDX-License-Identifier: GPL-2.0-or-later
# make, make demo [PEER=keepalived], make check, make bench [QUICK=1], make install [DESTDIR= PREFIX= UNITDIR=]; V=1 shows the commands.

VERSION := 0.1.0
PREFIX ?= /usr/local
UNITDIR ?= /usr/lib/systemd/system
CC ?= gcc
CLANG ?= clang
BPFTOOL ?= bpftool
PKG_CONFIG ?= pkg-config
PYTHON ?= /usr/bin/python3
SCDOC ?= $(shell command -v scdoc)

LIBS := libxdp libbpf libelf zlib libmnl jansson
MAIL_LIBS := libcurl
ifeq ($(filter clean,$(MAKECMDGOALS)),)
MISSING := $(strip $(foreach l,$(LIBS) $(MAIL_LIBS),$(shell $(PKG_CONFIG) --exists $l 2>/dev/null || echo $l)))
ifneq ($(MISSING),)
$(error missing: $(MISSING); run scripts/install-deps.sh build)
endif
endif

WARN := -Wall -Wextra -Wshadow -Wmissing-prototypes
HARDEN := -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE
CPPFLAGS += -D_GNU_SOURCE -DVX_VERSION='"$(VERSION)"' -DVX_LIBEXEC='"$(PREFIX)/libexec/vrrp-xdp"' -Iinclude -Iuser -Ibuild
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

MAN := $(if $(SCDOC),build/vrrp-xdp.8 build/vrrp-xdp.conf.5)

all: build/vrrp-xdp build/vrrp-xdp-mail $(MAN)

build build/lab build/tests:
	$(Q)mkdir -p $@

build/vrrp-xdp: $(OBJ)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LDLIBS)

# A program of its own: the router holds no libcurl.
build/vrrp-xdp-mail: user/mail/main.c | build
	$(call say,CC,$@)
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $< $(shell $(PKG_CONFIG) --cflags --libs $(MAIL_LIBS))

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

build/lab/%.bpf.o: tests/lab/%.bpf.c $(wildcard include/*.h tests/lab/*.h) | build/lab
	$(call say,CLANG,$@)
	$(Q)$(CLANG) $(BPF_CFLAGS) -c -o $@ $<

build/lab/%: tests/lab/%.c | build/lab
	$(call say,CC,$@)
	$(Q)$(CC) -D_GNU_SOURCE $(ALL_CFLAGS) -pie -o $@ $<

build/lab/tally: tests/lab/tally.c tests/lab/tally.h tests/lab/echo.h build/lab/tally.bpf.o | build/lab
	$(call say,CC,$@)
	$(Q)$(CC) -D_GNU_SOURCE -Iinclude -I. $(ALL_CFLAGS) -pie -o $@ $< -lbpf

LAB := build/vrrp-xdp build/lab/probe build/lab/flood build/lab/xdp_pass.bpf.o build/lab/tally build/lab/alloc.so

demo: $(LAB)
	$(Q)$(PYTHON) tests/demo.py $(if $(PEER),--peer $(PEER))

include tests/tests.mk

build/%: docs/%.scd | build
	$(call say,SCDOC,$@)
	$(Q)$(SCDOC) < $< > $@

# Written anew each time: PREFIX may be another one than the last time.
build/vrrp-xdp.service: scripts/vrrp-xdp.service.in FORCE | build
	$(Q)sed 's|@PREFIX@|$(PREFIX)|' $< > $@

put = install -D -m $(1) $(2) $(DESTDIR)$(3)

install: build/vrrp-xdp build/vrrp-xdp-mail build/vrrp-xdp.service $(MAN)
	$(call put,755,build/vrrp-xdp,$(PREFIX)/sbin/vrrp-xdp)
	$(call put,755,build/vrrp-xdp-mail,$(PREFIX)/libexec/vrrp-xdp/vrrp-xdp-mail)
	$(call put,644,build/vrrp-xdp.service,$(UNITDIR)/vrrp-xdp.service)
	$(call put,644,scripts/vrrp-xdp.bash,$(PREFIX)/share/bash-completion/completions/vrrp-xdp)
	$(if $(MAN),$(call put,644,build/vrrp-xdp.8,$(PREFIX)/share/man/man8/vrrp-xdp.8),@echo "no scdoc: the manual pages are left out")
	$(if $(MAN),$(call put,644,build/vrrp-xdp.conf.5,$(PREFIX)/share/man/man5/vrrp-xdp.conf.5))
	install -d -m 755 $(DESTDIR)/etc/vrrp-xdp

clean:
	rm -rf build

-include $(OBJ:.o=.d)

.PHONY: all demo install clean FORCE
.DELETE_ON_ERROR:
