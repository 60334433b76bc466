/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A scenario goes into the simulated maps. */
#ifndef VX_SHIM_DP_H
#define VX_SHIM_DP_H

#include "../scenario.h"
#include "program.h"

static inline void *shim_dp_vr_cell(void *arg __attribute__((unused)), __u32 i)
{
	return bpf_map_lookup_elem(&vr_index, &i);
}

static inline void *shim_dp_addr4_cell(void *arg __attribute__((unused)), __u32 i)
{
	return bpf_map_lookup_elem(&addr4, &i);
}

static inline void *shim_dp_addr6_cell(void *arg __attribute__((unused)), __u32 i)
{
	return bpf_map_lookup_elem(&addr6, &i);
}

static inline struct vx_table shim_dp_table(enum dp_map map)
{
	const struct vx_masks now = { .vr = masks.vr, .addr = masks.addr };

	return dp_table(map,
			map == DP_VR_INDEX ? shim_dp_vr_cell
			: map == DP_ADDR4  ? shim_dp_addr4_cell
					   : shim_dp_addr6_cell,
			NULL, &now);
}

static inline void shim_dp_put(enum dp_map map, const void *key, const void *value)
{
	switch (map) {
	case DP_VR_INDEX:
	case DP_ADDR4:
	case DP_ADDR6:
		abort(); /* they are tables */
	case DP_PEERS:
		shim_put(&peers, key, value);
		return;
	case DP_FILTER:
		shim_put(&filter, key, value);
		return;
	case DP_VR_CONFIG:
		shim_put(&vr_config, key, value);
		return;
	case DP_VR_ROLE:
		shim_put(&vr_role, key, value);
		return;
	}
}

static inline void shim_dp_arm(const struct vx_timer_cmd *cmd)
{
	struct vx_timer_cmd copy = *cmd;

	if (vx_timer(&copy))
		abort();
}

static const struct dp_ops shim_dp = { .table = shim_dp_table, .put = shim_dp_put, .arm = shim_dp_arm };

#endif
