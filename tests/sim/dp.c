// SPDX-License-Identifier: GPL-2.0-or-later
#include "dp.h"

struct sim_xdp_md {
	unsigned long data;
	unsigned long data_end;
	__u32 ingress_ifindex;
};

struct sim_sk_buff {
	unsigned long data;
	unsigned long data_end;
	__u32 ifindex;
	__u32 protocol;
	__u32 vlan_present;
};

#define xdp_md    sim_xdp_md
#define __sk_buff sim_sk_buff
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#pragma GCC diagnostic ignored "-Waddress"
#include "../../bpf/vrrp_xdp.bpf.c"
#pragma GCC diagnostic pop

/* What advert_in() does when every check has passed. */
void dp_rx(struct dp *dp, __u64 now_ns, __u8 priority, __u64 adver_ns, const struct vx_addr *src)
{
	struct advert a = { .src = *src, .priority = priority, .adver_ns = adver_ns };
	struct vx_event ev = { .src = *src, .priority = priority, .adver_ns = adver_ns, .at_ns = now_ns };

	here = dp;
	dp->now_ns = now_ns;
	advert_deliver(&dp->watch, &dp->cfg, &a, 0, 0, &ev);
}

void dp_fire(struct dp *dp, __u64 now_ns)
{
	__u32 slot = 0;

	here = dp;
	dp->now_ns = now_ns;
	dp->timer_ns = 0;
	on_timer(&vr_watch, &slot, &dp->watch);
}

void dp_timer(struct dp *dp, __u64 now_ns, const struct vx_timer_cmd *cmd)
{
	struct vx_timer_cmd copy = *cmd;

	here = dp;
	dp->now_ns = now_ns;
	vx_timer(&copy);
}

bool dp_answers(struct dp *dp, __u64 now_ns)
{
	here = dp;
	dp->now_ns = now_ns;
	return in_lease(role_of(0));
}
