/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stands in for libxdp's header when the BPF program is compiled natively: the run configuration has no meaning there. */
#ifndef VX_SHIM_XDP_HELPERS_H
#define VX_SHIM_XDP_HELPERS_H

#define XDP_RUN_CONFIG(f) shim_run_config_##f __attribute__((unused))

#endif
