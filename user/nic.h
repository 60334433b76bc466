/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a NIC does to frames before XDP sees them, asked of its driver. */
#ifndef VX_NIC_H
#define VX_NIC_H

/* Whether @ifname takes VLAN tags out of frames (rx-vlan-offload), so that XDP cannot tell tagged from untagged (RX-40): 1, 0, or -errno. */
int nic_hides_tags(const char *ifname);

#endif
