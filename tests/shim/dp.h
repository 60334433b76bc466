/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A scenario goes into the simulated maps. */
#ifndef VX_SHIM_DP_H
#define VX_SHIM_DP_H

#include "../scenario.h"
#include "program.h"

static inline void shim_dp_put(enum dp_map map, const void *key, const void *value)
{
	switch (map) {
	case DP_VR_INDEX:
		shim_put(&vr_index, key, value);
		return;
	case DP_ADDR4:
		shim_put(&addr4, key, value);
		return;
	case DP_ADDR6:
		shim_put(&addr6, key, value);
		return;
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

static const struct dp_ops shim_dp = { .put = shim_dp_put, .arm = shim_dp_arm };

#endif
