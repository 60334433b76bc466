// SPDX-License-Identifier: GPL-2.0-or-later
/* The BPF program and all that it includes, natively, for the analyzers: tests/shim stands in for the kernel. */
#include "tests/shim/program.h"

int main(void)
{
	struct vx_timer_cmd cmd = { .op = VX_TIMER_CANCEL };
	__u8 frame[128] = { 0 };

	shim_reset(0);
	return shim_run(frame, sizeof(frame), 1) + shim_run_egress(frame, sizeof(frame), 1) + vx_timer(&cmd) +
	       shim_fire(0);
}
