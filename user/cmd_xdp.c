// SPDX-License-Identifier: GPL-2.0-or-later
/* attach: one virtual router from flags, run the same way as those of a file. detach: what a dead controller left behind. */
#include "cmd.h"
#include "ctl.h"
#include "leftover.h"
#include "log.h"
#include "run.h"

#include <errno.h>
#include <getopt.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_S 1000000000ULL

/* Seconds with up to nine decimals, exactly; the range is conf_check()'s business. */
static int parse_seconds(const char *flag, const char *word, uint64_t *ns)
{
	uint64_t whole = 0, part = 0, unit = NS_PER_S;
	const char *p = word;

	for (; *p >= '0' && *p <= '9' && whole < 100000; p++)
		whole = whole * 10 + (*p - '0');
	if (*p == '.' && p != word)
		for (p++; *p >= '0' && *p <= '9' && unit > 1; p++, unit /= 10)
			part = part * 10 + (*p - '0');
	if (p == word || *p) {
		log_err("%s \"%s\" is not a number of seconds, such as 1 or 0.05", flag, word);
		return EXIT_USAGE;
	}
	*ns = whole * NS_PER_S + part * unit;
	return 0;
}

static int parse_addr(const char *flag, const char *word, struct conf_addr *addr, uint8_t *plen)
{
	int err = conf_parse_addr(word, addr, plen);

	if (err == -ERANGE)
		log_err("%s \"%s\": the prefix length is outside %s", flag, word, addr->family == 6 ? "0-128" : "0-32");
	else if (err)
		log_err("%s \"%s\" is not an address%s", flag, word,
			plen ? "; write it as 10.0.0.4/24" : " such as 10.0.0.4");
	return err ? EXIT_USAGE : 0;
}

static int add_vip(struct conf_vr *vr, const char *word)
{
	struct conf_addr addr;
	uint8_t plen;
	int err;

	if (parse_addr("--vip", word, &addr, &plen))
		return EXIT_USAGE;
	if (vr->nvips && addr.family != vr->vips[0].addr.family) {
		log_err("--vip \"%s\" is not of the family of the first one; one virtual router carries one family",
			word);
		return EXIT_USAGE;
	}
	err = conf_vr_add_vip(vr, &addr, plen, 0);
	if (err == -EEXIST)
		log_err("--vip \"%s\" is given twice; leave one out", word);
	else if (err)
		log_err("--vip \"%s\": %s", word, strerror(-err));
	return err ? EXIT_USAGE : 0;
}

static int add_peer(struct conf_vr *vr, const char *word)
{
	struct conf_addr addr;
	int err;

	if (parse_addr("--unicast-peer", word, &addr, NULL))
		return EXIT_USAGE;
	err = conf_vr_add_peer(vr, &addr);
	if (err == -EEXIST)
		log_err("--unicast-peer \"%s\" is given twice; leave one out", word);
	else if (err)
		log_err("--unicast-peer \"%s\": %s", word, strerror(-err));
	vr->unicast = true;
	return err ? EXIT_USAGE : 0;
}

static int allow_peer(struct conf_vr *vr, const char *word)
{
	struct conf_addr addr;
	int err;

	if (parse_addr("--allow-peer", word, &addr, NULL))
		return EXIT_USAGE;
	err = conf_vr_allow(vr, &addr, 0);
	if (err == -EEXIST)
		log_err("--allow-peer \"%s\" is given twice; leave one out", word);
	else if (err)
		log_err("--allow-peer \"%s\": %s", word, strerror(-err));
	return err ? EXIT_USAGE : 0;
}

static int set_checksum(struct conf_vr *vr, const char *word)
{
	static const char *const names[] = {
		[CONF_CSUM_AUTO] = "auto",
		[CONF_CSUM_RFC9568] = "rfc9568",
		[CONF_CSUM_RFC5798] = "rfc5798",
	};
	int i = run_choice("--checksum", word, names);

	if (i >= 0)
		vr->csum = i;
	return i >= 0 ? 0 : EXIT_USAGE;
}

static int set_vlan(struct conf_vr *vr, const char *word)
{
	int n = 0, rc;

	if (!strcmp(word, "0")) {
		log_err("--vlan 0 is the priority tag, that is untagged; leave it out, or use a number from %d to %d",
			CONF_VLAN_MIN, CONF_VLAN_MAX);
		return EXIT_USAGE;
	}
	rc = run_number("--vlan", word, CONF_VLAN_MIN, CONF_VLAN_MAX, &n);
	vr->vlan = (uint16_t)n;
	return rc;
}

