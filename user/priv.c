// SPDX-License-Identifier: GPL-2.0-or-later
#include "priv.h"

#include <errno.h>
#include <linux/capability.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * What the kernel was seen to ask for (its cap_capable tracepoint over the network tests), at start as well as later: a reload opens
 * interfaces, loads programs and locks memory as the start does.
 */
static const uint8_t needed[] = {
	CAP_NET_ADMIN, /* addresses, routes, XDP, tc; adverts past a full send queue */
	CAP_NET_RAW,   /* packet sockets */
	CAP_BPF,       /* maps and programs: with 5.8 split off CAP_SYS_ADMIN, which an older libbpf still asks for */
	CAP_PERFMON,   /* what the verifier allows to the program */
	CAP_SYS_ADMIN, /* program and map ids, mounting a bpffs: no smaller capability gives them */
	CAP_SYS_NICE,  /* vrrp_rt_priority, vrrp_priority; a script's nice value back to 0 */
	CAP_IPC_LOCK,  /* once memory is locked, more of it may be needed than RLIMIT_MEMLOCK allows */
	CAP_SETUID,    /* scripts of other users: to become them, */
	CAP_SETGID,       CAP_KILL, /* to end them, */
	CAP_CHOWN,                  /* to give them their FIFO */
	CAP_DAC_OVERRIDE,           /* and to open it again; files of the configuration that belong to somebody else */
};

static const uint8_t guardian_needed[] = {
	CAP_NET_RAW,  /* its sockets, and the interface that they send on */
	CAP_IPC_LOCK, /* the roles and the wills stay in memory */
	CAP_KILL,     /* a controller of another user is still its child */
};

static int keep(const uint8_t *caps, size_t n)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[_LINUX_CAPABILITY_U32S_3];
	uint32_t mask[_LINUX_CAPABILITY_U32S_3] = { 0 };
	size_t i;

	for (i = 0; i < n; i++)
		mask[CAP_TO_INDEX(caps[i])] |= CAP_TO_MASK(caps[i]);
	if (syscall(SYS_capget, &h, d))
		return -errno;
	for (i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		d[i].permitted &= mask[i];
		d[i].effective &= mask[i];
		d[i].inheritable &= geteuid() ? mask[i] : 0;
	}
	return syscall(SYS_capset, &h, d) ? -errno : 0;
}

/* Somebody who is not root keeps what execve() hands on to the next image, an ambient capability being an inheritable one as well. */
int priv_drop(void)
{
	return keep(needed, sizeof(needed));
}

/* It may become the next image: to root execve() gives back what the service has, another user would start that with less. */
int priv_drop_guardian(void)
{
	return geteuid() ? priv_drop() : keep(guardian_needed, sizeof(guardian_needed));
}

int priv_hide_memory(bool has_password)
{
	return prctl(PR_SET_DUMPABLE, !has_password, 0, 0, 0) ? -errno : 0;
}
