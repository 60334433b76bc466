// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd.h"
#include "log.h"
#include "restart.h"

#include <bpf/libbpf.h>
#include <stdio.h>
#include <string.h>

#ifndef VX_VERSION
#error "VX_VERSION comes from the Makefile"
#endif

static const struct {
	const char *name, *args, *help;
	int (*fn)(int argc, char *argv[]);
} cmds[] = {
	{ "attach", "IFACE [--vrid N --vip ADDR[/LEN] ...]",
	  "run one virtual router from flags, or IFACE's of the default file", cmd_attach },
	{ "run", "[-f FILE] [-i ID]", "run every virtual router of a keepalived.conf", cmd_run },
	{ "check", "[-f FILE] [-i ID] [--json]",
	  "say what is wrong with a keepalived.conf, and what it means with all defaults", cmd_check },
	{ "reload", "", "read the configuration file again and change what has changed; a wrong file changes nothing",
	  cmd_reload },
	{ "restart", "[IFACE]", "run the program as it is now installed in place of the running one; the routers go on",
	  cmd_restart },
	{ "drain", "[IFACE|IFACE/VRID|NAME]", "give the role away without stopping, and stay away", cmd_drain },
	{ "undrain", "[IFACE|IFACE/VRID|NAME]", "take part again", cmd_drain },
	{ "status", "[--json]", "who is Active, since when and why; timers, lease, XDP mode", cmd_status },
	{ "stats", "[--json]", "every counter, per virtual router and interface", cmd_stats },
	{ "detach", "IFACE", "remove what a dead controller left behind", cmd_detach },
	{ "version", "", "print the version", cmd_version },
	{ "help", "", "print this", cmd_help },
};

static void usage(FILE *f)
{
	size_t i;

	fprintf(f, "usage: vrrp-xdp COMMAND ...\n\n");
	for (i = 0; i < sizeof(cmds) / sizeof(cmds[0]); i++)
		fprintf(f, "  %s %s\n      %s\n", cmds[i].name, cmds[i].args, cmds[i].help);
	fprintf(f, "\nattach takes:\n"
		   "  --vrid N               VRID, 1-255\n"
		   "  --vip ADDR[/LEN]       virtual address, repeatable\n"
		   "  --vlan VID             tagged, 1-4094; the VLAN device on IFACE gets the addresses\n"
		   "  --priority N           1-255, default 100\n"
		   "  --advert-int SECONDS   default 1; version 3: 0.01-40.95, version 2: whole, 1-255\n"
		   "  --version 2|3          default 3\n"
		   "  --no-preempt           leave a lower-priority Active Router in peace\n"
		   "  --no-accept            drop what is sent to the virtual addresses; ARP is answered\n"
		   "  --vmac                 speak with the virtual MAC, 00:00:5e:00:01:VRID (IPv6: 02)\n"
		   "  --auth-pass WORD       version 2: password, at most 8 bytes\n"
		   "  --src ADDR             source of adverts, default the interface's primary address\n"
		   "  --unicast-peer ADDR    send to and accept from these only, repeatable\n"
		   "  --allow-peer ADDR      with multicast: accept from these only, repeatable\n"
		   "  --max-advert-int SECONDS  learn no longer interval than this from others\n"
		   "  --handover-skew SECONDS   take over faster from an Active Router that leaves, such as 0.001\n"
		   "  --link-settle SECONDS  wait so long with a link that came up and delivers nothing yet\n"
		   "  --mode auto|native|skb XDP mode, default auto\n"
		   "  --checksum FORM        version 3: rfc5798 (with pseudo-header), rfc9568 (without);\n"
		   "                         default auto: accept both, send rfc5798 as keepalived does\n"
		   "  --rt-priority N        SCHED_FIFO priority 1-99, memory locked\n"
		   "  -v                     log more\n"
		   "run takes -f FILE, -i ID, --mode, --rt-priority, -v\n"
		   "check takes -f FILE, -i ID, --json; ID is what @ID lines are compared with, by default the host "
		   "name up to the first dot\n");
}

int cmd_help(int argc, char *argv[])
{
	(void)argc;
	(void)argv;
	usage(stdout);
	return EXIT_DONE;
}

int cmd_version(int argc, char *argv[])
{
	(void)argc;
	(void)argv;
	printf("vrrp-xdp %s (libbpf %s)\n", VX_VERSION, libbpf_version_string());
	return EXIT_DONE;
}

static int run_command(int argc, char *argv[])
{
	const char *name = argc > 1 ? argv[1] : "";
	size_t i;

	if (!strcmp(name, "--help") || !strcmp(name, "-h"))
		name = "help";
	if (!strcmp(name, "--version"))
		name = "version";
	for (i = 0; i < sizeof(cmds) / sizeof(cmds[0]); i++)
		if (!strcmp(name, cmds[i].name))
			return cmds[i].fn(argc - 1, argv + 1);
	if (argc > 1)
		log_err("vrrp-xdp: no command \"%s\"; see `vrrp-xdp help`", name);
	else
		usage(stderr);
	return EXIT_USAGE;
}

/* Asked by a controller that is to be followed by this one: `can-adopt VERSION COMMAND ...`, not for people. */
static int can_adopt(int argc, char *argv[])
{
	if (argc < 3 || strcmp(argv[1], hand_version()))
		return RESTART_OTHER_VERSION;
	restart_rehearse();
	return run_command(argc - 1, argv + 1) ? RESTART_REFUSED : EXIT_DONE;
}

int main(int argc, char *argv[])
{
	int rc;

	restart_init(argv);
	if (argc > 1 && !strcmp(argv[1], "can-adopt"))
		return can_adopt(argc - 1, argv + 1);
	rc = run_command(argc, argv);
	if (restart_give_up() && !rc) /* it has not come to the routers */
		rc = EXIT_FAILED;
	return rc;
}