static int set_auth(struct conf_vr *vr, const char *word)
{
	if (!word[0] || strlen(word) > CONF_AUTH_LEN) {
		log_err("--auth-pass is %zu bytes long; version 2 carries 1 to %d", strlen(word), CONF_AUTH_LEN);
		return EXIT_USAGE;
	}
	memcpy(vr->auth_pass, word, strlen(word));
	vr->auth_pass_set = true;
	return 0;
}

enum flag {
	F_VRID = 256,
	F_VLAN,
	F_VIP,
	F_PRIORITY,
	F_ADVERT_INT,
	F_VERSION,
	F_NO_PREEMPT,
	F_NO_ACCEPT,
	F_VMAC,
	F_AUTH,
	F_SRC,
	F_PEER,
	F_ALLOW,
	F_MAX_ADVERT_INT,
	F_HANDOVER,
	F_SETTLE,
	F_MODE,
	F_CSUM,
	F_RT
};

/* clang-format off */
static const struct option attach_opts[] = {
	{ "vrid", required_argument, NULL, F_VRID },
	{ "vlan", required_argument, NULL, F_VLAN },
	{ "vip", required_argument, NULL, F_VIP },
	{ "priority", required_argument, NULL, F_PRIORITY },
	{ "advert-int", required_argument, NULL, F_ADVERT_INT },
	{ "version", required_argument, NULL, F_VERSION },
	{ "no-preempt", no_argument, NULL, F_NO_PREEMPT },
	{ "no-accept", no_argument, NULL, F_NO_ACCEPT },
	{ "vmac", no_argument, NULL, F_VMAC },
	{ "auth-pass", required_argument, NULL, F_AUTH },
	{ "src", required_argument, NULL, F_SRC },
	{ "unicast-peer", required_argument, NULL, F_PEER },
	{ "allow-peer", required_argument, NULL, F_ALLOW },
	{ "max-advert-int", required_argument, NULL, F_MAX_ADVERT_INT },
	{ "handover-skew", required_argument, NULL, F_HANDOVER },
	{ "link-settle", required_argument, NULL, F_SETTLE },
	{ "mode", required_argument, NULL, F_MODE },
	{ "checksum", required_argument, NULL, F_CSUM },
	{ "rt-priority", required_argument, NULL, F_RT },
	{ 0 },
};
/* clang-format on */

/* One flag into @conf and its only virtual router. */
static int take_flag(struct conf *conf, struct conf_vr *vr, int flag, const char *word)
{
	int n = 0, rc;

	switch (flag) {
	case F_VRID:
		rc = run_number("--vrid", word, 1, 255, &n);
		vr->vrid = n;
		return rc;
	case F_VLAN:
		return set_vlan(vr, word);
	case F_VIP:
		return add_vip(vr, word);
	case F_PRIORITY:
		rc = run_number("--priority", word, 1, 255, &n);
		vr->priority = n;
		return rc;
	case F_ADVERT_INT:
		return parse_seconds("--advert-int", word, &vr->adver_ns);
	case F_MAX_ADVERT_INT:
		return parse_seconds("--max-advert-int", word, &vr->max_adver_ns);
	case F_HANDOVER:
		return parse_seconds("--handover-skew", word, &vr->handover_ns);
	case F_SETTLE:
		return parse_seconds("--link-settle", word, &vr->link_settle_ns);
	case F_VERSION:
		rc = run_number("--version", word, 2, 3, &n);
		vr->version = n;
		return rc;
	case F_NO_PREEMPT:
		vr->preempt = false;
		return 0;
	case F_NO_ACCEPT:
		vr->accept = false;
		return 0;
	case F_VMAC:
		vr->use_vmac = true;
		return 0;
	case F_AUTH:
		return set_auth(vr, word);
	case F_SRC:
		return parse_addr("--src", word, &vr->src, NULL);
	case F_PEER:
		return add_peer(vr, word);
	case F_ALLOW:
		return allow_peer(vr, word);
	case F_MODE:
		return run_mode(word, &conf->mode);
	case F_CSUM:
		return set_checksum(vr, word);
	case F_RT:
		return run_number("--rt-priority", word, 1, 99, &conf->globals.rt_priority);
	case 'v':
		log_set_level(LOG_DEBUG);
		return 0;
	}
	return EXIT_USAGE;
}

/* The virtual routers on @ifname of the default file. */
static int attach_from_file(const char *ifname, const struct run_source *flags)
{
	struct run_source src = *flags;
	struct conf conf;
	int rc;

	src.path = run_default_conf();
	src.ifname = ifname;
	if (!src.path)
		return EXIT_USAGE;
	rc = run_load(&conf, &src);
	if (!rc)
		rc = run_conf(&conf, &src);
	conf_free(&conf);
	return rc;
}

static int attach_flags(struct conf *conf, const char *ifname, int argc, char *argv[])
{
	struct conf_vr *vr = conf_add_vr(conf, "");
	struct run_source src = { 0 };
	bool vr_flags = false;
	int rc = 0, o;

	if (!vr) {
		log_err("out of memory");
		return EXIT_FAILED;
	}
	snprintf(vr->ifname, sizeof(vr->ifname), "%s", ifname);
	opterr = 0;
	while (!rc && (o = getopt_long(argc, argv, ":v", attach_opts, NULL)) != -1) {
		if (o == '?' || o == ':')
			return run_bad_flag("attach", argv[optind - 1], o);
		vr_flags |= o != 'v' && o != F_MODE && o != F_RT;
		rc = take_flag(conf, vr, o, optarg);
		if (o == F_MODE)
			src.mode = optarg;
	}
	src.rt_priority = conf->globals.rt_priority;
	if (!rc && optind < argc) {
		log_err("attach: unexpected argument \"%s\"; one interface and flags are taken", argv[optind]);
		rc = EXIT_USAGE;
	}
	if (rc)
		return rc;
	if (!vr_flags)
		return attach_from_file(ifname, &src);
	if (!vr->vrid || !vr->nvips) {
		log_err("%s: --%s is missing; a virtual router needs --vrid and at least one --vip", ifname,
			vr->vrid ? "vip" : "vrid");
		return EXIT_USAGE;
	}
	if (!vr->accept && vr->priority == 255) { /* DP-2 */
		log_err("--no-accept is not for priority 255: the owner of the addresses accepts; leave one of them "
			"out");
		return EXIT_USAGE;
	}
	if (vr->auth_pass_set && vr->version == 3) {
		log_err("--auth-pass is for version 2 only; VRRPv3 has no authentication (RFC 9568 9); add --version "
			"2, or leave it out");
		return EXIT_USAGE;
	}
	if (vr->vlan)
		snprintf(vr->name, sizeof(vr->name), "%s.%u/%u", ifname, vr->vlan, vr->vrid);
	else
		snprintf(vr->name, sizeof(vr->name), "%s/%u", ifname, vr->vrid);
	if (conf_check(conf, run_conf_msg, NULL))
		return EXIT_USAGE;
	return run_conf(conf, &src);
}

static int check_ifname(const char *cmd, const char *ifname)
{
	if (!ifname || ifname[0] == '-') {
		log_err("%s: which interface? Usage: vrrp-xdp %s IFACE ...", cmd, cmd);
		return EXIT_USAGE;
	}
	if (strlen(ifname) >= IFNAMSIZ || !if_nametoindex(ifname)) {
		log_err("%s: no such interface; see `ip link`", ifname);
		return EXIT_USAGE;
	}
	return 0;
}

int cmd_attach(int argc, char *argv[])
{
	const char *ifname = argc > 1 ? argv[1] : NULL;
	int rc = check_ifname("attach", ifname);
	struct conf conf;

	if (rc)
		return rc;
	conf_init(&conf);
	argv[1] = argv[0];
	rc = attach_flags(&conf, ifname, argc - 1, argv + 1);
	conf_free(&conf);
	return rc;
}

/* ---- detach ---- */

static void count_gone(void *arg, const struct nl_addr *a)
{
	size_t *n = arg;

	(void)a;
	++*n;
}

static int detach(const char *ifname)
{
	size_t removed = 0;
	int found = leftover_remove(if_nametoindex(ifname), ifname, count_gone, &removed);

	if (found < 0) {
		log_err("%s: cannot detach the XDP program: %s; run as root", ifname, strerror(-found));
		return EXIT_FAILED;
	}
	if (found)
		log_info("%s: XDP program detached, pins and %zu virtual address%s removed", ifname, removed,
			 removed == 1 ? "" : "es");
	else
		log_info("%s: nothing of vrrp-xdp is left there", ifname);
	return EXIT_DONE;
}

int cmd_detach(int argc, char *argv[])
{
	const char *ifname = argc == 2 ? argv[1] : NULL;
	int rc = check_ifname("detach", ifname);
	uid_t uid = 0;
	pid_t holder;

	if (!rc)
		rc = run_check_privileges();
	if (rc)
		return rc;
	holder = ctl_holder(ifname, &uid);
	if (holder && ctl_trusted(uid)) {
		log_err("%s: vrrp-xdp runs there as process %d; stop it with `kill %d`, which detaches too", ifname,
			(int)holder, (int)holder);
		return EXIT_FAILED;
	}
	return detach(ifname);
}
